// Results while one types, in every search field that names where they come from (data-suggest). A combobox with a
// list (https://www.w3.org/WAI/ARIA/apg/patterns/combobox/): the arrows move, Enter opens or searches, Escape closes.

const PAUSE = 120;

function attach(field) {
  const list = document.createElement("ul");
  list.className = "suggestions";
  list.id = `${field.id}-suggestions`;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", field.dataset.suggestions);
  list.hidden = true;
  const status = document.createElement("p");
  status.className = "hidden";
  status.setAttribute("role", "status");
  field.after(list, status);
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", list.id);
  field.setAttribute("aria-expanded", "false");

  let timer = 0;
  let asking = null;
  let active = -1;

  const options = () => [...list.querySelectorAll('[role="option"]')];

  function show(open) {
    list.hidden = !open;
    field.setAttribute("aria-expanded", String(open));
    if (!open) choose(-1);
  }

  function choose(index) {
    active = index;
    options().forEach((option, at) => {
      option.setAttribute("aria-selected", String(at === index));
      if (at === index) {
        field.setAttribute("aria-activedescendant", option.id);
        option.scrollIntoView({ block: "nearest" });
      }
    });
    if (index < 0) field.removeAttribute("aria-activedescendant");
  }

  async function ask() {
    asking?.abort();
    asking = new AbortController();
    const text = field.value.trim();
    if (!text) {
      list.replaceChildren();
      show(false);
      return;
    }
    try {
      const answer = await fetch(`${field.dataset.suggest}?q=${encodeURIComponent(text)}`, { signal: asking.signal });
      if (!answer.ok) return;
      const found = document.createElement("template");
      found.innerHTML = await answer.text();
      status.textContent = found.content.querySelector("[data-said]")?.textContent ?? "";
      list.replaceChildren(...found.content.querySelectorAll("li"));
      options().forEach((option, at) => {
        option.id = `${list.id}-${at}`;
      });
      active = -1;
      field.removeAttribute("aria-activedescendant");
      show(options().length > 0 && document.activeElement === field);
    } catch (error) {
      if (error.name !== "AbortError") show(false);
    }
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });

  field.addEventListener("keydown", (event) => {
    const last = options().length - 1;
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      show(false);
    } else if (event.key === "Enter" && !list.hidden && active >= 0) {
      event.preventDefault();
      location.assign(options()[active].dataset.href);
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && last >= 0) {
      event.preventDefault();
      if (list.hidden) show(true);
      if (event.key === "ArrowDown") choose(active < last ? active + 1 : 0);
      else choose(active > 0 ? active - 1 : last);
    }
  });

  // Before the field loses the focus, which would close the list under the pointer.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest('[role="option"]');
    if (option) location.assign(option.dataset.href);
  });
  field.addEventListener("focus", () => show(options().length > 0 && field.value.trim() !== ""));
  field.addEventListener("blur", () => show(false));
}

for (const field of document.querySelectorAll("input[data-suggest]")) attach(field);

// Filters take effect when they are changed; without scripts there is a button.
for (const form of document.querySelectorAll("form[data-at-once]")) {
  form.querySelector("[data-apply]")?.setAttribute("hidden", "");
  form.addEventListener("change", (event) => {
    if (event.target.closest("select, input[type=checkbox]")) form.requestSubmit();
  });
}
