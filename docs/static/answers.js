// The answers of the whole course, kept in this browser, and saved as one file. Where the browser
// keeps nothing, a lesson works without. flowcore/teaching/marks.py describes the file.

const PLACE = `flowcore course ${new URL(".", location.href).pathname}`;

function kept() {
  const nothing = { answers: {}, passed: [], seed: null };
  try {
    return { ...nothing, ...JSON.parse(localStorage.getItem(PLACE)) };
  } catch {
    return nothing;
  }
}

function keep(changes) {
  try {
    localStorage.setItem(PLACE, JSON.stringify({ ...kept(), ...changes }));
  } catch {} // a browser that keeps nothing
}

/** The names of the exercises that were answered or left. */
export const passed = () => kept().passed;

export const keepPassed = (name) => keep({ passed: [...new Set([...passed(), name])] });

// An exercise with other numbers is another one.
const key = (exercise, seed) => (seed === null ? exercise : `${exercise} ${seed}`);

export const answerTo = (exercise, seed) => kept().answers[key(exercise, seed)];

/** A text as it stands in the box; with the page's verdict, if there is one on this very text. */
export function keepAnswer(exercise, seed, text, { right = null, message = "" } = {}) {
  const answer = { exercise, seed, text, right, message, time: new Date().toISOString() };
  keep({ answers: { ...kept().answers, [key(exercise, seed)]: answer } });
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
  const answers = Object.values(kept().answers).filter(({ text }) => text.trim());
  const text = JSON.stringify({ format: "flowcore work 1", answers }, null, 1);
  const href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  Object.assign(document.createElement("a"), { href, download: "flowcore_work.json" }).click();
  URL.revokeObjectURL(href);
}
