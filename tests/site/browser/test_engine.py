"""The Flow Bench's Worker: it starts, and computes what flowcore computes on this machine."""

import pytest
from support.places import ROOT

LIVE = ROOT / "docs" / "live"
FLOWS = ["made", "maf", "iaf", "nice", "realnvp", "nsf", "continuous"]
START = """async () => {
    const { Engine } = await import("/engine.js");
    const settings = await (await fetch("/settings.json")).json();
    window.loading = [];
    window.engine = new Engine({ settings, onLoading: (step) => window.loading.push(step) });
    await window.engine.ready;
    await window.engine.call("about");
    return performance.now() / 1000;
}"""


@pytest.fixture
def bench(page, site):
    """`bench(name, arguments)` asks the Worker; `bench.seconds` is when it was ready."""
    page.goto(site + "settings.json")

    def call(name, arguments):
        return page.evaluate("([name, args]) => window.engine.call(name, args)", [name, arguments])

    call.seconds = page.evaluate(START)
    call.page = page
    return call


@pytest.fixture
def native(monkeypatch):
    """The same on this machine."""
    monkeypatch.syspath_prepend(str(LIVE))
    import flow_bench
    from flow_bench import desk

    monkeypatch.setattr(desk, "_bench", [])
    return flow_bench.call


def test_it_starts_and_reports_a_mistake(bench):
    """About four seconds on two quiet cores; a busy machine may take longer."""
    print(f"ready to train {bench.seconds:.1f} s after navigation")
    assert bench.seconds < 120
    loading = bench.page.evaluate("window.loading")
    assert [step["done"] for step in loading] == list(range(loading[0]["of"]))
    build = "window.engine.call('build', {settings: {layers: 9}})"
    mistake = bench.page.evaluate(f"{build}.catch(String)")
    assert "layers must be an integer from 1 to 8" in mistake
    assert bench("about", {})["version"]  # and it goes on


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


def test_300_steps_and_12_frames(bench):
    """Of four layers of RealNVP: about three seconds on two quiet cores."""
    seconds = bench.page.evaluate("""async () => {
        const settings = { flow: "realnvp", layers: 4, width: 32 };
        await window.engine.call("build", { settings });
        const start = performance.now();
        for (let frame = 0; frame < 12; frame++) {
            await window.engine.call("train", { steps: 25 });
            await window.engine.call("look");
        }
        return (performance.now() - start) / 1000;
    }""")
    print(f"300 steps of RealNVP with 12 frames: {seconds:.1f} s")
    assert seconds < 120
