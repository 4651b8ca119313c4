// The flow of the first page: trained by flowcore (docs/builder/front_door.py), run here without it.
// Dots and grid lines of the base go through its layers once, then rest. Without this file, and where
// less motion is wanted, the page shows the last picture.

const REACH = 3; // of the grid in the base, on both sides
const LINES = 13;
const DOTS = 161; // on a line
const CLOUD = 900;
const SECONDS = 4.4; // from the base to the data: below five, so nobody needs a button to stop it
const MARGIN = 1.3; // a frame has room around nearly all dots
const DOT = { light: "#3d4a55", dark: "#c8d1d8" };
const LIGHT = ["#00798c", "#d1700f"];
const DARK = ["#2fb4c6", "#f0963a"];

/** One layer of the MAF, z -> x, for points [x, y, x, y, ...]. */
function layer({ first, shift, log_scale, in: [w, b], out }, bound, z) {
  const x = new Float64Array(z.length);
  const scale = Math.exp(log_scale);
  for (let i = 0; i < z.length; i += 2) {
    const known = shift + scale * z[i + first];
    let [mu, raw] = [out[0][1], out[1][1]];
    for (let j = 0; j < w.length; j++) {
      const h = Math.tanh(w[j] * known + b[j]);
      mu += out[0][0][j] * h;
      raw += out[1][0][j] * h;
    }
    x[i + first] = known;
    x[i + 1 - first] = mu + Math.exp(bound * Math.tanh(raw / bound)) * z[i + 1 - first];
  }
  return x;
}

/** The points in the base, after each layer, and in the data's units: a list of arrays. */
export function stages({ layers, bound, mean, scale }, z) {
  const found = [Float64Array.from(z)];
  for (const one of layers) found.push(layer(one, bound, found.at(-1)));
  found.push(found.at(-1).map((v, i) => mean[i % 2] + scale[i % 2] * v));
  return found;
}

// ------------------------------------------------------------ what is carried

const FIRST_OF_CLOUD = 4 * LINES * DOTS; // in a list x, y, x, y, ...

// 2 LINES lines, upright ones first; then the dots.
function ofTheBase() {
  const place = (i, n) => -REACH + (2 * REACH * i) / (n - 1);
  const points = [];
  for (const upright of [true, false]) {
    for (let line = 0; line < LINES; line++) {
      for (let dot = 0; dot < DOTS; dot++) {
        const [fixed, free] = [place(line, LINES), place(dot, DOTS)];
        points.push(...(upright ? [fixed, free] : [free, fixed]));
      }
    }
  }
  const uniform = seeded(4);
  for (let i = 0; i < CLOUD; i++) {
    const [r, angle] = [Math.sqrt(-2 * Math.log(1 - uniform())), 2 * Math.PI * uniform()];
    points.push(r * Math.cos(angle), r * Math.sin(angle));
  }
  return points;
}

// mulberry32: the same dots on every visit
const seeded = (state) => () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};

// ------------------------------------------------------------ the picture

const between = (a, b, t) => a + (b - a) * t;
const isDark = () => document.documentElement.dataset.theme === "dark";

class Picture {
  constructor(canvas, flow) {
    this.canvas = canvas;
    this.stages = stages(flow, ofTheBase());
    this.frames = this.stages.map(frameOf);
    this.last = this.stages.length - 1;
    this.place = 0; // between which stages: from 0 to the last
  }

  draw() {
    const { canvas, stages, last, place } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const k = Math.min(Math.floor(place), last - 1);
    const t = place - k;
    const [left, right, bottom, top] = this.frames[k].map((v, side) => between(v, this.frames[k + 1][side], t));
    const unit = Math.min(width / (right - left), height / (top - bottom));
    const x = (i) => width / 2 + unit * (between(stages[k][i], stages[k + 1][i], t) - (left + right) / 2);
    const y = (i) => height / 2 - unit * (between(stages[k][i + 1], stages[k + 1][i + 1], t) - (bottom + top) / 2);
    for (const [family, colour] of (isDark() ? DARK : LIGHT).entries()) {
      context.strokeStyle = colour;
      context.lineWidth = 1;
      context.globalAlpha = 0.6;
      context.beginPath();
      for (let line = family * LINES; line < (family + 1) * LINES; line++) {
        for (let dot = 0; dot < DOTS; dot++) {
          const i = 2 * (line * DOTS + dot);
          context[dot ? "lineTo" : "moveTo"](x(i), y(i));
        }
      }
      context.stroke();
    }
    context.globalAlpha = 1;
    context.fillStyle = isDark() ? DOT.dark : DOT.light;
    const radius = Math.min(1.8, width / 350);
    context.beginPath();
    for (let i = FIRST_OF_CLOUD; i < stages[0].length; i += 2) {
      context.moveTo(x(i) + radius, y(i));
      context.arc(x(i), y(i), radius, 0, 7);
    }
    context.fill();
  }
}

// [left, right, bottom, top] of nearly all dots of a stage, with a margin.
function frameOf(points) {
  return [0, 1].flatMap((axis) => {
    const values = points.filter((_, i) => i >= FIRST_OF_CLOUD && i % 2 === axis).sort();
    const [low, high] = [0.004, 0.996].map((share) => values[Math.round(share * (values.length - 1))]);
    const half = (MARGIN * (high - low)) / 2;
    return [(low + high) / 2 - half, (low + high) / 2 + half];
  });
}

const eased = (t) => {
  const u = t % 1; // slow at both ends of every layer
  return t - u + u * u * (3 - 2 * u);
};

function show(figure, flow) {
  const canvas = document.createElement("canvas");
  const image = figure.querySelector("img");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", image.alt);
  image.replaceWith(canvas);
  const [button, slider] = [figure.querySelector("button"), figure.querySelector("input")];
  figure.querySelector(".controls").hidden = false;
  const picture = new Picture(canvas, flow);
  slider.max = picture.last;
  let running = 0;

  function moveTo(place) {
    picture.place = place;
    slider.value = place;
    slider.setAttribute("aria-valuetext", `after ${Math.round(place)} of ${picture.last} maps`);
    picture.draw();
  }

  function stop() {
    cancelAnimationFrame(running);
    running = 0;
    button.textContent = "Play";
  }

  function play() {
    const from = slider.value >= picture.last ? 0 : Number(slider.value);
    let begin = null;
    button.textContent = "Stop";
    const step = (now) => {
      begin ??= now;
      const place = Math.min(picture.last, from + ((now - begin) / 1000 / SECONDS) * picture.last);
      moveTo(eased(place));
      if (place > 0) figure.dataset.movedAfter ??= performance.now().toFixed(0); // ms from navigation
      if (place < picture.last) running = requestAnimationFrame(step);
      else stop();
    };
    running = requestAnimationFrame(step);
  }

  button.addEventListener("click", () => (running ? stop() : play()));
  slider.addEventListener("input", () => {
    stop();
    moveTo(Number(slider.value));
  });
  new ResizeObserver(() => picture.draw()).observe(canvas);
  new MutationObserver(() => picture.draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  stop();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) moveTo(picture.last);
  else play();
}

const figure = document.querySelector("figure.learned");
if (figure) {
  const reply = await fetch(new URL("front_door.json", import.meta.url));
  if (reply.ok) show(figure, await reply.json());
}
