// The life of an API key, with a mouse and a modern browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { stage } from "./lib/stage.mjs";
import { expectAnswer, generate, rowInLog, setUp } from "./lib/steps.mjs";

const here = stage();

/** Everything of a page, besides its own text, that outlives it or is shown elsewhere. */
function traces({ page }) {
  return page.evaluate(() => ({
    title: document.title,
    addresses: [location.href, document.referrer, ...navigation.entries().map((entry) => entry.url)],
    state: history.state,
    stored: [{ ...localStorage }, { ...sessionStorage }, document.cookie, window.name],
  }));
}

async function leavingAsks({ page }, answer) {
  const [dialog] = await Promise.all([
    page.waitForEvent("dialog"),
    page.evaluate(() => void setTimeout(() => location.assign("/app/admin/overview"))),
  ]);
  assert.equal(dialog.type(), "beforeunload");
  await dialog[answer]();
}

test("a key is generated, copied, used, logged, deleted and refused", async () => {
  const { server } = here;
  const org = await server.createOrg();
  await here.story(async (visitor) => {
    const { page, context } = visitor;
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.base });
    await setUp(visitor, org);

    const key = await generate(visitor);
    await page.getByText("This is the only time the key is shown.").waitFor();
    const copy = page.locator(".secret-line").getByRole("button");
    assert.equal(await copy.textContent(), "Copy");
    await copy.click();
    await page.getByRole("status").getByText("Copied", { exact: true }).waitFor();
    assert.equal(await copy.textContent(), "Copied");
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);

    const answer = await (await server.call("/api/v2/organization?story=alive", key)).json();
    assert.equal(answer.organization.uid, org.uid);

    assert.ok(!JSON.stringify(await traces(visitor)).includes(key));
    await leavingAsks(visitor, "dismiss");
    assert.equal(await page.getByLabel("API key", { exact: true }).inputValue(), key);
    await page.getByRole("link", { name: "I have stored it" }).click();
    await page.getByRole("heading", { level: 1, name: "API" }).waitFor();
    assert.ok(!(await page.content()).includes(key));
    assert.ok(!JSON.stringify(await traces(visitor)).includes(key));

    const live = await rowInLog(visitor, "/api/v2/organization", 200);
    await live.getByText("GET /api/v2/organization").waitFor();
    await live.getByText("127.0.0.1").waitFor();
    await live.getByRole("link").click();
    await page.getByRole("heading", { level: 1, name: "GET /api/v2/organization" }).waitFor();
    const facts = await page.getByRole("region", { name: "Request" }).innerText();
    for (const fact of ["200", "API key", "127.0.0.1", "node", "/api/v2/organization"]) {
      assert.ok(facts.includes(fact), `the detail says ${fact}: ${facts}`);
    }

    await page.goto("/app/admin/api");
    const row = page.getByRole("row").filter({ hasText: key.slice(-4) });
    await row.getByRole("link", { name: "Delete API Key" }).click();
    const warning = await page.locator(".consequence").innerText();
    assert.match(warning, /Last used (just now|\d+ seconds ago) from 127\.0\.0\.1 by GET \/api\/v2\/organization; these calls fail from now on\./);
    await page.getByText("1 call was accepted in the last 24 hours.").waitFor();
    await page.getByRole("button", { name: "Delete API Key" }).click();
    const receipt = page.getByRole("status").filter({ hasText: "No process accepts this key since" });
    assert.match(await receipt.innerText(), /since\s\d\d:\d\d:\d\d\.\d{3} UTC/);

    const refused = await server.call("/api/v2/organization/credits", key);
    assert.match(refused.headers.get("www-authenticate"), /error="invalid_token"/);
    await expectAnswer(refused, 401, "UNAUTHORIZED");

    const dead = await rowInLog(visitor, "/api/v2/organization/credits", 401);
    assert.match(await dead.innerText(), /UNAUTHORIZED[\s\S]*The key was deleted\.[\s\S]*API key[\s\S]*deleted/);
    await page.getByText(/Key "API key[^"]*", deleted on .*, was tried 1 time since from 1 address\./).waitFor();
    await page.goto("/app/admin/api");
    await page.getByText("1 refused from 1 address").waitFor();
    assert.ok(!(await page.content()).includes(key));
  });
});

test("a key that was not stored is gone once the question is answered", async () => {
  const org = await here.server.createOrg({ email: "leaver@acme.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    await setUp(visitor, org);
    const key = await generate(visitor);
    await page.getByLabel("API key", { exact: true }).click();
    await page.keyboard.press("Escape");
    assert.ok(await page.getByRole("dialog", { name: "Your new API key" }).isVisible());
    await leavingAsks(visitor, "accept");
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    assert.ok(!JSON.stringify(await traces(visitor)).includes(key));
  });
});

test("back never shows a key again", async () => {
  const org = await here.server.createOrg({ email: "back@acme.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    await setUp(visitor, org);
    const key = await generate(visitor);
    await page.getByRole("link", { name: "I have stored it" }).click();
    await page.getByRole("row").filter({ hasText: key.slice(-4) }).waitFor();
    await page.goBack();
    await page.getByRole("heading", { level: 1, name: "API" }).waitFor();
    assert.ok(!(await page.content()).includes(key));
  });
});

test("Settings > API leads to Admin > API", async () => {
  const org = await here.server.createOrg({ email: "settings@acme.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    await setUp(visitor, org);
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "API" }).click();
    await page.getByRole("heading", { level: 1, name: "API" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/app/admin/api");
    await page.getByText("No API keys").waitFor();
  });
});
