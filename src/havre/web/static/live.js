// A push as it happens: pieces of the page arrive as events and take their place. A window that nobody sees does not watch.

const panel = document.querySelector("[data-live]");
const flight = panel.querySelector(".live-flight");
const arrived = panel.querySelector(".live-arrived");
const said = document.querySelector("#live-said");
let source = null;

const show = () => {
  panel.hidden = !flight.childElementCount && !arrived.childElementCount;
  panel.classList.toggle("under-way", flight.childElementCount > 0);
};

const watch = () => {
  source = new EventSource(panel.dataset.live);
  source.addEventListener("uploads", (event) => {
    flight.innerHTML = event.data;
    show();
  });
  source.addEventListener("tags", (event) => {
    const place = document.querySelector("#live-tags") ?? arrived;
    place.innerHTML = event.data;
    place.classList.remove("empty");
    show();
  });
  source.addEventListener("say", (event) => {
    said.textContent = event.data;
  });
  source.addEventListener("enough", () => source.close());
  source.addEventListener("error", () => {
    // The browser tries again by itself, except when it was told not to.
    flight.replaceChildren();
    show();
  });
};

const settle = () => {
  if (document.hidden) {
    source?.close();
    source = null;
  } else if (!source) {
    watch();
  }
};

document.addEventListener("visibilitychange", settle);
settle();
