"""Every benchmark runs in its quick form, writes JSON that holds what it promises, and `compare`
finds what got slower. Nothing here depends on how fast the machine is."""

import json
import re
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import flowcore as fc
from benchmarks import compare, maf_iaf_cost, moons_seeds
from benchmarks.studies import defaults, toy_targets
from benchmarks.support.cases import CASES, CountedProducts, count_multiply_adds, with_method
from benchmarks.support.common import write_json
from benchmarks.support.fit_step import FitStep
from benchmarks.support.timing import Spread, interleave

ROOT = Path(__file__).parents[2]
TINY = ["--quick", "--rounds", "2", "--seconds", "0.0005"]
RUNS = {
    "density": ["--cases", "AC"],
    "training_step": ["--cases", "AC"],
    "sampling": ["--cases", "AC"],
    "spline_step": [],
    "past_one_machine": [],
    "against": [str(ROOT), "--cases", "A"],
}
COST = ["--largest", "8", "--width", "16", "--rows", "4"]


def run(name, options, folder) -> dict:
    """The benchmark's JSON."""
    path = folder / f"{name}.json"
    import_module(f"benchmarks.{name}").main([*TINY, *options, "--json", str(path)])
    return json.loads(path.read_text(), parse_constant=pytest.fail)  # no NaN, no Infinity


@pytest.mark.parametrize("name", RUNS)
def test_benchmark_runs_and_writes_json(name, tmp_path, capsys):
    result = run(name, RUNS[name], tmp_path)
    assert set(result) == {"benchmark", "machine", "settings", "control", "rows"}
    assert result["benchmark"] == name
    assert {"cpu", "cores", "os", "python", "numpy", "blas", "date"} <= set(result["machine"])
    assert result["settings"]["rounds"] == 2
    assert result["control"]["seconds"]["median"] > 0
    assert min(result["control"]["gemm_peak_gflops"].values()) > 0
    names = [row["name"] for row in result["rows"]]
    assert len(names) >= 4
    assert len(set(names)) == len(names)
    for row in result["rows"]:
        for quantity in (row["seconds"], row["per_control"]):
            assert 0 < quantity["q1"] <= quantity["median"] <= quantity["q3"]
    printed = capsys.readouterr().out
    assert result["machine"]["cpu"] in printed
    assert "control:" in printed


def test_moons_over_seeds(tmp_path, capsys):
    path = tmp_path / "moons.json"
    argv = ["--quick", "--epochs", "2", "--seeds", "2", "--json", str(path)]
    moons_seeds.main(argv)
    rows = json.loads(path.read_text(), parse_constant=pytest.fail)["rows"]
    assert len(rows) == 2 * 4 and {row["seed"] for row in rows} == {100, 101}
    assert all(row["nll"] > row["entropy"] and row["kl"] > 0 for row in rows)
    assert "flowcore's own recipe" in capsys.readouterr().out


def test_toy_targets_measure_and_draw(tmp_path, capsys):
    picture, path = tmp_path / "pictures" / "toys.png", tmp_path / "toys.json"
    names = ["two_moons", "checkerboard", "banana"]
    toy_targets.main(
        ["--quick", "--targets", *names, "--picture", str(picture), "--json", str(path)]
    )
    assert picture.read_bytes().startswith(b"\x89PNG")
    rows = json.loads(path.read_text(), parse_constant=pytest.fail)["rows"]
    assert [row["target"] for row in rows] == names
    assert [row["recipe"] for row in rows] == ["nsf", "nsf", "maf"]
    assert all(row["kl"] > 0 and row["standard_error"] > 0 for row in rows)
    assert "| two moons | `nsf` |" in capsys.readouterr().out


def test_defaults_compares_candidates(tmp_path, capsys):
    """Pairs of the same seeds; of tables only those that need no download."""
    path = tmp_path / "defaults.json"
    data, candidates = ["two_moons:800", "iris"], ["default", "relu"]
    options = ["--data", *data, "--candidates", *candidates, "--seeds", "2", "--json", str(path)]
    defaults.main(["--quick", *options])
    rows = json.loads(path.read_text(), parse_constant=pytest.fail)["rows"]
    assert [(row["data"], row["candidate"]) for row in rows] == [
        (name, candidate) for name in data for candidate in candidates
    ]
    assert all(len(set(row["losses"])) == 2 for row in rows)
    assert re.search(r"iris +-?\d+\.\d{3} \[-?\d+\.\d{3}\]", capsys.readouterr().out)


def test_cost_counts_passes_and_draws(tmp_path):
    picture = tmp_path / "pictures" / "cost.png"
    result = run("maf_iaf_cost", [*COST, "--picture", str(picture)], tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
    passes = {(row["column"], row["dim"]): row["passes"] for row in result["rows"]}
    assert len(passes) == len(maf_iaf_cost.COLUMNS) * 3
    for (column, dim), count in passes.items():
        if "textbook" in column:
            assert count == dim
        elif "by degree" in column:
            assert 0.25 < count <= 1
        else:
            assert count == 1
    assert not any(row["extrapolated"] for row in result["rows"] if "extrapolated" in row)


def test_slow_textbook_loops_are_extrapolated_and_marked(tmp_path, capsys):
    result = run("maf_iaf_cost", [*COST, "--cap", "1e-9"], tmp_path)
    loops = [row for row in result["rows"] if "textbook" in row["name"]]
    assert loops and all(row["extrapolated"] for row in loops)
    assert all(row["passes"] == row["dim"] for row in loops)  # these are counted all the same
    lines = [line for line in capsys.readouterr().out.splitlines() if "textbook" in line]
    assert sum(line.count("~") for line in lines) == len(loops)


def test_methods_agree_on_the_flows_that_are_timed():
    flow = CASES["C"].flow("iaf")
    x = CASES["C"].data(20)
    assert not np.allclose(flow.log_prob(x), fc.Normal(6).log_prob(x))  # not the identity
    textbook = with_method(flow, "sequential")
    np.testing.assert_allclose(textbook.log_prob(x), flow.log_prob(x), rtol=1e-12)
    slow, fast = (count_multiply_adds(lambda f: f.log_prob(x), f) for f in (textbook, flow))
    assert slow > 6 * fast > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_step_is_a_step_of_fit(dtype):
    flow, x = CASES["A"].flow(dtype=dtype), CASES["A"].data(dtype=dtype)
    step = FitStep(flow, x)
    losses = step.fit(100)[1].train_nll
    assert losses[0] == pytest.approx(-flow.log_prob(x).mean(), rel=1e-5)
    assert losses[-1] == pytest.approx(losses[0], abs=1e-3)  # it stays where it began
    if dtype == np.float64:  # but it does move: 1e-7 is below the precision of float32
        assert losses[-1] < losses[0]


def test_steps_are_timed_as_the_difference_of_two_runs(monkeypatch):
    step, asked, clock, once = FitStep(None, np.zeros((5, 2))), [], [0.0], 7

    def fit(self, epochs, callbacks=()):
        asked.append(epochs)
        clock[0] += once  # what a run does once
        for _ in range(epochs):
            clock[0] += 2
            for callback in callbacks:
                callback(None)
        return None, None

    monkeypatch.setattr(FitStep, "fit", fit)
    monkeypatch.setattr("benchmarks.support.fit_step.time.perf_counter", lambda: clock[0])
    assert step.time(20) == 40 and asked == [3, 23]
    monkeypatch.setattr("benchmarks.support.fit_step.SHORT", 20)
    assert step.time(1) == 2 and asked[2:] == [3, 33]  # some more, so that it can be measured
    assert step.each(3) == [2, 2, 2] and step.each(2, at_once=5) == [10, 10]


def test_counted_products():
    plain = np.matmul, np.dot
    with CountedProducts() as products:
        np.matmul(np.ones((2, 3)), np.ones((3, 5)))
        np.matmul(np.ones((4, 3)), np.ones(3), out=np.empty(4))
        np.dot(np.ones((7, 3)), np.ones((3, 2)), np.empty((7, 2)))
    assert products.multiply_adds == 2 * 3 * 5 + 4 * 3 + 7 * 3 * 2
    with pytest.raises(ValueError), CountedProducts():
        np.matmul(np.ones(2), np.ones(3))
    assert (np.matmul, np.dot) == plain


def test_products_are_counted_however_often_a_flow_was_called_before():
    flow, x = CASES["A"].flow(), CASES["A"].data(50)
    dense = 50 * (3 * 16 + 17 * 16 + 17 * 4)  # with the zeros, which D = 2 has few of
    flow.log_prob(x)  # binds np.dot as it is
    for _ in range(2):
        assert 0.5 * dense < count_multiply_adds(lambda f: f.log_prob(x), flow) <= dense
    other = flow.with_params(flow.params)
    count_multiply_adds(lambda f: f.log_prob(x), other)
    with CountedProducts() as products:
        flow.log_prob(x)
    assert products.multiply_adds == 0  # nothing that counts was left behind in the flow


class Scripted:
    """A contestant that takes these seconds in turn, and writes down when it was called."""

    def __init__(self, name, seconds, log):
        self.name, self.seconds, self.log = name, iter(seconds), log

    def time(self, repeats):
        self.log.append(self.name)
        return repeats * next(self.seconds)


def test_contestants_take_turns_and_ratios_are_taken_within_rounds():
    log = []
    a = Scripted("a", [2.0, 10.0, 100.0, 10.0], log)  # the first one warms up
    b = Scripted("b", [2.0, 5.0, 20.0, 2.0], log)
    timings = interleave({"a": a, "b": b}, rounds=3, seconds=0.1)
    assert log == list("ab") + list("ababab")
    assert timings.spread("a").median == 10
    assert timings.ratio("a", "b") == Spread(5.0, 3.5, 5.0)


def test_short_calls_are_repeated_and_timed_per_call():
    class Steady:
        def time(self, repeats):
            asked.append(repeats)
            return 1e-4 * repeats

    asked = []
    timings = interleave({"x": Steady()}, rounds=2, seconds=0.05)
    assert asked[-2:] == [500, 500]
    assert timings.spread("x") == pytest.approx((1e-4, 1e-4, 1e-4))


def test_a_contestant_over_budget_sits_out():
    log = []
    slow, quick = Scripted("slow", [2.0] + [4.0] * 9, log), Scripted("quick", [1.5] * 9, log)
    timings = interleave({"slow": slow, "quick": quick}, rounds=5, seconds=0.1, budget=9.0)
    assert np.isnan(timings.seconds["slow"]).tolist() == [False, False, True, True, True]
    assert np.isfinite(timings.seconds["quick"]).all()
    assert timings.spread("slow").median == 4


def test_json_has_no_nan(tmp_path):
    content = {"a": [np.float32(1.5), float("nan")], "b": (np.int64(2), float("inf"))}
    write_json(tmp_path / "deep" / "x.json", content)
    assert json.loads((tmp_path / "deep" / "x.json").read_text()) == {
        "a": [1.5, None],
        "b": [2, None],
    }


OPTIONS = ["--only", "density", "--rounds", "3", "--seconds", "0.001", "--again", "1"]


@pytest.fixture
def baseline(tmp_path, monkeypatch):
    """A measured baseline of case A, made by --update, and the options to compare with it."""
    density = import_module("benchmarks.density")
    plain = density.main
    monkeypatch.setattr(density, "main", lambda argv: plain([*argv, "--cases", "A"]))
    path = tmp_path / "baseline.json"
    options = [*OPTIONS, "--baseline", str(path), "--json", str(tmp_path / "out.json")]
    assert compare.main([*options, "--update"]) == 0
    return path, options


def verdicts(path) -> dict:
    return json.loads((path.parent / "out.json").read_text())["verdicts"]


def test_compare_flags_what_got_slower(baseline, monkeypatch, capsys):
    path, options = baseline
    log_prob = fc.TransformedDistribution.log_prob

    def slowed(*args, **kwargs):
        time.sleep(0.02)
        return log_prob(*args, **kwargs)

    monkeypatch.setattr(fc.TransformedDistribution, "log_prob", slowed)
    assert compare.main(options) == 1
    assert set(verdicts(path).values()) == {"slower"}
    printed = capsys.readouterr().out
    assert printed.count("running density") == 2  # once more before it is said
    assert "density/A float64" in printed and "2 slower" in printed


def test_compare_accepts_what_is_no_slower_and_flags_what_is_gone(baseline, capsys):
    path, options = baseline
    stored = json.loads(path.read_text())
    for row in stored["rows"].values():
        row.update({k: 100 * v for k, v in row.items()})  # flowcore is now far faster than this
    path.write_text(json.dumps(stored))
    assert compare.main(options) == 0
    assert set(verdicts(path).values()) == {"faster"}
    stored["rows"]["density/no such row"] = {"median": 1.0, "q1": 1.0, "q3": 1.0}
    stored["machine"]["cpu"] = "an abacus"
    path.write_text(json.dumps(stored))
    assert compare.main(options) == 1
    assert verdicts(path)["density/no such row"] == "gone"
    assert "cpu was an abacus" in capsys.readouterr().out


def test_verdicts():
    old = {"median": 1.0, "q1": 0.9, "q3": 1.1}

    def verdict(new, tolerance=0.25, **counted):
        return compare.compare({"x": {**old, **counted}}, {"x": new}, tolerance)["x"]

    assert verdict(old) == "same"
    assert verdict({"median": 1.3, "q1": 1.2, "q3": 1.4}) == "slower"
    assert verdict({"median": 1.3, "q1": 1.2, "q3": 1.4}, tolerance=0.5) == "same"
    assert verdict({"median": 1.3, "q1": 1.0, "q3": 1.9}) == "same"  # too noisy
    assert verdict({"median": 0.5, "q1": 0.5, "q3": 0.5}) == "faster"
    assert verdict({**old, "passes": 2.0}, passes=1.0) == "more work"
    assert verdict({**old, "passes": 1.0}, passes=1.0) == "same"
    assert compare.compare({}, {"x": old}, 0.25) == {"x": "new"}


def test_readers_are_measured_in_processes_of_their_own(capsys, monkeypatch):
    from benchmarks import reading

    one = "flowcore"
    monkeypatch.setattr(reading, "READERS", {one: reading.READERS[one]})
    reading.main(["3000"])
    printed = capsys.readouterr().out
    assert "3,000 rows of 6 columns" in printed and one in printed
