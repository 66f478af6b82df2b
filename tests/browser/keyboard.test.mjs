// The life of an API key with a keyboard alone: no mouse, no touch.

import assert from "node:assert/strict";
import { test } from "node:test";
import { stage } from "./lib/stage.mjs";
import { expectAnswer, KEY, PASSWORD } from "./lib/steps.mjs";

const here = stage();

/** More stops than any page has before its main action. */
const STOPS = 60;

/** Presses Tab until `target` has the focus; every stop on the way must be seen. */
async function tabTo(page, target) {
  await target.waitFor();
  for (let stop = 0; stop < STOPS; stop += 1) {
    await page.keyboard.press("Tab");
    const seen = await page.evaluate(() => {
      const focused = document.activeElement;
      if (focused === document.body) return true;
      const outlined = [focused, ...(focused.labels ?? [])].some(
        (element) => getComputedStyle(element).outlineStyle !== "none",
      );
      const box = (focused.labels?.[0] ?? focused).getBoundingClientRect();
      return outlined && box.bottom > 0 && box.top < innerHeight;
    });
    assert.ok(seen, `the focus is visible at stop ${stop} on the way to ${target}`);
    if (await target.evaluate((element) => element === document.activeElement)) return;
  }
  assert.fail(`${target} is not reached by Tab`);
}

async function pressOn(page, target) {
  await tabTo(page, target);
  await page.keyboard.press("Enter");
}

test("a key lives and dies by keyboard alone", async () => {
  const { server } = here;
  const org = await server.createOrg();
  await here.story(async ({ page, context }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.base });
    await page.goto(org.setupUrl);
    await tabTo(page, page.getByLabel("Your name"));
    await page.keyboard.type("Maria Duarte");
    await tabTo(page, page.getByLabel("Password"));
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press("Enter");

    await pressOn(page, page.getByRole("link", { name: "Generate an API key" }));
    await page.getByRole("heading", { level: 1, name: "API" }).waitFor();
    await pressOn(page, page.getByRole("link", { name: "Skip to content" }));
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await pressOn(page, page.getByRole("button", { name: "Generate API Key", exact: true }));

    const dialog = page.getByRole("dialog", { name: "Your new API key" });
    const secret = dialog.getByLabel("API key", { exact: true });
    assert.ok(await secret.evaluate((input) => input === document.activeElement), "the key has the focus");
    const key = await secret.inputValue();
    assert.match(key, KEY);
    await page.keyboard.press("Escape");
    assert.ok(await dialog.isVisible(), "Esc does not throw the key away");
    await pressOn(page, dialog.locator(".secret-line").getByRole("button"));
    await page.getByRole("status").getByText("Copied", { exact: true }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);
    await tabTo(page, dialog.getByRole("radio", { name: "curl" }));
    await page.keyboard.press("ArrowRight");
    await dialog.getByText("const response").or(dialog.getByText("fetch(")).first().waitFor();
    await pressOn(page, dialog.getByRole("link", { name: "I have stored it" }));

    await expectAnswer(await server.call("/api/v2/organization", key), 200);
    await pressOn(page, page.getByRole("link", { name: "Delete API Key" }));
    await page.getByText("these calls fail from now on").waitFor();
    await pressOn(page, page.getByRole("button", { name: "Delete API Key" }));
    await page.getByText("No process accepts this key since").waitFor();
    await expectAnswer(await server.call("/api/v2/organization", key), 401, "UNAUTHORIZED");
  });
});

test("the menu of a phone opens and closes by keyboard", async () => {
  const org = await here.server.createOrg({ email: "phone@acme.example" });
  await here.story(
    async ({ page }) => {
      await page.goto(org.setupUrl);
      await tabTo(page, page.getByLabel("Password"));
      await page.keyboard.type(PASSWORD);
      await page.keyboard.press("Enter");
      const menu = page.getByRole("button", { name: "Menu" });
      const link = page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Audit" });
      await menu.waitFor();
      assert.ok(!(await link.isVisible()));
      await pressOn(page, menu);
      await link.waitFor();
      await page.keyboard.press("Escape");
      await link.waitFor({ state: "hidden" });
      assert.ok(await menu.evaluate((button) => button === document.activeElement), "the focus returns");
      await page.keyboard.press("Enter");
      await pressOn(page, link);
      await page.getByRole("heading", { level: 1, name: "Audit" }).waitFor();
    },
    { viewport: { width: 390, height: 844 } },
  );
});
