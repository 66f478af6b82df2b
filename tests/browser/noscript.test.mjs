// The life of an API key with JavaScript switched off.

import assert from "node:assert/strict";
import { test } from "node:test";
import { stage } from "./lib/stage.mjs";
import { expectAnswer, generate, rowInLog, setUp, signIn } from "./lib/steps.mjs";

const here = stage();
const WITHOUT_SCRIPT = { javaScriptEnabled: false };

test("a key lives and dies without JavaScript", async () => {
  const { server } = here;
  const org = await server.createOrg();
  await here.story(async (visitor) => {
    const { page } = visitor;
    await setUp(visitor, org);
    const key = await generate(visitor);
    assert.equal(await page.locator("[data-copy]:visible").count(), 0, "no button that does nothing");
    await page.getByText("Python", { exact: true }).first().click();
    await page.getByText("import requests").waitFor();
    await expectAnswer(await server.call("/api/v2/organization", key), 200);
    await page.getByRole("link", { name: "I have stored it" }).click();
    await page.getByRole("heading", { level: 1, name: "API" }).waitFor();

    const row = await rowInLog(visitor, "/api/v2/organization", 200);
    await row.getByRole("link").click();
    await page.getByRole("heading", { level: 1, name: "GET /api/v2/organization" }).waitFor();

    await page.goto("/app/admin/api");
    await page.getByRole("link", { name: "Delete API Key" }).click();
    await page.getByRole("button", { name: "Delete API Key" }).click();
    await page.getByText("No process accepts this key since").waitFor();
    await expectAnswer(await server.call("/api/v2/organization", key), 401, "UNAUTHORIZED");
    await rowInLog(visitor, "/api/v2/organization", 401);
  }, WITHOUT_SCRIPT);
});

test("a restricted key, the menu and the sessions work without JavaScript", async () => {
  const { server } = here;
  const org = await server.createOrg({ email: "plain@acme.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    await setUp(visitor, org);
    await here.story((other) => signIn(other, org.email));
    await page.setViewportSize({ width: 390, height: 844 });
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("button", { name: /^Sign out Chrome/ }).click();
    await page.getByRole("heading", { name: "Where you are signed in" }).waitFor();
    assert.equal(await page.getByRole("button", { name: /^Sign out Chrome/ }).count(), 0);

    await page.goto("/app/admin/api");
    await page.getByText("Restricted key").click();
    await page.getByLabel("Name").fill("Nightly export");
    await page.getByRole("group", { name: "Teams" }).getByLabel("Read", { exact: true }).check();
    await page.getByRole("button", { name: "Generate API Key with these limits" }).click();
    const key = await page.getByLabel("API key", { exact: true }).inputValue();
    await expectAnswer(await server.call("/api/v2/organization", key), 403, "FORBIDDEN");
  }, WITHOUT_SCRIPT);
});
