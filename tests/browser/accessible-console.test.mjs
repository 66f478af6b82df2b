// Every page behind the sign-in, in its states, with names that strain it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bringAxe, inspect } from "./lib/inspect.mjs";
import { stage } from "./lib/stage.mjs";
import { generate, rowInLog, setUp, signIn } from "./lib/steps.mjs";

const here = stage();

const LONGEST = "Unbroken".repeat(13).slice(0, 100);
const RIGHT_TO_LEFT = "מפתח לשירות השכר ".repeat(6).slice(0, 96).trim();

test("pages without data", async () => {
  const org = await here.server.createOrg({ email: "empty@acme.example" });
  await here.story(async (visitor) => {
    await bringAxe(visitor);
    await setUp(visitor, org);
    await inspect(visitor, "overview, new");
    for (const path of ["api", "api/logs", "api/logs?path=none", "audit", "settings/security", "settings/organization", "settings/studio"]) {
      await visitor.page.goto(`/app/admin/${path}`);
      await inspect(visitor, path);
    }
  });
});

test("pages of keys", async () => {
  const { server } = here;
  const org = await server.createOrg();
  const command = (name, ...more) => server.command("key", "create", "--org", org.uid, "--name", name, ...more);
  const longest = await command(LONGEST, "--networks", "10.0.0.0/8,127.0.0.0/8,2001:db8::/32");
  await command(RIGHT_TO_LEFT, "--scopes", "organization:read,teams", "--expires-in", "90d");
  await here.story(async (visitor) => {
    const { page } = visitor;
    await bringAxe(visitor);
    await setUp(visitor, org);
    const key = await generate(visitor);
    await inspect(visitor, "the key, once");
    await page.getByRole("link", { name: "I have stored it" }).click();
    await page.getByRole("heading", { level: 1, name: "API" }).waitFor();
    await server.call("/api/v2/organization", key, { headers: { origin: "https://acme.com" } });
    await rowInLog(visitor, "/api/v2/organization", 200);

    await page.goto("/app/admin/api");
    await page.getByText("used from a browser").waitFor();
    await inspect(visitor, "keys");
    visitor.expectStatus(400);
    await page.getByText("Restricted key").click();
    await page.getByLabel("Name", { exact: true }).fill(RIGHT_TO_LEFT);
    await page.getByLabel("Expires", { exact: true }).selectOption("date");
    await page.getByLabel("Allowed networks").fill("nowhere");
    await page.getByRole("button", { name: "Generate API Key with these limits" }).click();
    await page.getByText("Choose at least one scope.").waitFor();
    await inspect(visitor, "restricted key, refused");

    await page.goto("/app/admin/api");
    await page.getByRole("row").filter({ hasText: key.slice(-4) }).getByRole("link").click();
    await page.getByText("these calls fail from now on").waitFor();
    await inspect(visitor, "before a deletion");
    await page.getByRole("button", { name: "Delete API Key" }).click();
    await page.getByText("No process accepts this key since").waitFor();
    await inspect(visitor, "after a deletion");

    await server.call(`/api/v2/${"segment/".repeat(30)}`, key);
    await server.call("/api/v2/organization/credits", longest.key);
    const refused = await rowInLog(visitor, "/api/v2/segment/", 401);
    await page.goto("/app/admin/api/logs");
    await page.getByText(/was tried 1 time since/).waitFor();
    await inspect(visitor, "log");
    await refused.getByRole("link").click();
    await page.getByText("What would fix it").waitFor();
    await inspect(visitor, "log, detail");
    await page.goto("/app/admin/overview");
    await inspect(visitor, "overview");
    await page.goto("/app/admin/audit");
    await inspect(visitor, "audit");
    await page.goto("/app/admin/jobs");
    await inspect(visitor, "jobs");

    await page.goto("/app/admin/api");
    await page.getByLabel("Webhook URL").fill("https://hooks.acme.example/headshot");
    await page.getByRole("button", { name: "Save webhook URL" }).click();
    await page.getByRole("textbox", { name: "Webhook secret" }).waitFor();
    await inspect(visitor, "the webhook secret");
    await page.getByRole("link", { name: "I have stored it" }).click();
    await page.getByText("Rotate secret").first().click();
    await inspect(visitor, "webhook settings");
    await page.getByRole("button", { name: "Send test event" }).click();
    await page.getByRole("heading", { name: "Deliveries" }).waitFor();
    await inspect(visitor, "webhook event");
    await page.goto("/app/admin/webhooks");
    await inspect(visitor, "webhooks");
  });
});

test("many rows, and pages of them", async () => {
  const { server } = here;
  const org = await server.createOrg({ name: LONGEST, email: "many@acme.example" });
  const { key } = await server.command("key", "create", "--org", org.uid, "--name", "Load");
  await Promise.all(Array.from({ length: 120 }, () => server.call("/api/v2/organization", key)));
  await here.story(async (visitor) => {
    const { page } = visitor;
    await bringAxe(visitor);
    await setUp(visitor, org);
    await inspect(visitor, "overview, with a long name");
    await rowInLog(visitor, "/api/v2/organization", 200);
    await page.goto("/app/admin/api/logs");
    await page.getByRole("link", { name: "Older" }).click();
    await page.getByRole("link", { name: "Newest" }).waitFor();
    await inspect(visitor, "log, second page");
    await page.goBack();
    await page.getByRole("link", { name: "Older" }).waitFor();
    assert.equal(new URL(page.url()).search, "");
  });
});

test("settings, with a question", async () => {
  const org = await here.server.createOrg({ email: "sessions@acme.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    await bringAxe(visitor);
    await setUp(visitor, org);
    await here.story((other) => signIn(other, org.email));
    await here.story((other) => signIn(other, org.email));
    visitor.expectStatus(403);
    await page.goto("/app/admin/settings/security");
    await page.getByRole("button", { name: "Sign out 2 other sessions" }).click();
    await page.getByRole("dialog", { name: "Sign out 2 other sessions" }).waitFor();
    await inspect(visitor, "settings, question");
    await page.keyboard.press("Escape");
    await page.getByLabel("Current password").fill("not the password");
    await page.getByLabel("New password").fill("another good password");
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByText("The password is not right.").waitFor();
    await inspect(visitor, "settings, refused");
  });
});
