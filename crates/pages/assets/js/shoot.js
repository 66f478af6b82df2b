// A person's session: photos are sent one by one, and a waiting page follows the studio.

/** The session's own address: after a refused form, this page's is the form's. */
const session = document.querySelector("main").dataset.session;

/** Brings what is new on the server's page into this one; what is here already stays as it is. */
async function refresh() {
  const answer = await fetch(session);
  if (!answer.ok) return location.assign(session);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const list = document.querySelector("main ul[data-list]");
  const next = fresh.querySelector("main ul[data-list]");
  // Another step, or no more photos can be added: the page as a whole is another one.
  if (!next || !document.querySelector("form[data-upload]") !== !fresh.querySelector("form[data-upload]")) {
    return location.assign(session);
  }
  for (const [at, item] of [...next.children].entries()) {
    if (!document.getElementById(item.id)) list.insertBefore(document.adoptNode(item), list.children[at] ?? null);
  }
  list.closest("section").hidden = list.children.length === 0;
  document.querySelector(".submit-bar")?.replaceWith(document.adoptNode(fresh.querySelector(".submit-bar")));
}

const form = document.querySelector("form[data-upload]");
if (form) {
  const input = form.querySelector("input[type=file]");
  const button = form.querySelector("button");
  const status = form.querySelector(".upload-status");
  const refused = form.querySelector(".upload-refused");
  const send = async (file) => {
    const body = new FormData();
    body.append("csrf", form.elements.csrf.value);
    body.append("photos", file);
    const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "application/json" } });
    // An answer that is no JSON is a page that says that the form is too old or the session gone.
    if (!answer.headers.get("content-type")?.startsWith("application/json")) {
      return { error: "The server did not take it. Reload this page and try again." };
    }
    return answer.json();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const files = [...input.files];
    if (files.length === 0 || button.disabled) return;
    button.disabled = true;
    refused.replaceChildren();
    status.hidden = false;
    let said = "";
    let taken = 0;
    const tell = (text) => {
      const item = document.createElement("li");
      item.textContent = text;
      refused.append(item);
      said = "";
    };
    for (const [index, file] of files.entries()) {
      status.textContent = `${said} Looking at photo ${index + 1} of ${files.length}: ${file.name}`.trim();
      try {
        const { error, verdict } = await send(file);
        if (error) tell(`Not taken: ${file.name}: ${error}`);
        else {
          taken += 1;
          said = `${file.name}: ${verdict}`;
          await refresh();
        }
      } catch {
        tell(`${file.name}: it did not arrive. Check the connection and try again.`);
      }
    }
    // What was not taken is told by the list.
    const count = taken > 0 && taken < files.length ? `${taken} of ${files.length} photos taken.` : "";
    status.textContent = count && said ? `${said.replace(/\.?$/, ".")} ${count}` : said || count;
    status.hidden = status.textContent === "";
    input.value = "";
    button.disabled = false;
  });
  input.addEventListener("change", () => {
    if (input.files.length > 0) form.requestSubmit();
  });
}

const waiting = document.querySelector("[data-progress]");
if (waiting) {
  const follow = async () => {
    try {
      const answer = await fetch(waiting.dataset.progress, { headers: { accept: "application/json" } });
      if (answer.status === 404) return location.assign(session);
      if (answer.ok) {
        const now = await answer.json();
        if (now.status === "active") return location.assign(session);
        const bar = waiting.querySelector("progress");
        const more = now.made > bar.value;
        bar.max = now.total;
        bar.value = now.made;
        const sentence = waiting.querySelector("[data-sentence]");
        if (sentence.textContent !== now.sentence) sentence.textContent = now.sentence;
        if (more) await refresh();
      }
    } catch {
      // The server is restarting or the phone is offline: the next look tells.
    }
    setTimeout(follow, document.hidden ? 10_000 : 2_000);
  };
  setTimeout(follow, 1_000);
}
