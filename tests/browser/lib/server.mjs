// The server under test: the built binary on a new data folder and a free port of this machine.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);

const binary = resolve(process.env.HEADSHOT_BIN ?? "");
if (!process.env.HEADSHOT_BIN) throw new Error("Set HEADSHOT_BIN to the path of the headshot binary.");

/** Nothing of the caller's own configuration reaches the server. */
function environment(own) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("HEADSHOT_"));
  return { ...Object.fromEntries(inherited), ...own };
}

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/** Resolves to what was said when a line of `stdout` holds `mark`; rejects with what was said if the process ends before. */
function ready(child, mark) {
  return new Promise((resolve, reject) => {
    const said = [];
    createInterface({ input: child.stderr }).on("line", (line) => said.push(line));
    createInterface({ input: child.stdout }).on("line", (line) => {
      said.push(line);
      if (line.includes(mark)) resolve(said);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`headshot ended with ${code}:\n${said.join("\n")}`)));
  });
}

class Server {
  constructor(dir, port, settings) {
    this.dir = dir;
    this.base = `http://127.0.0.1:${port}`;
    this.env = environment({ HEADSHOT_DATA_DIR: dir, HEADSHOT_LISTEN: `127.0.0.1:${port}`, ...settings });
  }

  async start(args, mark) {
    this.child = spawn(binary, args, { cwd: this.dir, env: this.env });
    this.said = await ready(this.child, mark);
  }

  /** Runs a headshot command beside the server. */
  async run(...args) {
    await run(binary, args, { cwd: this.dir, env: this.env });
  }

  /** Runs a headshot command beside the server and reads its JSON. */
  async command(...args) {
    const { stdout } = await run(binary, [...args, "--json"], { cwd: this.dir, env: this.env });
    return JSON.parse(stdout);
  }

  async createOrg({ name = "Acme Corporation", email = "owner@acme.example" } = {}) {
    const made = await this.command(
      "org", "create", "--name", name, "--owner-email", email, "--plan", "enterprise", "--credits", "100",
    );
    return { uid: made.organization.uid, email, setupUrl: made.owner.setupUrl };
  }

  /** Calls the API as a program would. */
  call(path, key, init = {}) {
    const authorization = key ? { authorization: `Bearer ${key}` } : {};
    return fetch(this.base + path, { ...init, headers: { ...authorization, ...init.headers } });
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill("SIGTERM");
      await once(this.child, "exit");
    }
    await rm(this.dir, { recursive: true, force: true });
  }
}

async function newServer(settings = {}) {
  return new Server(await mkdtemp(join(tmpdir(), "headshot-browser-")), await freePort(), settings);
}

/** `headshot serve` on an empty database, with these settings beside its own. */
export async function startServer(settings) {
  const server = await newServer(settings);
  await server.start(["serve"], "Serving");
  return server;
}

/** `headshot demo`: an organization with an owner and members. */
export async function startDemo() {
  const server = await newServer();
  const address = new URL(server.base).host;
  await server.start(["demo", "--data-dir", server.dir, "--listen", address], "Stop with Ctrl-C");
  return server;
}
