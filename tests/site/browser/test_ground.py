"""What stands under the Flow Bench: the assembled folder in a Worker, and the watch over a page."""

import numpy as np
import pytest

from .conftest import until

LEFT_OUT = {"matplotlib", "scipy", "sklearn", "threadpoolctl", "tqdm"}
LOADED = "import sys\nanswer = sorted({name.split('.')[0] for name in sys.modules})"
PROGRAM = """
import numpy as np
import flowcore as fc

flows = {
    name: getattr(fc.flows, name)(2, layers=3, hidden=[16], rng=0)
    for name in ("maf", "iaf", "realnvp", "nice", "nsf")
}
x = np.linspace(-3, 3, 200).reshape(100, 2)
flows = {name: fc.testing.randomize(flow, rng=1) for name, flow in flows.items()}
answer = {name: flow.log_prob(x).tolist() for name, flow in flows.items()}
"""


def in_the_page(page, program):
    """The `answer` of a program that the Worker of smoke/ runs; an error as text."""
    return page.evaluate("(program) => window.run(program)", program)


@pytest.fixture
def smoke(page, site):
    """The page of smoke/, ready."""
    page.goto(site + "smoke/index.html")
    page.evaluate("window.ready")
    return page


def test_densities_are_those_of_this_machine(smoke):
    """Every recipe, at random parameters; NumPy and autograd are all that is loaded for it."""
    found = in_the_page(smoke, PROGRAM)
    here = {}
    exec(PROGRAM, here)
    assert found.keys() == here["answer"].keys()
    for name, log_prob in here["answer"].items():
        np.testing.assert_allclose(found[name], log_prob, rtol=0, atol=1e-12, err_msg=name)
    loaded = set(in_the_page(smoke, LOADED))
    assert {"numpy", "autograd", "flowcore"} <= loaded and not LEFT_OUT & loaded
    loaded = set(in_the_page(smoke, f"import flow_bench\n{LOADED}"))
    assert "flow_bench" in loaded and not LEFT_OUT & loaded


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
    page.goto(site + "settings.json")
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
    page.goto(site + "settings.json")
    page.evaluate(script + "; 0")
    until(page, lambda: " ".join(seen.errors), text)
    assert len(seen.errors) == 1
