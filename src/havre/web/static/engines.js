// The pull command of one program at a time, the one that was chosen last. Without scripts both are shown.

const KEY = "havre-engine";

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

for (const box of document.querySelectorAll("[data-engines]")) {
  const buttons = [...box.querySelectorAll("[data-choose]")];
  const names = buttons.map((button) => button.dataset.choose);
  const show = (name) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.choose === name));
    for (const part of box.querySelectorAll("[data-engine]")) part.hidden = part.dataset.engine !== name;
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      show(button.dataset.choose);
      try {
        localStorage.setItem(KEY, button.dataset.choose);
      } catch {
        // Storage may be forbidden: the choice then lasts as long as the page.
      }
    });
  }
  buttons[0].parentElement.hidden = false;
  show(names.includes(remembered()) ? remembered() : names[0]);
}
