"""The command line: `flowcore moons` from start to end, small."""

import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from flowcore import moons
from flowcore.cli import main
from flowcore.reference import numerical_jacobian
from flowcore.training import History, TrainingDivergedError


@pytest.mark.parametrize("kind", ["maf", "iaf", "realnvp", "nice"])
def test_moons_prints_its_tables_and_writes_its_pictures(kind, tmp_path, capsys):
    out = tmp_path / "pictures"
    assert main(["moons", "--quick", "--epochs", "12", "--flow", kind, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    pictures = sorted(path.name for path in out.glob("*.png"))
    own = ["made_masks.png"] if kind in ("maf", "iaf") else []
    assert len(pictures) == 11 + len(own) and all(name in printed for name in pictures)
    assert [name for name in pictures if "masks" in name or "jacobian" in name] == sorted(
        [f"{kind}_jacobian.png", *own]
    )
    assert printed.count("kept: the best validation NLL") == 2
    rows = re.findall(r"^  (.{36}) +(\S+) +(\S+)(?: \+- (\S+))?$", printed, flags=re.M)
    nll, kl = (np.array([row[k] for row in rows], float) for k in (1, 2))
    assert len(rows) == 3 and nll[-1] == pytest.approx(1.13, abs=0.02)
    np.testing.assert_allclose(nll - nll[-1], kl, atol=2e-3)
    assert all(0 < float(error) < 0.1 for *_, error in rows[:-1])
    flow, brute = re.search(r": (\S+) by the flow, (\S+) by the brute-force", printed).groups()
    assert float(flow) == pytest.approx(float(brute), abs=2e-6)


def test_stages_of_the_tutorial_are_twelve_panels():
    flow = moons.build("maf", 6, [8, 8], seed=0)
    names = [name for name, _ in flow.stages(np.zeros((1, 2)))]
    assert names == ["base", *["MAF", "Permute"] * 5, "MAF"]


def test_several_seeds(capsys):
    assert main(["moons", "--seeds", "2", "--seed", "3", "--epochs", "3", "--quick"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed[2:]] == ["3", "4", "median", "worst"]


def test_the_recipe_is_shown_beside_with_its_epochs(tmp_path, capsys):
    main(["moons", "--quick", "--epochs", "2", "--recipe", "--out", str(tmp_path)])
    assert "flowcore's own recipe, 30 epochs" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["moons", "--help"])
    assert "30 epochs of --recipe" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("kind", ["maf", "iaf", "realnvp", "nice"])
def test_the_jacobian_is_that_of_the_flow_that_was_asked_for(kind):
    drawn = {}

    class Album:
        def add(self, name, what, plot, *args):
            drawn[name] = args

    moons._draw_structure(kind, Album())
    layer, point = drawn[f"{kind}_jacobian"]
    jacobian = numerical_jacobian(layer.inverse, point)
    assert np.allclose(np.triu(jacobian, 1), 0, atol=1e-6)
    constant = np.isclose(np.diag(jacobian), 1)
    stay = {"nice": 5, "realnvp": 2, "maf": 0, "iaf": 0}[kind]
    assert np.count_nonzero(constant) == stay
    assert ("made_masks" in drawn) == (kind in ("maf", "iaf"))


def test_a_seed_decides_everything(tmp_path, capsys):
    def results():
        main(["moons", "--quick", "--epochs", "3", "--out", str(tmp_path)])
        return re.sub(r"[\d.]+ s\.", "", capsys.readouterr().out)

    assert results() == results()


def test_interrupted(tmp_path, monkeypatch, capsys):
    def interrupted(flow, *args, **options):
        return flow, History(interrupted=True)

    monkeypatch.setattr(moons, "fit", interrupted)
    assert main(["moons", "--out", str(tmp_path)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_diverged_training_is_told_and_survived(tmp_path, monkeypatch, capsys):
    def diverges(flow, *args, **options):
        raise TrainingDivergedError("training diverged at epoch 0", 0, 0, flow, History())

    monkeypatch.setattr(moons, "fit", diverges)
    monkeypatch.setattr(moons.Album, "add", lambda *args, **options: None)
    assert main(["moons", "--quick", "--out", str(tmp_path)]) == 0
    assert "training diverged" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["moons", "--flow", "glow"], ["moons", "--epochs", "0"], ["moons", "--seed", "-1"], []],
)
def test_bad_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and "error" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["moons", "--quick", "--out", str(tmp_path / "file" / "deep")]) == 2
    assert "flowcore:" in capsys.readouterr().err


def start(arguments, stdout):
    """The command in a process of its own, which prints in blocks, as they do by default."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-W", "error", "-m", "flowcore", *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=env)


def test_an_out_that_is_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["moons", "--quick", "--out", str(tmp_path / "file")]) == 2
    assert "file is a file: name a folder" in capsys.readouterr().err


def test_seeds_that_do_not_exist_are_refused_before_anything_is_trained(capsys):
    assert main(["moons", "--seed", str(2**32 - 1), "--seeds", "2"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and "--seeds 2, from --seed 4294967295 on" in told.err


@pytest.mark.parametrize("arguments", [["--seeds", "3"], ["--seeds", "3", "--recipe"]])
def test_an_interrupt_ends_the_comparison_of_seeds(arguments, monkeypatch, capsys):
    calls, interrupted = [], "--recipe" in arguments

    def interrupted_in_the_last(flow, *args, **options):
        calls.append(flow)
        return flow, History(interrupted=len(calls) == (3 if interrupted else 1))

    monkeypatch.setattr(moons, "fit", interrupted_in_the_last)
    assert main(["moons", "--quick", *arguments]) == 130
    assert "interrupted" in capsys.readouterr().err and len(calls) == (3 if interrupted else 1)


@pytest.mark.skipif(os.name != "posix", reason="a broken pipe is another error there")
@pytest.mark.parametrize("arguments", [["--help"], ["moons", "--seeds=2", "--epochs=1", "--quick"]])
def test_a_reader_that_has_read_enough_is_no_error(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = start(arguments, writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_a_full_disk_is_told_in_one_line():
    with open("/dev/full", "w") as full:
        done = start(["--help"], full)
    assert done.returncode == 2
    assert re.fullmatch(r"flowcore: .*No space left on device\n", done.stderr)


@pytest.mark.parametrize(
    "module", ["numpy", "flowcore", "flowcore.cli", "flowcore.moons", "sklearn"]
)
def test_an_interrupt_during_an_import_is_no_traceback(module):
    done = interrupted_at(module)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize("module", ["numpy", "flowcore.moons"])
def test_without_a_standard_error_nothing_is_told(module):
    done = interrupted_at(module, "sys.stderr = None")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def interrupted_at(module, before=""):
    """The command, with an interrupt at the import of a module."""
    script = f"""
import signal, sys
from flowcore_command import main  # as the console script begins

class Finder:
    def find_spec(name, path=None, target=None):
        if name == "{module}":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder)
sys.argv[1:] = ["moons", "--seeds", "1"]
{before}
sys.exit(main())
"""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stdout", [None, closed()])  # None: a process that begins without one
def test_no_standard_output_is_told(stdout, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", stdout)
    assert main(["--version"]) == 2
    told = capsys.readouterr().err
    assert told == "flowcore: standard output is closed: nowhere to print to\n"


def test_a_standard_output_that_is_closed_meanwhile_is_told(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setattr(moons, "run", lambda *_: sys.stdout.close())
    assert main(["moons"]) == 2
    assert re.fullmatch("flowcore: .* closed file.*\n", capsys.readouterr().err)


@pytest.mark.parametrize("stderr", [None, closed()])
@pytest.mark.parametrize("arguments", [["--nonsense"], ["moons", "--seed=4294967295", "--seeds=2"]])
def test_what_is_wrong_is_never_told_on_standard_output(arguments, stderr, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", stderr)
    try:
        status = main(arguments)
    except SystemExit as stop:  # argparse
        status = stop.code
    assert status == 2 and sys.stderr is stderr
    assert capsys.readouterr().out == ""


def test_python_m_flowcore():
    run = [sys.executable, "-W", "error", "-m", "flowcore", "--version"]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout.startswith(
        "flowcore "
    )
