// The velocity field of a continuous flow: arrows on a grid, as long as the dots there are fast.

import { colours } from "./theme.js";

const LONGEST = 0.95; // of the distance between two arrows
const HEAD = 0.32; // of an arrow

/** field: dx, dy, dx, dy, ... on a square of points over the frame, from the top row down. */
export function drawField(sheet, context, field, fastest, alpha) {
  const side = Math.sqrt(field.length / 2);
  const { x: left, y: top, width, height } = sheet.box;
  const [right, down] = [width / side, height / side];
  const scale = (LONGEST * Math.min(right, down)) / (fastest || 1);
  context.strokeStyle = colours().muted;
  context.globalAlpha = alpha;
  context.lineWidth = 1.1;
  context.beginPath();
  for (let i = 0; i < side * side; i++) {
    const [dx, dy] = [field[2 * i] * scale, -field[2 * i + 1] * scale];
    if (!Number.isFinite(dx + dy)) continue;
    const x = left + ((i % side) + 0.5) * right - dx / 2;
    const y = top + (Math.floor(i / side) + 0.5) * down - dy / 2;
    arrow(context, x, y, dx, dy);
  }
  context.stroke();
  context.globalAlpha = 1;
}

function arrow(context, x, y, dx, dy) {
  const [endX, endY] = [x + dx, y + dy];
  context.moveTo(x, y);
  context.lineTo(endX, endY);
  for (const side of [-1, 1]) {
    context.moveTo(endX, endY);
    context.lineTo(endX - HEAD * (dx - side * 0.6 * dy), endY - HEAD * (dy + side * 0.6 * dx));
  }
}

/** The speed that few arrows exceed, at all times. */
export function fastestOf(field) {
  const speeds = Float32Array.from({ length: field.length / 2 }, (_, i) => Math.hypot(field[2 * i], field[2 * i + 1])).sort();
  return speeds[Math.floor(0.97 * (speeds.length - 1))];
}
