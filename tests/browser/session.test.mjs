// What only a real browser shows of a person's session: verdicts that appear without a reload, all of it
// by keyboard, and the frame of a partner's page.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { bringAxe, inspect } from "./lib/inspect.mjs";
import { startServer } from "./lib/server.mjs";
import { stage } from "./lib/stage.mjs";

const here = stage(() => startServer({ HEADSHOT_PHOTOS_PER_SHOOT: "3" }));

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true };
const STUDIO = { timeout: 120_000 };
const portrait = (name) => fileURLToPath(new URL(`../../crates/imaging/portraits/${name}`, import.meta.url));

async function photo(name) {
  return { name, mimeType: "image/jpeg", buffer: await readFile(portrait(name)) };
}

/** A session of an organization of its own: its signed path, and the organization's id. */
async function session(email, more = {}) {
  const { server } = here;
  const made = await server.command(
    "org", "create", "--name", "Acme Corporation", "--owner-email", `owner.${email}`, "--credits", "5", "--whitelabel",
  );
  const { uid } = made.organization;
  const { key } = await server.command("key", "create", "--org", uid);
  const answer = await server.call("/api/v2/organization/models", key, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, ...more }),
  });
  const { pathname, search } = new URL((await answer.json()).signedUrl);
  return { uid, path: pathname + search };
}

/** A site of somebody else that shows this page. */
async function site(html) {
  const server = createServer((_, answer) => answer.setHeader("content-type", "text/html").end(html));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Presses Tab until this is focused; fails when it is not reached. */
async function tabTo(page, target, what) {
  for (let presses = 0; presses < 40; presses += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not reach ${what}`);
}

async function press(page, target, key, what) {
  await tabTo(page, target, what);
  await page.keyboard.press(key);
}

test("by keyboard alone: verdicts are said and shown in place, headshots appear as they are made", async () => {
  const { path } = await session("keys@acme.example");
  await here.story(async (visitor) => {
    const { page } = visitor;
    visitor.expectStatus(400);
    await bringAxe(visitor);
    await page.goto(path);
    await tabTo(page, page.getByLabel("Your name"), "the name");
    await page.keyboard.type("Jane Doe");
    await press(page, page.getByLabel("I have read this and agree."), "Space", "the agreement");
    await press(page, page.getByRole("button", { name: "Go on to your photos" }), "Enter", "the button");
    await page.getByRole("heading", { level: 1, name: "Your photos" }).waitFor();

    await page.evaluate(() => (window.stays = true));
    const input = page.getByLabel("Add photos");
    await tabTo(page, input, "the files");
    // What Enter opens here is the browser's own dialog, which no test can reach.
    await input.setInputFiles([
      { name: "notes.jpg", mimeType: "image/jpeg", buffer: Buffer.from("not a photo") },
      await photo("obama.jpg"),
      await photo("obama2.jpg"),
    ]);
    await page.getByText("2 photos can be used.").waitFor();
    const said = page.getByRole("status");
    await said.getByText(/^obama2\.jpg: (Good|Usable).* 2 of 3 photos taken\.$/).waitFor();
    await page.getByText("Not taken: notes.jpg: This file is not a").waitFor();
    assert.deepEqual(
      await page.getByRole("img", { name: /^Photo / }).evaluateAll((all) => all.map(({ alt }) => alt)),
      ["Photo 1", "Photo 2"],
    );
    assert.equal(await page.evaluate(() => window.stays), true, "the page was not loaded again");
    await inspect(visitor, "photos in place");
    for (const image of await page.getByRole("img", { name: /^Photo / }).all()) {
      await image.scrollIntoViewIfNeeded();
      await page.waitForFunction((one) => one.complete && one.naturalWidth > 0, await image.elementHandle());
    }

    await press(page, page.getByRole("button", { name: "Remove photo 1" }), "Enter", "the removal");
    await page.getByText("1 photo can be used.").waitFor();
    await press(page, page.getByRole("button", { name: "Make my 3 headshots" }), "Enter", "the submission");
    await page.getByRole("heading", { level: 1, name: "Your headshots" }).waitFor(STUDIO);
    await press(page, page.getByRole("button", { name: "Choose headshot 3 of 3" }), "Enter", "the choice");
    await page.getByText("Your choice").waitFor();
    const love = page.getByRole("button", { name: "Love headshot 1" });
    await press(page, love, "Space", "the heart");
    await page.getByRole("button", { name: "Loved headshot 1", pressed: true }).waitFor();
    await press(page, page.getByRole("link", { name: "Delete my photos and headshots" }), "Enter", "the deletion");
    await press(page, page.getByRole("button", { name: "Delete everything" }), "Enter", "the confirmation");
    await page.getByRole("heading", { name: "Everything is deleted" }).waitFor();
  }, PHONE);
});

test("a session that is gone says so to a page that waits", async () => {
  const { path } = await session("gone@acme.example");
  await here.story(async (visitor) => {
    const { page } = visitor;
    visitor.expectStatus(403, 404);
    await page.goto(path);
    await page.getByLabel("Your name").fill("Jane Doe");
    await page.getByLabel("I have read this and agree.").check();
    await page.getByRole("button", { name: "Go on to your photos" }).click();
    await page.getByRole("heading", { level: 1, name: "Your photos" }).waitFor();
    // Deleted in another tab meanwhile.
    const other = await visitor.context.newPage();
    await other.goto(new URL(page.url()).pathname + "/erase");
    await other.getByRole("button", { name: "Delete everything" }).click();
    await other.getByRole("heading", { name: "Everything is deleted" }).waitFor();
    await page.getByLabel("Add photos").setInputFiles([portrait("obama.jpg")]);
    await page.getByText("The server did not take it.").first().waitFor();
  });
});

test("a partner's page shows the session in a frame, and no other page does", async () => {
  const { path, uid } = await session("framed@acme.example", { isDevelopment: true });
  const frame = `<!doctype html><title>HR</title><iframe title="Headshots" width="400" height="800" src="${here.server.base}${path}"></iframe>`;
  // Other origins of the same site: over http, the browser keeps no cookie for another one.
  const [partner, stranger] = await Promise.all([site(frame), site(frame)]);
  await here.server.run("org", "embed", "--org", uid, partner.origin);
  const context = await here.browser.newContext();
  try {
    const page = await context.newPage();
    // Loaded once the frame is: by then it shows the browser's own page that says no.
    await page.goto(stranger.origin);
    const shown = () => page.frames()[1].url();
    assert.match(shown(), /^chrome-error:/);

    await page.goto(partner.origin);
    assert.match(shown(), /\/team-member\/shoots\/[0-9a-f]{24}$/);
    const inside = page.frameLocator("iframe");
    await inside.getByLabel("Your name").fill("Jane Doe");
    await inside.getByLabel("I have read this and agree.").check();
    await inside.getByRole("button", { name: "Go on to your photos" }).click();
    await inside.getByText("no photo is needed").waitFor();
    await inside.getByRole("button", { name: "Make my 3 headshots" }).click();
    await inside.getByRole("heading", { level: 1, name: "Your headshots" }).waitFor(STUDIO);
    await inside.getByRole("link", { name: "Delete my photos and headshots" }).click();
    await inside.getByRole("button", { name: "Delete everything" }).click();
    await inside.getByRole("heading", { name: "Everything is deleted" }).waitFor();
  } finally {
    await context.close();
    partner.close();
    stranger.close();
  }
});
