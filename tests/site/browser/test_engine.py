"""The Flow Bench's Worker: it starts, and computes what flowcore computes on this machine."""

import json

import numpy as np
import pytest
from support.places import ROOT

LIVE = ROOT / "docs" / "live"
FLOWS = ["made", "maf", "iaf", "nice", "realnvp", "nsf", "continuous"]
LEFT_OUT = {"matplotlib", "scipy", "sklearn", "threadpoolctl", "tqdm"}
START = """async () => {
    const { Engine } = await import("./engine.js");
    window.loading = [];
    window.engine = await Engine.shared(location, (step) => window.loading.push(step));
    await window.engine.call("about");
    return performance.now() / 1000;
}"""
RECIPES = """
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
LOADED = "import sys\nanswer = sorted({name.split('.')[0] for name in sys.modules})"


def started(page, site):
    """`bench(name, arguments)` asks the Worker; `bench.seconds` is when it was ready."""
    page.goto(site + "live/settings.json")

    def call(name, arguments):
        return page.evaluate("([name, args]) => window.engine.call(name, args)", [name, arguments])

    call.seconds = page.evaluate(START)
    call.page = page
    return call


@pytest.fixture
def bench(new_page, site):
    return started(new_page(), site)


@pytest.fixture
def native(monkeypatch):
    """The same on this machine."""
    monkeypatch.syspath_prepend(str(LIVE))
    import flow_bench
    from flow_bench import desk

    monkeypatch.setattr(desk, "_bench", [])
    return flow_bench.call


def test_it_starts_and_reports_a_mistake(cold_page, site):
    """About four seconds on two quiet cores; a busy machine may take longer."""
    bench = started(cold_page(), site)
    print(f"ready to train {bench.seconds:.1f} s after navigation")
    assert bench.seconds < 120
    loading = bench.page.evaluate("window.loading")
    assert [step["done"] for step in loading] == list(range(loading[0]["of"]))
    build = "window.engine.call('build', {settings: {layers: 9}})"
    mistake = bench.page.evaluate(f"{build}.catch(String)")
    assert "layers must be an integer from 1 to 8" in mistake
    assert bench("about", {})["version"]  # and it goes on


def test_densities_are_those_of_this_machine(bench):
    """Every recipe, at random parameters; NumPy and autograd are all that is loaded for it."""

    def there(program):
        ran = bench("run", {"code": f"{program}\nimport json\nprint(json.dumps(answer))"})
        assert ran["problem"] == ""
        return json.loads(ran["out"])

    found, here = there(RECIPES), {}
    exec(RECIPES, here)
    assert found.keys() == here["answer"].keys()
    for name, log_prob in here["answer"].items():
        np.testing.assert_allclose(found[name], log_prob, rtol=0, atol=1e-12, err_msg=name)
    loaded = set(there(LOADED))
    assert {"numpy", "autograd", "flowcore", "flow_bench"} <= loaded and not LEFT_OUT & loaded


def test_training_is_that_of_this_machine(bench, native):
    for flow in FLOWS:
        nll = []
        for call in (bench, native):
            call("build", {"settings": {"flow": flow, "seed": 3}})
            call("train", {"steps": 100})
            found = call("described", {})
            assert found["step"] == 100
            nll.append(found["nll"])
        assert nll[0] == pytest.approx(nll[1], rel=0, abs=1e-6), flow
