// Chromium with an empty profile, and pages that notice what must never happen: errors on the
// console, breaches of the Content-Security-Policy, requests to another host.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How long a page may take; the machine may be busy. */
const PATIENCE = 15_000;

export async function startBrowser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/** A browser window of its own: no cookies, no history. */
export class Visitor {
  /** What went wrong unexpectedly, in plain words. */
  troubles = [];
  /** Statuses of refusals that the story provokes; the browser reports them on the console. */
  refusals = new Set();

  static async arrive(browser, server, options = {}) {
    const visitor = new Visitor();
    visitor.server = server;
    visitor.context = await browser.newContext({
      baseURL: server.base,
      reducedMotion: "reduce",
      viewport: { width: 1280, height: 800 },
      ...options,
    });
    visitor.context.setDefaultTimeout(PATIENCE);
    visitor.context.on("request", (request) => visitor.#host(request.url()));
    visitor.context.on("console", (message) => visitor.#console(message));
    visitor.context.on("weberror", (error) => visitor.troubles.push(`script failed: ${error.error()}`));
    visitor.page = await visitor.context.newPage();
    return visitor;
  }

  #host(url) {
    const inside = url.startsWith(`${this.server.base}/`) || url.startsWith("data:");
    if (!inside) this.troubles.push(`asked another host: ${url}`);
  }

  #console(message) {
    if (!["error", "warning"].includes(message.type())) return;
    const status = /status of (\d{3})/.exec(message.text())?.[1];
    if (this.refusals.has(Number(status))) return;
    this.troubles.push(`console ${message.type()}: ${message.text()} (${message.location().url})`);
  }

  /** Pages with this status are part of the story. */
  expectStatus(...statuses) {
    for (const status of statuses) this.refusals.add(status);
  }

  /** Ends the visit; fails when something happened that must not. */
  async leave() {
    await this.context.close();
    assert.deepEqual(this.troubles, []);
  }
}
