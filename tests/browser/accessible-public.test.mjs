// Every page outside the admin's console: the ways in, the documentation, the errors.

import { test } from "node:test";
import { bringAxe, inspect } from "./lib/inspect.mjs";
import { startDemo } from "./lib/server.mjs";
import { stage } from "./lib/stage.mjs";
import { PASSWORD } from "./lib/steps.mjs";

const here = stage(startDemo);

test("the ways in", async () => {
  const org = await here.server.createOrg({ name: "Globex", email: "owner@globex.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    await bringAxe(visitor);
    visitor.expectStatus(401, 403, 404);
    await page.goto("/auth/login");
    await inspect(visitor, "sign in");
    await page.getByLabel("Email").fill("nobody@globex.example");
    await page.getByLabel("Password").fill("not the password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await inspect(visitor, "sign in, refused");
    await page.goto(org.setupUrl);
    await inspect(visitor, "set-up link");
    await page.goto("/auth/setup?token=none");
    await inspect(visitor, "set-up link, used");
    await page.goto("/no/such/page");
    await inspect(visitor, "404");

    const { resetUrl } = await here.server.command("user", "reset-password", "mei@acme.example");
    await page.goto(resetUrl);
    await inspect(visitor, "reset link");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Set password and sign in" }).click();
    await page.getByRole("heading", { name: "Hello Mei Tanaka" }).waitFor();
    await inspect(visitor, "member's page");
    await page.goto("/app/admin/api");
    await inspect(visitor, "403");
  });
});

test("the documentation", async () => {
  await here.story(async (visitor) => {
    await bringAxe(visitor);
    for (const path of ["", "/authentication", "/errors", "/rate-limits", "/reference"]) {
      await visitor.page.goto(`/api${path}`);
      await inspect(visitor, `/api${path}`);
    }
  });
});
