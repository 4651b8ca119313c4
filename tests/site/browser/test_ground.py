"""What stands under the Flow Bench: the watch over a page, and tests that keep to themselves."""

import pytest

from .conftest import ready, until


@pytest.mark.parametrize(
    "script",
    [
        "fetch('https://elsewhere.example/x').catch(() => {})",
        """new Promise(done => {
            const code = "fetch('https://elsewhere.example/x').catch(() => {}).then(postMessage)";
            const worker = new Worker(URL.createObjectURL(new Blob([code])));
            worker.onmessage = done;
        })""",
    ],
    ids=["page", "worker"],
)
def test_requests_elsewhere_are_seen(watched, site, script):
    page, seen = watched()
    page.goto(site + "live/settings.json")
    page.evaluate(script)
    assert seen.elsewhere == ["https://elsewhere.example/x"]


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("console.error('printed')", "printed"),
        ("setTimeout(() => { throw new Error('thrown') })", "thrown"),
        ("Promise.reject(new Error('refused')); 0", "refused"),
        ("fetch('missing.js')", "404"),
        ("new Worker(URL.createObjectURL(new Blob(['console.error(\"from it\")'])))", "from it"),
        ("new Worker(URL.createObjectURL(new Blob(['throw new Error(\"in it\")'])))", "in it"),
    ],
)
def test_errors_are_seen(watched, site, script, text):
    page, seen = watched()
    page.goto(site + "live/settings.json")
    page.evaluate(script + "; 0")
    until(page, lambda: " ".join(seen.errors), text)
    assert len(seen.errors) == 1


def test_errors_of_a_page_that_borrows_are_seen_and_forgotten(new_page, keeper, site):
    page, (_, seen) = new_page(), keeper
    page.goto(site + "live/settings.json")
    page.evaluate("console.error('printed')")
    until(page, lambda: " ".join(seen.errors), "printed")
    with pytest.raises(AssertionError, match="printed"):
        seen.has_nothing()
    seen.has_nothing()


LEFT = """async () => {
  localStorage.setItem("left", 1);
  sessionStorage.setItem("left", 1);
  await window.flowBench.engine.call("run", { code: "left = 1" });
}"""
FOUND = """async () => [
  localStorage.length, sessionStorage.length,
  (await navigator.permissions.query({ name: "clipboard-read" })).state,
  innerWidth, matchMedia("(prefers-color-scheme: dark)").matches,
  matchMedia("(prefers-reduced-motion: reduce)").matches,
  (await window.flowBench.engine.call("described")).settings.layers,
  (await window.flowBench.engine.call("run", { code: "left" })).problem.split("\\n").at(-1),
]"""


@pytest.mark.parametrize("turn", ["first", "second"])
def test_what_a_test_leaves_does_not_reach_the_next(open_page, turn):
    """Storage, permissions, media, and what its Python has; of two pages each has its own."""
    fresh = [0, 0, "prompt", 1280, False, False, 4, "NameError: name 'left' is not defined"]
    page = open_page()
    assert page.evaluate(FOUND) == fresh
    media = {"color_scheme": "dark", "reduced_motion": "reduce"}
    small = {"width": 600, "height": 800}
    other = open_page("layers=2", permissions=["clipboard-read"], viewport=small, **media)
    other.evaluate(LEFT)
    assert other.evaluate(FOUND) == [1, 1, "granted", 600, True, True, 2, ""]
    assert page.evaluate(FOUND) == [1, 0, "granted", *fresh[3:]]
    other.reload()
    ready(other)
    assert other.evaluate(FOUND)[-1] == fresh[-1]  # a document starts anew
