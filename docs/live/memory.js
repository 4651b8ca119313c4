// What was predicted in this tab, and which tasks were answered: a reload, or Back, loses neither.
//
//     remember(3, prediction);   recall(3);   answered()     a Set of task numbers

const KEY = "flow-bench";
const LASTING = ["locked", "again", "right"]; // phases that are kept
const FULL = 255; // a cell that is all ink; a drawing is kept as integers

/** Keep a prediction, or what it has become; an open question forgets the one before. */
export function remember(task, prediction) {
  const { kept, right } = read();
  const { phase, ink, problem, ...rest } = prediction;
  delete kept[task];
  if (LASTING.includes(phase)) kept[task] = { ...rest, phase, ink: ink && Array.from(ink, (v) => Math.round(FULL * v)) };
  if (phase === "right" && !right.includes(task)) right.push(task);
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ kept, right }));
  } catch {} // a browser that keeps nothing
}

/** What is kept of a task, or null. */
export function recall(task) {
  const { ink, ...rest } = read().kept[task] ?? {};
  return rest.phase ? { ...rest, ink: ink && Float32Array.from(ink, (v) => v / FULL) } : null;
}

export const answered = () => new Set(read().right);

function read() {
  try {
    const { kept, right } = JSON.parse(sessionStorage.getItem(KEY));
    return { kept, right };
  } catch {
    return { kept: {}, right: [] };
  }
}
