// Steps that several stories share.

import assert from "node:assert/strict";

export const PASSWORD = "correct horse battery staple";

/** What a key looks like. */
export const KEY = /^hsp_[0-9A-Za-z]{46}$/;

/** Opens the owner's set-up link and sets the first password; ends on the overview. */
export async function setUp({ page }, org) {
  await page.goto(org.setupUrl);
  await page.getByLabel("Your name").fill("Maria Duarte");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Set password and sign in" }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
}

export async function signIn({ page }, email, password = PASSWORD) {
  await page.goto("/auth/login");
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
}

/** One click on Admin > API; the secret stays on the screen. */
export async function generate({ page }) {
  await page.goto("/app/admin/api");
  await page.getByRole("button", { name: "Generate API Key", exact: true }).click();
  const secret = page.getByLabel("API key", { exact: true });
  const key = await secret.inputValue();
  assert.match(key, KEY);
  return key;
}

/** Opens the log until the row of a call is there: rows are written in batches, after the answer. */
export async function rowInLog({ page }, path, status) {
  const row = page.getByRole("row").filter({ hasText: path }).filter({ hasText: String(status) });
  const deadline = Date.now() + 5_000;
  do {
    await page.goto(`/app/admin/api/logs?path=${encodeURIComponent(path)}&status=${status}`);
    assert.ok(Date.now() < deadline, `the log shows ${path} with ${status}`);
  } while ((await row.count()) === 0);
  return row.first();
}

/** `fetch` with an address that no browser story uses twice, so that its log row is found by path. */
export async function expectAnswer(answer, status, code) {
  const body = await answer.json();
  assert.equal(answer.status, status, JSON.stringify(body));
  assert.equal(body.code, code);
  return body;
}
