// A real server with an organization that no limit stops, a key of it, and one finished shoot.

import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startServer } from "../../browser/lib/server.mjs";

const exec = promisify(execFile);

export const HERE = resolve(dirname(fileURLToPath(import.meta.url)), "..");
/** What the generators write; nothing of it is kept. */
export const GENERATED = join(HERE, "generated");

/** Runs a program in this folder; fails with all that it printed. */
export async function run(program, args, env = {}) {
  try {
    const options = { cwd: HERE, env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
    return (await exec(program, args, options)).stdout;
  } catch (error) {
    throw new Error(`${program} ${args.join(" ")}: ${error.message}\n${error.stdout ?? ""}`);
  }
}

/** Every operation of a document, as `GET /api/v2/organization`. */
export function operations(document) {
  return Object.entries(document.paths)
    .flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`))
    .sort();
}

export async function startWorld() {
  const server = await startServer();
  try {
    return await furnish(server);
  } catch (error) {
    // Nobody else would, and a running child keeps the tests from ending.
    await server.stop();
    throw error;
  }
}

async function furnish(server) {
  const owner = ["--name", "Acme Corporation", "--owner-email", "owner@acme.example"];
  const rights = ["--plan", "unlimited", "--credits", "unlimited", "--whitelabel"];
  const made = await server.command("org", "create", ...owner, ...rights);
  const org = made.organization.uid;
  const { key } = await server.command("key", "create", "--org", org);
  // The API can't hold a shoot: a person does. Its rows stand for that.
  const shoot = JSON.parse(await run("python3", ["lib/shoot.py", join(server.dir, "headshot.db"), org]));
  const document = await (await fetch(`${server.base}/api/openapi.json`)).json();
  await mkdir(GENERATED, { recursive: true });
  const file = join(GENERATED, "openapi.json");
  await writeFile(file, JSON.stringify(document, null, 2));
  const spare = async () => (await server.command("key", "create", "--org", org)).key;
  return { server, org, key, spare, shoot, document, file };
}
