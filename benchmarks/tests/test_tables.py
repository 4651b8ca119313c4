"""The tables of the pages are what the stored JSON gives; each renderer, on a small document."""

import inspect
import json
import re
import shlex
import subprocess
from importlib import import_module

import pytest

from benchmarks.studies.tables import beside_peers, catalogue, costs, jobs, pages, run
from benchmarks.studies.tables.markdown import source
from benchmarks.studies.tabular import run as tabular
from benchmarks.studies.tabular.models import MODELS

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
        pytest.skip(f"nothing is stored for {name}: python -m benchmarks.studies.tables makes it")
    assert found_on_pages()[name] == made, "python -m benchmarks.studies.tables --write-only"


def test_no_stored_json_names_a_path_or_is_left_over():
    files = sorted(jobs.RESULTS.glob("*.json"))
    assert {file.stem for file in files} <= jobs.JOBS.keys()
    for file in files:
        assert not re.search(r'"[^"]*(?:^|[\s"])(?:/|~|[A-Z]:\\)\w', file.read_text("utf-8")), file


TEXTS = (*pages.PAGES, pages.ROOT / "CONTRIBUTING.md", pages.ROOT / "docs" / "paper" / "paper.md")
COMMANDS = {
    command for page in TEXTS
    for command in re.findall(r"python -m (benchmarks\.[^`\n#|]+)[`\n#]", page.read_text("utf-8"))
}  # fmt: skip


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_of_the_pages_is_there_and_takes_its_arguments(command, capsys):
    name, *argv = shlex.split(command)
    module = import_module(f"benchmarks.{name.removeprefix('benchmarks.')}")
    if not hasattr(module, "main"):
        module = import_module(f"{module.__name__}.run")
    if inspect.signature(module.main).parameters and module.__name__ != "benchmarks.reading":
        with pytest.raises(SystemExit) as end:  # after all arguments before it are read
            module.main([*argv, "--help"])
        assert end.value.code == 0


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
    monkeypatch.setattr("benchmarks.studies.cores.usable", lambda: [0, 1])
    for job in jobs.JOBS.values():
        module = import_module(f"benchmarks.{job.module}")
        if hasattr(module, "arguments"):
            module.arguments(list(job.argv))
    for job in jobs.POWER:
        tabular.arguments(list(job.argv))
    assert jobs.JOBS["floor"].command == "python -m benchmarks.studies.floor"


# ---- Markdown


def test_the_source_has_versions_commands_and_a_busy_machine():
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
