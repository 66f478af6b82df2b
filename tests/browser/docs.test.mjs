// The documentation at /api.

import assert from "node:assert/strict";
import { test } from "node:test";
import { stage } from "./lib/stage.mjs";

const here = stage();

const PAGES = ["/api", "/api/authentication", "/api/errors", "/api/rate-limits", "/api/reference"];

test("every sample holds this server's URL, and every link leads somewhere", async () => {
  const { server } = here;
  await here.story(async ({ page }) => {
    let samples = 0;
    const links = new Set();
    for (const path of PAGES) {
      await page.goto(path);
      const texts = await page.locator("pre").allTextContents();
      for (const text of texts) {
        const addresses = text.match(/https?:\/\/[^/\s"']+/g) ?? [];
        const ours = addresses.filter((address) => !/^https:\/\/acme\.com/.test(address));
        assert.ok(ours.every((address) => address === server.base), `${path}: ${ours}`);
        samples += ours.length;
      }
      const targets = await page.locator("a[href]").evaluateAll((list) => list.map((link) => link.href));
      for (const target of targets) links.add(target);
    }
    assert.ok(samples >= 6, `${samples} samples name the server`);
    for (const link of links) {
      const { hash } = new URL(link);
      const answer = await page.goto(link.includes("openapi.json") ? "/api" : link);
      assert.ok(answer === null || answer.status() === 200, link);
      if (hash) assert.equal(await page.locator(`[id="${decodeURIComponent(hash.slice(1))}"]`).count(), 1, link);
    }
    const openapi = await (await fetch(`${server.base}/api/openapi.json`)).json();
    assert.match(openapi.openapi, /^3\.1/);
    assert.deepEqual(openapi.servers.map((entry) => entry.url), [server.base]);
  });
});

test("a sample is chosen by keyboard and copied", async () => {
  const { server } = here;
  await here.story(async ({ page, context }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.base });
    await page.goto("/api/authentication");
    const tabs = page.getByRole("group", { name: "Sample in three languages" });
    await tabs.getByRole("radio", { name: "curl" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    const python = tabs.getByRole("group", { name: "Python" });
    await python.waitFor();
    assert.equal(await tabs.getByRole("group", { name: "curl" }).count(), 0);
    await tabs.getByRole("button", { name: "Copy Python" }).click();
    await page.getByRole("status").getByText("Copied", { exact: true }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, await python.textContent());
    assert.ok(copied.includes(`${server.base}/api/v2/organization`));
  });
});

test("no page lets a script, a style or a request of others in", async () => {
  await here.story(async ({ page }) => {
    for (const path of ["/auth/login", ...PAGES]) {
      const answer = await page.goto(path);
      const policy = answer.headers()["content-security-policy"];
      assert.match(policy, /default-src 'none'|default-src 'self'/, path);
      assert.doesNotMatch(policy, /unsafe|https?:|\*/, path);
      assert.equal(await page.locator("[style], style, script:not([src])").count(), 0, path);
    }
  });
});
