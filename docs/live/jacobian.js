// The Jacobian dx/dz at the point: four numbers, and what they make of a little square.

import { at, cover, el, svg } from "./dom.js";
import { tidy } from "./numbers.js";
import { covered } from "./prediction.js";

const SIZE = 118;

export function showJacobian(session) {
  const draw = () => {
    const { at: point, built } = session;
    const hidden = covered(session, "log_det");
    cover(at("jacobian-panel"), hidden);
    at("jacobian").replaceChildren(...(point && built && !hidden ? parts(session) : []));
  };
  session.on("point prediction built", draw);
}

function parts(session) {
  const { jacobian: J, log_det: logDet } = session.at;
  const { prediction } = session;
  const guess = prediction.compare === "log_det" ? prediction.value : null;
  return [
    el("div", { class: "jacobian" }, numbers(J), square(J)),
    el("p", { class: "sum" }, "log |det dx/dz| = ", el("b", { id: "log-det" }, tidy(logDet))),
    guess === null ? null : el("p", { class: "small guess" }, `You said ${tidy(guess)}.`),
  ].filter(Boolean);
}

function numbers(J) {
  const most = Math.max(...J.flat().map(Math.abs), 1e-12);
  const cell = (value, i, j) =>
    el("td", {
      class: value === 0 ? "exact" : "",
      style: value === 0 || !Number.isFinite(value) ? null : `--share: ${((55 * Math.abs(value)) / most).toFixed(0)}%`,
      title: value === 0 ? `dx${i + 1}/dz${j + 1} is exactly 0` : `dx${i + 1}/dz${j + 1}`,
    }, value === 0 ? "0" : tidy(value));
  const row = (values, i) =>
    el("tr", {}, el("th", { scope: "row" }, i ? "x₂" : "x₁"), ...values.map((value, j) => cell(value, i, j)));
  return el("table", { class: "matrix" },
    el("thead", {}, el("tr", {}, el("td", {}), el("th", { scope: "col" }, "z₁"), el("th", { scope: "col" }, "z₂"))),
    el("tbody", {}, ...J.map(row)));
}

// The unit square of the base, and the parallelogram of its images; the sides have their lines' colours.
function square(J) {
  if (!J.flat().every(Number.isFinite)) return el("p", { class: "small" }, "not finite here");
  const [a, b] = [[J[0][0], J[1][0]], [J[0][1], J[1][1]]];
  const corners = [[0, 0], a, [a[0] + b[0], a[1] + b[1]], b];
  const all = [...corners, [1, 1], [0, 0]];
  const [xs, ys] = [all.map((p) => p[0]), all.map((p) => p[1])];
  const reach = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys));
  const scale = (SIZE - 16) / reach;
  const x0 = SIZE / 2 - (scale * (Math.max(...xs) + Math.min(...xs))) / 2;
  const y0 = SIZE / 2 + (scale * (Math.max(...ys) + Math.min(...ys))) / 2;
  const at_ = ([x, y]) => [x0 + scale * x, y0 - scale * y];
  const path = (points) => points.map((p) => at_(p).map((v) => v.toFixed(1)).join(",")).join(" ");
  const side = (to, kind) => {
    const [[x1, y1], [x2, y2]] = [at_([0, 0]), at_(to)];
    return svg("line", { class: kind, x1, y1, x2, y2 });
  };
  return svg("svg", { width: SIZE, height: SIZE, role: "img", class: "square", "aria-label":
      `The unit square becomes a parallelogram with the area ${tidy(Math.abs(a[0] * b[1] - a[1] * b[0]))}.` },
    svg("polygon", { class: "unit", points: path([[0, 0], [1, 0], [1, 1], [0, 1]]) }),
    svg("polygon", { class: "image", points: path(corners) }),
    side(a, "side two"), side(b, "side one"));
}
