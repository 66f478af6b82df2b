// What a page must fulfil whatever it shows: no finding of axe in light and dark, on a phone and
// on a desk; nothing wider than a 320 px window; targets of at least 24 px.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** What the color scheme can change. */
const COLOR_RULES = ["color-contrast", "link-in-text-block"];
const WINDOWS = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
];
/** From the narrowest to the widest, with those in between where a layout may change. */
const WIDTHS = [320, 480, 600, 768, 900, 1024, 1440, 1600];
const TARGET_LEAST = 24;

/** Call before the first page of a visit. */
export async function bringAxe({ context }) {
  await context.addInitScript({ path: AXE });
}

async function axe(page, rules) {
  const { violations, passes } = await page.evaluate((runOnly) => window.axe.run({ runOnly }), rules);
  assert.ok(passes.length > 0, "axe ran");
  return violations.flatMap((rule) =>
    rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 160)} (${node.failureSummary})`),
  );
}

/** Targets that are too small; a link within a sentence may be as high as its line. */
function smallTargets(page) {
  return page.evaluate((least) => {
    const size = (element) => element.getBoundingClientRect();
    const small = (box) => box.width > 0 && (box.width < least || box.height < least);
    const inline = (element) =>
      getComputedStyle(element).display === "inline" && element.closest("p, li, dd, td, th") !== null;
    const labelled = (element) => [...(element.labels ?? [])].some((label) => !small(size(label)));
    return [...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary, textarea")]
      .filter((element) => element.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }))
      .filter((element) => !element.matches(".skip") && small(size(element)) && !inline(element) && !labelled(element))
      .map((element) => element.outerHTML.slice(0, 160));
  }, TARGET_LEAST);
}

/** Tables that hide a part of themselves although there is room: on a desk nothing is cut off. */
function cutTables(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll(".table-scroll")]
      .filter((box) => box.scrollWidth > box.clientWidth + 1)
      .map((box) => box.getAttribute("aria-label") ?? box.getAttribute("aria-labelledby")),
  );
}

/** Inspects the page as it stands and leaves it as it was. */
export async function inspect({ page }, name) {
  const before = page.viewportSize();
  await page.setViewportSize(WINDOWS[0]);
  const cut = await cutTables(page);
  const findings = cut.map((table) => `${WINDOWS[0].width}: cut off: ${table}`);
  for (const window of WINDOWS) {
    await page.setViewportSize(window);
    const small = await smallTargets(page);
    findings.push(...small.map((target) => `${window.width}: small target ${target}`));
    for (const [colorScheme, rules] of [["light", RULES], ["dark", COLOR_RULES]]) {
      await page.emulateMedia({ colorScheme });
      const found = await axe(page, rules);
      findings.push(...found.map((finding) => `${window.width} ${colorScheme}: ${finding}`));
    }
  }
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    const needed = await page.evaluate(() => document.documentElement.scrollWidth);
    if (needed > width) findings.push(`${width}: scrolls sideways, ${needed} px wide`);
  }
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: null });
  assert.deepEqual(findings, [], name);
}
