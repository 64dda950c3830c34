// Write and Preview as tabs. The server renders the preview, so it is exactly what will be shown.

for (const form of document.querySelectorAll("form[data-editor]")) {
  const tabs = [...form.querySelectorAll('[role="tab"]')];
  const panes = tabs.map((tab) => document.getElementById(tab.getAttribute("aria-controls")));
  const text = form.querySelector("textarea");
  const status = form.querySelector("[data-failed]");

  const preview = async () => {
    status.textContent = "";
    panes[1].setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body: new URLSearchParams({ readme: text.value }) });
      if (!answer.ok) throw new Error(String(answer.status));
      panes[1].innerHTML = await answer.text();
    } catch {
      status.textContent = status.dataset.failed;
    }
    panes[1].removeAttribute("aria-busy");
  };

  const open = (chosen) => {
    tabs.forEach((tab, place) => {
      tab.setAttribute("aria-selected", String(place === chosen));
      tab.tabIndex = place === chosen ? 0 : -1;
      panes[place].hidden = place !== chosen;
    });
    if (chosen === 1) preview();
  };

  tabs.forEach((tab, place) => {
    panes[place].setAttribute("role", "tabpanel");
    panes[place].setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => open(place));
    tab.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      event.preventDefault();
      const next = 1 - place;
      open(next);
      tabs[next].focus();
    });
  });
  panes[1].tabIndex = 0;
  tabs[0].parentElement.hidden = false;
  for (const button of form.querySelectorAll("[data-scriptless]")) button.hidden = true;
  open(0);
}
