// Pyodide, NumPy and the wheels of settings.json; then runs programs, and posts their `answer`.
const root = new URL("../", import.meta.url);
const read = async (name) => (await fetch(new URL(name, root))).arrayBuffer();

async function start() {
  const settings = await (await fetch(new URL("settings.json", root))).json();
  const base = new URL(settings.pyodide, root).href;
  const { loadPyodide } = await import(base + "pyodide.mjs");
  const names = settings.wheels;
  const [pyodide, ...files] = await Promise.all([
    loadPyodide({ indexURL: base }),
    ...names.map(read),
  ]);
  await pyodide.loadPackage("numpy", { messageCallback: () => {} });
  files.forEach((file, i) => {
    pyodide.unpackArchive(file, names[i].endsWith(".whl") ? "wheel" : "zip");
  });
  return pyodide;
}

const started = start();
started.then(
  (pyodide) => {
    pyodide.runPython("import flowcore");
    postMessage(performance.timeOrigin + performance.now());
  },
  (error) => console.error(error),
);
onmessage = async ({ data }) => {
  const pyodide = await started;
  try {
    postMessage(JSON.parse(pyodide.runPython(`${data}\nimport json\njson.dumps(answer)`)));
  } catch (error) {
    postMessage(String(error));
  }
};
