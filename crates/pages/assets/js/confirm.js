// A submit button with data-confirm opens that dialog first; its "yes" submits the form.
for (const button of document.querySelectorAll("button[data-confirm]")) {
  const dialog = document.getElementById(button.dataset.confirm);
  if (!dialog?.showModal) continue;
  button.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.returnValue = "no";
    dialog.showModal();
  });
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "yes") button.form.requestSubmit();
    else button.focus();
  });
}
