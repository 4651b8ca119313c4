// The panel of a task in three columns: what is on the bench, the prediction, what is to be seen.

import { at, el } from "./dom.js";
import { answered } from "./memory.js";
import { tidy, withMinus } from "./numbers.js";
import {
  NONE, asked, isDrawn, isHinted, isOpen, setPrediction, submit, taskOf, unitOf,
} from "./prediction.js";

const LESSONS = [
  "stretching", "triangles", "learning", "made", "maf_and_iaf", "couplings", "composing", "limits",
  "velocities",
];

// Where an answer is seen.
const PANELS = {
  "gauge-panel": ["kl"],
  "bars-panel": ["log_p"],
  "jacobian-panel": ["log_det"],
  "masks-panel": ["connections", "units"],
};

/** ink: what is drawn on the picture of the density. */
export function showTasks(session, ink) {
  const draw = () => {
    const task = taskOf(session);
    showStory(session, task);
    at("predict").replaceChildren(...predictColumn(session, task, ink));
    at("see").replaceChildren(...seeColumn(session, task));
  };
  let lost = ""; // what had the focus, and is gone
  session.on("prediction built paused", () => {
    // Who types keeps the focus and the text, though the field is a new one.
    const focused = document.activeElement?.id || lost;
    lost = "";
    const text = at("answer")?.value;
    draw();
    if (text && at("answer") && !at("answer").value) at("answer").value = text;
    if (focused && document.activeElement === document.body) {
      const { phase, steps } = session.prediction;
      const next = phase === "locked" && session.step < steps ? "train" : "next-task";
      (at(focused) ?? at(next))?.focus({ preventScroll: true });
      if (document.activeElement === document.body) lost = focused; // until the verdict is there
    }
    for (const [id, shown] of Object.entries(PANELS)) {
      at(id).classList.toggle("asked", shown.includes(session.prediction.compare));
    }
  });
  session.on("prediction", () => {
    const { message, said } = session.prediction;
    if (message || said) at("said").textContent = isHinted(session.prediction) ? message : `${message} ${said}`;
  });
  session.on("prediction", () => showNav(session));
  session.on("state", ({ before }) => {
    if (before?.task !== session.state.task) at("answer")?.remove(); // it was typed for another task
    showNav(session);
  });
  for (const kind of ["pointerdown", "keydown"]) {
    at("density").addEventListener(kind, () => session.prediction.problem && setPrediction(session, { problem: "" }));
  }
  for (const button of document.querySelectorAll("[data-task]")) {
    button.addEventListener("click", () => choose(session, button));
  }
}

// Who chooses while the page is loading, gets it when it is loaded.
function choose(session, button) {
  const task = Number(button.dataset.task);
  if (session.about) return session.goTo(task);
  location.hash = task ? `task=${task}` : "";
  for (const other of document.querySelectorAll("[data-task]")) other.removeAttribute("aria-current");
  button.setAttribute("aria-current", "page");
}

function showNav(session) {
  if (!session.state) return;
  const done = answered();
  at("answered").textContent = done.size ? `${done.size} of ${session.about.tasks.length} right` : "";
  for (const button of document.querySelectorAll("[data-task]")) {
    const number = Number(button.dataset.task);
    const here = number === session.state.task;
    if (number) {
      button.textContent = done.has(number) ? `${number} ✓` : number;
      button.setAttribute("aria-label", `Task ${number}${done.has(number) ? ", answered" : ""}`);
    }
    if (here) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
}

const FREE = {
  "": "Choose data and a flow, and press Train. Drag the point on the data, and slide through the layers.",
  painted: "Paint 20 points or more on the picture of data and density. Then press Use them, and Train.",
  table: "Choose a CSV file, or drop one on the page: two columns of numbers. Then press Train.",
};

function showStory(session, task) {
  at("task-title").textContent = task ? `${task.number}. ${task.title}` : "Free play";
  at("story").textContent = task ? task.story : FREE[session.state ? session.missing : ""];
  const lesson = at("lesson");
  lesson.textContent = task ? `Lesson ${task.number} of the course` : "The course";
  lesson.href = task
    ? `../built/course/lesson_${task.number}_${LESSONS[task.number - 1]}.html`
    : "../learn/index.html";
}

// ------------------------------------------------------------ the prediction

function predictColumn(session, task, ink) {
  const { prediction } = session;
  const heading = el("h3", {}, task ? "Predict" : "Predict, if you like");
  const question = el("p", { class: "question", id: "question" }, task ? withMinus(task.question) : freeQuestion(prediction));
  if (prediction.phase === "none") return [heading, question, freeChoice(session)];
  if (isOpen(prediction)) return [heading, question, ...openQuestion(session, task, ink)];
  if (prediction.phase === "skipped") {
    const again = () => {
      setPrediction(session, asked(task));
      session.startOver();
    };
    return [heading, question, el("p", { class: "small" }, "Skipped. ",
      el("button", { type: "button", class: "plain", id: "predict-after-all", onclick: again }, "Predict after all"))];
  }
  return [heading, question, el("p", { class: "fixed" }, ...fixed(prediction), task ? null : another(session))];
}

const freeQuestion = ({ compare }) =>
  ({
    drawing: "Draw the density that the flow will have.",
    kl: "What will KL(truth || flow) be when you pause?",
  })[compare] ?? "Say first what the flow will do: then train, and compare.";

function freeChoice(session) {
  const choose = (compare) => () => setPrediction(session, { ...NONE, phase: "asking", compare, steps: 1 });
  const known = session.built?.known;
  return el("p", { class: "row" },
    el("button", { type: "button", id: "free-kl", disabled: !known, onclick: choose("kl") }, "Type a KL"),
    el("button", { type: "button", id: "free-draw", disabled: !session.built, onclick: choose("drawing") }, "Draw the density"));
}

const another = (session) =>
  el("button", { type: "button", class: "plain", id: "predict-another", onclick: () => setPrediction(session, NONE) }, "Another one");

function fixed(prediction) {
  if (isDrawn(prediction)) return [el("i", { class: "line guess" }), " Your drawing is laid over the density. "];
  const digits = Number.isInteger(prediction.value) ? 0 : 3;
  return [el("i", { class: "line guess" }), ` You said ${tidy(prediction.value, digits)} ${unitOf(prediction)}. `];
}

function openQuestion(session, task, ink) {
  const { prediction } = session;
  const problem = el("p", { class: "problem", id: "answer-problem", role: "alert" }, prediction.problem);
  const field = isDrawn(prediction) ? null : answerField(prediction);
  const send = (event) => {
    event.preventDefault();
    if (session.look) submit(session, field ? { text: at("answer").value } : { ink: ink.copy() });
  };
  const skip = () => setPrediction(session, task ? { phase: "skipped" } : NONE);
  const rest = [
    el("button", { class: "main", id: "lock" }, "Lock in"),
    el("button", { type: "button", class: "plain", id: "skip", onclick: skip }, task ? "skip the prediction" : "never mind"),
  ];
  const first = field ?? [el("span", { class: "small" }, "Draw on the picture of data and density, with the brush.")];
  return [el("form", { class: "row answer", id: "answer-form", onsubmit: send, novalidate: true }, ...first, ...rest), problem];
}

function answerField(prediction) {
  return [
    el("label", {}, el("span", { class: "heard" }, "Your prediction"),
      el("input", {
        id: "answer", inputmode: "text", autocomplete: "off", size: 9, value: prediction.text,
        "aria-describedby": "question answer-problem",
      })),
    el("span", { class: "unit" }, unitOf(prediction)),
  ];
}

// ------------------------------------------------------------ what is to be seen

function seeColumn(session, task) {
  const { phase, message, said, steps } = session.prediction;
  const done = task && ["right", "again", "skipped"].includes(phase);
  const heading = el("div", { class: "head" }, el("h3", {}, "See"), done ? nextTask(session, task, phase) : null);
  const sentence = said ? el("p", { class: "said", id: "compared" }, said) : null;
  if (!task) return [heading, el("p", { class: "hint" }, freeSaid(phase)), sentence].filter(Boolean);
  if (phase === "asking") return [heading, el("p", { class: "hint" }, "First predict, then see.")];
  if (phase === "locked") {
    const wait = steps && session.step < steps
      ? `Now press Train and see: it pauses by itself, in ${steps - session.step} steps.` : "One moment.";
    return [heading, el("p", { class: "hint", id: "now" }, wait)];
  }
  const found = [heading];
  if (message) found.push(verdict(phase === "right", message));
  if (isHinted(session.prediction)) found.push(showMe(session));
  else if (sentence) found.push(sentence);
  if (phase !== "again") found.push(el("p", { id: "do" }, session.step ? task.do.replace(/^Train\b/, "Train on") : task.do));
  return found;
}

const showMe = (session) =>
  el("p", {}, el("button", { type: "button", class: "plain", id: "show-me",
    onclick: () => setPrediction(session, { misses: 2 }) }, "Show me the flow's number"));

const verdict = (right, message) =>
  el("p", { class: `verdict ${right ? "right" : "again"}`, id: "verdict" },
    el("span", { "aria-hidden": "true" }, right ? "✓ " : "→ "), message);

function nextTask(session, task, phase) {
  const last = task.number === session.about.tasks.length;
  const go = () => {
    at("task-title").focus(); // so that Tab goes on from there
    session.goTo(last ? 0 : task.number + 1);
  };
  const label = last ? "Free play" : "Next task";
  const kind = phase === "right" ? "main" : "plain";
  return el("button", { type: "button", class: kind, id: "next-task", onclick: go }, `${label} →`);
}

const freeSaid = (phase) =>
  ({
    asking: "Lock it in, then train.",
    locked: "Now train. When it pauses, the two are compared.",
    scored: "",
  })[phase] ?? "The gauge measures how far the flow is from the truth. There are nine tasks above.";
