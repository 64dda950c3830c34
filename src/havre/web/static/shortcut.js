// "/" goes to the search field, Escape and a click elsewhere close the account menu.

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.querySelector('[data-shortcut="/"]');
    if (field) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  }
  const menu = document.querySelector("details.me[open]");
  if (event.key === "Escape" && menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("click", (event) => {
  const menu = document.querySelector("details.me[open]");
  if (menu && !menu.contains(event.target)) menu.open = false;
});
