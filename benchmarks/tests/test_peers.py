"""The comparison with the peers, as far as it can be tested without them: arguments, verdicts on
made-up numbers, the workers (with flowcore in them), the JSON. With peers installed in this
environment, every setup is built and asked for everything."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks.studies import environment, peers, time_to_trained
from benchmarks.studies.contestants import CONTESTANTS, LIBRARIES
from benchmarks.studies.tables import beside_peers
from benchmarks.studies.worker import Task, Worker, build, n_weights
from benchmarks.support.cases import CASES, Case
from benchmarks.support.common import Report

ROOT = Path(__file__).parents[2]

SMALL = Case("small", 3, 2, (8, 8), 20)


@pytest.fixture
def worker():
    made = Worker("flowcore", sys.executable)
    yield made
    made.close()


# ---- arguments


def test_arguments_of_peers_have_a_full_and_a_quick_form():
    full = peers.arguments([])
    assert full.libraries == ["flowcore", *peers.PEERS] and full.cases == "ABCDE"
    assert full.iaf_rows == [100, 1000] and not full.with_tfp and full.dtype == "float32"
    quick = peers.arguments(["--quick"])
    assert quick.iaf_rows == [100] and len(quick.cases) < 5 and quick.rounds < full.rounds


def test_flowcore_always_takes_part_and_nobody_twice():
    args = peers.arguments(["--libraries", "zuko", "tfp+xla", "zuko", "--with-tfp"])
    assert args.libraries == ["flowcore", "zuko", "tfp+xla"]
    assert peers.arguments(["--libraries", "tfp+xla"]).with_tfp
    assert time_to_trained.arguments(["--libraries", "zuko"]).libraries == ["flowcore", "zuko"]


@pytest.mark.parametrize(
    "argv", [["--cases", "AZ"], ["--threads", "0"], ["--libraries", "numpyro"], ["--rounds", "0"]]
)
def test_nonsense_is_refused(argv, capsys):
    with pytest.raises(SystemExit):
        peers.arguments(argv)
    assert argv[0] in capsys.readouterr().err


# ---- environments


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious", "utf-8")
    with pytest.raises(ValueError, match="not a virtual environment"):
        environment.ensure(tmp_path, "peers")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_environment_is_complete_while_the_requirements_stay_the_same(tmp_path):
    assert not environment.is_complete(tmp_path, "peers")
    wanted = (ROOT / "benchmarks" / "studies" / "requirements-peers.txt").read_text("utf-8")
    (tmp_path / environment.STAMP).write_text(wanted, "utf-8")
    assert environment.is_complete(tmp_path, "peers")
    assert environment.ensure(tmp_path, "peers") == environment.python_of(tmp_path)
    (tmp_path / environment.STAMP).write_text(wanted + "more", "utf-8")
    assert not environment.is_complete(tmp_path, "peers")


# ---- workers


def test_weights_are_counted_as_in_dense_matrices():
    assert n_weights(CASES["A"]) == (2 * 16 + 16) + (16 * 16 + 16) + (16 * 4 + 4)
    for kind in CONTESTANTS["flowcore"].kinds:
        assert n_weights(SMALL, kind) == CONTESTANTS["flowcore"](SMALL, kind).n_weights


def test_a_worker_builds_flows_and_does_all_kinds_of_work(worker):
    assert set(worker.ask(do="versions")["versions"]) == {"flowcore", "numpy", "autograd"}
    for kind in ("maf", "iaf"):
        build(worker, SMALL, kind, "float32")
        for what in peers.WORK:
            task = Task(worker, kind, what)
            assert task.time(1) > 0 and task.time(3) > 0 and task.first_call > 0
    assert len(worker.ask(do="steps", flow="maf", repeats=4, at_once=2)["seconds"]) == 4
    worker.ask(do="forget")
    with pytest.raises(RuntimeError, match=r"flowcore, asked .*KeyError"):
        worker.ask(do="time", flow="maf", what="step", repeats=1, warm_up=0)


def test_a_network_of_another_size_is_no_comparison(worker, monkeypatch):
    monkeypatch.setattr("benchmarks.studies.worker.n_weights", lambda *what: n_weights(*what) + 1)
    with pytest.raises(RuntimeError, match="weights in case small"):
        build(worker, SMALL, "maf", "float32")


def test_a_worker_that_does_not_start_gives_the_reason():
    worker = Worker("no such library", sys.executable)
    with pytest.raises(RuntimeError, match=r"(?s)its process ended.*KeyError"):
        worker.ask(do="versions")
    worker.close()


# ---- whole runs, flowcore against itself


def test_a_comparison_prints_its_tables_and_writes_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.studies.worker.PAUSE", 0)
    file = tmp_path / "peers.json"
    argv = ["--quick", "--cases", "A", "--iaf-rows", "3", "--rounds", "2", "--json", str(file)]
    args = peers.arguments([*argv, "--libraries", "flowcore"])
    del args.env
    report = Report("peers", args)
    comparison = peers.Comparison(report, {"peers": Path(sys.executable)})
    comparison.workers["nflows"] = Worker("flowcore", sys.executable)  # by another name
    try:
        comparison.works()
        comparison.iaf_steps()
    finally:
        comparison.close()
    report.finish()
    names = {row["name"] for row in json.loads(file.read_text("utf-8"))["rows"]}
    assert {"step A flowcore", "density A nflows", "iaf step 3 iaf nflows"} <= names
    text = beside_peers.peers(report.as_dict())
    assert "| training step with Adam: A |" in text and "(nflows) |" in text


def test_training_in_a_fresh_process_reports_times_and_quality(tmp_path):
    entropy = time_to_trained.save_moons(tmp_path / "moons.npz", seed=0)
    with np.load(tmp_path / "moons.npz") as moons:
        assert {name: len(moons[name]) for name in moons} == {
            "train": 800,
            "validation": 200,
            "fresh": 20_000,
        }
    run = [Path(sys.executable), "flowcore", tmp_path / "moons.npz"]
    facts = time_to_trained.train(*run, epochs=2, seed=0)
    assert entropy < facts["nll"] < 4
    assert facts["seconds"] > facts["import_and_build"] + facts["training"]
    run[1] = "nobody"
    with pytest.raises(RuntimeError, match=r"(?s)nobody did not train.*KeyError"):
        time_to_trained.train(*run, epochs=2, seed=0)


# ---- the peers' setups, where they are installed


def skip_without(name):
    package = CONTESTANTS[name].packages[0].replace("-", "_")
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in LIBRARIES if n != "flowcore"])
def test_a_peer_has_the_same_network_and_does_all_kinds_of_work(name, tmp_path):
    skip_without(name)
    worker = Worker(name, sys.executable)
    try:
        for kind in CONTESTANTS[name].kinds:
            build(worker, SMALL, kind, "float32")
            for what in peers.WORK:
                assert Task(worker, kind, what).time(2) > 0
    finally:
        worker.close()
    time_to_trained.save_moons(tmp_path / "moons.npz", seed=0)
    run = (Path(sys.executable), name, tmp_path / "moons.npz")
    assert 1.1 < time_to_trained.train(*run, epochs=3, seed=0)["nll"] < 4


@pytest.mark.slow
@pytest.mark.parametrize("name", beside_peers.RIVALS)
def test_a_peer_learns_in_batches_while_its_learning_rate_falls(name):
    skip_without(name)
    x, found = SMALL.data(500, "float32"), []
    rows, validation = 2 * x[:400] + 1, 2 * x[400:] + 1
    made = CONTESTANTS[name](SMALL, x=rows, rate=1e-2, decay=20 * 10, seed=0)
    made.learn(validation, 20, 40, found.append)
    assert len(found) == 20 and found[-1] > found[0] + 0.5
    assert abs(found[-1] - found[-2]) < 0.05  # at the end hardly anything moves
