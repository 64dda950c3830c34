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

function show(button) {
  button.hidden = false;
  button.title = button.textContent.trim() ? button.dataset.copy : button.ariaLabel;
}

const spoken = document.createElement("p");
spoken.className = "hidden";
spoken.setAttribute("role", "status");
document.body.append(spoken);

for (const button of document.querySelectorAll("[data-copy]")) show(button);

// Other modules put in pieces of pages that hold buttons too.
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) {
      if (node.matches?.("[data-copy]")) show(node);
      node.querySelectorAll?.("[data-copy]").forEach(show);
    }
  }
}).observe(document.body, { childList: true, subtree: true });

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await copy(button.dataset.copy);
  const picture = button.querySelector("use");
  button.classList.add("done");
  picture?.setAttribute("href", "#i-check");
  spoken.textContent = document.body.dataset.copied;
  setTimeout(() => {
    button.classList.remove("done");
    picture?.setAttribute("href", "#i-copy");
    spoken.textContent = "";
  }, SHOWN_FOR);
});
