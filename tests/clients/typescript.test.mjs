// A client for TypeScript, made by openapi-typescript from the document that the server serves.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GENERATED, operations, run, startWorld } from "./lib/world.mjs";

let world;

before(async () => {
  world = await startWorld();
});
after(() => world?.server.stop());

test("a generated TypeScript client compiles and calls every operation", async () => {
  await run("npx", ["--no-install", "openapi-typescript", world.file, "--output", `${GENERATED}/schema.d.ts`]);
  await run("npx", ["--no-install", "tsc"]);
  const { callEverything } = await import(`${GENERATED}/js/calls.js`);
  const { server, key, shoot } = world;
  const spare = await world.spare();
  const called = await callEverything({ baseUrl: server.base, key, spare, ...shoot });
  assert.deepEqual(called, operations(world.document));
});
