"""The ground for tests in a browser: a site, a server, Chromium, and a page that is watched.

    python -m pytest -m browser tests/site/browser   # needs the extra `browser`, chromium and npm
    python -m pytest -m browser -n 2 --dist loadfile tests/site/browser

The tests here get the mark `browser` from this file, and are left out unless they are asked for.
A page gets a Python that has started in an earlier test (`new_page`, `open_page`). Where the start
is the subject, or the page needs other options than `new_page` has, it is a `cold_page`.
The page answers in its own time: `ready` and `until` wait for what a test then reads.
"""

import importlib
import shutil
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock
from support.places import ROOT

HERE = Path(__file__).parent
DOCS = ROOT / "docs"
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # whatever a test overlooks
]
WIDE = {"width": 1280, "height": 800}
PATIENCE = 120_000  # milliseconds: far beyond what any step takes on a busy machine
# To start Python costs more than what most tests ask of it, so one page keeps those that started.
# It lends each page a Python of its own; every document gets it with nothing on the bench.
KEEP = """async () => {
  const { Engine } = await import(new URL("engine.js", location));
  const settings = await (await fetch("settings.json")).json();
  const kept = []; // {engine, page}
  globalThis.lend = (page) => {
    const free = (one) => one.engine.works && (one.page === page || one.page.closed);
    let one = kept.find(free);
    if (!one) kept.push((one = { engine: new Engine({ settings }) }));
    one.page = page;
    one.engine.listeners = [];
    one.engine.call("run", { code: "from flow_bench import desk; desk._bench.clear()" });
    return one.engine;
  };
  globalThis.tidy = async () => {
    localStorage.clear();
    const late = new Promise((done) => setTimeout(done, 20_000, "late"));
    for (const { engine } of kept.filter((one) => one.engine.works)) {
      if ((await Promise.race([engine.call("about"), late])) !== "late") continue;
      engine.stop();
      throw new Error("a test has left a Python that computes for ever");
    }
  };
}"""
# `Engine.shared` takes the engine that is there; after a stop it finds another.
BORROW = """if (globalThis.opener?.lend) {
  let engine = null;
  Object.defineProperty(globalThis, "flowcoreEngine", {
    get: () => (engine?.works ? engine : (engine = opener.lend(window))),
  });
}"""


def ready(page):
    """Wait until the Flow Bench is ready to train, and drawn."""
    page.wait_for_function("document.documentElement.dataset.state === 'ready'")
    # what is asked for in one frame is drawn in the next
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def until(page, read, wanted):
    """Wait until `wanted` is in what `read()` returns."""
    end = time.monotonic() + PATIENCE / 1000
    while wanted not in (found := read()) and time.monotonic() < end:
        page.wait_for_timeout(50)
    assert wanted in found


@contextmanager
def served(live, folder):
    """Serve a folder from a thread; its URL."""
    with live.Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


@pytest.hookimpl(tryfirst=True)  # before those without the marker are left out
def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def live():
    """The module docs/builder/live.py."""
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module("builder.live")
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture(scope="session")
def site_folder(live, tmp_path_factory):
    """live/ and _static/, as a site has them: pages of tests are written beside them."""
    if shutil.which("npm") is None:
        pytest.skip("npm, which brings Pyodide, is not installed")
    folder = tmp_path_factory.mktemp("site")
    (folder / "_static").symlink_to(DOCS / "static")
    with FileLock(live.CACHE / "lock"):  # of several test processes one builds the wheel
        live.assemble(folder / "live")
    return folder


@pytest.fixture(scope="session")
def site(live, site_folder):
    """Its URL."""
    with served(live, site_folder) as url:
        yield url


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium of the system, headless, driven by playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if (program := shutil.which("chromium")) is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


class Watched:
    """What a page must not do: ask for something elsewhere, or report an error."""

    def __init__(self, context, site):
        self.elsewhere, self.errors = [], []
        context.route(lambda url: not url.startswith((site, "blob:", "data:")), self._refuse)
        context.on("console", self._note)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))

    def _refuse(self, route):
        self.elsewhere.append(route.request.url)
        route.abort()

    def _note(self, message):
        if message.type == "error":
            self.errors.append(message.text)

    def has_nothing(self):
        """What was seen fails the test, and is forgotten."""
        elsewhere, errors = self.elsewhere[:], self.errors[:]
        self.elsewhere.clear(), self.errors.clear()
        assert elsewhere == [] and errors == []


@pytest.fixture
def watched(browser, site):
    """`page, seen = watched()`: a page in a new context, and what it does that it must not."""
    contexts = []

    def new(**options):
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(PATIENCE)
        seen = Watched(contexts[-1], site)
        return contexts[-1].new_page(), seen

    yield new
    for context in contexts:
        context.close()


@pytest.fixture
def cold_page(watched):
    """`cold_page(has_touch=True, viewport=...)`: a page in a new context; its Python has to start.

    At the end no page has reported an error or asked for anything elsewhere.
    """
    everything = []

    def new(**options):
        page, seen = watched(**options)
        everything.append(seen)
        return page

    yield new
    for seen in everything:
        seen.has_nothing()


@pytest.fixture(scope="session")
def keeper(browser, site):
    """`page, seen = keeper`: the first page of a context that stays, and what is seen in it."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    seen = Watched(context, site)
    page = context.new_page()
    page.goto(f"{site}live/settings.json")
    page.evaluate(KEEP)
    context.add_init_script(BORROW)
    yield page, seen
    context.close()


@pytest.fixture
def new_page(keeper):
    """`new_page(color_scheme="dark", viewport=...)`: a page that borrows a Python from the keeper.

    What a test leaves in it ends with the test, which has to pass what a `cold_page` has to.
    """
    (first, seen), pages = keeper, []

    def new(viewport=WIDE, permissions=(), **media):
        if permissions:  # an empty list would deny them all
            first.context.grant_permissions(permissions)
        with first.expect_popup() as opening:
            first.evaluate("void open()")
        pages.append(opening.value)
        pages[-1].set_viewport_size(viewport)
        pages[-1].emulate_media(**media)
        return pages[-1]

    yield new
    for page in pages:
        page.close()
    first.context.clear_permissions()
    first.evaluate("tidy()")
    seen.has_nothing()


@pytest.fixture
def open_page(new_page, site):
    """`open_page("task=3", viewport=...)`: the Flow Bench, once it is ready to train."""

    def opened(hash="", new=new_page, viewport=WIDE, **options):
        page = new(viewport=viewport, **options)
        page.goto(f"{site}live/index.html#{hash}")
        ready(page)
        return page

    return opened


def serious_faults(page):
    """What axe finds: (the rule, the elements)."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    return [
        (fault["id"], [node["target"] for node in fault["nodes"]])
        for fault in axe.Axe().run(page).response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
