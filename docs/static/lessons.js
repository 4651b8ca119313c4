// Lessons that ask. Each cell of a lesson that checks an answer becomes a box: the question, a place
// for the answer, the check. The lesson waits there: all that follows is folded, its headings in the
// sidebar, too, until there is a right answer (or a good guess, where one is asked for), or a second
// wrong number, or until the reader goes on without one. A box among the exercises at the end holds
// up nothing. After two wrong numbers a box offers the answer. `flowcore.teaching` checks, in the Flow Bench's Python, which is loaded when the first
// answer is being written. Answers are kept (answers.js). Code that only draws is folded, too.
// Without this file, and on paper, a lesson is text, pictures and code. Other pages stay as they are.

import { answerTo, keepAnswer, keepPassed, passed, saveWork, seedOfClass, startAnew } from "./answers.js";

const LIVE = new URL("../live/", import.meta.url);
const PATIENCE = 5000; // ms, then a check can be stopped
const STOPPED = "Stopped. Is there a loop that never ends?";
const MISSES = 2; // of a number, then the lesson goes on and the answer can be seen
const CHECK = /teaching\.check\(\s*"(\w+)",\s*(\w+)\s*\)/g;

async function load() {
  const { Engine } = await import(new URL("engine.js", LIVE));
  return Engine.shared(LIVE);
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const SOLUTION = "One solution:";
const parted = (message) => message.split(`\n\n${SOLUTION}\n\n`);

// The message of a verdict; a solution, which follows a right function, is folded.
function showVerdict(place, message) {
  const [text, code] = parted(message);
  place.replaceChildren(text);
  if (code) {
    const pre = element("pre", { textContent: code });
    place.append(element("details", {}, element("summary", { textContent: SOLUTION }), pre));
  }
}

// A class's seed has its own question, if the exercise has other numbers. Python draws them; until
// then the box is closed, and the course's question hidden: its answer would be checked as a wrong one.
async function askWithOwnNumbers(name, seed, question, fields) {
  const own = element("p", { textContent: "Your own numbers are being drawn ..." });
  const close = (closed) => fields.forEach((field) => (field.disabled = closed));
  question.hidden = true;
  question.after(own);
  close(true);
  try {
    const { text } = await (await load()).call("question", { exercise: name, seed });
    own.replaceChildren(element("b", { textContent: `${name}. ` }), `With your own numbers: ${text}`);
    own.hidden = !text;
    question.hidden = Boolean(text);
    close(false);
  } catch (problem) {
    own.textContent = problem.message;
  }
}

// The box of one exercise; `pass` is called when it is answered, or left if the lesson waits for it.
function box(name, question, code, waits, pass) {
  const isCode = code.includes("def ");
  const seed = isCode ? null : SEED;
  const before = answerTo(name, seed);
  const answer = isCode
    ? element("textarea", { value: before?.text || code, spellcheck: false })
    : element("input", { value: before?.text ?? "", autocomplete: "off", placeholder: "a number, such as -0.25, 1/2 or log(2)" });
  const grow = () => (answer.rows = answer.value.split("\n").length + 1);
  answer.setAttribute("aria-label", `your answer to ${name}`);
  const verdict = element("output", {});
  const check = element("button", { type: "submit", textContent: "Check" });
  const stop = element("button", { type: "button", className: "leave", textContent: "Stop", hidden: true });
  const leave = element("button", { type: "button", className: "leave go-on", textContent: "Go on without an answer", hidden: !waits });
  const give = element("button", { type: "button", className: "leave", textContent: isCode ? "Show a solution" : "Show the answer", hidden: true });
  const form = element("form", { className: "question" }, question, answer, check, stop, leave, give, verdict);
  form.dataset.name = name;
  let misses = before?.checked?.misses ?? 0;
  if (seed !== null) askWithOwnNumbers(name, seed, question, [answer, check]);
  if (isCode) {
    const id = `keys-${name}`;
    answer.after(element("small", { id, textContent: "Indent by four spaces: the Tab key leaves this box." }));
    answer.setAttribute("aria-describedby", id);
    grow();
  }
  if (before?.message) judged(before);
  answer.addEventListener("input", () => {
    judged(keepAnswer(name, seed, answer.value));
    if (isCode) grow();
  });
  answer.addEventListener("focus", () => load().catch(() => {}), { once: true });
  leave.addEventListener("click", pass);

  // A verdict on another text stays, as one on an earlier answer (flowcore.css).
  function judged({ right, message }) {
    if (!message && form.dataset.right === "shown") return; // the answer stays while it is typed
    form.dataset.right = message ? right : "earlier";
    if (!message) return;
    showVerdict(verdict, message);
    give.hidden = right || (!isCode && misses < MISSES);
    if (!right) leave.textContent = "Go on";
  }

  // The verdict on code; null where there is none, and the reason stands in its place. A loop that
  // never ends can only be stopped with Python itself, which is loaded again.
  async function verdictOn(code) {
    const focused = document.activeElement;
    check.disabled = give.disabled = true;
    verdict.textContent = "checking ... (the first time, Python is loaded)";
    delete form.dataset.right;
    let [timer, stopped] = [0, false];
    try {
      const engine = await load();
      stop.onclick = () => {
        stopped = true;
        engine.stop(STOPPED);
        load().catch(() => {});
      };
      timer = setTimeout(() => {
        stop.hidden = false;
        verdict.textContent = "This takes long. Stop it?";
      }, PATIENCE);
      return await engine.call("check", { exercise: name, code, seed });
    } catch (problem) {
      if (problem.message === STOPPED && !stopped) return await verdictOn(code); // by another box: the new Python checks it
      verdict.textContent = problem.message;
      return null;
    } finally {
      clearTimeout(timer);
      stop.hidden = true;
      check.disabled = give.disabled = false;
      if (document.activeElement === document.body) (form.contains(focused) && !focused.hidden ? focused : answer).focus();
    }
  }

  give.addEventListener("click", async () => {
    const found = await verdictOn(null); // no answer: the answer comes back
    if (!found) return;
    showVerdict(verdict, found.message);
    verdict.querySelector("details")?.setAttribute("open", "");
    give.hidden = !isCode;
    form.dataset.right = "shown";
    keepAnswer(name, seed, answer.value, { ...answerTo(name, seed).checked, shown: true });
    pass();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = answer.value;
    const found = await verdictOn(text);
    if (!found) return;
    misses += !found.right;
    judged(found);
    const { shown } = answerTo(name, seed)?.checked ?? {};
    const { message } = keepAnswer(name, seed, answer.value, { ...found, text, message: parted(found.message)[0], misses, shown });
    if (!message) judged({});
    if (found.right || found.message.startsWith(`${name}: a good guess`)) return pass();
    if (isCode || !waits || misses < MISSES) return;
    verdict.append(" The lesson goes on below.");
    pass();
  });
  return form;
}

// What the lesson's cell printed: a question for each name.
function questionsOf(output) {
  const found = new Map();
  for (const line of (output?.textContent ?? "").split("\n")) {
    const [, name, text] = line.match(/^\s*(\d+[a-z]): (.*)/) ?? [];
    if (name) found.set(name, text);
  }
  return found;
}

// The lines of a cell that the reader is to write: a function, if there is one.
function givenOf(code, used) {
  const start = code.search(new RegExp(`^def ${used}\\(`, "m"));
  if (start < 0) return "";
  const rest = code.slice(start).split("\n");
  const end = rest.findIndex((line, k) => k > 0 && /^\S/.test(line));
  return rest.slice(0, end < 0 ? rest.length : end).join("\n").trimEnd();
}

// Puts all that follows an element in the lesson into folded parts, one for each level of sections.
function fold(last, lesson) {
  const parts = [];
  for (let inner = last; inner.parentElement !== lesson; inner = inner.parentElement) {
    const part = element("div", { className: "answered", hidden: true });
    while (inner.nextSibling) part.append(inner.nextSibling);
    if (part.textContent.trim()) inner.after(part), parts.push(part);
  }
  return parts;
}

function ask(cell) {
  const code = cell.textContent;
  const checks = [...code.matchAll(CHECK)];
  const output = cell.nextElementSibling?.matches("[class*='sphx-glr-script-out']") ? cell.nextElementSibling : null;
  const parts = cell.closest("section")?.id === "exercises" ? [] : fold(output ?? cell, lesson);
  const open = new Set(checks.map(([, name]) => name));
  const more = element("p", { className: "more", textContent: following(parts) });
  const questions = questionsOf(output);
  const boxes = checks.map(([, name, used]) => {
    const above = cell.previousElementSibling; // the question, if the text has it
    const inText = above?.matches("p") && above.textContent.startsWith(`${name}.`) ? above : null;
    const question = inText ?? element("p", {}, element("b", { textContent: `${name}. ` }), questions.get(name) ?? "");
    passes.set(name, () => {
      open.delete(name);
      if (!open.size) for (const part of parts) part.hidden = false;
      refresh();
    });
    return box(name, question, givenOf(code, used), parts.length > 0, () => {
      keepPassed(name);
      passes.get(name)();
    });
  });
  output?.remove();
  cell.replaceWith(...boxes, more);
  holds.push({ parts, marks: [more, ...boxes.map((one) => one.querySelector(".go-on"))] });
}

// How much is folded.
function following(parts) {
  const count = parts.reduce((sum, part) => sum + part.querySelectorAll("h2").length, 0);
  return `${count ? `${count} more section${count > 1 ? "s" : ""}` : "The rest"}, when you have answered.`;
}

const passes = new Map(); // name of an exercise: unfolds what it holds up
const holds = []; // what each cell folds, and what stands in the page while it does

// What goes with the folded parts: lines and buttons, headings in the sidebar, the way to the next page.
function refresh() {
  for (const { parts, marks } of holds) {
    for (const mark of marks) mark.hidden = !parts.some((part) => part.hidden);
  }
  for (const link of document.querySelectorAll(".page-toc a[href^='#']")) {
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    link.closest("li").hidden = Boolean(target?.closest(".answered[hidden]"));
  }
  whole.hidden = !document.querySelector(".answered[hidden]");
  for (const next of document.querySelectorAll(".prev-next-footer")) next.hidden = !whole.hidden;
  dispatchEvent(new Event("resize")); // what was folded has a width now (accessible.js)
}

// A link into a folded part unfolds it.
function show() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target?.closest(".answered[hidden]")) return;
  for (let part = target.closest(".answered"); part; part = part.parentElement.closest(".answered")) part.hidden = false;
  refresh();
  target.scrollIntoView();
}

const DRAWS = /^(fig|axes|ax|plt)\b/; // the first line of code that draws

// Code from the first line that opens a figure to the end of its cell, folded.
function foldDrawing(cell) {
  const pre = cell.querySelector("pre");
  const lines = (pre?.textContent ?? "").split("\n");
  const first = lines.findIndex((line) => DRAWS.test(line));
  if (first < 0 || lines.slice(first).filter((line) => line.trim()).length < 4) return;
  let left = lines.slice(0, first).join("\n").length + (first ? 1 : 0);
  const nodes = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  range.selectNodeContents(pre);
  while (nodes.nextNode()) {
    if (left <= nodes.currentNode.length) {
      range.setStart(nodes.currentNode, left);
      break;
    }
    left -= nodes.currentNode.length;
  }
  const rest = cell.cloneNode(false);
  const inner = element("div", { className: "highlight" }, element("pre", {}, range.extractContents()));
  rest.append(inner);
  cell.after(element("details", { className: "drawing" }, element("summary", { textContent: "the code of the picture" }), rest));
  if (!pre.textContent.trim()) cell.remove();
}

// In a script an answer takes the place of None; here it goes into the box.
const IN_A_SCRIPT = /\s*Put your numbers? in\s+the\s+place\s+of\s+<code.*?<\/code>(; this cell checks it)?\./gs;

const whole = element("button", { type: "button", className: "whole", textContent: "Show the whole lesson" });
const work = element("button", { type: "button", className: "whole", textContent: "Save my work", onclick: saveWork });
work.title = "One file with your answers to all lessons: this browser keeps them, and sends them nowhere";
const anew = element("button", { type: "button", className: "whole", textContent: "Start anew", onclick: startAnew });
anew.title = "Forget all answers to all lessons, so that somebody else can begin";
const lesson = document.querySelector(".sphx-glr-footer")?.closest("article"); // other pages have none
const cells = [...(lesson?.querySelectorAll("[class*='highlight-Python'], [class*='highlight-python']") ?? [])];
const asking = cells.filter((one) => one.textContent.match(CHECK));
const SEED = asking.length ? seedOfClass() : null;
if (asking.length) {
  for (const cell of [...asking].reverse()) ask(cell);
  for (const cell of cells.filter((one) => !asking.includes(one))) foldDrawing(cell);
  for (const text of lesson.querySelectorAll("p")) {
    if (text.innerHTML.match(IN_A_SCRIPT)) text.innerHTML = text.innerHTML.replace(IN_A_SCRIPT, "");
  }
  lesson.querySelector("h1")?.after(whole, work, anew);
  whole.addEventListener("click", () => {
    for (const [name, pass] of passes) keepPassed(name), pass();
  });
  for (const name of passed()) passes.get(name)?.();
  refresh();
  addEventListener("hashchange", show);
  show();
}
