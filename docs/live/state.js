// What the page shows, as one frozen record, and as the hash of its address.
//
//     const { state, notes } = parse(location.hash, about);
//     history.replaceState(null, "", format(state, about));
//
// Only what differs from the usual is written: of a task, from the task's own settings.

export const SIDE = 3; // points are painted in [-SIDE, SIDE]^2
export const MOST_PAINTED = 400;
export const MOST_STEPS = 20_000; // that a link may ask for
const SETTINGS = ["data", "points", "flow", "layers", "width", "permute", "method", "seed"];

/** The record that a task begins with; 0 is free play. */
export function usual(about, task = 0, theme = null) {
  const own = about.tasks.find(({ number }) => number === task);
  return Object.freeze({
    task,
    ...(own ? own.settings : about.usual),
    steps: 0,
    k: null, // of the layers that are shown: all of them
    point: own?.point ?? null,
    variables: own?.variables ?? about.variables[0],
    theme, // "dark", "light", or null: as the system
    painted: null, // x, y, x, y, ... on the lattice of `onLattice`
  });
}

export const changed = (state, changes) => Object.freeze({ ...state, ...changes });

/** What `build` wants to know. */
export const settingsOf = (state) =>
  Object.fromEntries(SETTINGS.map((name) => [name, state[name]]));

/** Whether both are the same flow before its first step. */
export const sameFlow = (a, b) =>
  SETTINGS.every((name) => a[name] === b[name]) &&
  (a.data !== "painted" || String(a.painted) === String(b.painted));

/** The record of a hash, and what in it was not understood. */
export function parse(hash, about) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const notes = [];
  const task = numberOf(given.get("task") ?? "0", 0, about.tasks.length);
  if (task === undefined) notes.push(note("task", given, `a number from 0 to ${about.tasks.length}`));
  const start = usual(about, task ?? 0);
  const state = { ...start };
  for (const [name, text] of given) {
    if (name === "task" || name === "") continue;
    const reader = Object.hasOwn(READERS, name) ? READERS[name] : null;
    const [value, wanted] = reader ? reader(text, about) : [undefined, null];
    if (value !== undefined) state[name] = value;
    else if (wanted) notes.push(note(name, given, wanted));
    else notes.push(`The link has an unknown part, which is left out: ${short(name)}.`);
  }
  return { state: Object.freeze(state), notes };
}

/** The hash of a record: "" if all is as usual. */
export function format(state, about) {
  const start = usual(about, state.task);
  const given = new URLSearchParams();
  if (state.task) given.set("task", state.task);
  for (const name of Object.keys(READERS)) {
    const value = state[name];
    if (value === null || String(value) === String(start[name])) continue;
    if (name === "painted") {
      if (state.data === "painted") given.set(name, packed(value));
    } else if (name === "point") given.set(name, value.map((v) => +v.toFixed(3)).join(","));
    else given.set(name, value === true ? "1" : value === false ? "0" : value);
  }
  const text = given.toString().replaceAll("%2C", ",");
  return text ? `#${text}` : "";
}

// Each: (text, about) -> [value, or undefined if it is not understood; what would be].
const READERS = {
  data: (text, about) => oneOf(text, about.data),
  points: (text, about) => {
    const [low, high] = about.limits.points;
    const value = numberOf(text, low, high);
    return [value > 0 && value < 20 ? undefined : value, `0 (fresh ones), or 20 to ${high}`];
  },
  flow: (text, about) => oneOf(text, about.flows),
  layers: (text, about) => within(text, about.limits.layers),
  width: (text, about) => within(text, about.limits.width),
  permute: (text) => [new Map([["1", true], ["0", false]]).get(text), "0 or 1"],
  method: (text, about) => oneOf(text, about.methods),
  seed: (text, about) => within(text, about.limits.seed),
  steps: (text) => within(text, [0, MOST_STEPS]),
  k: (text) => within(text, [0, 20]),
  point: (text) => {
    const values = text.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
    const fine = values.length === 2 && values.every((v) => Number.isFinite(v) && Math.abs(v) < 1e6);
    return [fine ? values : undefined, "two numbers, x,y"];
  },
  variables: (text, about) => within(text, about.variables),
  theme: (text) => oneOf(text, ["dark", "light"]),
  painted: (text) => [unpacked(text), `at most ${MOST_PAINTED} painted points`],
};

const oneOf = (text, known) => [known.includes(text) ? text : undefined, `one of ${known.join(", ")}`];
const within = (text, [low, high]) => [numberOf(text, low, high), `a number from ${low} to ${high}`];
const short = (text) => (text.length > 40 ? `${text.slice(0, 40)}...` : text);
const note = (name, given, wanted) =>
  `The link's ${name}=${short(given.get(name))} is left out: ${wanted} would do.`;

function numberOf(text, low, high) {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  return value >= low && value <= high ? value : undefined;
}

// ------------------------------------------------------------ painted points in a link

const MOST = 65_535; // a coordinate is one of these many steps: 16 bits

const toStep = (value) => Math.round(((Math.min(SIDE, Math.max(-SIDE, value)) + SIDE) / (2 * SIDE)) * MOST);
const toValue = (step) => (step / MOST) * 2 * SIDE - SIDE;

/** The nearest coordinate that a link can hold exactly: painted points have no others. */
export const onLattice = (value) => toValue(toStep(value));

function packed(values) {
  const bytes = new Uint8Array(2 * values.length);
  values.forEach((value, i) => new DataView(bytes.buffer).setUint16(2 * i, toStep(value)));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function unpacked(text) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
  if (bytes.length === 0 || bytes.length % 4 || bytes.length > 4 * MOST_PAINTED) return undefined;
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 2 }, (_, i) => toValue(view.getUint16(2 * i)));
}

/** Whether the base has heavy tails: that of NSF is a Student t. */
export const isHeavy = ({ state }) => state?.flow === "nsf";

/** What a layer is called: an NSF is made of MAF layers with splines; Standardize goes to the data's scale here. */
export const layerName = (session, name) =>
  ({ Standardize: "rescale", ContinuousFlow: "velocity" })[name] ?? (isHeavy(session) && name === "MAF" ? "NSF" : name);
