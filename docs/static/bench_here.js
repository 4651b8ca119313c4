// The Flow Bench inside of a lesson: a button beside its link opens it, in a frame as high as what it
// shows. Nothing is loaded before. The frame and the lesson's questions share one Python, which
// belongs to the page: see `Engine.shared`.

const LIVE = new URL("../live/", import.meta.url);

for (const place of document.querySelectorAll(".bench-here:not([data-ready])")) {
  place.dataset.ready = "";
  const link = place.querySelector("a");
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Open the Flow Bench here" });
  button.addEventListener("click", () => open(place, link, button).catch((problem) => failed(link, button, problem)));
  link.before(button, " ");
}

async function open(place, link, button) {
  button.disabled = true;
  const { Engine } = await import(new URL("engine.js", LIVE));
  globalThis.flowcorePython = (onLoading) => Engine.shared(LIVE, onLoading); // for the frame
  const address = new URL(link.href);
  address.search = `?part=${place.dataset.part}`;
  const theme = document.documentElement.dataset.theme;
  if (theme) address.hash += `&theme=${theme}`;
  const frame = Object.assign(document.createElement("iframe"), { title: "The Flow Bench", src: address.href });
  frame.addEventListener("load", () => fit(frame));
  place.append(frame);
  button.hidden = true;
  frame.focus();
}

function failed(link, button, problem) {
  button.disabled = false;
  link.after(` (not loaded: ${problem.message})`);
}

// As high as its content, and as light or dark as the page.
function fit(frame) {
  const { body, documentElement: root } = frame.contentDocument;
  const resize = () => (frame.style.height = `${body.scrollHeight}px`);
  new frame.contentWindow.ResizeObserver(resize).observe(body);
  new MutationObserver(() => {
    const { theme } = document.documentElement.dataset;
    if (theme !== root.dataset.theme) frame.contentWindow.postMessage({ theme }, location.origin);
  }).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  resize();
}
