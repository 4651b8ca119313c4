// The Worker in which Python lives: it loads Pyodide, NumPy, autograd and flowcore, then answers.
//
//     {id, call, args}  ->  {id, result} or {id, failed}        while it loads: {loading, done, of}
//
// Everything that is computed is computed in here, so the page itself never waits.

let python = null;
let answer = null; // flow_bench.call

async function start(settings) {
  const base = new URL(settings.pyodide, self.location.href).href;
  const steps = 3 + settings.wheels.length;
  let done = 0;
  const report = (loading) => self.postMessage({ loading, done: done++, of: steps });

  // What is needed later is fetched while Python starts.
  const wheels = settings.wheels.map((name) => fetched(new URL(name, self.location.href)));
  wheels.forEach((wheel) => wheel.catch(() => {})); // reported where it is awaited

  report("Python");
  const { loadPyodide } = await import(`${base}pyodide.mjs`);
  python = await Promise.race([loadPyodide({ indexURL: base }), broken(base)]);
  report("NumPy");
  const refuse = () => {
    throw new Error(`NumPy could not be loaded from ${base}`);
  };
  await python.loadPackage("numpy", { messageCallback: () => {}, errorCallback: refuse });
  for (const wheel of wheels) {
    const { name, bytes } = await wheel;
    report(name);
    python.unpackArchive(bytes, name.endsWith(".whl") ? "wheel" : "zip", {
      extractDir: SITE,
    });
  }
  python.runPython("import importlib; importlib.invalidate_caches()");
  report("the first flow");
  answer = python.runPython("import flow_bench; flow_bench.call");
}

// Pyodide waits for ever for a file of its own that cannot be had: somebody has to ask for it.
function broken(base) {
  return new Promise((_, reject) => {
    self.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      reject(new Error(`Pyodide could not be loaded from ${base}: ${lastLine(event.reason)}`));
    });
    for (const name of ["pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"]) {
      got(`${base}${name}`, { method: "HEAD" }).catch(reject);
    }
  });
}

const SITE = "/lib/python3.12/site-packages";

async function fetched(url) {
  const name = url.pathname.split("/").pop();
  const reply = await got(url);
  return { name: name.split("-")[0] + name.slice(name.lastIndexOf(".")), bytes: await reply.arrayBuffer() };
}

// A reply; or an error that names the file.
async function got(url, options = {}) {
  const name = String(url).split("/").pop();
  const reply = await fetch(url, options).catch((problem) => {
    throw new Error(`${name} could not be loaded: ${problem.message}`);
  });
  if (!reply.ok) throw new Error(`${name} could not be loaded: the server answers ${reply.status}`);
  return reply;
}

function ask(call, args) {
  const given = python.toPy(args ?? {});
  const found = answer(call, given);
  given.destroy();
  const result = found.toJs({ dict_converter: Object.fromEntries, create_pyproxies: false });
  found.destroy();
  return result;
}

// Arrays move to the page instead of being copied.
function arraysIn(value, found = []) {
  if (ArrayBuffer.isView(value)) found.push(value.buffer);
  else if (value && typeof value === "object") Object.values(value).forEach((v) => arraysIn(v, found));
  return found;
}

self.onmessage = async ({ data: { id, start: settings, call, args } }) => {
  try {
    if (settings) {
      await start(settings);
      self.postMessage({ id, result: {} });
    } else {
      const result = ask(call, args);
      self.postMessage({ id, result }, [...new Set(arraysIn(result))]);
    }
  } catch (problem) {
    self.postMessage({ id, failed: lastLine(problem) });
  }
};

// Of a Python traceback, what went wrong; the rest is for the console of whoever mends it.
function lastLine(problem) {
  const lines = String(problem?.message ?? problem).trim().split("\n");
  return lines[lines.length - 1];
}
