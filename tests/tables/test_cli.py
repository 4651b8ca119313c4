"""The command line: streams and how it ends; `flowcore moons` from start to end, small."""

import functools
import io
import re
import subprocess
import sys
from contextlib import contextmanager, nullcontext, redirect_stdout

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from support.places import ROOT

from flowcore import moons
from flowcore.cli import main
from flowcore.spec.reference import numerical_jacobian
from flowcore.teaching.moons import data, pictures, three
from flowcore.training import History, TrainingDivergedError

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """kind -> (what was printed, the folder of the pictures) of one short run."""

    @functools.cache
    def run(kind):
        out = tmp_path_factory.mktemp(kind) / "pictures"
        pictures = loosely_drawn() if kind == "maf" else nullcontext()  # the others are slow
        with redirect_stdout(io.StringIO()) as printed, fresh(5000), pictures:
            moons.run(moons.Settings(kind, epochs=2), 0, out)
        return printed.getvalue(), out

    return run


@contextmanager
def fresh(n):
    """So many fresh points, not 20,000."""
    with pytest.MonkeyPatch.context() as own:
        for module in (data, three):
            own.setattr(module, "N_FRESH", n)
        yield


@contextmanager
def loosely_drawn():
    """Coarse pictures whose panels may overlap: their texts are not measured first."""
    save = Figure.savefig
    with pytest.MonkeyPatch.context() as own:
        own.setattr(ConstrainedLayoutEngine, "execute", lambda *args: None)
        own.setattr(Figure, "savefig", lambda figure, path, dpi: save(figure, path, dpi=20))
        yield


@pytest.fixture
def few_fresh():
    """For tests that ask nothing of their mean."""
    with fresh(200):
        yield


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("iaf", "realnvp", "nice")]


@pytest.mark.parametrize("kind", ["maf", *SLOW])
def test_moons_prints_its_tables_and_writes_its_pictures(kind, story):
    printed, out = story(kind)
    drawn = sorted(path.name for path in out.glob("*.png"))
    own = ["made_masks.png"] if kind in ("maf", "iaf") else []
    story = ["losses.png", "six_stages.png", "three_flows.png"]
    assert drawn == sorted([f"{kind}_jacobian.png", *own, *story])
    assert all(name in printed for name in drawn)
    assert printed.count("is kept: the best validation NLL") == 3
    number = r"(-?\d+\.\d+)"
    row = rf"^  (\S.*?) +{number} +{number} \+- {number}(?: +{number})?$"
    rows = re.findall(row, printed, flags=re.M)
    name = {"realnvp": "RealNVP"}.get(kind, kind.upper())
    assert [title for title, *_ in rows] == [
        "before training", f"one {name} [16, 16]", f"six {name} [256, 256]", "flowcore's own recipe"
    ]  # fmt: skip
    truth, floor = (
        float(re.search(rf"^  {label} +{number}", printed, flags=re.M).group(1))
        for label in ("the truth itself", "its entropy, exactly")
    )
    assert floor == pytest.approx(1.13, abs=0.01) and truth == pytest.approx(floor, abs=0.02)
    nll, kl, error = np.array([row[1:4] for row in rows], float).T
    np.testing.assert_allclose(nll - truth, kl, atol=2e-3)
    assert np.all((error > 0) & (error < 0.1)) and np.all(kl[1:] < kl[0])
    flow, brute = re.search(r" (\S+) by the flow, (\S+) by the brute-force", printed).groups()
    assert float(flow) == pytest.approx(float(brute), abs=2e-6)


def test_the_readme_shows_a_picture_that_the_command_draws(story):
    _, out = story("maf")
    picture = re.search(r"!\[.+?\]\(docs/images/(\w+\.png)\)", README).group(1)
    assert (out / picture).is_file() and f"`moons/{picture}`" in README


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_last_flow_of_quick_is_close_to_the_truth(seed):
    data = moons.Moons.make(seed)
    *_, own = moons.contestants(data, moons.Settings(quick=True))
    assert moons.train(own, data).kl.kl <= 0.15


def test_the_tutorials_flows_are_left_to_right_at_the_data_end():
    """One affine layer in the order (2, 1) cannot come as close to the moons."""
    one, six, _ = moons.contestants(moons.Moons.make(0), moons.Settings())
    layers = [one.flow.bijector[0], *six.flow.bijector[::2]]  # swaps between the six
    assert len(layers) == 7
    assert all(layer.made.degrees[0].tolist() == [1, 2] for layer in layers)


def test_losses_and_densities_are_drawn_in_one_frame(few_fresh):
    own = moons.Moons.make(0)
    three = moons.contestants(own, moons.Settings(quick=True, epochs=2))
    results = [moons.train(contestant, own) for contestant in three]
    np.testing.assert_allclose(
        [result.history.val_nll[result.history.best_epoch] for result in results],
        [moons.nll(result.flow, own.validation) for result in results], rtol=1e-5,
    )  # fmt: skip
    panels = pictures.draw_losses(results, own).axes
    assert len(panels) == 3 and len({ax.get_ylim() for ax in panels}) == 1
    low, high = panels[0].get_ylim()
    assert low < own.entropy() < results[0].history.train_nll[0] < high
    *panels, bar = pictures.draw_flows(results, own).axes
    assert len(panels) == 8 and bar.get_ylabel() == "density"
    assert {(*ax.get_xlim(), *ax.get_ylim()) for ax in panels} == {(-2.6, 2.6) * 2}
    labels = [ax.get_xlabel() for ax in panels[:4]]
    assert labels[0] == f"entropy {own.entropy():.3f} nats"
    assert [label.split()[:2] for label in labels[1:]] == [
        ["KL", f"{result.kl.kl:.3f}"] for result in results
    ]


def test_a_seed_decides_everything():
    def results(seed):
        own = moons.Moons.make(seed)
        three = moons.contestants(own, moons.Settings(quick=True, epochs=1))
        found = [moons.train(contestant, own) for contestant in three]
        for result in found:
            assert result.nll - own.entropy() == pytest.approx(result.kl.kl, abs=0.03)
        return [(result.nll, result.kl.kl) for result in found]

    with fresh(2000):
        assert results(4) == results(4) != results(3)


@pytest.mark.parametrize("kind", ["maf", "iaf", "realnvp", "nice"])
def test_the_jacobian_is_that_of_the_flow_that_was_asked_for(kind):
    drawn = {name: np.ravel(axes) for name, _, axes in pictures.structure(kind)}
    assert ("made_masks" in drawn) == (kind in ("maf", "iaf"))
    cells = drawn[f"{kind}_jacobian"][0].images[0].get_array().filled(0.0)
    layer = pictures.example_layer(kind)
    jacobian = numerical_jacobian(layer.inverse, np.linspace(-1, 1, 5))
    np.testing.assert_allclose(cells, jacobian, atol=1e-6)
    assert np.allclose(np.triu(jacobian, 1), 0, atol=1e-6)
    constant = np.isclose(np.diag(jacobian), 1)
    stay = {"nice": 5, "realnvp": 2, "maf": 0, "iaf": 0}[kind]
    assert np.count_nonzero(constant) == stay


@pytest.mark.parametrize("which", [1, 3])
def test_an_interrupt_ends_the_story(which, few_fresh, tmp_path, monkeypatch, capsys):
    calls = []

    def interrupted(flow, *args, **options):
        calls.append(flow)
        return flow, History(interrupted=len(calls) == which)

    monkeypatch.setattr(three, "fit", interrupted)
    assert main(["moons", "--quick", "--out", str(tmp_path)]) == 130
    assert "interrupted" in capsys.readouterr().err and len(calls) == which


def test_diverged_training_is_printed_and_survived(few_fresh, tmp_path, monkeypatch, capsys):
    def diverges(flow, x, **options):
        begun = flow.initialize(x)
        raise TrainingDivergedError("training diverged at epoch 0", 0, 0, begun, History())

    monkeypatch.setattr(three, "fit", diverges)
    monkeypatch.setattr(pictures.Album, "add", lambda *args: None)
    assert main(["moons", "--quick", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("training diverged") == 3


@pytest.mark.parametrize(
    ("out", "problem"),
    [("file/deep", "Not a directory"), ("file", "file is a file: name a folder")],
)
def test_a_folder_that_cannot_be_made(out, problem, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["moons", "--quick", "--out", str(tmp_path / out)]) == 1
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("module", ["numpy", "flowcore.moons", "sklearn"])
def test_an_interrupt_during_an_import_is_no_traceback(module, interrupts):
    script = f"""
import signal, sys
from flowcore.cli import main  # as the console script begins

class Finder:
    def find_spec(name, path=None, target=None):
        if name == "{module}":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder)
sys.argv[1:] = ["moons"]
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
