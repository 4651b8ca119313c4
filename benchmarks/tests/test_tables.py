"""The tables of the pages are what the stored JSON gives; each renderer, on a small document."""

import json
import re
import subprocess
from datetime import datetime
from importlib import import_module

import pytest

from benchmarks import spline_step
from benchmarks.tables import beside_peers, catalogue, costs, jobs, pages, quality, run
from benchmarks.tables.markdown import source, table
from benchmarks.tabular import run as tabular
from benchmarks.tabular.models import MODELS

MACHINE = {
    "date": "2026-11-25 17:01 UTC",
    "cpu": "an abacus",
    "cores": "2 usable of 2, load 0.1",
    "python": "3.11.7",
    "numpy": "2.4.6",
}


def spread(value):
    return {"median": value, "q1": value, "q3": value}


# ---- the pages as they are


def found_on_pages() -> dict[str, str]:
    found = {}
    for page in pages.PAGES:
        mine = pages.blocks(page.read_text("utf-8"))
        assert not mine.keys() & found.keys()
        found.update(mine)
    return found


def test_every_table_has_its_place_and_every_place_its_table():
    assert found_on_pages().keys() == catalogue.TABLES.keys()
    used = {name for table in catalogue.TABLES.values() for name in table.jobs}
    assert used == jobs.JOBS.keys()
    assert {job.name for job in jobs.POWER} == {f"power-{name}" for name in MODELS}


@pytest.mark.parametrize("name", catalogue.TABLES)
def test_a_table_is_what_its_stored_json_gives(name):
    made = catalogue.TABLES[name].made()
    if made is None:
        pytest.skip(f"nothing is stored for {name}: python -m benchmarks.tables makes it")
    assert found_on_pages()[name] == made, "python -m benchmarks.tables --write-only"


def test_no_stored_json_names_a_path_or_is_left_over():
    files = sorted(jobs.RESULTS.glob("*.json"))
    assert {file.stem for file in files} <= jobs.JOBS.keys()
    for file in files:
        assert not re.search(r'"[^"]*(?:^|[\s"])(?:/|~|[A-Z]:\\)\w', file.read_text("utf-8")), file


# ---- markers


PAGE = "before\n<!-- table: a -->\nold\n<!-- end -->\nmiddle\n<!-- table: b -->\n<!-- end -->\n"


def test_only_what_stands_between_markers_is_written():
    assert pages.blocks(PAGE) == {"a": "old\n", "b": ""}
    written = pages.replaced(PAGE, {"a": "new\n", "c": "nowhere\n"})
    assert written == PAGE.replace("old", "new")
    assert pages.replaced(written, {"a": "old\n"}) == PAGE


@pytest.mark.parametrize(
    "wrong", [PAGE.replace("table: b", "table: a"), PAGE + "<!-- end -->", "<!-- table: a -->\n"]
)
def test_broken_markers_are_refused(wrong):
    with pytest.raises(ValueError, match=r"twice|other half"):
        pages.replaced(wrong, {})


# ---- the command


@pytest.fixture
def measuring(tmp_path, monkeypatch):
    """Two jobs, a page with the table of one of them, and who was run."""
    page, ran = tmp_path / "page.md", []
    page.write_text("<!-- table: quick -->\nold\n<!-- end -->\n")
    both = {name: jobs.Job(name, "nothing", (), 1) for name in ("quick", "broken")}
    tables = {"quick": catalogue.Table("quick", lambda d: f"{d['value']}\n", ("quick",))}

    def fake(job, folder):
        ran.append(job.name)
        if job.name == "broken":
            raise subprocess.CalledProcessError(1, "broken")
        document = {"machine": MACHINE, "value": len(ran)}
        (folder / f"{job.name}.json").write_text(json.dumps(document))

    monkeypatch.setattr(jobs.Job, "run", fake)
    for module in (run, catalogue):
        monkeypatch.setattr(module, "JOBS", both)
        monkeypatch.setattr(module, "TABLES", tables)
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    monkeypatch.setattr(run, "PAGES", [page])
    return page, ran


def test_what_is_missing_or_old_is_measured_and_the_rest_goes_on(measuring, capsys):
    page, ran = measuring
    assert run.main(["--write-only"]) == 0
    assert not ran and "old" in page.read_text()  # no JSON: the table stays
    assert run.main([]) == 1  # one failed
    assert ran == ["quick", "broken"] and "\n1\n" in page.read_text()
    assert "*2026-11-25, an abacus, 2 cores, Python 3.11.7, NumPy 2.4.6.*" in page.read_text()
    assert "failed: broken" in capsys.readouterr().err
    run.main(["quick"])
    run.main(["quick", "--since", "2026-11-25 17:00"])
    assert len(ran) == 2  # it is there, and not older
    assert run.main(["quick", "--since", "2026-11-25 17:02"]) == 0
    assert ran[2:] == ["quick"] and "\n3\n" in page.read_text()
    assert run.main(["--list"]) == 0
    assert "2026-11-25 17:01" in capsys.readouterr().out


def test_unknown_benchmarks_are_refused(capsys):
    with pytest.raises(SystemExit):
        run.main(["pears"])
    assert "there is no pears" in capsys.readouterr().err


def test_a_job_runs_its_command_and_stores_what_it_wrote(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs.environment, "CACHE", tmp_path / "cache")
    argv = ("--quick", "--rounds", "1", "--seconds", "0.0005", "--cases", "A")
    job = jobs.Job("small", "density", argv, 1)
    job.run(tmp_path / "results")
    assert not list((tmp_path / "cache" / "results").iterdir())
    document = json.loads((tmp_path / "results" / "small.json").read_text())
    assert document["command"] == f"python -m benchmarks.density {' '.join(argv)}"
    with pytest.raises(ValueError, match="--quick"):  # never a number of a quick run on a page
        job.stored(tmp_path / "results")
    assert jobs.Job("other", "density", (), 1).stored(tmp_path / "results") is None


def test_every_job_names_a_benchmark_and_arguments_that_it_takes(monkeypatch):
    monkeypatch.setattr("benchmarks.cores.usable", lambda: [0, 1])
    for job in jobs.JOBS.values():
        module = import_module(f"benchmarks.{job.module}")
        if hasattr(module, "arguments"):
            module.arguments(list(job.argv))
    for job in jobs.POWER:
        tabular.arguments(list(job.argv))
    assert jobs.JOBS["floor"].command == "python -m benchmarks.floor"


# ---- Markdown


def test_a_table_in_markdown():
    text = table(["", "a"], [["x", 1.23456], ["y", None], ["z", 7]])
    assert text == "|  | a |\n| --- | --- |\n| x | 1.23 |\n| y | - |\n| z | 7 |\n"


def test_the_source_tells_versions_commands_and_a_busy_machine():
    document = {
        "machine": {**MACHINE, "versions": {"flowcore": "flowcore 1, numpy 2", "zuko": "zuko 3"}},
        "control": {"seconds": {"median": 1.0, "q1": 1.0, "q3": 1.5}},
        "command": "python -m benchmarks.x",
    }
    assert source(document).endswith(
        "NumPy 2.4.6, zuko 3, the machine was busy meanwhile: `python -m benchmarks.x`.*\n"
    )
    assert "`" not in source(document, document)  # two commands are no command


# ---- renderers


def peer_row(work, case, who, seconds, ratio):
    return {"work": work, "case": case, "who": who, "seconds": spread(seconds),
            "flowcore_per_this": spread(ratio), "compiling": 0.5 * (who != "flowcore")}  # fmt: skip


def test_peers_names_the_fastest_which_no_yardstick_is():
    rows = [peer_row("step", "A", *r) for r in
            (("flowcore", 0.001, 1.0), ("zuko", 0.002, 0.5), ("floor", 0.0005, 2.0))]  # fmt: skip
    rows += [peer_row("density", "A", "flowcore", 0.004, 1.0)]
    rows += [{"n_rows": 100, "who": "zuko", "iaf_per_maf": spread(30.0)}]
    text = beside_peers.peers({"rows": rows})
    assert "| training step with Adam: A | 1.00 | 2.00 | 0.500 | 0.500 (zuko) |" in text
    assert "| density of the batch: A | 4.00 | - | - | - |" in text
    assert "| none | 0.5-0.5 | 0.5-0.5 |" in text
    assert "Geometric means of the last column: training step with Adam 0.50.\n" in text
    assert text.endswith("\nA: D=2, 1 x [16, 16], batch 800.\n")
    assert "| 100 rows | 30.0 |" in beside_peers.iaf_step({"rows": rows})


def test_time_to_trained_shows_medians_and_the_worst():
    runs = {"flowcore": [(4, 1.2), (6, 1.4)], "zuko": [(20, 1.3), (30, None)]}
    rows = [{"name": f"{who} seed {k}", "seconds": s, "nll": n}
            for who, mine in runs.items() for k, (s, n) in enumerate(mine)]  # fmt: skip
    text = beside_peers.time_to_trained({"rows": rows})
    assert "| flowcore | 5.00 | 1.30 | 1.40 | 1.00 |" in text
    assert "| zuko | 25.0 | - | - | 0.200 |" in text


def test_time_to_quality_shows_minutes_and_the_ratio():
    rows = [
        {"name": "flowcore", "curve": [[60, -1.0], [120, 0.0], [180, 0.5]]},
        {"name": "zuko", "curve": [[120, -1.0], [360, 0.1]]},
    ]
    text = beside_peers.time_to_quality({"rows": rows, "settings": {"thresholds": [0.05, 0.3]}})
    assert "| flowcore | 2.10 | 2.60 | 0.500 | 3 | 60.0 |" in text
    assert "| zuko | 5.82 | - | 0.100 | 2 | 240.0 |".replace("240.0", "240") in text
    assert "0.361 at 0.05." in text and "images/time_to_quality.png" in text


def test_cost_merges_what_is_the_same_work():
    rows = [{"column": c, "dim": 2, "passes": p, "seconds": spread(s), "extrapolated": e}
            for c, p, s, e in (("MAF density", 1.0, 0.001, False),
                               ("IAF sampling", 1.0, 0.002, False),
                               ("MAF sampling, textbook", 2, 0.5, True),
                               ("IAF density, textbook", 2, 0.5, False),
                               ("MAF sampling, by degree", 0.5, 0.004, False),
                               ("IAF density, by degree", 0.8, 0.004, False),
                               ("RealNVP density", 1.0, 0.001, False))]  # fmt: skip
    lines = costs.maf_iaf_cost({"rows": rows}).splitlines()[2:]
    assert lines[0].startswith("| MAF density, IAF sampling: one pass | 1.00 / 2.00 | - |")
    assert lines[0].endswith("| 1 |") and "| ~500 |" in lines[1] and lines[1].endswith("| D |")
    assert "| 500 |" in lines[2] and lines[3].endswith("| 0.5 |")
    assert lines[-1] == "Sampling of a MAF degree by degree / its density: 4.0 at D=2."


def test_against_puts_first_calls_beside_later_ones():
    rows = []
    for what, now, before in (("step", 0.001, 0.002), ("density", 0.001, 0.004),
                              ("first density", 0.003, 0.004), ("gradient", 1, 1),
                              ("sample", 1, 1)):  # fmt: skip
        row = {"name": f"A {what}", "seconds": spread(now), "other": spread(before)}
        rows.append({**row, "per_other": spread(now / before)})
    lines = costs.against({"rows": rows}).splitlines()[2:]
    case = "| A: D=2, 1 x [16, 16], 800 rows |"
    assert lines[0] == f"{case} training step with Adam | 2.00 | 1.00 | 0.50 |"
    assert lines[1] == "|  | density; first | 4.00; 4.00 | 1.00; 3.00 | 0.25; 0.75 |"


def test_floor_and_busy_show_their_ratios():
    rows = [{"case": "A", "who": who, "seconds": spread(0.001), "flowcore_per_this": spread(2.0),
             "per_products_at_peak": spread(3.0)} for who in ("flowcore", "floor")]  # fmt: skip
    (line,) = costs.floor({"rows": rows}).splitlines()[2:]
    assert line == (
        "| A: D=2, 1 x [16, 16], batch 800 | 1.00 | 1.00 | - | - | 2.00 | - | - | 3.00 |"
    )
    busy = [{"case": "A", "state": state, "who": "zuko", "median": median, "p99": 4 * median,
             "per_one_core": median / 0.002, "tail": 4.0, "tail_per_control": 1.5}
            for state, median in (("one core", 0.002), ("quiet", 0.001))]  # fmt: skip
    header, _, line = costs.busy({"rows": busy}).splitlines()
    assert header == "| milliseconds |  | one core | quiet | quiet / one core |"
    assert line == "| A: D=2, 1 x [16, 16] | zuko | 2.00 (8.00) | 1.00 (4.00) | 0.500 |"


def test_spline_step_leaves_the_affine_rows_to_the_ratios(tmp_path):
    path = tmp_path / "splines.json"
    options = ["--quick", "--rounds", "1", "--seconds", "0.0005", "--json", str(path)]
    spline_step.main(options)
    lines = costs.spline_step(json.loads(path.read_text())).splitlines()[2:]
    assert len(lines) == 4 and lines[0].startswith("| autoregressive D=2 2x256, 256 rows float32 |")


def test_the_moons_are_told_as_the_command_tells_them():
    rows = []
    for who, seed, nll, seconds in (("before training", 0, 3.0, None), ("six", 0, 1.5, 2.0),
                                    ("six", 1, 1.7, 3.0)):  # fmt: skip
        row = {"who": who, "seed": seed, "nll": nll, "seconds": seconds}
        rows.append({**row, "entropy": 1.128, "kl": nll - 1, "standard_error": 0.01})
    lines = quality.moons({"rows": rows}).splitlines()
    assert lines[0] == "```text" and lines[-1] == "```"
    assert lines[2].split() == ["before", "training", "3.000", "2.000", "+-", "0.010"]
    assert lines[3].split() == ["six", "1.500", "0.500", "+-", "0.010", "2.0"] and len(lines) == 6
    (line,) = quality.moons_seeds({"rows": rows}).splitlines()[2:]
    assert line == "| six | 1.600 (0.600) | 1.700 (0.700) |"


def test_toy_targets_shows_medians_two_targets_a_line():
    runs = (("two_moons", 0.01), ("two_moons", 0.03), ("ring", 0.5), ("banana", 0.1))
    rows = [{"target": t, "recipe": "nsf", "entropy": 1.0, "kl": kl} for t, kl in runs]
    lines = quality.toy_targets({"rows": rows}).splitlines()[2:]
    banana = "| banana | `nsf` | 1.000 | 0.100 (0.100) |"
    assert lines[0] == f"| two moons | `nsf` | 1.000 | 0.020 (0.030) |  {banana}"
    assert lines[1].endswith("|  |  |  |  |  |")


def test_when_something_was_measured():
    when = run.measured(jobs.JOBS["power-made"], jobs.RESULTS)
    assert when is None or when > datetime(2026, 1, 1)
