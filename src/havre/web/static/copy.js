// Copy buttons. Without scripts they stay hidden: the text beside them can be selected as ever.

const SHOWN_FOR = 1600;

async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Plain http on another host than localhost has no clipboard object.
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

const spoken = document.createElement("p");
spoken.className = "hidden";
spoken.setAttribute("role", "status");
document.body.append(spoken);

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.title = button.textContent.trim() ? button.dataset.copy : button.ariaLabel;
  button.addEventListener("click", async () => {
    await copy(button.dataset.copy);
    button.classList.add("done");
    spoken.textContent = document.body.dataset.copied;
    setTimeout(() => {
      button.classList.remove("done");
      spoken.textContent = "";
    }, SHOWN_FOR);
  });
}
