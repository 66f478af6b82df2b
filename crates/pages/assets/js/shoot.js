// A person's session: photos are sent one by one, and a waiting page follows the studio.
const form = document.querySelector("form[data-upload]");
if (form) {
  const input = form.querySelector("input[type=file]");
  const status = form.querySelector(".upload-status");
  const send = async (file) => {
    const body = new FormData();
    body.append("csrf", form.elements.csrf.value);
    body.append("photos", file);
    const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "application/json" } });
    return answer.json();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const files = [...input.files];
    const problems = [];
    status.hidden = false;
    form.querySelector("button").disabled = true;
    for (const [index, file] of files.entries()) {
      status.textContent = `Looking at photo ${index + 1} of ${files.length}: ${file.name}`;
      try {
        const { error } = await send(file);
        if (error) problems.push(`${file.name}: ${error}`);
      } catch {
        problems.push(`${file.name}: it did not arrive. Check the connection and try again.`);
      }
    }
    form.querySelector("button").disabled = false;
    if (problems.length === 0) location.reload();
    else {
      status.textContent = `Not taken: ${problems.join(" ")}`;
      status.classList.add("bad-text");
      input.value = "";
      if (problems.length < files.length) {
        const link = document.createElement("a");
        link.href = location.href;
        link.textContent = "Show the photos that were taken";
        status.append(" ", link);
      }
    }
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
      if (answer.ok) {
        const now = await answer.json();
        const bar = waiting.querySelector("progress");
        bar.max = now.total;
        bar.value = now.made;
        const sentence = waiting.querySelector("[data-sentence]");
        if (sentence.textContent !== now.sentence) sentence.textContent = now.sentence;
        if (now.status === "active") location.reload();
      }
    } catch {
      // The server is restarting or the phone is offline: the next look tells.
    }
    setTimeout(follow, document.hidden ? 10_000 : 2_000);
  };
  setTimeout(follow, 1_000);
}
