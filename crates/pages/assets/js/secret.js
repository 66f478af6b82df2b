// The page that shows a key once: make its open dialog modal, and ask before it is left unread.
const dialog = document.getElementById("secret");
const stored = document.getElementById("stored");
const value = document.getElementById("secret-value");

function ask(event) {
  event.preventDefault();
}

dialog.close();
dialog.showModal();
value.focus();
value.select();

// Esc must not throw the key away.
dialog.addEventListener("cancel", (event) => event.preventDefault());
dialog.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    event.preventDefault();
    stored.focus();
  }
});

addEventListener("beforeunload", ask);
stored.addEventListener("click", (event) => {
  removeEventListener("beforeunload", ask);
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  // The answer to the form leaves the history, so that Back does not offer to send the form again.
  event.preventDefault();
  location.replace(stored.href);
});
// Coming back must not show the key from memory.
addEventListener("pagehide", () => dialog.remove());
