// A mask that is clicked. The boxes of lesson 4 whose answer is an array (lessons.js makes them, and
// `flowcore.teaching` checks them) get a table of cells, which writes the array into the box. A
// verdict names cells; they are framed. Without this file the array is typed.

const INPUTS = ["x₁: 1", "x₂: 2", "x₃: 3"]; // units and their degrees
const HIDDEN = ["h₁: 1", "h₂: 1", "h₃: 2", "h₄: 2"];
const OUTPUTS = ["φ₁: 1", "φ₂: 2", "φ₃: 3"];
const MASKS = { "4e": [INPUTS, HIDDEN], "4f": [HIDDEN, OUTPUTS] }; // read, reading
const NAMED = /row (\d+), column (\d+)/g;

for (const [name, [read, reading]] of Object.entries(MASKS)) {
  const form = document.querySelector(`form.question[data-name='${name}']`);
  if (form) drawMask(form, read, reading);
}

function drawMask(form, read, reading) {
  const input = form.querySelector("input");
  const verdict = form.querySelector("output");
  const cells = read.map((from) => reading.map((to) => cellOf(`${to} reads ${from}`)));
  const isOn = (cell) => cell.getAttribute("aria-pressed") === "true";

  function write() {
    input.value = JSON.stringify(cells.map((row) => row.map((cell) => Number(isOn(cell)))));
    input.dispatchEvent(new Event("input"));
    frame([]);
  }

  function frame(named) {
    for (const cell of cells.flat()) cell.classList.remove("named");
    for (const [, row, column] of named) cells[row - 1]?.[column - 1]?.classList.add("named");
  }

  for (const cell of cells.flat()) {
    cell.addEventListener("click", () => {
      input.dispatchEvent(new Event("focus")); // Python is loaded
      cell.setAttribute("aria-pressed", !isOn(cell));
      write();
    });
  }
  show(cells, input.value);
  new MutationObserver(() => frame(verdict.textContent.matchAll(NAMED))).observe(verdict, { childList: true });
  frame(verdict.textContent.matchAll(NAMED));
  input.hidden = true;
  input.before(tableOf(read, reading, cells));
}

function cellOf(label) {
  const cell = Object.assign(document.createElement("button"), { type: "button", className: "cell", ariaLabel: label });
  cell.setAttribute("aria-pressed", false);
  return cell;
}

// An answer that was kept; of any other text nothing.
function show(cells, text) {
  try {
    const rows = JSON.parse(text);
    cells.forEach((row, i) => row.forEach((cell, j) => cell.setAttribute("aria-pressed", Boolean(rows[i][j]))));
  } catch {}
}

function tableOf(read, reading, cells) {
  const table = Object.assign(document.createElement("table"), { className: "mask" });
  const head = table.createTHead().insertRow();
  head.append(headOf("read ↓ by →"), ...reading.map(headOf));
  cells.forEach((row, i) => {
    const line = table.insertRow();
    line.append(headOf(read[i]));
    for (const cell of row) line.insertCell().append(cell);
  });
  return table;
}

function headOf(text) {
  return Object.assign(document.createElement("th"), { textContent: text });
}
