// <time data-relative>: "2 minutes ago" kept current; the full moment stays in the title.
const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const steps = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86400, "hour", 3600],
  [7 * 86400, "day", 86400],
];

function update() {
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const at = new Date(time.dateTime);
    const seconds = (at - Date.now()) / 1000;
    const step = steps.find(([limit]) => Math.abs(seconds) < limit);
    if (!step || Number.isNaN(seconds)) continue;
    const text = step[1] === "second" ? "just now" : format.format(Math.trunc(seconds / step[2]), step[1]);
    if (time.textContent !== text) time.textContent = text;
    time.title = at.toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC");
  }
}

update();
setInterval(update, 30_000);
