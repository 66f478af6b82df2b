// Sessions, roles, and the pages that say no.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startDemo } from "./lib/server.mjs";
import { stage } from "./lib/stage.mjs";
import { KEY, PASSWORD, setUp, signIn } from "./lib/steps.mjs";

/** The demo has members; nothing else makes them yet. */
const here = stage(startDemo);

const ADMIN_PAGES = [
  "/app/admin/overview",
  "/app/admin/api",
  "/app/admin/api/logs",
  "/app/admin/webhooks",
  "/app/admin/jobs",
  "/app/admin/audit",
  "/app/admin/settings/security",
];

test("other sessions are listed and signed out", async () => {
  const org = await here.server.createOrg({ name: "Globex", email: "owner@globex.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    await setUp(visitor, org);
    await here.story(async (second) => {
      await signIn(second, org.email);
      await here.story(async (third) => {
        await signIn(third, org.email);
        await page.goto("/app/admin/settings/security");
        assert.equal(await page.getByText("127.0.0.1").count(), 3);
        assert.equal(await page.getByText("this browser").count(), 1);

        const all = page.getByRole("button", { name: "Sign out 2 other sessions" });
        const dialog = page.getByRole("dialog", { name: "Sign out 2 other sessions" });
        await all.click();
        await dialog.getByRole("button", { name: "Cancel" }).click();
        await dialog.waitFor({ state: "hidden" });
        assert.ok(await all.evaluate((button) => button === document.activeElement), "the focus returns");
        await all.click();
        await dialog.getByRole("button", { name: "Sign out 2 other sessions" }).click();
        await all.waitFor({ state: "detached" });
        assert.equal(await page.getByText("127.0.0.1").count(), 1);

        for (const other of [second, third]) {
          await other.page.goto("/app/admin/audit");
          await other.page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
        }
        await signIn(second, org.email);
        await page.reload();
        await page.getByRole("button", { name: /^Sign out Chrome/ }).click();
        await page.getByRole("button", { name: /^Sign out Chrome/ }).waitFor({ state: "detached" });
        await second.page.reload();
        await second.page.getByRole("heading", { level: 1, name: "Sign in" }).waitFor();
      });
    });
    await page.goto("/app/admin/overview");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You are signed out.").waitFor();
    await page.goto("/app/admin/api");
    assert.equal(new URL(page.url()).pathname, "/auth/login");
  });
});

test("a refused sign-in keeps the address, and the right one leads where one wanted to go", async () => {
  const org = await here.server.createOrg({ name: "Initech", email: "owner@initech.example" });
  await here.story((visitor) => setUp(visitor, org));
  await here.story(async (visitor) => {
    const { page } = visitor;
    visitor.expectStatus(401);
    await page.goto("/app/admin/audit");
    await page.getByLabel("Email").fill(org.email);
    await page.getByLabel("Password").fill("not the password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("The email or the password is not right.").waitFor();
    assert.equal(await page.getByLabel("Email").inputValue(), org.email);
    assert.ok(await page.getByLabel("Password").evaluate((input) => input === document.activeElement));
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { level: 1, name: "Audit" }).waitFor();
  });
});

test("a member sees no admin page", async () => {
  const { resetUrl } = await here.server.command("user", "reset-password", "amara@acme.example");
  await here.story(async (visitor) => {
    const { page } = visitor;
    await page.goto(resetUrl);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Set password and sign in" }).click();
    await page.getByRole("heading", { level: 1, name: "Hello Amara Okafor" }).waitFor();
    assert.equal(await page.getByRole("link").count(), 1);
    await page.getByRole("link", { name: "Password, and where you are signed in" }).click();
    await page.getByRole("heading", { level: 1, name: "Your account" }).waitFor();
    visitor.expectStatus(403);
    for (const path of ADMIN_PAGES) {
      const answer = await page.goto(path);
      assert.equal(answer.status(), 403, path);
      assert.equal(await page.getByRole("navigation").count(), 0, path);
    }
    await page.getByRole("link", { name: "Go to the start" }).click();
    await page.getByRole("heading", { level: 1, name: "Hello Amara Okafor" }).waitFor();
  });
});

test("a forged form changes nothing, and says what to do", async () => {
  const org = await here.server.createOrg({ name: "Umbrella", email: "owner@umbrella.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    await setUp(visitor, org);
    await page.goto("/app/admin/api");
    await page.locator('input[name="csrf"]').evaluateAll((inputs) => {
      for (const input of inputs) input.value = "forged";
    });
    visitor.expectStatus(403);
    await page.getByRole("button", { name: "Generate API Key", exact: true }).click();
    await page.getByText("Request id").waitFor();
    assert.doesNotMatch(await page.content(), /hsp_/);
    await page.goto("/app/admin/api");
    await page.getByText("No API keys").waitFor();
  });
});

test("a set-up link works once, and an unknown page says so", async () => {
  const org = await here.server.createOrg({ name: "Hooli", email: "owner@hooli.example" });
  await here.story((visitor) => setUp(visitor, org));
  await here.story(async (visitor) => {
    const { page } = visitor;
    visitor.expectStatus(404);
    await page.goto(org.setupUrl);
    await page.getByRole("heading", { level: 1, name: "This link no longer works" }).waitFor();
    const answer = await page.goto("/no/such/page");
    assert.equal(answer.status(), 404);
    await page.getByRole("heading", { level: 1, name: "This page does not exist" }).waitFor();
  });
});

test("who signed in by a link gives the password before a key is generated", async () => {
  const said = here.server.said.map((line) => line.trim());
  const link = said.find((line) => line.includes("/auth/magic?token="));
  const password = said.find((line) => line.startsWith("Password")).split(/\s+/)[1];
  await here.story(async (visitor) => {
    const { page } = visitor;
    await page.goto(link);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    visitor.expectStatus(403);
    await page.goto("/app/admin/api");
    await page.getByRole("button", { name: "Generate API Key", exact: true }).click();
    await page.getByRole("heading", { name: "Confirm that it is you" }).waitFor();
    const field = page.getByLabel("Password");
    assert.ok(await field.evaluate((input) => input === document.activeElement), "ready to type");
    await field.fill("not the password");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByText("The password is not right.").waitFor();
    await field.fill(password);
    await page.getByRole("button", { name: "Continue" }).click();
    assert.match(await page.getByLabel("API key", { exact: true }).inputValue(), KEY);
  });
});

test("a person of two organizations goes from one to the other", async () => {
  const { resetUrl } = await here.server.command("user", "reset-password", "jonas@acme.example");
  await here.server.createOrg({ name: "Lindqvist Portraits", email: "jonas@acme.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    await page.goto(resetUrl);
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Set password and sign in" }).click();
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    await page.getByText("Organization: Lindqvist Portraits").click();
    await page.getByRole("button", { name: "Acme Corporation" }).click();
    await page.getByRole("heading", { level: 1, name: /^Hello/ }).waitFor();
    const own = page.getByRole("button", { name: "Lindqvist Portraits" });
    await own.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
  });
});

test("a phone shows the whole key", async () => {
  const org = await here.server.createOrg({ name: "Soylent", email: "owner@soylent.example" });
  await here.story(
    async (visitor) => {
      const { page } = visitor;
      await setUp(visitor, org);
      for (const width of [390, 1280]) {
        await page.setViewportSize({ width, height: 844 });
        await page.goto("/app/admin/api");
        await page.getByRole("button", { name: "Generate API Key", exact: true }).click();
        const secret = page.getByLabel("API key", { exact: true });
        const hidden = await secret.evaluate((field) => [
          field.scrollWidth - field.clientWidth,
          field.scrollHeight - field.clientHeight,
        ]);
        assert.deepEqual(hidden, [0, 0], `${width} px`);
        await page.getByRole("link", { name: "I have stored it" }).click();
        await page.getByRole("heading", { level: 1, name: "API" }).waitFor();
      }
    },
    { viewport: { width: 390, height: 844 } },
  );
});
