// One server and one browser for the stories of a file.

import { after, before } from "node:test";
import { startBrowser, Visitor } from "./browser.mjs";
import { startServer } from "./server.mjs";

/** Starts both before the file's stories and stops them afterwards. */
export function stage(start = startServer) {
  const stage = {
    /** Runs a story in a browser window of its own; fails when the window noticed trouble. */
    async story(act, options) {
      const visitor = await Visitor.arrive(stage.browser, stage.server, options);
      try {
        await act(visitor);
      } catch (error) {
        const place = `at ${visitor.page.url()}; noticed: ${visitor.troubles.join("; ") || "nothing"}`;
        error.message += `\n${place}`;
        throw error;
      }
      await visitor.leave();
    },
  };
  before(async () => {
    [stage.server, stage.browser] = await Promise.all([start(), startBrowser()]);
  });
  after(async () => {
    await stage.browser?.close();
    await stage.server?.stop();
  });
  return stage;
}
