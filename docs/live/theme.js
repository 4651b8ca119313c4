// Light or dark: as the system, the button or the link chooses. Pictures ask here for colours.

const NAMES = [
  "ink", "muted", "edge", "sheet", "one", "two", "dot", "low", "mid", "high", "guess", "degree-low",
  "degree-high", "faint",
];
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];
let known = null;

/** {ink: "#...", ...} of the theme that is shown. */
export function colours() {
  if (!known) {
    const style = getComputedStyle(document.documentElement);
    known = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
  return known;
}

/** "dark", "light", or null: as the system. */
export function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  anew();
}

export const isDark = () =>
  (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

export const onTheme = (listener) => listeners.push(listener);

function anew() {
  known = ramp = null;
  for (const listener of listeners) listener();
}

system.addEventListener("change", anew);

// Before the engine is there, so that nothing flashes.
const early = new URLSearchParams(location.hash.slice(1)).get("theme");
if (early === "dark" || early === "light") document.documentElement.dataset.theme = early;

// ------------------------------------------------------------ colours between colours

export const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

const mixed = (a, b, t) => a.map((v, i) => Math.round(v + (b[i] - v) * t));

/** One of so many degrees, as a colour from light to dark. */
export function degreeColour(degree, most) {
  const { "degree-low": low, "degree-high": high } = colours();
  const t = most > 1 ? (degree - 1) / (most - 1) : 0.5;
  return `rgb(${mixed(rgb(low), rgb(high), t).join(" ")})`;
}

let ramp = null;

/** 256 colours for a density, as bytes r, g, b, r, g, b, ... */
export function densityRamp() {
  if (!ramp) {
    const [low, mid, high] = ["low", "mid", "high"].map((name) => rgb(colours()[name]));
    const at = (t) => (t < 0.5 ? mixed(low, mid, 2 * t) : mixed(mid, high, 2 * t - 1));
    ramp = Uint8Array.from(Array.from({ length: 256 }, (_, i) => at(i / 255)).flat());
  }
  return ramp;
}
