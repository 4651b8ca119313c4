"""The ground for tests in a browser: a site, a server, Chromium, and a page that is watched.

    python -m pytest -m browser tests/site/browser   # needs the extra `browser`, chromium and npm

The tests here get the mark `browser` from this file, and are left out unless they are asked for.
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
def live_folder(live, tmp_path_factory):
    """The assembled page, beside which stands the folder smoke/ of these tests."""
    if shutil.which("npm") is None:
        pytest.skip("npm, which brings Pyodide, is not installed")
    folder = tmp_path_factory.mktemp("site") / "live"
    live.assemble(folder)
    shutil.copytree(HERE / "smoke", folder / "smoke")
    return folder


@pytest.fixture(scope="session")
def site(live, live_folder):
    """Its URL."""
    with served(live, live_folder) as url:
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
def new_page(watched):
    """`new_page(color_scheme="dark", viewport=...)`, a page in a context with these options.

    At the end no page has reported an error or asked for anything elsewhere.
    """
    everything = []

    def new(**options):
        page, seen = watched(**options)
        everything.append(seen)
        return page

    yield new
    assert [url for seen in everything for url in seen.elsewhere] == []
    assert [error for seen in everything for error in seen.errors] == []


@pytest.fixture
def open_page(new_page, site):
    """`open_page("task=3", viewport=...)`: the Flow Bench, once it is ready to train."""

    def opened(hash="", viewport=WIDE, **options):
        page = new_page(viewport=viewport, **options)
        page.goto(f"{site}index.html#{hash}")
        ready(page)
        return page

    return opened


@pytest.fixture
def page(new_page):
    """A page that is watched."""
    return new_page()
