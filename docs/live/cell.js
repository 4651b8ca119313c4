// A cell of Python. One that never ends is stopped with the engine: a new one repeats the training.

import { at } from "./dom.js";
import { sameFlow } from "./state.js";

const PATIENCE = 5000; // ms, then it can be stopped

export function showCell(session) {
  let runs = false;

  async function run() {
    if (runs || !session.built) return;
    runs = true;
    at("run").disabled = true;
    at("cell-said").textContent = "running ...";
    const timer = setTimeout(() => {
      at("stop").hidden = false;
      at("cell-said").textContent = "This takes long. Stop it? Then training is lost, and is repeated.";
    }, PATIENCE);
    const found = await session.ask("run", { code: at("code").value });
    clearTimeout(timer);
    runs = false;
    at("stop").hidden = true;
    at("run").disabled = !session.built;
    at("cell-said").textContent = "";
    if (found) show(found);
  }

  at("run").addEventListener("click", run);
  at("code").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.shiftKey) return;
    event.preventDefault();
    run();
  });
  at("stop").addEventListener("click", () => {
    at("output").textContent = "Stopped.";
    session.restart("The cell was stopped, and with it the engine. Training was lost: it is repeated.");
  });
  session.on("built", () => (at("run").disabled = runs || !session.built));
  session.on("failed", () => (at("run").disabled = true));
  session.on("state", ({ before }) => {
    if (before && !sameFlow(before, session.state)) at("output").textContent = ""; // of another flow
  });
}

function show({ out, problem }) {
  at("output").replaceChildren(out);
  if (!problem) return;
  const shown = document.createElement("span");
  shown.className = "problem";
  shown.textContent = problem;
  at("output").append(shown);
}
