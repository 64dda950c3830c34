// One box that ticks all others of a list, and a button that says how many are ticked.

for (const form of document.querySelectorAll("form[data-select]")) {
  const label = form.querySelector(".pick-all");
  const all = label.querySelector("input");
  const boxes = [...form.querySelectorAll('td.pick input[type="checkbox"]')];
  const button = form.querySelector("button.red");
  const update = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
    button.disabled = ticked === 0;
  };
  label.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    update();
  });
  for (const box of boxes) box.addEventListener("change", update);
  addEventListener("pageshow", update);
  update();
}
