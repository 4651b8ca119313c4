// A table of somebody's own: a CSV file, dropped anywhere on the page or chosen. It stays here.

import { at, setOptions } from "./dom.js";

const LARGEST = 20e6; // bytes

export function showTable(session) {
  const read = async (file) => {
    if (!file) return;
    if (!session.about) return session.emit("note", "The page is still loading: drop the file again in a moment.");
    if (file.size > LARGEST) {
      return session.emit("note", `${file.name} has ${(file.size / 1e6).toFixed(0)} MB: at most ${LARGEST / 1e6} can be read.`);
    }
    await session.readTable(await file.text());
  };
  at("csv").addEventListener("change", async () => {
    await read(at("csv").files[0]);
    at("csv").value = ""; // so that the same file can be chosen again
  });
  for (const id of ["csv-x", "csv-y"]) {
    at(id).addEventListener("change", () => session.readTable(session.table.text, [at("csv-x").value, at("csv-y").value]));
  }
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    read(event.dataTransfer.files[0]);
  });
  session.on("state built", () => show(session));
  session.on("state", ({ opened }) => {
    if (!opened || session.missing !== "table") return;
    session.emit("note", "This link was made with a table that its maker has: drop it here. It does not leave this page.");
  });
}

function show({ table }) {
  for (const [i, id] of ["csv-x", "csv-y"].entries()) {
    at(id).hidden = !table;
    if (table) setOptions(at(id), table.names.map((name) => [name, name]), table.columns[i]);
  }
}
