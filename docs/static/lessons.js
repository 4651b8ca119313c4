// Lessons that ask. Each cell of a lesson that checks an answer becomes a box: the question, a place
// for the answer, the check. What follows in its section is folded until there is a right answer, or
// until the reader goes on without one. `flowcore.teaching` checks, in the Flow Bench's Python, which
// is loaded when the first answer is being written. Without this file, and on paper, a lesson is text.

const LIVE = new URL("../live/", import.meta.url);
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

// The box of one exercise; `pass` is called when it is answered or left.
function box(name, question, code, pass) {
  const isCode = code.includes("def ");
  const answer = isCode
    ? element("textarea", { value: code, rows: code.split("\n").length + 1, spellcheck: false })
    : element("input", { autocomplete: "off", placeholder: "a number, or Python such as log(2)" });
  answer.setAttribute("aria-label", `your answer to ${name}`);
  const verdict = element("output", {});
  const check = element("button", { type: "submit", textContent: "Check" });
  const leave = element("button", { type: "button", className: "leave", textContent: "Go on without an answer" });
  const form = element("form", { className: "question" }, question, answer, check, leave, verdict);
  form.dataset.name = name;
  answer.addEventListener("focus", () => load().catch(() => {}), { once: true });
  leave.addEventListener("click", pass);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    check.disabled = true;
    verdict.textContent = "checking ... (the first time, Python is loaded)";
    try {
      const { right, message } = await (await load()).call("check", { exercise: name, code: answer.value });
      form.dataset.right = right;
      verdict.textContent = message;
      if (right) pass();
    } catch (problem) {
      verdict.textContent = problem.message;
    }
    check.disabled = false;
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

function ask(cell) {
  const code = cell.textContent;
  const checks = [...code.matchAll(CHECK)];
  const output = cell.nextElementSibling?.matches("[class*='sphx-glr-script-out']") ? cell.nextElementSibling : null;
  const last = output ?? cell;
  const section = cell.closest("section");
  const after = element("div", { className: "answered" });
  while (last.nextSibling) after.append(last.nextSibling);
  const folds = after.textContent.trim() && section?.id !== "exercises";
  after.hidden = Boolean(folds);
  const open = new Set(checks.map(([, name]) => name));
  const questions = questionsOf(output);
  const boxes = checks.map(([, name, used]) => {
    const above = cell.previousElementSibling; // the question, if the text has it
    const inText = above?.matches("p") && above.textContent.startsWith(`${name}.`) ? above : null;
    const question = inText ?? element("p", {}, element("b", { textContent: `${name}. ` }), questions.get(name) ?? "");
    return box(name, question, givenOf(code, used), () => {
      open.delete(name);
      after.hidden = after.hidden && open.size > 0;
    });
  });
  const plain = element("details", { className: "as-code" }, element("summary", { textContent: "as code" }));
  cell.before(...boxes, plain);
  plain.append(cell, ...(output ? [output] : []));
  plain.after(after);
}

// A link into a folded part unfolds it.
function show() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target?.closest(".answered[hidden]");
  if (!folded) return;
  folded.hidden = false;
  target.scrollIntoView();
}

const cells = [...document.querySelectorAll("[class*='highlight-Python'], [class*='highlight-python']")];
for (const cell of cells.filter((one) => one.textContent.match(CHECK)).reverse()) ask(cell);
addEventListener("hashchange", show);
show();
