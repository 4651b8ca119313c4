// Numbers as they are read: a real minus sign, and as many digits as they are worth.

export const tidy = (value, digits = 3) => {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const text = Math.abs(value) >= 1e5 ? value.toExponential(2) : value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
};

/** A text with real minus signs; the hyphens of words stay. */
export const withMinus = (text) => text.replace(/(^|[\s(=,])-(?=[\d.(a-z\s])/gi, "$1−");

export const withError = (value, error, digits = 3) => `${tidy(value, digits)} ± ${tidy(error, digits)}`;

export const pair = ([x, y], digits = 2) => `(${tidy(x, digits)}, ${tidy(y, digits)})`;

/** Round numbers for the marks of a scale. */
export function ticks(low, high, about = 5) {
  const raw = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => +((first + i) * step).toPrecision(12));
}

/** The end of a scale that has room for this number. */
export function niceEnd(value) {
  const wanted = Math.max(value, 0.05);
  const power = 10 ** Math.floor(Math.log10(wanted));
  return power * [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((m) => m * power >= wanted * 0.999);
}

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
