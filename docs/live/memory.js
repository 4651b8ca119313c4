// What was predicted in this tab, and which tasks were answered: a reload, or Back, loses neither.
//
//     remember(3, prediction);   recall(3);   answered()     a Set of task numbers

const KEY = "flow-bench";
const LASTING = ["locked", "again", "right"]; // phases that are kept

/** Keep a prediction, or what it has become; an open question forgets the one before. */
export function remember(task, prediction) {
  const { kept, right } = read();
  const { phase, value, misses, message, said } = prediction;
  delete kept[task];
  // Drawings are not kept, but that they were right is.
  if (LASTING.includes(phase) && value !== null) kept[task] = { phase, value, misses, message, said };
  if (phase === "right" && !right.includes(task)) right.push(task);
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ kept, right }));
  } catch {} // a browser that keeps nothing
}

export const recall = (task) => read().kept[task] ?? null;

export const answered = () => new Set(read().right);

function read() {
  try {
    const { kept, right } = JSON.parse(sessionStorage.getItem(KEY));
    return { kept, right };
  } catch {
    return { kept: {}, right: [] };
  }
}
