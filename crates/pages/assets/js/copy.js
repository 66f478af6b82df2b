// Copy buttons: [data-copy] names the element to copy. Announced politely, never shown without script.
const status = document.createElement("div");
status.className = "sr";
status.setAttribute("role", "status");
document.body.append(status);

async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    return true;
  } catch {
    // No clipboard over plain http, or not allowed: select the text and try the old way.
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  if (!source) continue;
  button.hidden = false;
  const label = button.firstChild;
  const before = label.data;
  let timer;
  button.addEventListener("click", async () => {
    const copied = await copy(source);
    label.data = copied ? "Copied" : "Selected";
    button.classList.toggle("copied", copied);
    // A modal dialog hides everything outside it from screen readers.
    (button.closest("dialog") ?? document.body).append(status);
    status.textContent = "";
    requestAnimationFrame(() => (status.textContent = copied ? "Copied" : "Selected, press Ctrl+C"));
    clearTimeout(timer);
    timer = setTimeout(() => {
      label.data = before;
      button.classList.remove("copied");
      status.textContent = "";
    }, 2500);
  });
}
