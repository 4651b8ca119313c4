"""The command line: from a table to its density, its scores, draws and pictures.

What is printed of good and bad tables stands in `data/transcript`; here are numbers, files, streams
and signals.
"""

import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from support.places import ROOT, TESTS
from support.saved import archive_of, reseal

import flowcore as fc
from flowcore.cli import main, sample
from flowcore.cli.score import Scores
from flowcore.tables import Column, Kind, Schema, TableDensity, read_table
from flowcore.tables.encoding import OddCells
from flowcore.tables.frame import Frame

pytestmark = pytest.mark.usefixtures("few_folds")
FEW = 39  # rows: so few that no flow is tried, and a fit takes a moment
COMMAND = [sys.executable, "-W", "error", "-m", "flowcore"]


def flats(n=FEW, unit=1.0, seed=0):
    """Lines of a table with a column of every sort."""
    rng = np.random.default_rng(seed)
    city = rng.choice(["Bern", "Oslo", 'St. "G", CH'], n)
    price = unit * np.exp(rng.normal(5, 0.5, n))
    rooms = rng.poisson(3, n)
    quoted = ['"' + c.replace('"', '""') + '"' if "," in c else c for c in city]
    rows = zip(price.tolist(), rooms.tolist(), quoted, strict=True)
    return ["price,rooms,city", *(f"{p!r},{r},{c}" for p, r, c in rows)]


def written(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """flats.csv, and flats.npz that was learned from it."""
    folder = tmp_path_factory.mktemp("flats")
    data = written(folder / "flats.csv", flats())
    kinds = ["-k", "price=positive", "--kind", "rooms=integer(0)"]
    assert main(["fit", data, "-o", str(folder / "flats.npz"), *kinds]) == 0
    return folder


@pytest.fixture
def here(folder, monkeypatch, tmp_path):
    """A folder of its own with the model, and the table."""
    for name in ("flats.csv", "flats.npz"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def numbers(monkeypatch, tmp_path):
    """A model of three numbers a, b, c, and 50 rows of them in abc.csv."""
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(50, 3))
    schema = Schema(tuple(Column(name, Kind("continuous")) for name in "abc"))
    fc.save(TableDensity.of(schema, fc.MultivariateNormalDiag([0, 1, 2], 2.0)), "abc.npz")
    written(tmp_path / "abc.csv", ["a,b,c", *(",".join(map(repr, row)) for row in x.tolist())])
    return x


def run(capsys, *arguments, status=0):
    """What was printed on standard output and standard error."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == status
    return capsys.readouterr()


def refused(capsys, *arguments):
    """The one line about something that the user can mend; notes may come before it."""
    printed = run(capsys, *arguments, status=1)
    lines = [line for line in printed.err.splitlines() if not line.startswith("flowcore: note: ")]
    assert printed.out == "" and len(lines) == 1, printed
    return lines[0]


def test_a_model_is_one_file_that_load_reads_and_a_seed_decides_its_bytes(here, capsys):
    density = fc.load("flats.npz")
    assert isinstance(density, TableDensity) and density.notes["rows"] == FEW
    for name in ("one.npz", "two.npz"):
        run(capsys, "fit", "flats.csv", "-o", name, "--seed", 3)
    assert Path("one.npz").read_bytes() == Path("two.npz").read_bytes()


def test_a_kind_that_is_named_goes_before_that_of_another_model(here, capsys):
    own = ["--schema", "flats.npz", "-k", "price=continuous"]
    run(capsys, "fit", "flats.csv", "-o", "x.npz", *own)
    kinds = [str(column.kind) for column in fc.load("x.npz").schema_.columns]
    assert kinds == ["continuous", "integer(0)", "categorical"]


@pytest.mark.parametrize(
    ("table", "options"),
    [
        ("a,b\n1,5\n3,4\n7,-\n9,1", ["--missing", "drop"]),
        ("a,b\n1,5\n3,4\n7,(none)\n9,1", []),
        ("a,b\n1,5\n3,4\n7,\n9,1\n4,4", []),
        ("a,b\n1,5\n3,4\n7,8 kg\n9,1\n2,2", ["-c", "a"]),
        ("a;b\n1,5;2\n3,7;4\n4,5;4", []),
        ("a b\n1 2\n3 4\n9 1", []),
        ("a,b;c\n1.5,5;2\n3.1,5;4\n2.5,5;3", ["-c", "a"]),
        ("1,2\n3,4\n9,7\n3,1", []),
        ("a,zürich\n1,2\n3,1\n4,4", []),
        ("a,b c\n1,5\n2,5\n4,5", []),
        ("a,b,c\n" + "\n".join(f"{k},{k * k},{k * k + k}" for k in range(9)), []),
    ],
)
def test_a_fit_succeeds_with_what_its_errors_suggest(table, options, numbers, capsys):
    """The first of what is offered, until nothing is wrong."""
    Path("x.csv").write_bytes(table.encode("latin-1"))
    while main(["fit", "x.csv", "-o", "x.npz", *options]):
        error = capsys.readouterr().err.splitlines()[-1]
        typed = shlex.split(re.search("pass (--.*?)(?: or --.*)?$", error)[1])
        assert not set(typed[-1:]) <= set(options)
        options = [*options, *typed]
    assert main(["fit", "x.csv", "-o", "x.npz", *options]) == 0


def test_an_error_about_columns_comes_without_suggestions(numbers, capsys):
    """Once a note named kinds of columns, and then an error other ones."""
    a, b = np.random.default_rng(0).integers(0, 30, (2, FEW))
    written(Path("x.csv"), ["a,b,c", *(f"{i},{j},{i + j}" for i, j in zip(a, b, strict=True))])
    printed = run(capsys, "fit", "x.csv", "-o", "x.npz", status=1)
    assert "dependent columns" in printed.err and printed.err.count("\n") == 1


def test_arrays_need_no_pandas(numbers, capsys, monkeypatch):
    """A model was learned, and lost, where pandas was not."""
    if version("scikit-learn").startswith("1.6."):
        pytest.skip("this scikit-learn takes pandas for installed if it was imported once")
    monkeypatch.setitem(sys.modules, "pandas", None)
    np.save("x.npy", numbers[:FEW])
    run(capsys, "fit", "x.npy", "-o", "x.npz")
    assert fc.load("x.npz").notes["digest"]


def test_training_rows_are_known_in_any_order_whatever_else_is_in_the_file(here, capsys):
    rows = [line.split(",", 2) for line in flats()[:0:-1]]
    rows = [f"{rooms},{city},{k},{price}" for k, (price, rooms, city) in enumerate(rows)]
    written(here / "same.csv", ["rooms,city,id,price", *rows])
    kinds = ["-k", "price=positive", "-k", "rooms=integer(0)", "-k", "id=aside"]
    run(capsys, "fit", "same.csv", "-o", "x.npz", *kinds)
    assert "has the very rows" in run(capsys, "diagnose", "x.npz", "flats.csv").err
    written(here / "other.csv", [*flats()[:-1], "3.5,1,Bern"])
    assert "has the very rows" not in run(capsys, "diagnose", "x.npz", "other.csv").err


def test_what_would_move_the_cursor_is_shown_escaped(here, capsys):
    """In results, notes and errors, which are one line."""
    name = "a\x1b[2J\x9b\n"
    rows = np.random.default_rng(0).poisson(3, (FEW, 2))
    written(here / "x.csv", [f'"{name}",b', *(f"{a},{b}" for a, b in rows)])
    printed = [run(capsys, "fit", "x.csv", "-o", "x.npz"), run(capsys, "info", "x.npz")]
    printed += [run(capsys, "sample", "x.npz", "-n", 9, "-o", "y.csv")]
    printed += [
        run(capsys, "diagnose", "x.npz", "x.csv"),
        run(capsys, "plot", "x.npz", "-o", f"{name}.png"),
    ]
    printed += [run(capsys, *command, status=status) for command, status in (
        (["info", f"{name}.npz"], 1), (["fit", "x.csv", "-o", "y.npz", "-k", f"{name}=none"], 1),
        (["sample", "x.npz", "-o", f"{name}/x.csv"], 1), (["x.npz", f"--{name}"], 2))]  # fmt: skip
    text = "".join(stream for one in printed for stream in one)
    assert "\x1b" not in text and "\x9b" not in text and text.count(r"\x1b[2J\x9b") > 7
    assert all(one.err.count("\n") == 1 for one in printed[-4:])


def test_days_of_parquet_are_kept_as_those_of_a_csv(here, capsys):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    days = np.datetime64("2024-01-01", "us") + np.arange(FEW) * np.timedelta64(1, "D")
    x = np.random.default_rng(0).normal(size=FEW)
    columns = {"x": x, "day": days, "date": pa.array(days).cast("date32")}
    parquet.write_table(pa.table(columns), "x.parquet")
    run(capsys, "fit", "x.parquet", "-o", "x.npz", "-c", "x")
    printed = run(capsys, "score", "x.npz", "x.parquet", "--keep", "date").out
    assert printed.startswith("date,log_prob\n2024-01-01,")


def test_scores_are_those_of_the_density_in_order(numbers, capsys):
    lines = run(capsys, "score", "abc.npz", "abc.csv").out.split()
    truth = fc.MultivariateNormalDiag([0, 1, 2], 2.0).log_prob(numbers)
    assert lines[0] == "log_prob" and [float(v) for v in lines[1:]] == truth.tolist()
    run(capsys, "score", "abc.npz", "abc.csv", "-o", "out.npy")
    assert np.array_equal(np.load("out.npy"), truth)
    assert sorted(os.listdir()) == ["abc.csv", "abc.npz", "out.npy"]
    np.save("abc.npy", numbers)  # no names: the columns are in order
    run(capsys, "score", "abc.npz", "abc.npy", "-o", "out.csv")
    assert [float(v) for v in Path("out.csv").read_text().split()[1:]] == truth.tolist()


def test_missing_cells_are_filled_and_others_stay(numbers, capsys, monkeypatch):
    """In blocks, n times; arrays, too."""
    holes = numbers.copy()
    holes[np.arange(50) % 5 == 0, 1] = np.nan
    np.save("holes.npy", holes)
    run(capsys, "impute", "abc.npz", "holes.npy", "-o", "filled.npy", "-n", 3)
    found = np.load("filled.npy").reshape(50, 3, 4)
    assert (found[..., 0] == [1, 2, 3]).all() and np.isfinite(found).all()
    seen = np.repeat(~np.isnan(holes)[:, None], 3, axis=1)
    assert (found[..., 1:][seen] == np.repeat(holes[:, None], 3, axis=1)[seen]).all()
    drawn = found[::5, :, 2]
    assert len(np.unique(drawn)) == 30 and abs(drawn.mean() - 1) < 5 * 2 / np.sqrt(30)
    lines = run(capsys, "impute", "abc.npz", "holes.npy").out.splitlines()
    assert lines[0] == "a,b,c" and len(lines) == 51
    written(Path("equal.csv"), ["a,b,c", *["1,,2"] * 5])  # the first is a block of its own
    monkeypatch.setattr("flowcore.tables.reading.FIRST", 1)
    assert len(set(run(capsys, "impute", "abc.npz", "equal.csv").out.split())) == 6
    written(Path("odd.csv"), ["imputation,a,b,c", "7,1,,2"])
    wanted = ["--keep", "imputation", "-n", "2"]
    assert "would be written twice" in refused(capsys, "impute", "abc.npz", "odd.csv", *wanted)


@pytest.mark.parametrize("mark", [".", ","])
def test_filled_cells_are_written_as_the_others_are(mark, tmp_path, capsys):
    """And a table may have a column of the name that scores have."""
    schema = Schema((Column("log_prob", Kind("continuous")), Column("b", Kind("continuous"))))
    fc.save(TableDensity.of(schema, fc.Normal(2)), tmp_path / "ab.npz")
    data = written(tmp_path / "ab.csv", ["log_prob;b", f"-1{mark}50;", f";0{mark}20"])
    printed = run(capsys, "impute", tmp_path / "ab.npz", data, "--decimal", mark).out
    (a, _), (_, b) = [re.findall(rf"-?\d[{mark}]\d+", line) for line in printed.splitlines()[1:]]
    assert a == f"-1{mark}50" and b == f"0{mark}20" and "nan" not in printed


@pytest.mark.parametrize("header", [True, False])
def test_a_column_aside_may_hold_anything(header, numbers, capsys, tmp_path):
    """Numbers, and text from row 1,200 on."""
    names, kinds = ("a", "note", "b") if header else range(3), ("continuous", "aside", "continuous")
    columns = tuple(Column(name, Kind(kind)) for name, kind in zip(names, kinds, strict=True))
    fc.save(TableDensity.of(Schema(columns), fc.Normal(2)), "aside.npz")
    x = np.random.default_rng(0).normal(size=(1500, 2)).tolist()
    rows = [f"{a!r},{'x' * (k > 1200)}{k},{b!r}" for k, (a, b) in enumerate(x)]
    written(tmp_path / "with.csv", ["a,note,b"] * header + rows)
    options = ["with.csv"] if header else ["with.csv", "--no-header"]
    printed = run(capsys, "score", "aside.npz", *options)
    truth = fc.Normal(2).log_prob(x).tolist()
    assert [float(v) for v in printed.out.split()[1:]] == truth and printed.err == ""
    assert "1,500" in run(capsys, "diagnose", "aside.npz", *options).out


def test_columns_are_kept_once_and_text_as_it_was(numbers, here, capsys):
    printed = run(capsys, "score", "flats.npz", "flats.csv", "--keep", "price,rooms,city").out
    assert [line.rpartition(",")[0] for line in printed.splitlines()] == flats()
    x = numbers.tolist()
    rows = [f"{c!r},00{k},{a!r},{b!r}" for k, (a, b, c) in enumerate(x)]
    written(here / "zip.csv", ["c,zip,a,b", *rows])
    printed = run(capsys, "score", "abc.npz", "zip.csv", "--keep", "zip,a,zip", "-o", "x.csv")
    assert printed == ("", "")
    kept = [line.rpartition(",")[0] for line in Path("x.csv").read_text().split()]
    assert kept == ["zip,a", *(f"00{k},{x[k][0]!r}" for k in range(50))]


def test_an_error_comes_before_anything_is_printed_and_spares_files(numbers, tmp_path, capsys):
    lines = Path("abc.csv").read_text().split()
    lines[30] = "1,x,3"
    written(tmp_path / "bad.csv", lines)
    printed = refused(capsys, "score", "abc.npz", "bad.csv", "--strict")
    assert "bad.csv: row 29, column 'b': 'x'" in printed
    (tmp_path / "out.csv").write_text("precious")
    refused(capsys, "score", "abc.npz", "bad.csv", "--strict", "-o", "out.csv")
    assert (tmp_path / "out.csv").read_text() == "precious"
    assert not [name for name in os.listdir() if name.endswith(".tmp")]


def test_a_summary_of_scores_is_added_up_block_by_block():
    log_p = np.random.default_rng(0).normal(-1e6, 1, 1000)
    log_p[[3, 700]], log_p[[5, 800]] = np.nan, -np.inf
    scores = Scores(Schema((Column("a", Kind("continuous")),)))
    for rows in np.split(np.arange(1000), [0, 1, 500]):
        scores.add(Frame({"a": np.zeros(len(rows))}, first_row=rows), log_p[rows], OddCells())
    found, finite = scores.summary(), log_p[np.isfinite(log_p)]
    assert (found["rows"], found["missing"], found["density_zero"]) == (1000, 2, 2)
    assert found["mean_log_prob"] == pytest.approx(finite.mean(), rel=1e-12)
    assert found["standard_error"] == pytest.approx(finite.std(ddof=1) / np.sqrt(996), rel=1e-6)
    assert (found["least"], found["most"]) == (finite.min(), finite.max())
    assert [text.rpartition(": ")[2] for text in scores.notes()] == [
        "their log_prob is nan (or pass --missing marginal)", "the first is row 5",
        f"the mean log_prob of the other rows is {finite.mean():.4f}",
    ]  # fmt: skip
    none = Scores(Schema((Column("a", Kind("continuous")),)))
    none.add(Frame({"a": np.zeros(0)}), np.zeros(0), OddCells())
    assert none.summary()["rows"] == 0 and none.summary()["mean_log_prob"] is None


def test_an_estimator_is_a_model_too(numbers, capsys):
    pd = pytest.importorskip("pandas")
    few = fc.FlowDensity(n_jobs=1, random_state=0)
    table = pd.DataFrame(numbers, columns=list("abc"))
    fitted = few.fit(table[:FEW])
    fc.save(fitted, "x.npz")
    scores = run(capsys, "score", "x.npz", "abc.csv").out.split()[1:]
    np.testing.assert_allclose(np.array(scores, float), fitted.score_samples(table))
    printed = run(capsys, "info", "x.npz").out
    assert "a  continuous" in printed and str(fitted.summary_) in printed
    fc.save(few.fit(numbers[:FEW]), "x.npz")  # without names
    assert run(capsys, "sample", "x.npz", "-n", "1").out.startswith("x0,x1,x2\n")
    fc.save(few.fit(numbers[:FEW, :1], context=numbers[:FEW, 1:]), "x.npz")
    assert "x.npz holds a density given a context" in refused(capsys, "info", "x.npz")


def test_many_draws_come_in_blocks_each_as_it_was(numbers, capsys, monkeypatch):
    monkeypatch.setattr(sample, "ROWS", 7)
    run(capsys, "sample", "abc.npz", "-n", 30, "-o", "draws.npy")
    assert np.unique(np.load("draws.npy"), axis=0).shape == (30, 3)
    words, names = ["a;b", "c\td", "e\rf", ' "g",\n', "|"], ["w;x", "y\tz"]
    table = {names[0]: np.arange(FEW) % 7 / 3, names[1]: (words * FEW)[:FEW]}
    pytest.importorskip("pandas").DataFrame(table).to_csv("x.csv", index=False, quoting=1)
    run(capsys, "fit", "x.csv", "-o", "x.npz", "--separator", ",")
    run(capsys, "sample", "x.npz", "-n", 100, "-o", "y.csv")
    drawn = read_table("y.csv")
    assert list(drawn.names) == names and set(drawn[names[1]]) == set(words)
    assert run(capsys, "score", "x.npz", "y.csv").out.count("\n") == 101


@pytest.mark.parametrize(
    "arguments",
    [
        ["plot", "flats.npz"],
        ["plot", "flats.npz", "flats.csv", "-c", "price"],
        ["plot", "flats.npz", "flats.csv", "-c", "city"],
        ["plot", "flats.npz", "odd.csv"],
        ["diagnose", "flats.npz", "flats.csv", "--train", "flats.csv"],
    ],
)
def test_pictures_are_drawn(arguments, here, capsys):
    written(here / "odd.csv", [*flats(), "sold,3,Bern"])
    assert "x.png\n" in run(capsys, *arguments, "-o", "x.png").out
    assert (here / "x.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "abc.npz", "abc.csv", "-o", "./abc.csv"],
        ["plot", "abc.npz", "abc.csv", "-o", "link.png"],
        ["fit", "other.csv", "--schema", "abc.npz", "-o", "abc.npz"],
        ["diagnose", "abc.npz", "other.csv", "--train", "abc.csv", "-o", "link.png"],
    ],
)
def test_no_file_that_is_read_is_lost(arguments, numbers, capsys):
    """Nor what a symbolic link leads to."""
    shutil.copy("abc.csv", "other.csv")
    os.symlink("abc.csv", "link.png")
    before = [Path(name).read_bytes() for name in ("abc.csv", "abc.npz")]
    assert "is the file that is read, and would be lost" in refused(capsys, *arguments)
    assert [Path(name).read_bytes() for name in ("abc.csv", "abc.npz")] == before


@pytest.mark.skipif(sys.platform == "win32", reason="it has no /dev/null")
def test_what_is_no_ordinary_file_is_not_written_to(numbers, capsys):
    error = refused(capsys, "score", "abc.npz", "abc.csv", "-o", "/dev/null")
    assert error == "flowcore: cannot save to '/dev/null': it is not an ordinary file"


@pytest.mark.skipif(sys.platform == "win32", reason="files of a limited size are POSIX")
@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "abc.csv", "--no-progress", "-o", "x"],
        ["score", "abc.npz", "many.csv", "-o", "x"],
        ["plot", "abc.npz", "-o", "x.png"],
    ],
)
def test_a_full_disk_is_named_and_spares_the_old_file(arguments, numbers, capsys):
    import resource

    lines = Path("abc.csv").read_text().splitlines()
    Path("abc.csv").write_text("\n".join(lines[:FEW]))
    Path("many.csv").write_text("\n".join([lines[0], *lines[1:] * 20]))
    out = Path(arguments[-1])
    out.write_bytes(b"precious")
    before = sorted(os.listdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        error = refused(capsys, *arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error == f"flowcore: {out}: File too large"
    assert out.read_bytes() == b"precious" and sorted(os.listdir()) == before


def test_parquet_is_written_in_groups(here, capsys, monkeypatch):
    """What is read back equals the CSV, types and missing values included."""
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(sample, "ROWS", 100)
    for name in ("draws.csv", "draws.parquet"):
        run(capsys, "sample", "flats.npz", "-n", 300, "-o", name)
    assert parquet.ParquetFile("draws.parquet").num_row_groups == 3
    one, two = read_table("draws.csv"), read_table("draws.parquet")
    assert all(one[name].tolist() == two[name].tolist() for name in one.names)
    types = {field.name: str(field.type) for field in parquet.read_schema("draws.parquet")}
    assert types == {"price": "double", "rooms": "int64", "city": "string"}
    lines = flats()
    lines[1], lines[2], lines[3] = ",2,Bern", "100,2,", "-1,2,Bern"
    written(here / "odd.csv", lines)
    for name in ("scores.csv", "scores.parquet"):
        run(capsys, "score", "flats.npz", "odd.csv", "-o", name, "--keep", "price,city")
    table = parquet.read_table("scores.parquet")
    assert [table[name].null_count for name in ("price", "city", "log_prob")] == [1, 1, 0]
    scored = Path("scores.csv").read_text().splitlines()[1:]
    assert scored[0] == ",Bern,nan"
    expected = [float(line.split(",")[-1]) for line in scored]
    assert np.array_equal(table["log_prob"].to_numpy(), expected, equal_nan=True)
    run(capsys, "sample", "flats.npz", "-n", 0, "-o", "none.parquet")
    table = parquet.read_table("none.parquet")
    assert table.shape == (0, 3) and str(table["city"].type) == "string"


def test_parquet_without_pyarrow_names_what_to_install(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    error = refused(capsys, "sample", "flats.npz", "-o", "x.parquet")
    assert error == 'flowcore: a Parquet file needs pyarrow: pip install "flowcore[tables]"'


def started(arguments, **options):
    """A process that prints in blocks, as they do by default."""
    away = "DISPLAY", "LANG", "LC_CTYPE", "PYTHONUNBUFFERED"
    env = {k: v for k, v in os.environ.items() if k not in away} | {"LC_ALL": "C"}
    return subprocess.run(arguments, env=env, stderr=subprocess.PIPE, **options)


def test_from_a_pipe_to_a_pipe(numbers):
    """In a C locale, without a display."""
    data = Path("abc.csv").read_bytes().replace(b"a,b", "a,\u00e5".encode())
    Path("abc.csv").write_bytes(data)
    schema = Schema(tuple(Column(name, Kind("continuous")) for name in ("a", "\u00e5", "c")))
    fc.save(TableDensity.of(schema, fc.Normal(3)), "abc.npz")
    script = """if True:
        import sys; from flowcore.cli import main
        score = main(["score", "abc.npz", "abc.csv", "--keep", "\u00e5"])
        sys.exit(score or main(["plot", "abc.npz", "-", "-c", "\u00e5", "-o", "x.png"]))"""
    command = [sys.executable, "-W", "error", "-c", script]
    done = started(command, input=data, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().split()
    assert lines[0] == "\u00e5,log_prob" and len(lines) == 52 and lines[-1] == "x.png"


def test_an_error_names_standard_input(numbers, capsys, monkeypatch):
    data = io.BytesIO(Path("abc.csv").read_bytes()[:-200] + b",,,,\n")
    data.name = "<stdin>"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    assert refused(capsys, "score", "abc.npz", "-").startswith("flowcore: <stdin>: line ")


@pytest.fixture
def printed_to(monkeypatch, capsys):
    """The exit status and the errors of a command whose standard output is this file.

    When the file is closed, it is flushed once more, as when the process ends.
    """

    def printed_to(file, arguments):
        with monkeypatch.context() as own, open(file, "w") as stdout:
            own.setattr(sys, "stdout", stdout)
            status = main(arguments)
        return status, capsys.readouterr().err

    return printed_to


@pytest.mark.skipif(os.name != "posix", reason="a broken pipe is another error there")
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["info", "abc.npz"], ["sample", "abc.npz", "-n", "20000"],
     ["moons", "--quick"]],
)  # fmt: skip
def test_a_reader_that_has_read_enough_is_no_error(arguments, numbers, printed_to, monkeypatch):
    monkeypatch.setattr("flowcore.teaching.moons.three.N_FRESH", 200)
    reader, writer = os.pipe()
    os.close(reader)
    assert printed_to(writer, arguments) == (141, "")


def test_standard_error_may_be_closed(numbers, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["score", "abc.npz", "abc.csv"]) == 0
    assert capsys.readouterr().out.startswith("log_prob")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
@pytest.mark.parametrize(
    "arguments", [["--help"], ["score", "abc.npz", "abc.csv"]], ids=["help", "score"]
)
def test_a_full_disk_is_one_line(arguments, numbers, printed_to):
    error = "flowcore: standard output: No space left on device\n"
    assert printed_to("/dev/full", arguments) == (1, error)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_a_process_that_cannot_print_ends_with_one_line():
    """Python flushes once more when it ends, and would print an error of its own."""
    with open("/dev/full", "w") as full:
        done = started([*COMMAND, "--help"], stdout=full)
    error = b"flowcore: standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, error)


def crash():
    raise TypeError("no\nnumber")


def interrupted():
    signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        (crash, 1, "flowcore: a bug, please report it: TypeError: no number (python -X dev"),
        (interrupted, 130, "interrupted\n"),
    ],
)
def test_bugs_and_interrupts_are_one_line(behaviour, status, error, capsys, monkeypatch):
    monkeypatch.setattr("flowcore.cli.info.read_model", lambda path: behaviour())
    printed = run(capsys, "info", "x.npz", status=status).err
    assert printed.startswith(error) and printed.count("\n") == 1


def test_a_forged_model_is_one_line(here, capsys):
    data, path = bytearray(Path("flats.npz").read_bytes()), Path("forged.npz")
    data[100] ^= 255
    path.write_bytes(reseal(bytes(data)))
    found = refused(capsys, "info", path)
    assert found.startswith("flowcore: forged.npz is damaged, or was made by something else")
    archive_of(path, b"", announced=3 * 10**9)
    found = refused(capsys, "info", path)
    assert "needs 3,000,000,000 bytes of memory, but the limit is 2,147,483,648" in found


def test_help_and_wrong_arguments_load_no_numpy():
    script = "import sys; from flowcore.cli import main; status = main(sys.argv[1:])\n"
    script += "sys.exit(status if 'numpy' not in sys.modules else 99)"
    for arguments, status in [(["--version"], 0), (["fit", "--help"], 0), (["fit"], 2)]:
        run = [sys.executable, "-c", script, *arguments]
        assert subprocess.run(run, capture_output=True).returncode == status, arguments


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("page", ["command_line", "dirty_csv"])
def test_the_commands_of_the_page(tmp_path, page):
    text = (ROOT / "docs" / "use" / f"{page}.md").read_text("utf-8")
    commands = re.search(r"^```bash\n(.*?)^```", text, flags=re.M | re.S).group(1)
    rough = "import sys; from flowcore.cli import main; from support.rough import rough_plans\n"
    rough += "with rough_plans(): sys.exit(main())"
    ours = f'python() {{ {shlex.quote(sys.executable)} "$@"; }}\n'
    ours += f'flowcore() {{ PYTHONPATH={TESTS} python -W error -c {shlex.quote(rough)} "$@"; }}\n'
    done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", ours + commands], cwd=tmp_path,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    n_scores = {"command_line": 50, "dirty_csv": 100}[page]
    assert len(read_table(tmp_path / "scores.csv")) == n_scores
    assert len(read_table(tmp_path / "draws.csv")) == 1000
    assert all(path.stat().st_size for path in [*tmp_path.glob("*.png"), *tmp_path.glob("*.npz")])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="resource")
def test_two_million_rows_are_scored_in_bounded_memory(tmp_path):
    """Below 400 MB, from a CSV of 120 MB, by two flows."""
    names = "abcdef"
    schema = Schema(tuple(Column(name, Kind("continuous")) for name in names))
    small = {"layers": 2, "hidden": [8], "standardize": False}
    flow = fc.Mixture([fc.flows.maf(6, **small), fc.flows.nsf(6, **small)])
    fc.save(TableDensity.of(schema, flow), tmp_path / "model.npz")
    x = np.random.default_rng(0).normal(size=(50_000, 6))
    block = "".join(",".join(map("{:.6f}".format, row)) + "\n" for row in x.tolist())
    with open(tmp_path / "big.csv", "w") as file:
        file.write(",".join(names) + "\n")
        for _ in range(40):
            file.write(block)
    script = (  # on Linux ru_maxrss is at least that of the process which started this one
        "import os, re, resource, sys; from flowcore.cli import main; status = main(sys.argv[1:])\n"
        "own = '/proc/self/status'; peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "if os.path.exists(own): peak = re.search(r'VmHWM:\\s*(\\d+)', open(own).read())[1]\n"
        "print(peak); sys.exit(status)"
    )
    arguments = ["score", "model.npz", "big.csv", "-o", "out.npy"]
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=tmp_path,
                          capture_output=True, text=True, check=True)  # fmt: skip
    scores = np.load(tmp_path / "out.npy", mmap_mode="r")
    assert scores.shape == (2_000_000,)
    rounded = np.array([line.split(",") for line in block.split()], float)
    for start in (0, 50_000, 1_950_000):
        np.testing.assert_allclose(
            scores[start : start + 50_000], flow.log_prob(rounded), rtol=1e-9
        )
    kilobytes = int(done.stdout) / (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 400_000
