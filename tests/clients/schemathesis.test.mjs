// Everything that schemathesis can think of, against the running server and its own document: no
// 500, no status, body, content type or header that the document does not name, no operation that a
// request without a key gets through. The seed and the number of requests are fixed.

import { after, before, test } from "node:test";
import { join } from "node:path";
import { GENERATED, run, startWorld } from "./lib/world.mjs";

/** Not `use_after_free`: the contract goes on telling of a deleted model that it is deleted. */
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "negative_data_rejection",
  "missing_required_header",
  "ensure_resource_availability",
  "ignored_auth",
];

/**
 * Invented requests for each operation, besides those that its schemas' edges call for. `EXAMPLES=300
 * npm test` thinks longer.
 */
const EXAMPLES = Number(process.env.EXAMPLES ?? 30);

/** Callers without a key have 300 requests a minute: with many examples they are told that instead. */
const checks = EXAMPLES > 30 ? CHECKS.filter((check) => check !== "ignored_auth") : CHECKS;

/** Of one run, in seconds: far more than it needs, so that only a hang takes so long. */
const TIME_MAX = 120 + 4 * EXAMPLES;

let world;

before(async () => {
  world = await startWorld();
});
after(() => world?.server.stop());

function schemathesis(paths) {
  const { server, key, file } = world;
  return run("st", [
    "run", file,
    "--url", server.base,
    "--header", `Authorization: Bearer ${key}`,
    "--include-path-regex", paths,
    "--checks", checks.join(","),
    "--phases", "examples,coverage,fuzzing,stateful",
    "--max-examples", String(EXAMPLES),
    "--seed", "1",
    "--workers", "1",
    "--continue-on-failure",
    "--no-shrink",
    "--suppress-health-check", "all",
    "--generation-database", "none",
    "--output-sanitize", "false",
  ]);
}

const options = { timeout: TIME_MAX * 1_000 };

test("v2 keeps its document", options, () => schemathesis("^/api/v2/"));

test("v1 and the revocation of keys keep theirs", options, () => schemathesis("^/api/(v1|keys)/"));
