// A prediction: from the question to the verdict. A frozen record; the session holds the present one.
//
//     none      free play: nothing is asked
//     asking    a question is open, and what would give it away is covered
//     locked    fixed; the verdict comes when training has gone far enough
//     again     not right: the hint is shown, and the question is open again; the flow's own number
//               comes after the second miss, or when it is asked for
//     right, scored (in free play), skipped

import { at } from "./dom.js";
import { recall, remember } from "./memory.js";
import { pair, tidy, withError, withMinus } from "./numbers.js";

export const NONE = Object.freeze({
  phase: "none", compare: null, steps: 0, // of training, after which the answer can be seen
  text: "", value: null, ink: null, // what was typed, its number; or the cells of a drawing
  problem: "", message: "", said: "", misses: 0,
});

export const taskOf = (session) =>
  session.about?.tasks.find(({ number }) => number === session.state?.task) ?? null;

export function asked(task) {
  if (!task) return NONE;
  return Object.freeze({ ...NONE, phase: "asking", compare: task.compare, steps: task.steps });
}

export const isOpen = ({ phase }) => phase === "asking" || phase === "again";
export const isDrawn = ({ compare }) => compare === "drawing";
export const unitOf = ({ compare }) => ({ connections: "connections", units: "units", width: "of the width" })[compare] ?? "nats";

/** Whether only a hint has been given so far, and the flow's number is kept back. */
export const isHinted = (prediction) =>
  prediction.phase === "again" && prediction.misses < 2 && !isDrawn(prediction);

/** Whether training has to wait for a prediction. */
export const bars = ({ state, prediction }) =>
  Boolean(state?.task) && (prediction.phase === "asking" || (isHinted(prediction) && prediction.steps === 0));

const COVERS = { log_p: ["bars", "log_det"], connections: ["count"], units: ["count", "walk"] };

/** Whether this would give the answer away: "gauge", "floor", "bars", "log_det", "count", "walk". */
export function covered(session, what) {
  const { compare, steps } = session.prediction;
  if (what === "floor" && session.state?.task && compare !== "kl") return true; // a later task asks for it
  const { phase } = session.prediction;
  if (what === "floor" && session.state?.task && (phase === "locked" || isHinted(session.prediction))) return true;
  if (!bars(session)) return false;
  if (compare === "kl") return what === "floor" || (what === "gauge" && steps === 0);
  return (COVERS[compare] ?? []).includes(what);
}

export function setPrediction(session, changes) {
  session.prediction = Object.freeze({ ...session.prediction, ...changes });
  if (session.state?.task) remember(session.state.task, session.prediction);
  session.emit("prediction");
}

/** Fix what was typed or drawn, or show why it cannot be read. The verdict on the answer before goes. */
export async function submit(session, given) {
  setPrediction(session, { ...given, problem: "", message: "", said: "" });
  const { prediction } = session;
  const { value = null, problem } = given.ink
    ? { problem: given.ink.some(Boolean) ? "" : "Nothing is drawn yet." }
    : (await session.ask("read", { text: given.text })) ?? {};
  if (session.prediction !== prediction) return;
  if (problem) setPrediction(session, { problem: capital(problem) });
  else if (given.ink || value !== null) await lock(session, { value });
}

// Fix it. Its verdict comes now, or after training.
async function lock(session, given) {
  const seen = session.prediction.phase === "again";
  setPrediction(session, { ...given, phase: "locked" });
  if (seen || session.step >= session.prediction.steps) await settle(session);
}

/** The verdict on a locked prediction, once its subject can be seen. */
export async function settle(session) {
  const { prediction, state } = session;
  if (prediction.phase !== "locked" || !session.look) return;
  const said = await compared(session);
  if (session.prediction !== prediction) return;
  if (!state.task) return setPrediction(session, { phase: "scored", said });
  const answer = isDrawn(prediction) ? Array.from(prediction.ink) : prediction.value;
  const verdict = await session.ask("judge", { task: state.task, answer });
  if (!verdict || session.prediction !== prediction) return;
  const { right, message } = verdict;
  const misses = prediction.misses + !right;
  setPrediction(session, { phase: right ? "right" : "again", said, misses, message: withMinus(capital(message)) });
}

/** The flow's own number beside the prediction. */
export async function compared(session) {
  const { prediction, look, network } = session;
  const you = `You said ${tidy(prediction.value, Number.isInteger(prediction.value) ? 0 : 3)}`;
  const compare = {
    log_p: () => `${you}; the bars' sum at ${pair(session.point)} is ${tidy(session.at.log_p)}.`,
    log_det: () => `${you}; at ${pair(session.point)} the flow has ${tidy(session.at.log_det)}.`,
    kl: () => `${you}; after ${session.step} steps the gauge stood at ${withError(look.kl, look.kl_error)}${floorSaid(session)}.`,
    connections: () => `${you}; ${network.kept} of ${network.all} are left.`,
    units: () => `${you}; the walk computes ${network.walk.computed}.`,
    width: () => `${you}; ${widthAtHalf(look.stages)}.`,
    drawing: async () => {
      const found = await session.ask("overlap", { drawing: Array.from(prediction.ink) });
      return found ? `Your drawing and the flow's density overlap by ${Math.round(100 * found.overlap)} %.` : "";
    },
  };
  if (prediction.compare === "kl" && !Number.isFinite(look.kl)) {
    return `${you}; the truth is unknown here, so nobody knows the KL.`;
  }
  return compare[prediction.compare]();
}

// The dots' root mean square at t = 1/2 over that at t = 0; the last stage is no time.
function widthAtHalf({ cloud, shape: [stages], field }) {
  if (!field) return "only a continuous flow has a time";
  const size = cloud.length / stages;
  const width = (k) => Math.hypot(...cloud.subarray(k * size, (k + 1) * size));
  return `the dots at t = 1/2 have ${tidy(width((stages - 2) / 2) / width(0))} of it`;
}

const floorSaid = ({ floor }) => (floor?.kl ? `, its floor is ${tidy(floor.kl)}` : "");
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Open the question for the task that is shown; a link with steps has been seen already. */
export function followTasks(session) {
  session.prediction = NONE;
  session.on("state", ({ before, opened }) => {
    if (!opened && before.task === session.state.task) return;
    const task = taskOf(session);
    const seen = task && task.steps > 0 && session.state.steps > 0;
    session.prediction = asked(task);
    setPrediction(session, (task && recall(task.number)) ?? (seen ? { phase: "skipped" } : {}));
    const title = task ? `Task ${task.number}: ${task.title}` : "Free play";
    document.title = `${title} – The Flow Bench`;
  });
  session.on("paused", () => {
    const { prediction } = session;
    if (prediction.phase === "locked" && session.step >= Math.max(1, prediction.steps)) settle(session);
  });
  session.on("prediction step training built", () => showTrain(session));
}

function showTrain(session) {
  const off = bars(session) || !session.built;
  for (const id of ["train", "step"]) at(id).disabled = off;
  at("start-over").disabled = !session.built;
  at("step").disabled ||= Boolean(session.run);
  at("train-why").hidden = !bars(session);
  at("counter").hidden = bars(session);
}
