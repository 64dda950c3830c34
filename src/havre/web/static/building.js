// A page whose content is still being made: asked for again until it is there, with its progress shown meanwhile.

const PAUSE = 1000;
const PATIENCE = 5;

async function look(failures) {
  const here = document.querySelector("[data-building]");
  if (!here) return;
  try {
    const reply = await fetch(location.href, { headers: { Accept: "text/html" } });
    const there = new DOMParser().parseFromString(await reply.text(), "text/html").querySelector("[data-building]");
    if (!there) {
      location.reload();
      return;
    }
    here.querySelector("progress").value = there.querySelector("progress").value;
    here.querySelector("[data-percent]").textContent = there.querySelector("[data-percent]").textContent;
    setTimeout(look, PAUSE, 0);
  } catch {
    // The network or the server is away for a moment.
    if (failures < PATIENCE) setTimeout(look, PAUSE * 2 ** failures, failures + 1);
  }
}

setTimeout(look, PAUSE, 0);
