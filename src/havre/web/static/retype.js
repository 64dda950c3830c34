// A dangerous button stays off until the name is retyped. The server checks it in any case.

for (const form of document.querySelectorAll("form[data-retype]")) {
  const field = form.querySelector('input[name="confirm"]');
  const button = form.querySelector("button:not([type])");
  const update = () => {
    button.disabled = field.value.trim() !== form.dataset.retype;
  };
  field.addEventListener("input", update);
  update();
}
