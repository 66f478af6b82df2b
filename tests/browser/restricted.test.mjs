// Restricted keys: scopes, expiry, networks, and a form that keeps what was typed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { stage } from "./lib/stage.mjs";
import { expectAnswer, KEY, rowInLog, setUp } from "./lib/steps.mjs";

const here = stage();

const NAME = "Payroll \u202eסנכרון & <b>";

function form({ page }) {
  const field = (label) => page.getByLabel(label, { exact: true });
  return {
    name: field("Name"),
    scope: (scope, access) => page.getByRole("group", { name: scope }).getByLabel(access, { exact: true }),
    expires: field("Expires"),
    lastDay: field("Last day, UTC"),
    networks: field("Allowed networks"),
    async open() {
      await page.goto("/app/admin/api");
      await page.getByText("Restricted key").click();
    },
    async submit() {
      await page.getByRole("button", { name: "Generate API Key with these limits" }).click();
    },
    async secret() {
      const key = await page.getByLabel("API key", { exact: true }).inputValue();
      assert.match(key, KEY);
      await page.getByRole("link", { name: "I have stored it" }).click();
      await page.getByRole("heading", { level: 1, name: "API" }).waitFor();
      return key;
    },
  };
}

test("a refused form says what is wrong and keeps what was typed", async () => {
  const org = await here.server.createOrg();
  await here.story(async (visitor) => {
    const { page } = visitor;
    await setUp(visitor, org);
    visitor.expectStatus(400);
    const fields = form(visitor);
    await fields.open();
    await fields.name.fill(NAME);
    await fields.expires.selectOption("date");
    await fields.lastDay.fill("2020-01-31");
    await fields.networks.fill("10.0.0.1/8\n192.168.0.0/16");
    await fields.submit();

    await page.getByText("Choose at least one scope.").waitFor();
    await page.getByText("Choose a date in the future.").waitFor();
    await page.getByText('"10.0.0.1/8" has bits beyond its prefix: did you mean 10.0.0.0/8?', { exact: true }).waitFor();
    assert.equal(await fields.name.inputValue(), NAME);
    assert.equal(await fields.expires.inputValue(), "date");
    assert.equal(await fields.lastDay.inputValue(), "2020-01-31");
    assert.equal(await fields.networks.inputValue(), "10.0.0.1/8\n192.168.0.0/16");
    assert.equal(await fields.networks.getAttribute("aria-invalid"), "true");
    assert.ok(await fields.scope("Organization", "None").evaluate((radio) => radio === document.activeElement));

    await fields.scope("Invites", "Read and write").check();
    await fields.expires.selectOption("90");
    await fields.submit();
    await fields.networks.waitFor();
    assert.ok(await fields.scope("Invites", "Read and write").isChecked());
    assert.equal(await fields.expires.inputValue(), "90");
    assert.equal(await page.getByText("Choose at least one scope.").count(), 0);

    await fields.networks.fill("127.0.0.0/8\n192.168.0.0/16");
    await fields.submit();
    await fields.secret();
    const row = page.getByRole("row").filter({ hasText: "Payroll" });
    assert.equal(await row.locator(".key-name").innerText(), NAME);
    const shown = await row.innerText();
    for (const part of ["invites", "127.0.0.0/8", "192.168.0.0/16", "Never"]) {
      assert.ok(shown.includes(part), `the row says ${part}: ${shown}`);
    }
    assert.match(await row.locator(".until").innerText(), /^\d{1,2} \w{3} \d{4}, \d\d:\d\d UTC$/);
  });
});

test("a key without the scope, or from elsewhere, is refused and the log says why", async () => {
  const { server } = here;
  const org = await server.createOrg({ email: "limits@acme.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    await setUp(visitor, org);
    const fields = form(visitor);
    await fields.open();
    await fields.name.fill("Reader");
    await fields.scope("Organization", "Read").check();
    await fields.submit();
    const reader = await fields.secret();
    await expectAnswer(await server.call("/api/v2/organization", reader), 200);
    const refused = await server.call("/api/v2/organization/invites", reader);
    assert.match(refused.headers.get("www-authenticate"), /error="insufficient_scope", scope="invites/);
    await expectAnswer(refused, 403, "FORBIDDEN");

    await fields.open();
    await fields.name.fill("Elsewhere");
    await fields.scope("Organization", "Read").check();
    await fields.networks.fill("192.0.2.0/24");
    await fields.submit();
    const elsewhere = await fields.secret();
    await expectAnswer(await server.call("/api/v2/organization/credits", elsewhere), 403, "FORBIDDEN");

    const scope = await rowInLog(visitor, "/api/v2/organization/invites", 403);
    await scope.getByText("The key lacks the scope of this operation.").waitFor();
    await scope.getByRole("link").click();
    await page.getByText("Use a key that holds the scope, or generate one.").waitFor();
    const network = await rowInLog(visitor, "/api/v2/organization/credits", 403);
    await network.getByText("The key may not be used from this address.").waitFor();
    await network.getByText("Elsewhere").waitFor();
  });
});

test("a form sent twice makes one key", async () => {
  const org = await here.server.createOrg({ email: "twice@acme.example" });
  await here.story(async (visitor) => {
    const { page } = visitor;
    await setUp(visitor, org);
    visitor.expectStatus(400);
    await page.goto("/app/admin/api");
    const sent = page.locator('form:has(input[value="full"])').first();
    const fields = await sent.evaluate((element) => Object.fromEntries(new FormData(element)));
    const answers = [];
    for (let again = 0; again < 2; again += 1) {
      answers.push(await page.request.post("/app/admin/api/keys", { form: fields }));
    }
    assert.deepEqual(answers.map((answer) => answer.status()), [200, 400]);
    await page.goto("/app/admin/api");
    assert.equal(await page.getByRole("link", { name: "Delete API Key" }).count(), 1);
  });
});
