// A client for Python, made by openapi-python-client from the document that the server serves.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GENERATED, operations, run, startWorld } from "./lib/world.mjs";

let world;

before(async () => {
  world = await startWorld();
});
after(() => world?.server.stop());

test("a generated Python client calls every operation", async () => {
  const target = ["--output-path", `${GENERATED}/python/headshot_api`, "--overwrite"];
  // A warning is a part of the document that the generator left out.
  const strict = ["--meta", "none", "--fail-on-warning", "--config", "python-client.yaml"];
  await run("openapi-python-client", ["generate", "--path", world.file, ...target, ...strict]);
  const { server, key, shoot } = world;
  const known = { baseUrl: server.base, key, spare: await world.spare(), ...shoot };
  const printed = await run("python3", ["calls.py", JSON.stringify(known)], { PYTHONPATH: `${GENERATED}/python` });
  assert.deepEqual(JSON.parse(printed), operations(world.document));
});
