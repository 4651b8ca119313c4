// The answers of the whole course, kept in this browser, and saved as one file. Where the browser
// keeps nothing, the open page does. flowcore/teaching/marks.py describes the file.

const PLACE = `flowcore course ${new URL(".", location.href).pathname}`;

let here = { answers: {}, passed: [], seed: null }; // in this page

function kept() {
  try {
    here = { ...here, ...JSON.parse(localStorage.getItem(PLACE)) };
  } catch {} // a browser that keeps nothing
  return here;
}

function keep(changes) {
  here = { ...kept(), ...changes };
  try {
    localStorage.setItem(PLACE, JSON.stringify(here));
  } catch {}
}

/** The names of the exercises that were answered or left. */
export const passed = () => kept().passed;

export const keepPassed = (name) => keep({ passed: [...new Set([...passed(), name])] });

// An exercise with other numbers is another one.
const key = (exercise, seed) => (seed === null ? exercise : `${exercise} ${seed}`);

export const answerTo = (exercise, seed) => kept().answers[key(exercise, seed)];

/** A text as it stands in the box, with the last text that was checked, its verdict, the number of
    misses, and whether the answer was shown. Returns the
    answer that is kept: it has the verdict if the two texts are one. */
export function keepAnswer(exercise, seed, text, checked = answerTo(exercise, seed)?.checked) {
  const { right, message } = checked?.text === text ? checked : { right: null, message: "" };
  const time = new Date().toISOString();
  const answer = { exercise, seed, text, right, message, time, shown: checked?.shown, checked };
  keep({ answers: { ...kept().answers, [key(exercise, seed)]: answer } });
  return answer;
}

/** The seed of a class: ?seed=7 in the address of a lesson holds for all of them, ?seed= ends it. */
export function seedOfClass() {
  const given = new URLSearchParams(location.search).get("seed");
  if (given === null) return kept().seed;
  const seed = /^\d{1,9}$/.test(given) ? Number(given) : null;
  keep({ seed });
  return seed;
}

/** Saves everything that was written as a file. */
export function saveWork() {
  const written = Object.values(kept().answers).filter(({ text }) => text.trim());
  const answers = written.map(({ checked, ...answer }) => answer);
  const text = JSON.stringify({ format: "flowcore work 1", answers }, null, 1);
  const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  Object.assign(document.createElement("a"), { href, download: "flowcore_work.json" }).click();
  URL.revokeObjectURL(href);
}

/** For the next reader: asks, and forgets everything. */
export function startAnew() {
  if (!confirm("Forget all answers to all lessons in this browser? Save your work first.")) return;
  try {
    localStorage.removeItem(PLACE);
  } catch {}
  location.reload();
}
