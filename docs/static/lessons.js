// Lessons that ask. Each cell of a lesson that checks an answer becomes a box: the question, a place
// for the answer, the check. The lesson waits there: all that follows is folded, its headings in the
// sidebar, too, until there is a right answer (or a good guess, where one is asked for), or until the
// reader goes on without one. A box among the exercises at the end holds up nothing.
// `flowcore.teaching` checks, in the Flow Bench's Python, which is loaded when the first answer is
// being written. Code that only draws is folded, too. Without this file, and on paper, a lesson is
// text, pictures and code.

const LIVE = new URL("../live/", import.meta.url);
const PATIENCE = 5000; // ms, then a check can be stopped
const STOPPED = "Stopped. Is there a loop that never ends?";
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

// The message of a verdict; a solution, which follows a right function, is folded.
function showVerdict(place, message) {
  const [text, code] = message.split(`\n\n${SOLUTION}\n\n`);
  place.replaceChildren(text);
  if (code) {
    const pre = element("pre", { textContent: code });
    place.append(element("details", {}, element("summary", { textContent: SOLUTION }), pre));
  }
}

// The box of one exercise; `pass` is called when it is answered, or left if the lesson waits for it.
function box(name, question, code, waits, pass) {
  const isCode = code.includes("def ");
  const answer = isCode
    ? element("textarea", { value: code, rows: code.split("\n").length + 1, spellcheck: false })
    : element("input", { autocomplete: "off", placeholder: "a number, or Python such as log(2)" });
  answer.setAttribute("aria-label", `your answer to ${name}`);
  const verdict = element("output", {});
  const check = element("button", { type: "submit", textContent: "Check" });
  const stop = element("button", { type: "button", className: "leave", textContent: "Stop", hidden: true });
  const leave = element("button", { type: "button", className: "leave", textContent: "Go on without an answer", hidden: !waits });
  const give = element("button", { type: "button", className: "leave", textContent: "Show a solution", hidden: true });
  const form = element("form", { className: "question" }, question, answer, check, stop, leave, give, verdict);
  form.dataset.name = name;
  answer.addEventListener("focus", () => load().catch(() => {}), { once: true });
  leave.addEventListener("click", pass);

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
      return await engine.call("check", { exercise: name, code });
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
    const found = await verdictOn(`fc.teaching.EXERCISES["${name}"].answer`);
    if (!found) return;
    showVerdict(verdict, found.message.replace(": right. ", ": "));
    verdict.querySelector("details").open = true;
    pass();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const found = await verdictOn(answer.value);
    if (!found) return;
    form.dataset.right = found.right;
    showVerdict(verdict, found.message);
    give.hidden = found.right || !isCode;
    if (found.right || found.message.startsWith(`${name}: a good guess`)) pass();
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
  const lesson = cell.closest("article");
  const parts = cell.closest("section")?.id === "exercises" ? [] : fold(output ?? cell, lesson);
  const open = new Set(checks.map(([, name]) => name));
  const questions = questionsOf(output);
  const boxes = checks.map(([, name, used]) => {
    const above = cell.previousElementSibling; // the question, if the text has it
    const inText = above?.matches("p") && above.textContent.startsWith(`${name}.`) ? above : null;
    const question = inText ?? element("p", {}, element("b", { textContent: `${name}. ` }), questions.get(name) ?? "");
    passes.set(name, () => {
      open.delete(name);
      if (!open.size) for (const part of parts) part.hidden = false;
      outline();
    });
    return box(name, question, givenOf(code, used), parts.length > 0, () => {
      remember(name);
      passes.get(name)();
    });
  });
  const plain = element("details", { className: "as-code" }, element("summary", { textContent: "as code" }));
  cell.before(...boxes, plain);
  plain.append(cell, ...(output ? [output] : []));
}

// What was answered or left on this page before; nothing where the browser keeps nothing.
const passes = new Map(); // name of an exercise: unfolds what it holds up
const PLACE = `flowcore lesson ${location.pathname}`;

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(PLACE)) ?? [];
  } catch {
    return [];
  }
}

function remember(name) {
  try {
    localStorage.setItem(PLACE, JSON.stringify([...new Set([...remembered(), name])]));
  } catch {
    // the page works without
  }
}

// The headings in the sidebar: those that can be seen.
function outline() {
  for (const link of document.querySelectorAll(".page-toc a[href^='#']")) {
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    link.closest("li").hidden = Boolean(target?.closest(".answered[hidden]"));
  }
  whole.hidden = !document.querySelector(".answered[hidden]");
}

// A link into a folded part unfolds it.
function show() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target?.closest(".answered[hidden]")) return;
  for (let part = target.closest(".answered"); part; part = part.parentElement.closest(".answered")) part.hidden = false;
  outline();
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
const cells = [...document.querySelectorAll("[class*='highlight-Python'], [class*='highlight-python']")];
const asking = cells.filter((one) => one.textContent.match(CHECK));
if (asking.length) {
  const end = document.querySelector(".sphx-glr-footer");
  asking[0].closest("article").append(...(end ? [end] : [])); // script and notebook stay in sight
  for (const cell of [...asking].reverse()) ask(cell);
  for (const cell of cells.filter((one) => !asking.includes(one))) foldDrawing(cell);
  for (const text of document.querySelectorAll("article p")) {
    if (text.innerHTML.match(IN_A_SCRIPT)) text.innerHTML = text.innerHTML.replace(IN_A_SCRIPT, "");
  }
  asking[0].closest("article").querySelector("h1")?.after(whole);
  whole.addEventListener("click", () => {
    for (const [name, pass] of passes) remember(name), pass();
  });
  for (const name of remembered()) passes.get(name)?.();
  outline();
  addEventListener("hashchange", show);
  show();
}
