// The form: data, flow and training.

import { at, setOptions } from "./dom.js";
import { tidy } from "./numbers.js";

const DATA = {
  two_moons: "two moons", stretched_normal: "stretched normal", correlated_gaussian: "correlated Gaussian",
  banana: "banana", eight_gaussians: "eight Gaussians", checkerboard: "checkerboard", pinwheel: "pinwheel",
  painted: "painted by hand", table: "a CSV file",
};
const FLOWS = { made: "MADE", maf: "MAF", iaf: "IAF", nice: "NICE", realnvp: "RealNVP", nsf: "NSF", continuous: "continuous" };
const METHODS = { by_degree: "by degree", unit_by_unit: "unit by unit", loop: "textbook loop" };
const POINTS = [[0, "fresh"], [50, "50"], [100, "100"], [300, "300"], [1000, "1000"], [5000, "5000"]];
const WIDTHS = [0, 2, 4, 8, 16, 32, 64, 128];

/** train(): start or pause, as the page wants it. */
export function showControls(session, train) {
  session.on("about", () => {
    const { about } = session;
    setOptions(at("data"), about.data.map((name) => [name, DATA[name] ?? name]));
    setOptions(at("flow"), about.flows.map((name) => [name, FLOWS[name] ?? name]));
    setOptions(at("method"), about.methods.map((name) => [name, METHODS[name] ?? name]));
    const [fewest, most] = about.limits.layers;
    setOptions(at("layers"), Array.from({ length: most - fewest + 1 }, (_, i) => [fewest + i, fewest + i]));
    at("fields").disabled = false;
  });
  session.on("state", () => show(session));
  for (const id of ["data", "flow", "method"]) {
    at(id).addEventListener("change", () => session.change({ [id]: at(id).value }));
  }
  for (const id of ["points", "layers", "width"]) {
    at(id).addEventListener("change", () => session.change({ [id]: Number(at(id).value) }));
  }
  at("permute").addEventListener("change", () => session.change({ permute: at("permute").checked }));
  at("seed").addEventListener("change", () => changeSeed(session));
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("train").addEventListener("click", train);
  at("step").addEventListener("click", () => session.train(session.step + 1));
  at("start-over").addEventListener("click", () => session.startOver());
  session.on("step training built", () => showTraining(session));
  session.on("failed", () => {
    showTraining(session);
    for (const id of ["train", "step", "start-over"]) at(id).disabled = true;
  });
}

function changeSeed(session) {
  const [low, high] = session.about.limits.seed;
  const seed = Number(at("seed").value);
  if (at("seed").value !== "" && Number.isInteger(seed) && seed >= low && seed <= high) return session.change({ seed });
  session.emit("note", `The seed must be an integer from ${low} to ${high}: not ${at("seed").value || "empty"}.`);
  at("seed").value = session.state.seed;
}

function show({ state, about }) {
  setOptions(at("points"), POINTS, state.points);
  setOptions(at("width"), WIDTHS.map((width) => [width, width || "none"]), state.width);
  for (const id of ["data", "flow", "method", "layers", "seed"]) at(id).value = state[id];
  at("permute").checked = state.permute;
  const own = state.data === "painted" || state.data === "table";
  at("points").disabled = own;
  const single = state.flow === "made" || state.flow === "continuous";
  at("layers").disabled = single;
  at("permute").disabled = single || state.layers === 1;
  at("method").disabled = about.one_pass.includes(state.flow);
}

function showTraining(session) {
  const runs = Boolean(session.run);
  at("train").textContent = runs ? "Pause" : "Train";
  at("step-said").textContent = session.step;
  at("loss-said").textContent = session.loss === null ? "–" : tidy(session.loss);
}
