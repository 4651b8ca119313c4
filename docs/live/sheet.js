// A canvas with a frame in the data's units: it keeps its sharpness, and draws when there is time.

import { tidy, ticks } from "./numbers.js";
import { colours, densityRamp, onTheme } from "./theme.js";

const LEFT = 26; // room for the numbers of the axes
const BELOW = 17;

export class Sheet {
  /** draw(sheet) is called with everything cleared, in CSS pixels. */
  constructor(canvas, draw) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.draw = draw;
    this.frame = [-4, 4, -4, 4];
    this.waits = false;
    new ResizeObserver(() => this.redraw()).observe(canvas);
    onTheme(() => this.redraw());
  }

  /** In the next frame, once, however often it is asked for. */
  redraw() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.now();
    });
  }

  now() {
    const { canvas, context } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.width = canvas.clientWidth;
    this.height = canvas.clientHeight;
    this.draw(this);
  }

  // ---------------------------------------------------------- places

  get box() {
    return { x: LEFT, y: 1, width: this.width - LEFT - 1, height: this.height - BELOW - 1 };
  }

  x(value) {
    const [left, right] = this.frame;
    return LEFT + ((value - left) / (right - left)) * (this.width - LEFT - 1);
  }

  y(value) {
    const [, , bottom, top] = this.frame;
    return 1 + ((top - value) / (top - bottom)) * (this.height - BELOW - 1);
  }

  /** The place of a pointer, in the data's units. */
  placeOf(event) {
    const rect = this.canvas.getBoundingClientRect();
    const [left, right, bottom, top] = this.frame;
    const u = (event.clientX - rect.left - LEFT) / (rect.width - LEFT - 1);
    const v = (event.clientY - rect.top - 1) / (rect.height - BELOW - 1);
    return [left + u * (right - left), top - v * (top - bottom)];
  }

  // ---------------------------------------------------------- what all pictures have

  inside(paint) {
    const { context, box } = this;
    context.save();
    context.beginPath();
    context.rect(box.x, box.y, box.width, box.height);
    context.clip();
    paint(context);
    context.restore();
  }

  axes(names = ["", ""]) {
    const { context, box, frame } = this;
    const { edge, muted } = colours();
    context.strokeStyle = edge;
    context.lineWidth = 1;
    context.strokeRect(box.x - 0.5, box.y - 0.5, box.width + 1, box.height + 1);
    context.fillStyle = muted;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const value of ticks(frame[0], frame[1])) {
      const x = this.x(value);
      if (x < LEFT + 8 || x > this.width - 10) continue;
      context.fillText(tidy(value, digitsOf(value)), x, box.y + box.height + 4);
    }
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const value of ticks(frame[2], frame[3])) {
      const y = this.y(value);
      if (y < 8 || y > box.y + box.height - 5) continue;
      context.fillText(tidy(value, digitsOf(value)), LEFT - 4, y);
    }
    context.textAlign = "right";
    context.textBaseline = "bottom";
    if (names[0]) context.fillText(names[0], this.width - 5, box.y + box.height - 3);
    context.textAlign = "left";
    context.textBaseline = "top";
    if (names[1]) context.fillText(names[1], LEFT + 4, 4);
  }

  /** x, y, x, y, ... as dots. */
  dots(values, radius, colour, alpha) {
    const { context } = this;
    context.fillStyle = colour;
    context.globalAlpha = alpha;
    context.beginPath();
    for (let i = 0; i < values.length; i += 2) {
      const x = this.x(values[i]);
      const y = this.y(values[i + 1]);
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 7);
    }
    context.fill();
    context.globalAlpha = 1;
  }

  /** Cells, the top row first, each a colour of the density's own map. */
  raster(values, size, most) {
    const small = raster(values, size, most);
    const { context, box } = this;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(small, box.x, box.y, box.width, box.height);
  }

  /** Where the point is: a dark ring on a light one. */
  mark([u, v], radius = 6) {
    const { context } = this;
    const { ink, sheet } = colours();
    for (const [width, colour] of [[5, sheet], [2.2, ink]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.beginPath();
      context.arc(this.x(u), this.y(v), radius, 0, 7);
      context.stroke();
    }
  }
}

const digitsOf = (value) => (Number.isInteger(value) ? 0 : Math.abs(value * 10 - Math.round(value * 10)) < 1e-9 ? 1 : 2);

const small = document.createElement("canvas");

function raster(values, size, most) {
  if (small.width !== size) small.width = small.height = size;
  const context = small.getContext("2d");
  const image = context.createImageData(size, size);
  const ramp = densityRamp();
  const { data } = image;
  for (let i = 0; i < values.length; i++) {
    // The root shows the thin bridges, too.
    const t = values[i] > 0 ? Math.min(1, Math.sqrt(values[i] / most)) : 0;
    const from = 3 * Math.round(255 * t);
    data[4 * i] = ramp[from];
    data[4 * i + 1] = ramp[from + 1];
    data[4 * i + 2] = ramp[from + 2];
    data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return small;
}
