// A person makes headshots: by an invite on a phone, and by a partner's link without script.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { bringAxe, inspect } from "./lib/inspect.mjs";
import { startServer } from "./lib/server.mjs";
import { stage } from "./lib/stage.mjs";

/** Few photos: what is tested is the way, not the studio. */
const here = stage(() => startServer({ HEADSHOT_PHOTOS_PER_SHOOT: "3" }));

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true };
/** The studio needs a while on a busy machine. */
const STUDIO = { timeout: 120_000 };
const portrait = (name) => fileURLToPath(new URL(`../../crates/imaging/portraits/${name}`, import.meta.url));
const NOBODY = {
  name: "wall.png",
  mimeType: "image/png",
  // Grey, 64 pixels wide and high: a photo of nobody.
  buffer: Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAAAAACPAi4CAAAAKUlEQVR42u3MQREAAAwCIKMb3RD77SAA6VEEAoFAIBAIBAKBQCAQfA8G320AeXC6efoAAAAASUVORK5CYII=",
    "base64",
  ),
};

async function organization(email) {
  const { server } = here;
  const made = await server.command(
    "org", "create", "--name", "Acme Corporation", "--owner-email", email, "--credits", "5", "--whitelabel",
  );
  const key = await server.command("key", "create", "--org", made.organization.uid);
  const api = async (method, path, body) => {
    const headers = { "content-type": "application/json" };
    const answer = await server.call(`/api/v2/organization${path}`, key.key, { method, headers, body: body && JSON.stringify(body) });
    return answer.json();
  };
  return { uid: made.organization.uid, api };
}

test("an invited person makes, chooses, downloads and erases headshots on a phone", async () => {
  const { api } = await organization("owner@acme.example");
  const { link } = await api("POST", "/invites", { email: "jane@acme.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    visitor.expectStatus(400, 404);
    await bringAxe(visitor);
    await page.goto("/auth/signup?invite=nothing");
    await page.getByRole("heading", { name: "This invite does not exist" }).waitFor();
    await inspect(visitor, "no invite");
    const { pathname, search } = new URL(link);
    await page.goto(pathname + search);
    await page.getByRole("heading", { level: 1, name: "Your headshots for Acme Corporation" }).waitFor();
    await inspect(visitor, "invited");
    await page.getByLabel("Your name").fill("Jane Doe");
    await page.getByRole("button", { name: "Begin" }).click();

    await page.getByRole("heading", { level: 1, name: "About you" }).waitFor();
    assert.equal(await page.getByLabel("Your name").inputValue(), "Jane Doe");
    await inspect(visitor, "consent");
    await page.getByLabel("I have read this and agree.").check();
    await page.getByRole("button", { name: "Go on to your photos" }).click();

    await page.getByRole("heading", { level: 1, name: "Your photos" }).waitFor();
    await inspect(visitor, "no photos yet");
    assert.equal(await page.getByRole("button", { name: /^Make my/ }).count(), 0);
    const text = { name: "notes.jpg", mimeType: "image/jpeg", buffer: Buffer.from("not a photo") };
    await page.getByLabel("Add photos").setInputFiles(text);
    await page.getByText("Not taken: notes.jpg: This file is not a JPEG, PNG, WebP or HEIC photo.").waitFor();
    assert.ok(await page.getByRole("button", { name: "Upload" }).isEnabled());
    assert.ok(await page.locator(".upload-status").isHidden(), "it is said once");
    await page.getByLabel("Add photos").setInputFiles([portrait("obama.jpg")]);
    await page.getByText("1 photo can be used.").waitFor();
    await inspect(visitor, "photos");

    await page.getByRole("button", { name: "Make my 3 headshots" }).click();
    await page.getByRole("heading", { level: 1, name: /In the studio|Your headshots/ }).waitFor();
    await inspect(visitor, "in the studio");
    await page.getByRole("heading", { level: 1, name: "Your headshots" }).waitFor(STUDIO);
    assert.equal(await page.getByRole("img", { name: /^Headshot \d of 3, \w+ backdrop$/ }).count(), 3);
    await page.getByRole("button", { name: "Choose headshot 2 of 3" }).click();
    await page.getByText("Your choice").waitFor();
    await page.getByRole("button", { name: "Love headshot 2" }).click();
    await page.getByRole("button", { name: "Loved headshot 2" }).waitFor();
    await inspect(visitor, "results");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Large size of headshot 1" }).click(),
    ]);
    assert.match(download.suggestedFilename(), /\.jpg$/);
    const { photos } = await api("GET", "/photos/favorites");
    assert.deepEqual(
      photos.map(({ email, name, likedStatus }) => ({ email, name, likedStatus })),
      [{ email: "jane@acme.example", name: "Jane Doe", likedStatus: "loved" }],
    );
    assert.equal((await api("GET", "/credits")).credits, 4);

    const session = page.url();
    await page.getByRole("link", { name: "Delete my photos and headshots" }).click();
    await page.getByText("1 uploaded photo and 3 headshots").waitFor();
    await inspect(visitor, "before everything is deleted");
    await page.getByRole("button", { name: "Delete everything" }).click();
    await page.getByRole("heading", { name: "Everything is deleted" }).waitFor();
    await page.goto(session);
    await page.getByText("This page does not exist").waitFor();
  }, PHONE);
});

test("a test session by a partner's link works by keyboard and without JavaScript", async () => {
  const { api } = await organization("partner@acme.example");
  const made = await api("POST", "/models", { email: "test@acme.example", isDevelopment: true });
  await here.story(async (visitor) => {
    const { page } = visitor;
    const { pathname, search } = new URL(made.signedUrl);
    await page.goto(pathname + search);
    assert.equal(new URL(page.url()).search, "", "the token has left the address");
    await page.getByText("Test session").waitFor();
    await page.getByLabel("Your name").focus();
    await page.keyboard.type("Test Person");
    await page.keyboard.press("Tab");
    await page.keyboard.type("Female");
    assert.equal(await page.getByLabel("Gender (optional)").inputValue(), "female");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByText("no photo is needed").waitFor();
    await page.getByLabel("Add photos").setInputFiles([
      NOBODY,
      { name: "me.jpg", mimeType: "image/jpeg", buffer: await readFile(portrait("obama2.jpg")) },
    ]);
    await page.getByRole("button", { name: "Upload" }).press("Enter");
    await page.getByText("1 photo can be used").waitFor();
    await page.getByRole("button", { name: /^Remove photo 1/ }).press("Enter");
    await page.getByRole("button", { name: "Make my 3 headshots" }).press("Enter");
    await page.getByRole("heading", { level: 1, name: /In the studio|Your headshots/ }).waitFor();
    const again = page.getByRole("link", { name: "Check again" });
    while (await again.count() > 0) await again.press("Enter");
    await page.getByRole("button", { name: "Choose headshot 1 of 3" }).press("Enter");
    await page.getByText("Your choice").waitFor();
    assert.equal((await api("GET", "/credits")).credits, 5);
    const other = await here.server.call(new URL(page.url()).pathname);
    assert.equal(other.status, 404, "nobody else finds the session");
  }, { javaScriptEnabled: false });
});

test("only allowed sites may frame a session", async () => {
  const { api, uid } = await organization("framed@acme.example");
  await here.server.run("org", "embed", "--org", uid, "https://hr.acme.example");
  const made = await api("POST", "/models", { email: "frame@acme.example", isDevelopment: true });
  const { pathname, search } = new URL(made.signedUrl);
  const entered = await here.server.call(pathname + search, null, { redirect: "manual" });
  const cookie = entered.headers.get("set-cookie").split(";")[0];
  const page = await here.server.call(entered.headers.get("location"), null, { headers: { cookie } });
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-security-policy"), /frame-ancestors 'self' https:\/\/hr\.acme\.example;/);
  assert.equal(page.headers.get("x-frame-options"), null);
  const elsewhere = await here.server.call("/auth/login");
  assert.equal(elsewhere.headers.get("x-frame-options"), "DENY");
});
