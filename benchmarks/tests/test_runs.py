"""Every script and every study runs once, small: it prints what it promises, and its JSON is JSON.

Whatever a study would install or download is replaced: peers by flowcore alone, tables by made
ones. Nothing here depends on how fast the machine is.
"""

import bz2
import json
import shlex
import sys
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import flowcore as fc
from benchmarks import against
from benchmarks.studies import environment, matching_peers, outlier_detectors, outliers, worker
from benchmarks.studies.elsewhere import arrays_of
from benchmarks.studies.estimator import optimism
from benchmarks.studies.mnist import __main__ as mnist
from benchmarks.studies.mnist import models
from benchmarks.studies.mnist.digits import Digits
from benchmarks.studies.redshift import __main__ as redshift
from benchmarks.studies.synthetic import __main__ as synthetic
from benchmarks.studies.synthetic.tables import Table
from benchmarks.studies.tabular import __main__ as tabular
from benchmarks.studies.tabular import datasets
from benchmarks.support.cases import CASES
from benchmarks.support.process import ROOT

from .test_pages import main_of

TIMED = "--quick --rounds 2 --seconds 0.0005"
RUNS = {  # a command, and a part of what it prints; {tmp}: a folder
    f"density {TIMED} --cases A": "of GEMM peak",
    f"training_step {TIMED} --cases AJ": "Adam",
    f"sampling {TIMED} --cases AJ": "sample / density",
    f"spline_step {TIMED}": "| spline / affine (products) |",
    f"against {ROOT} {TIMED} --tables none --cases A": "| now / before |",
    "held_out --tables iris --budget 0.001 --json {tmp}/nats.json": "nats",
    f"maf_iaf_cost {TIMED} --largest 8 --width 16 --rows 4 --picture {{tmp}}/cost.png": "slope",
    "moons_seeds --quick --epochs 2 --seeds 1": "flowcore's own recipe",
    "fit_seconds --sizes 60x2 --budget 0.001": "log p of fresh rows",
    "reading 3000": "3,000 rows of 6 columns",
    f"studies.past_one_machine {TIMED}": "2 workers, s",
    f"studies.peers {TIMED} --cases A --iaf-rows 3 --libraries flowcore": "step of an IAF",
    f"studies.floor {TIMED} --cases A": "flowcore / floor",
    f"studies.cost_growth {TIMED} --libraries --picture {{tmp}}/growth.png": "| step, units",
    "studies.toy_targets --quick --targets ring banana --picture {tmp}/toys.png": "| `maf` |",
    "studies.defaults --quick --data two_moons:800 iris --candidates default --seeds 1": "iris",
    "studies.log_scale_bound --quick --seeds 1": "grid finite",
    "studies.flow_matching --quick --targets ring von_mises": "kernel",
    "studies.flow_matching --quick --textbook --targets chain_8": "textbook, s",
    "studies.estimator --tables iris --folds 1 --budget 0.001 --raw {tmp}/raw "
    "--contestants FlowDensity Gaussian": "Of 1 tables",
    "studies.estimator.costs --quick --dims 2 --batches 16": "planned",
    "studies.estimator.optimism --tables ais --folds 2 --budget 0.001 --raw {tmp}/raw": "optimism",
    "studies.conditionals.truth --quick --targets 'two moons' --rows 40": "flat",
    "studies.conditionals.learning --quick --tables gauss-4 --rows 80": "whole rows",
    "studies.conditionals.wrong_cells --quick --tables iris": "chance",
    "studies.conditionals.imputation --quick --draws {tmp} --contestants flowcore mean": "1 tables",
    "studies.conditionals.published --quick --tables iris --draws {tmp}": "UnmaskingTrees",
    "studies.inference exact --quick": "W1 <= 1.5",
    "studies.inference modes --quick": "all modes found",
    "studies.inference unimodal --quick --targets units": "the word absent",
    "studies.inference crashes --quick --targets raises": "crash: ",
    "studies.inference evidence --quick": "largest mean error",
    "studies.inference posteriors --quick --posteriordb {tmp} "
    "--models kidiq-kidscore_momhs": "port",
    "studies.simulation_based --quick --sbibm {tmp} --tasks two_moons --observations 1": "C2ST",
    "studies.simulation_based --quick --rounds 2 --context-net --sbibm {tmp} --tasks two_moons "
    "--observations 1": "2 rounds",
    "studies.redshift --quick --contestants 'flowcore fit' "
    "'flowcore fit, whitened joint'": "sigma_NMAD",
    "studies.outliers --detectors KNN --tables wine": "mean AUROC",
    "studies.outliers --detectors KNN --tables wine --kinds swapped": "| swapped: wine |",
    "studies.learning_curves --quick": "| two moons: FlowDensity |",
    "studies.joint_tails --quick --budget 1e-4": "| Gaussian copula, with zeros | 20 |",
    "studies.components --quick --tables census --budget 1e-4": "| census |",
    "studies.synthetic --quick --tables census "
    "--contestants 'held-out rows' flowcore": "| mean of 1",
    "studies.tabular power --models made maf5 --quick --checkpoint {tmp}/runs": "published",
    "studies.mnist --quick --models made made+class --checkpoint {tmp}/runs "
    "--picture {tmp}": "MADE, given the class",
    "studies.tables --list": "python -m benchmarks.studies.floor",
}
WITHOUT_JSON = ("reading", "fit_seconds", "held_out", "studies.tables", "studies.estimator.costs",
                "studies.estimator.optimism")  # fmt: skip


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Tables, clones and environments that need neither a network nor a peer."""
    rng, here = np.random.default_rng(0), environment.python_of(Path(sys.prefix))
    monkeypatch.setattr(environment, "ensure", lambda *_: here)
    monkeypatch.setattr(fc, "FlowDensity", partial(fc.FlowDensity, "small", n_jobs=1))
    monkeypatch.setattr(against, "TOLERANCE", np.inf)  # two rounds of .5 ms prove nothing
    x = rng.normal(size=(60, 2))
    monkeypatch.setattr(optimism, "load", lambda name: x)
    labelled = np.concatenate([x[:50], [[9, 9], [8, 8]]]), np.arange(52) >= 50
    monkeypatch.setattr(outliers, "load", lambda *_: labelled)
    monkeypatch.setattr(outliers, "_versions", lambda: "none")
    monkeypatch.setitem(outlier_detectors.DETECTORS, "KNN", lambda table: np.abs(table).sum(axis=1))
    frame = pd.DataFrame({"x": x[:, 0], "city": np.where(x[:, 1] > 0, "Rome", "Oslo")})
    monkeypatch.setitem(synthetic.REPORTING, "census", Table(lambda: frame, "city"))
    monkeypatch.setattr(synthetic, "halves", lambda name: (frame[:30], frame[30:]))
    monkeypatch.setattr(synthetic, "versions", lambda: "none")
    power = rng.normal(size=(400, 6)).astype(np.float32)
    noise = datasets.UnitNoise(np.full(6, 0.01), np.zeros(6), np.ones(6))
    data = datasets.Dataset("power", *datasets.split(power), noise)
    monkeypatch.setattr(tabular, "load", lambda name: data)
    sky = np.cumsum(rng.uniform(0.1, 1, size=(600, 7)), axis=1)
    monkeypatch.setattr(redshift, "galaxies", lambda: (sky[:500], sky[500:]))
    pixels = rng.integers(0, 256, size=(60, 784)).astype(np.float32)
    digits = Digits(pixels, np.arange(60) % 10)
    monkeypatch.setattr(mnist, "load", lambda folder: (digits, digits[:20], digits[20:]))
    monkeypatch.setattr(models, "UNITS", 16)
    clone_of_sbibm(tmp_path, x)
    clone_of_posteriordb(tmp_path, x)


def clone_of_sbibm(clone: Path, x) -> None:
    folder = clone / "sbibm/tasks/two_moons/files/num_observation_1"
    folder.mkdir(parents=True)
    (folder / "observation.csv").write_text("data_1,data_2\n0.1,0.2\n", "utf-8")
    rows = "\n".join(f"{a},{b}" for a, b in np.tanh(x))
    text = bz2.compress(f"parameter_1,parameter_2\n{rows}\n".encode())
    (folder / "reference_posterior_samples.csv.bz2").write_bytes(text)


def clone_of_posteriordb(clone: Path, x) -> None:
    hs = (x[:, 0] > 0).tolist()
    data = {"mom_hs": hs, "mom_iq": hs, "kid_score": x[:, 1].tolist()}
    chain = {"beta[1]": x[:, 0].tolist(), "beta[2]": x[:, 1].tolist(), "sigma": [1.0, 1.1] * 30}
    draws = "reference_posteriors/draws/draws"
    for folder, name, content in (("data/data", "kidiq", data),
                                  (draws, "kidiq-kidscore_momhs", [chain, chain])):  # fmt: skip
        place = clone / "posterior_database" / folder
        place.mkdir(parents=True)
        with zipfile.ZipFile(place / f"{name}.json.zip", "w") as file:
            file.writestr(f"{name}.json", json.dumps(content))


@pytest.mark.filterwarnings("ignore")  # few rows, few epochs
@pytest.mark.parametrize("command", RUNS)
def test_it_runs(command, made, tmp_path, capsys):
    name, *argv = shlex.split(command.format(tmp=tmp_path))
    file = tmp_path / "found.json"
    if name not in WITHOUT_JSON:
        argv += ["--json", str(file)]
    assert main_of(name).main(argv) != 1  # what a study ends with after an error
    assert RUNS[command] in capsys.readouterr().out
    if file.exists():
        document = json.loads(file.read_text("utf-8"), parse_constant=pytest.fail)
        assert document["rows"] and {"cpu", "numpy", "date"} <= document["machine"].keys()
    for picture in tmp_path.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("benchmark", ["density", "training_step"])
def test_a_quick_run_names_no_share_of_a_peak_that_it_cannot_measure(benchmark, capsys, tmp_path):
    file, options = tmp_path / "found.json", shlex.split(f"{TIMED} --cases A")
    report = main_of(benchmark).main([*options, "--json", str(file)])
    assert "GEMM peak: " not in capsys.readouterr().out
    shares = [row.get("share_of_gemm_peak") for row in json.loads(file.read_text("utf-8"))["rows"]]
    assert set(shares) == {None}
    report.peak["float32"] = 8.0
    assert report.of_peak(2e9, 1.0, "float32") == 0.5


def test_arrays_go_to_another_interpreter_and_back(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, numpy as np\nnp.savez(sys.argv[2], y=np.load(sys.argv[1])['x'] + 1)\n"
    )
    there_and_back = partial(arrays_of, sys.executable, [str(program)])
    assert there_and_back(x=np.zeros(2))["y"].tolist() == [1, 1]
    with pytest.raises(RuntimeError, match=r"failed: [\s\S]*KeyError"):
        there_and_back()


def test_an_environment_of_peers_has_the_newest_python_that_runs(monkeypatch):
    assert Path(environment.newest_python()).exists()
    monkeypatch.setattr(environment, "NEWEST", "false")
    assert environment.newest_python() == sys.executable


def test_a_network_of_another_size_is_no_comparison(monkeypatch):
    monkeypatch.setattr(worker, "n_weights", lambda *_: 7)
    with worker.Worker("flowcore", sys.executable) as ours:
        with pytest.raises(RuntimeError, match="weights in case A"):
            worker.build(ours, CASES["A"], "maf", "float32")
        with pytest.raises(RuntimeError, match=r"asked .*KeyError"):
            ours.ask(do="time", flow="iaf", what="step", repeats=1, warm_up=0)


def test_what_is_timed_beside_torchcfm_does_its_work():
    ours = matching_peers.Ours(matching_peers.Case(3, (8, 8)), epochs=2)
    before = ours.theta.copy()
    ours.step()
    assert (ours.theta != before).any() and ours.theta.dtype == np.float32
    assert ours.density().shape == (1000,) and ours.sample().shape == (1000, 3)
