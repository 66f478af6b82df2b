// Copy buttons: [data-copy] names the element to copy. Announced politely, never shown without script.
const status = document.createElement("div");
status.className = "sr";
status.setAttribute("role", "status");
document.body.append(status);

for (const button of document.querySelectorAll("[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  if (!source || !navigator.clipboard) continue;
  button.hidden = false;
  const label = button.firstChild;
  const before = label.data;
  let timer;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      label.data = "Copied";
    } catch {
      // Not allowed here: select the text, so that one key press copies it.
      if (source.select) source.select();
      else getSelection().selectAllChildren(source);
      label.data = "Press Ctrl+C";
    }
    // A modal dialog hides everything outside it from screen readers.
    (button.closest("dialog") ?? document.body).append(status);
    status.textContent = "";
    requestAnimationFrame(() => (status.textContent = label.data));
    button.classList.toggle("copied", label.data === "Copied");
    clearTimeout(timer);
    timer = setTimeout(() => {
      label.data = before;
      button.classList.remove("copied");
      status.textContent = "";
    }, 2500);
  });
}
