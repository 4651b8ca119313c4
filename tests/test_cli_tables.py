"""The command line: from a table to its density, its scores, draws and pictures."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import flowcore as fc
from flowcore.cli import learning, main, outputs, sample
from flowcore.cli.fit import Settings, schema_of
from flowcore.cli.score import Seen
from flowcore.tables import (
    Column,
    Kind,
    Schema,
    TableDensity,
    as_frame,
    fit_table,
    read_table,
)
from flowcore.tables.encoding import codes

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
    arguments = [
        "fit",
        data,
        "-o",
        str(folder / "flats.npz"),
        "--suggested",
        "-k",
        "price=positive",
    ]
    assert main([*arguments, "--kind", "rooms=integer(0)"]) == 0
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
    fc.save(TableDensity(schema, None, fc.MultivariateNormalDiag([0, 1, 2], 2.0)), "abc.npz")
    written(tmp_path / "abc.csv", ["a,b,c", *(",".join(map(repr, row)) for row in x.tolist())])
    return x


def run(capsys, *arguments, status=0):
    """What was printed, and told on standard error."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == status
    return capsys.readouterr()


def refused(capsys, *arguments):
    """The one line about something that the user can mend; notes may come before it."""
    told = run(capsys, *arguments, status=1)
    lines = [line for line in told.err.splitlines() if not line.startswith("flowcore: note: ")]
    assert told.out == "" and len(lines) == 1, told
    return lines[0]


# ---------------------------------------------------------------- fit


def test_a_model_is_one_file_that_load_reads(here, capsys):
    density = fc.load("flats.npz")
    assert isinstance(density, TableDensity) and density.schema.names == ("price", "rooms", "city")
    kinds = [str(column.kind) for column in density.schema.columns]
    assert kinds == ["positive", "integer(0)", "categorical"]
    assert density.notes["rows"] == FEW and density.notes["seed"] == 0
    told = json.loads(run(capsys, "info", "flats.npz", "--json").out)
    assert told["summary"]["candidates"][0]["name"] == "Gaussian"
    assert [column["counts_as"] for column in told["columns"]] == [
        "density", "probability", "probability"
    ]  # fmt: skip
    printed = run(capsys, "info", "flats.npz").out
    assert "learned from 39 rows" in printed and "1/[price]" in printed and "Gaussian" in printed


def fitted(capsys, lines, path, *options):
    written(path, lines)
    out = path.with_suffix(".npz")
    told = run(capsys, "fit", path, "-o", out, "--json", *options)
    return json.loads(told.out), told.err


def test_scores_of_the_summary_are_in_the_units_of_the_table(tmp_path, capsys):
    """In cents, a density is a hundredth; a step of a grid is none; p(c) is counted."""
    kinds = ["-k", "price=positive", "-k", "rooms=integer(0)"]
    one, _ = fitted(capsys, flats(), tmp_path / "one.csv", *kinds)
    cents, _ = fitted(capsys, flats(unit=100.0), tmp_path / "cents.csv", *kinds)
    for a, b in zip(one["summary"]["candidates"], cents["summary"]["candidates"], strict=True):
        assert b["score"] == pytest.approx(a["score"] - np.log(100), abs=1e-6)
    doubled = [re.sub(r",(\d+),", lambda m: f",{2 * int(m[1])},", line) for line in flats()]
    kinds[-1] = "rooms=gridded(2, 0, 40)"
    two, _ = fitted(capsys, doubled, tmp_path / "two.csv", *kinds)
    kinds[-1] = "rooms=gridded(1, 0, 20)"
    ends, _ = fitted(capsys, flats(), tmp_path / "ends.csv", *kinds)
    for a, b in zip(ends["summary"]["candidates"], two["summary"]["candidates"], strict=True):
        assert b["score"] == pytest.approx(a["score"], abs=1e-6)
    seen = fc.load(tmp_path / "one.npz").log_prob(read_table(tmp_path / "one.csv")).mean()
    assert one["summary"]["density"]["score"] == pytest.approx(seen, abs=1.0)


def test_a_seed_decides_everything(tmp_path, capsys):
    _ = fitted(capsys, flats(), tmp_path / "one.csv", "--seed", "3")
    _ = fitted(capsys, flats(), tmp_path / "two.csv", "--seed", "3")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_flow_is_learned_given_the_categories(tmp_path, capsys):
    told, _ = fitted(
        capsys, flats(60), tmp_path / "flats.csv", "--flow", "affine", "--budget", "0.001",
        "--jobs", "1", "--no-progress",
    )  # fmt: skip
    assert "affine flow" in [one["name"] for one in told["summary"]["candidates"]]
    density = fc.load(tmp_path / "flats.npz")
    assert density.density.context_dim == 3
    lines = run(capsys, "score", tmp_path / "flats.npz", tmp_path / "flats.csv").out.split()
    assert len(lines) == 61


def test_columns_that_are_not_chosen_are_aside_and_may_be_there(here, capsys):
    told = run(capsys, "fit", "flats.csv", "-o", "price.npz", "-c", "price", "--json")
    assert [c["kind"] for c in json.loads(told.out)["columns"]] == ["continuous", "aside", "aside"]
    assert run(capsys, "score", "price.npz", "flats.csv").out.count("\n") == FEW + 1
    written(here / "alone.csv", ["price", "150.0"])
    assert run(capsys, "score", "price.npz", "alone.csv").out.count("\n") == 2


def test_suggestions_come_with_what_to_type(here, capsys):
    told = run(capsys, "fit", "flats.csv", "-o", "x.npz")
    found = re.search(r"To follow: --suggested, or (.*)\n", told.err).group(1)
    assert told.err.startswith("flowcore: note: ") and "--kind 'rooms=integer(0)'" in found
    told = run(capsys, "fit", "flats.csv", "-o", "x.npz", *shlex.split(found))
    assert told.err == "" and "rooms  integer(0)" in told.out


def test_missing_values_are_told_or_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = flats()
    lines[4] = "NA,2,Bern"
    lines[5] = "unknown,2,Bern"
    written(tmp_path / "flats.csv", lines)
    told = refused(capsys, "fit", "flats.csv", "-o", "x.npz")
    assert "flats.csv: line 6 (row 4), column 'price'" in told and "--missing-value" in told
    told = refused(capsys, "fit", "flats.csv", "-o", "x.npz", "--missing-value", "unknown")
    assert "row 3, column 'price' of flats.csv is missing" in told and "--missing drop" in told
    arguments = ["--missing-value", "unknown", "--missing", "drop", "--json"]
    told = json.loads(run(capsys, "fit", "flats.csv", "-o", "x.npz", *arguments).out)
    assert (told["rows"], told["dropped"]) == (FEW - 2, 2)
    told = run(capsys, "score", "x.npz", "flats.csv", "--missing-value", "unknown")
    assert [k for k, cell in enumerate(told.out.split()[1:]) if cell == "nan"] == [3, 4]
    assert "2 of 39 rows miss a value" in told.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.csv", "-o", "x.npz"], "none.csv: No such file"),
        (["flats.csv", "-o", "none/x.npz"], "there is no folder"),
        (["flats.csv", "-o", "."], "is a folder"),
        (["flats.csv", "-o", "x.npz", "-c", "rent"], "no column 'rent', but 'price', 'rooms'"),
        (["flats.csv", "-o", "x.npz", "-k", "rooms=whole"], "no kind of column 'whole'"),
        (["flats.csv", "-o", "x.npz", "-k", "price=integer"], "not on the grid"),
        (["flats.csv", "-o", "x.npz", "--flow", "glowing"], "--flow glowing: flow must be one of"),
        (["flats.npz", "-o", "x.npz"], "flats.npz"),
    ],
)
def test_what_can_be_mended_is_one_line(arguments, told, here, capsys):
    assert told in refused(capsys, "fit", *arguments)
    assert not (here / "x.npz").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "a.csv"],
        ["fit", "a.csv", "-o", "x.npz", "--budget", "0"],
        ["fit", "a.csv", "-o", "x.npz", "--budget", "1", "--quick"],
        ["fit", "a.csv", "-o", "x.npz", "--kind", "price"],
        ["fit", "a.csv", "-o", "x.npz", "--missing", "fill"],
        ["score", "x.npz"],
        ["score", "x.npz", "a.csv", "--keep", "a", "-o", "a.npy"],
        ["sample", "x.npz", "-n", "-1"],
        ["nonsense"],
    ],
)
def test_wrong_arguments(arguments, capsys):
    told = run(capsys, *arguments, status=2)
    assert told.out == "" and re.fullmatch(r"flowcore.*: error: .* --help\)\n", told.err)


def test_a_column_without_a_density_is_named_with_what_to_type(tmp_path, capsys):
    lines = ["one,two", *(f"1,{k * k}" for k in range(30))]
    told = refused(capsys, "fit", written(tmp_path / "x.csv", lines), "-o", tmp_path / "x.npz")
    assert "'one' is constant" in told and "--kind one=aside" in told


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("{k}.5%", "numbers with '%', such as '0.5%'"),
        ("$ {k}", "numbers with '$'"),
        ("{k} km", "numbers with ' km'"),
        ("{k},234.50", "numbers with separators of thousands"),
        ("2024-01-{k:02d}", "days or times, such as '2024-01-01'"),
        ("{k:02d}:30", "days or times, such as '01:30'"),
        ("{k:02d}.12.24", "days or times, such as '01.12.24'"),
    ],
)
def test_numbers_and_days_that_are_text_are_no_categories_unless_told(cell, said, here, capsys):
    cells = [cell.format(k=1 + k % 26) for k in range(FEW)]
    x = np.random.default_rng(0).normal(size=len(cells)).tolist()
    rows = [f"{v!r};{c}" for v, c in zip(x, cells, strict=True)]
    written(here / "x.csv", ["x;a b", *rows])
    told = refused(capsys, "fit", "x.csv", "-o", "x.npz")
    assert said.replace("0.5%", "1.5%" if "1.5%" in told else "0.5%") in told
    leave, take = re.findall(r"--kind '(?:.*?)'", told)
    for option, kind in ((leave, "aside"), (take, "categorical")):
        name, _, given = shlex.split(option)[1].rpartition("=")
        found = schema_of(read_table("x.csv"), Settings(kinds={name: given}))
        assert given == kind == str(found.columns[1].kind)


def test_codes_with_zeros_in_front_are_told(here, capsys):
    x = np.random.default_rng(0).normal(size=9).tolist()
    written(here / "x.csv", ["x,zip", *(f"{v!r},0{k % 3}10" for k, v in enumerate(x))])
    told = run(capsys, "fit", "x.csv", "-o", "x.npz").err
    assert "x.csv, column 'zip': '0010' is read as a number" in told and "in --text" in told
    assert run(capsys, "fit", "x.csv", "-o", "x.npz", "--text", "zip").err == ""
    assert run(capsys, "score", "x.npz", "x.csv").err == ""


def test_codes_are_a_matter_of_the_fit(numbers, tmp_path, capsys):
    """Scores ask a model what is a number; but a column that is only kept loses its zeros."""
    codes = ["a,b,c,zip", *(f"0{k},0{k},0{k},00{k}" for k in range(10, 50))]
    written(tmp_path / "codes.csv", codes)
    told = run(capsys, "score", "abc.npz", "codes.csv", "--keep", "a", "--ignore-extra").err
    assert told == ""
    told = run(capsys, "score", "abc.npz", "codes.csv", "--keep", "zip").err
    assert told.endswith("is read as a number, without its zeros: if it is a code, name the column "
                         "in --text\n") and told.count("note") == 1  # fmt: skip
    told = run(capsys, "score", "abc.npz", "codes.csv", "--keep", "zip", "--text", "zip")
    assert told.err == "" and told.out.split()[1].startswith("0010,")
    written(tmp_path / "codes.csv", [line.rpartition(",")[0] for line in codes])
    for command in (["diagnose", "abc.npz"], ["plot", "-o", "x.png", "-c", "a", "abc.npz"]):
        assert "zeros" not in run(capsys, *command, "codes.csv").err


def test_a_verdict_by_the_rows_that_were_learned_is_told(here, capsys):
    """In any order, and whatever else is in the file."""
    lines = flats()
    header, *rows = [f"{line},{k}" for k, line in enumerate(lines)]
    written(here / "same.csv", [header.replace(",0", ",id"), *rows[::-1]])
    arguments = ["-k", "price=positive", "-k", "rooms=integer(0)", "-k", "id=aside"]
    run(capsys, "fit", "same.csv", "-o", "x.npz", *arguments)
    written(here / "same.csv", ["rooms,city,price", *(
        ",".join([line.split(",")[1], line.split(",", 2)[2], line.split(",")[0]])
        for line in lines[1:])])  # fmt: skip
    assert "has the very rows" in run(capsys, "diagnose", "x.npz", "same.csv").err
    written(here / "other.csv", [*lines[:-1], "3.5,1,Bern"])
    assert "has the very rows" not in run(capsys, "diagnose", "x.npz", "other.csv").err


def test_rows_that_are_not_held_out_are_told(numbers, capsys):
    told = run(capsys, "diagnose", "abc.npz", "abc.csv", "--train", "abc.csv").err
    assert "50 of 50 different rows of the table are in the table of --train: the density" in told


def test_tables_without_rows_cannot_judge(numbers, tmp_path, capsys):
    written(tmp_path / "none.csv", ["a,b,c"])
    assert "none.csv has no rows" in refused(capsys, "diagnose", "abc.npz", "none.csv")
    written(tmp_path / "one.csv", ["a,b,c", "1,2,3"])
    assert "the table has 1 rows: at" in refused(capsys, "diagnose", "abc.npz", "one.csv")


def test_row_numbers_are_told(here, capsys):
    """And draws of counts that begin at 1 are no negative ones."""
    rng = np.random.default_rng(0)
    rows = [f"{k + 1000},{rng.integers(10**9)},{1 + rng.poisson(2)}" for k in range(60)]
    written(here / "x.csv", ["row,client id,rooms", *rows])
    few = ["--flow", "affine", "--budget", "0.0001", "--jobs", "1"]
    told = run(capsys, "fit", "x.csv", "-o", "x.npz", *few).err
    assert "'client id' looks like an identifier" in told
    assert "--kind row=aside --kind 'client id=aside' --kind 'rooms=integer(0)'" in told


@pytest.mark.parametrize(
    ("lines", "options", "told"),
    [
        (["a,b"], [], "x.csv has no rows, only a header"),
        (["a,b", "1,2"], [], "is constant (always 2), and so has no density: no column is left"),
        (["a,b", "1,2", "2,3.5"], [], "2 different rows: at least 3 are needed"),
        (["a;b", "1;2"], ["--separator", ","], "has a single column, 'a;b': if it is several"),
        (["1,2", "3,4"], [], "pass --no-header, if there are none"),
        (["a,", "1,2", "3,4"], [], "then delete them): name it in the first line"),
        (["a,b", "1,5", "3,4", "7,8,9"], [], "['7', '8', '9']; put quotes round a cell"),
        (["a;b", "1,5;2", "3,5;4"], [], "or pass --decimal ',', or name"),
        (["a,b;c", "1,5;2", "3,5;4"], [], "which separates columns, such as --separator ','"),
        (["a,b", "1,2"], ["--separator", "5"], "numbers (the decimal sign is '.'): got '5'"),
        (["a,b", "1,2"], ["--encoding", "rot13"], "is no text of rot13 ("),
        (["a,b", "1,2"], ["--encoding", "zip"], "is no text of zip ("),
        (["a,b", "1,2"], ["--encoding", "undefined"], "is no text of undefined ("),
        (["a,b", "1,5", "3,4", "7,-"], [], "mend it, or pass --missing-value '-', or name"),
        (["a,b", "1,5", "3,4", "7,8", "1,-", "2,9", "3,?"], [],
         "column has numbers (further down also '?'): mend it, or pass --missing-value '-', or"),
        (["a,b", "1,5", "3,4", "7,8 kg"], [], "mend it, or pass --missing-value '8 kg', or name t"),
        (["a,b", "1,5", "3,4", "7,(none)"], [], "or pass --missing-value '(none)', or name"),
        (["a,b,c", "1,5,", "3,4,", "7,8,"], [], "'c' has no values: pass --kind 'c'=aside"),
        (["a b", "1 2", "3 4"], [], "has a single column, 'a b': if it is several, pass --"),
        (["a,b", "1,inf", "3,4", "7,8"], [], "'b' of x.csv is inf: make it a number, or pass --mi"),
        (["a,b", '1,"1,200"', '2,"3,400"'], [], "take it out (separators of thousands are not"),
        (["a,b,c,d", *(f"{k},{k * k},{k * k + k},{k**3}" for k in range(60))], [],
         "of these columns out, or pass --kind c=aside"),
    ],
)  # fmt: skip
def test_what_to_do_is_in_the_words_of_the_command_line(lines, options, told, here, capsys):
    written(here / "x.csv", lines)
    assert told in refused(capsys, "fit", "x.csv", "-o", "x.npz", *options)


def test_names_that_look_like_arguments_stay_as_they_are(numbers, capsys):
    """What the library says is put into the words of the shell, but not what it quotes."""
    for name in ("decimal=x.npz", "X_held_out.csv", "separator=x.npz"):
        shutil.copy("abc.csv", name)
        told = refused(capsys, "info", name)
        assert told.startswith(f"flowcore: {name} was not written by flowcore.save")
    written(Path("X_held_out.csv"), ["a,b,c", "1,,2", "1,2,3"])
    told = refused(capsys, "diagnose", "abc.npz", "X_held_out.csv")
    assert "row 0, column 'b' of X_held_out.csv is missing" in told
    rows = np.random.default_rng(0).poisson(3, (FEW, 2))
    written(Path("x.csv"), ["decimal,separator", *(f"{a},{b}" for a, b in rows)])
    told = run(capsys, "fit", "x.csv", "-o", "x.npz").err
    assert "--kind 'decimal=integer(0)' --kind 'separator=integer(0)'" in told


def test_what_would_move_the_cursor_is_shown_escaped(here, capsys):
    """In results, notes and errors, which are one line."""
    name = "a\x1b[2J\x9b\n"
    rows = np.random.default_rng(0).poisson(3, (FEW, 2))
    written(here / "x.csv", [f'"{name}",b', *(f"{a},{b}" for a, b in rows)])
    told = [run(capsys, "fit", "x.csv", "-o", "x.npz"), run(capsys, "info", "x.npz")]
    told += [run(capsys, "sample", "x.npz", "-n", 9, "-o", "y.csv")]
    told += [
        run(capsys, "diagnose", "x.npz", "x.csv"),
        run(capsys, "plot", "x.npz", "-o", f"{name}.png"),
    ]
    told += [run(capsys, *command, status=status) for command, status in (
        (["info", f"{name}.npz"], 1), (["fit", "x.csv", "-o", "y.npz", "-k", f"{name}=none"], 1),
        (["sample", "x.npz", "-o", f"{name}/x.csv"], 1), (["x.npz", f"--{name}"], 2))]  # fmt: skip
    text = "".join(stream for one in told for stream in one)
    assert "\x1b" not in text and "\x9b" not in text and text.count(r"\x1b[2J\x9b") > 7
    assert all(one.err.count("\n") == 1 for one in told[-4:])


def test_a_crash_is_one_line(numbers, capsys, monkeypatch):
    def crash(path):
        raise TypeError("no\nnumber")

    monkeypatch.setattr("flowcore.cli.info.read_model", crash)
    told = refused(capsys, "info", "abc.npz")
    assert told.startswith("flowcore: a bug, please report it: TypeError: no number (python -X dev")


def test_excel_files_are_not_read(numbers, capsys):
    with zipfile.ZipFile("x.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    Path("x.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    for name in ("x.xlsx", "x.xls"):
        told = refused(capsys, "score", "abc.npz", name)
        assert name in told and "Excel" in told and told.endswith("save the sheet as a CSV")


def test_files_without_a_name(numbers, capsys):
    assert refused(capsys, "info", "") == "flowcore: '': No such file or directory"


def test_a_column_aside_may_hold_anything(here, capsys):
    """And without a header, columns are called by their numbers."""
    lines = ["1,2", "2,3 kg", "4,5", "7,8", "9,1"]
    written(here / "x.csv", lines)
    arguments = ["x.csv", "-o", "x.npz", "--no-header", "--kind", "1=aside"]
    assert "written to x.npz" in run(capsys, "fit", *arguments).out
    written(here / "x.csv", ["a,b", *lines])
    arguments[3:] = ["--kind", "b=aside"]
    assert "written to x.npz" in run(capsys, "fit", *arguments).out


def test_a_column_aside_is_text_where_it_is_scored(here, capsys):
    written(here / "x.csv", ["a,note", *(f"{k * k},{k}" for k in range(FEW)), "7,2 kg"])
    run(capsys, "fit", "x.csv", "-o", "x.npz", "--kind", "note=aside", "--kind", "a=continuous")
    for command in (["score"], ["diagnose"], ["plot", "-o", "x.png"]):
        command = [command[0], "x.npz", "x.csv", *command[1:]]
        run(capsys, *command)


def test_days_of_parquet_are_left_out_or_kept(here, capsys):
    """As those of a CSV are."""
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    days = np.datetime64("2024-01-01", "us") + np.arange(60) * np.timedelta64(1, "D")
    x = np.random.default_rng(0).normal(size=60)
    parquet.write_table(pa.table({"x": x, "day": days, "date": pa.array(days).cast("date32")}),
                        "x.parquet")  # fmt: skip
    told = refused(capsys, "fit", "x.parquet", "-o", "x.npz")
    assert "'date' is text (datetime64[D] from 2024-01-01" in told and "--kind date=aside" in told
    few = ["--flow", "affine", "--budget", "0.0001", "--jobs", "1", "-c", "x"]
    run(capsys, "fit", "x.parquet", "-o", "x.npz", *few)
    told = run(capsys, "score", "x.npz", "x.parquet", "--keep", "date").out
    assert told.startswith("date,log_prob\n2024-01-01,")


def test_a_column_that_nearly_follows_from_others_is_told(capsys):
    month = np.random.default_rng(0).normal(3000, 900, 60).round(2)

    def tell(year):
        learning._tell_narrow(as_frame({"year": year, "month": month}), schema)

    schema = Schema(tuple(Column(name, Kind("continuous")) for name in ("year", "month")))
    tell((12 * month).round())
    told = capsys.readouterr().err
    assert "of the columns 'year', 'month', 1 nearly follows" in told
    assert "--kind month=aside" in told
    tell((12 * month).round(-2))
    assert capsys.readouterr().err == ""


def test_what_is_known_before_a_fit_is_told_before(here, capsys, monkeypatch):
    def cut(*_, **__):
        raise ValueError("cut")

    monkeypatch.setattr(learning, "fit_table", cut)
    month = np.random.default_rng(0).normal(3000, 900, 60).round(2).tolist()
    written(here / "x.csv", ["year,month", *(f"{round(12 * m)},{m!r}" for m in month)])
    assert "nearly follows" in run(capsys, "fit", "x.csv", "-o", "x.npz", status=1).err


def test_rows_that_repeat_others_are_counted(here, capsys):
    lines = flats(60)
    written(here / "x.csv", [*lines, *lines[1:4]])
    few = ["--flow", "affine", "--budget", "0.0001", "--jobs", "1"]
    told = run(capsys, "fit", "x.csv", "-o", "x.npz", *few).out
    assert "learned from 63 rows, 3 of which repeat others" in told


def test_bytes_that_are_no_utf8_come_with_what_to_type(here, capsys):
    (here / "x.csv").write_bytes("größe,b\n1,2\n".encode("latin-1"))
    told = refused(capsys, "fit", "x.csv", "-o", "x.npz")
    assert "x.csv is no text of utf-8 (" in told and "0xf6" in told and "--encoding cp1252" in told
    (here / "x.csv").write_bytes("größe,b\n1,2\n".encode("utf-16"))
    assert "utf-16" in refused(capsys, "fit", "x.csv", "-o", "x.npz")


def test_a_forged_model_is_one_line(numbers, capsys, monkeypatch):
    density = fc.load("abc.npz")
    density.notes = {"summary": {"candidates": [{"x": 1}]}}
    with monkeypatch.context() as patched:
        patched.setattr(TableDensity, "_check_notes", lambda self: None)
        fc.save(density, "forged.npz")
    assert "forged.npz" in refused(capsys, "info", "forged.npz")


# ---------------------------------------------------------------- score


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


def test_columns_are_known_by_their_names(numbers, capsys, tmp_path):
    truth = run(capsys, "score", "abc.npz", "abc.csv").out
    rows = [f"{c!r},{k},{a!r},{b!r}" for k, (a, b, c) in enumerate(numbers.tolist())]
    written(tmp_path / "other.csv", ["c,id,a,b", *rows])
    assert "other.csv has 'id', which" in refused(capsys, "score", "abc.npz", "other.csv")
    assert run(capsys, "score", "abc.npz", "other.csv", "--ignore-extra").out == truth
    kept = run(capsys, "score", "abc.npz", "other.csv", "--keep", "id,c").out.split()
    assert [line.split(",")[0] for line in kept] == ["id", *map(str, range(50))]
    assert [line.split(",")[2] for line in kept] == truth.split()
    assert [float(line.split(",")[1]) for line in kept[1:]] == numbers[:, 2].tolist()
    written(tmp_path / "other.csv", ["a,x,c", "1,2,3"])
    told = refused(capsys, "score", "abc.npz", "other.csv")
    assert "other.csv lacks 'b' and has 'x'" in told
    assert "no column 'id' to keep" in refused(capsys, "score", "abc.npz", "abc.csv", "--keep=id")


@pytest.mark.parametrize("header", [True, False])
def test_a_column_aside_may_hold_anything_or_be_gone(header, numbers, capsys, tmp_path):
    """Numbers, and text from row 1,200 on. Without names it has to be in its place."""
    columns = tuple(Column(name, Kind("continuous")) for name in ("ab" if header else (0, 1)))
    columns = (columns[0], Column("note" if header else 1, Kind("aside")), columns[1])
    if not header:
        columns = (*columns[:2], Column(2, Kind("continuous")))
    fc.save(TableDensity(Schema(columns), None, fc.Normal(2)), "aside.npz")
    x = np.random.default_rng(0).normal(size=(1500, 2)).tolist()
    rows = [f"{a!r},{'x' * (k > 1200)}{k},{b!r}" for k, (a, b) in enumerate(x)]
    written(tmp_path / "with.csv", ["a,note,b"] * header + rows)
    written(tmp_path / "gone.csv", ["b,a", *(f"{b!r},{a!r}" for a, b in x)])
    options = [] if header else ["--no-header"]
    told = run(capsys, "score", "aside.npz", "with.csv", *options)
    truth = fc.Normal(2).log_prob(x).tolist()
    assert [float(v) for v in told.out.split()[1:]] == truth and told.err == ""
    for name in ["with.csv"] + ["gone.csv"] * header:
        assert run(capsys, "score", "aside.npz", name, *options).out == told.out
        run(capsys, "plot", "aside.npz", name, "-o", "x.png", *options)
        assert "1,500" in run(capsys, "diagnose", "aside.npz", name, *options).out


def test_scores_do_not_depend_on_the_place_of_a_row(here, capsys):
    header, *rows = (here / "flats.csv").read_text().splitlines()
    written(here / "again.csv", [header, *rows[::-1], *rows])
    scores = run(capsys, "score", "flats.npz", "again.csv").out.split()[1:]
    np.testing.assert_allclose(*np.array([scores[: len(rows)][::-1], scores[len(rows) :]], float))


def test_text_is_kept_as_it_was(here, capsys):
    told = run(capsys, "score", "flats.npz", "flats.csv", "--keep", "price,rooms,city").out
    assert [line.rpartition(",")[0] for line in told.splitlines()] == flats()


def test_what_is_kept_stands_there_once(numbers, capsys, tmp_path):
    assert run(capsys, "score", "abc.npz", "abc.csv", "--keep", "b,a,b").out.startswith(
        "b,a,log_prob\n"
    )
    lines = (tmp_path / "abc.csv").read_text().split()
    written(tmp_path / "old.csv", [f"{line},{end}" for line, end in
            zip(lines, ["log_prob", *"1" * 50], strict=True)])  # fmt: skip
    told = refused(capsys, "score", "abc.npz", "old.csv", "--keep", "a,log_prob")
    assert "--keep log_prob: the scores are called so" in told


def test_an_error_comes_before_anything_is_printed_and_spares_files(numbers, tmp_path, capsys):
    lines = Path("abc.csv").read_text().split()
    lines[30] = "1,x,3"
    written(tmp_path / "bad.csv", lines)
    told = refused(capsys, "score", "abc.npz", "bad.csv")
    assert "bad.csv: line 31 (row 29), column 'b': 'x'" in told
    (tmp_path / "out.csv").write_text("precious")
    refused(capsys, "score", "abc.npz", "bad.csv", "-o", "out.csv")
    assert (tmp_path / "out.csv").read_text() == "precious"
    assert not [name for name in os.listdir() if name.endswith(".tmp")]


def test_rows_that_are_odd_are_told(here, capsys):
    """Which have no density, and why; which categories fit has not seen. Not with --json."""
    lines = flats()
    lines[3], lines[5], lines[7] = "-3,2,Bern", "-4,2,Bern", "100,2,Wien"
    written(here / "odd.csv", lines)
    told = run(capsys, "score", "flats.npz", "odd.csv").err.splitlines()
    assert told == [
        "flowcore: note: 2 of 39 rows have the density 0, a log_prob of -inf: row 2, column "
        "'price' of odd.csv is -3, not inside of positive",
        "flowcore: note: column 'city' has values that fit has not seen, such as 'Wien': they "
        "share the probability of all that was not seen",
    ]
    assert run(capsys, "score", "flats.npz", "odd.csv", "--json").err == ""
    assert run(capsys, "score", "flats.npz", "flats.csv").err == ""


def test_a_summary_of_scores(numbers, capsys):
    truth = fc.MultivariateNormalDiag([0, 1, 2], 2.0).log_prob(numbers)
    told = json.loads(run(capsys, "score", "abc.npz", "abc.csv", "--json").out)
    assert told["rows"] == 50 and told["mean_log_prob"] == pytest.approx(truth.mean())
    assert told["standard_error"] == pytest.approx(truth.std(ddof=1) / np.sqrt(50))
    assert (told["least"], told["most"]) == (truth.min(), truth.max())


def test_a_summary_is_added_up_block_by_block():
    log_p = np.random.default_rng(0).normal(-1e6, 1, 1000)
    log_p[[3, 700]], log_p[5] = np.nan, -np.inf
    seen = Seen()
    for block in np.split(log_p, [1, 500, 500]):
        seen.add(block)
    found, finite = seen.to_dict(), log_p[np.isfinite(log_p)]
    assert (found["rows"], found["missing"], found["density_zero"]) == (1000, 2, 1)
    assert found["mean_log_prob"] == pytest.approx(finite.mean(), rel=1e-12)
    assert found["standard_error"] == pytest.approx(finite.std(ddof=1) / np.sqrt(997), rel=1e-6)
    nothing = Seen().to_dict()
    assert nothing["rows"] == 0 and nothing["mean_log_prob"] is None


def test_a_flow_without_names_is_a_model_too(tmp_path, capsys, numbers):
    fc.save(fc.Normal(3), "flow.npz")
    lines = run(capsys, "score", "flow.npz", "abc.csv").out.split()[1:]
    assert [float(v) for v in lines] == fc.Normal(3).log_prob(numbers).tolist()
    assert "continuous" in run(capsys, "info", "flow.npz").out
    fc.save(fc.Affine(), "part.npz")
    assert "Affine, which is no density" in refused(capsys, "info", "part.npz")
    assert "flowcore.save" in refused(capsys, "info", "abc.csv")


# ---------------------------------------------------------------- sample, plot, diagnose


def test_an_estimator_is_a_model_too(tmp_path, capsys, numbers):
    pd = pytest.importorskip("pandas")
    few = fc.FlowDensity(n_jobs=1, random_state=0)
    rows = pd.DataFrame(numbers[:FEW], columns=list("abc"))
    fitted = few.fit(rows)
    fc.save(fitted, "x.npz")
    scores = run(capsys, "score", "x.npz", "abc.csv").out.split()[1:]
    known = fitted.score_samples(pd.DataFrame(numbers, columns=list("abc")))
    np.testing.assert_allclose(np.array(scores, float), known)
    assert run(capsys, "sample", "x.npz", "-n", "1").out.startswith("a,b,c\n")
    told = run(capsys, "info", "x.npz").out
    assert "a  continuous" in told and str(fitted.summary_) in told
    fc.save(few.fit(numbers[:FEW]), "x.npz")  # without names
    assert run(capsys, "sample", "x.npz", "-n", "1").out.startswith("0,1,2\n")
    fc.save(few.fit(numbers[:FEW, :1], context=numbers[:FEW, 1:]), "x.npz")
    for command in (["info", "x.npz"], ["score", "x.npz", "abc.csv"]):
        assert "x.npz holds a density given a context, which" in refused(capsys, *command)


def test_draws_are_of_the_kinds_of_the_table_and_are_scored_again(here, capsys):
    told = run(capsys, "sample", "flats.npz", "-n", 300, "--seed", 1).out
    assert told.startswith("price,rooms,city\n") and told.count("\n") == 301
    assert told == run(capsys, "sample", "flats.npz", "-n", 300, "--seed", 1).out
    (here / "draws.csv").write_text(told)
    frame = read_table("draws.csv")
    assert set(frame["city"]) == {"Bern", "Oslo", 'St. "G", CH'}
    assert (frame["price"] > 0).all() and (frame["rooms"] % 1 == 0).all()
    scores = run(capsys, "score", "flats.npz", "draws.csv").out.split()[1:]
    assert len(scores) == 300 and np.isfinite(np.array(scores, float)).all()
    assert "is text" in refused(capsys, "sample", "flats.npz", "-o", "draws.npy")
    assert run(capsys, "sample", "flats.npz", "-n", 0).out == "price,rooms,city\n"


def test_many_draws_come_in_blocks(numbers, capsys, monkeypatch):
    from flowcore.cli import sample

    monkeypatch.setattr(sample, "ROWS", 7)
    run(capsys, "sample", "abc.npz", "-n", 30, "-o", "draws.npy")
    assert np.unique(np.load("draws.npy"), axis=0).shape == (30, 3)


@pytest.mark.parametrize("options", [["flats.csv"], [], ["flats.csv", "-c", "price"]])
def test_pictures_are_drawn(options, here, capsys):
    assert run(capsys, "plot", "flats.npz", *options, "-o", "x.png").out == "x.png\n"
    assert (here / "x.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn(here, capsys):
    told = refused(capsys, "plot", "flats.npz", "-c", "city")
    assert "no numbers in a column 'city'" in told
    assert "doc" in refused(capsys, "plot", "flats.npz", "-o", "x.doc")


def test_a_verdict(here, capsys):
    written(here / "fresh.csv", flats(200, seed=1))
    told = run(
        capsys, "diagnose", "flats.npz", "fresh.csv", "-o", "page.png", "--train", "flats.csv"
    )
    assert told.out.startswith("Mean log p ") and "KS of rooms" in told.out
    assert (here / "page.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads(run(capsys, "diagnose", "flats.npz", "fresh.csv", "--json").out)
    assert found["names"] == ["price", "rooms"] and found["n"] == 200
    written(here / "fresh.csv", ["price,rooms,city", "-1,3,Bern"])
    told = refused(capsys, "diagnose", "flats.npz", "fresh.csv")
    assert "row 0, column 'price' of fresh.csv is -1.0, which is not inside of positive" in told


class Shifted(fc.Distribution):
    """x = 10 c + z."""

    dim, context_dim = 1, 1

    def log_prob(self, x, params=None, context=None, threads=None):
        return fc.Normal(1).log_prob(x - 10 * context)

    def sample(self, n=1, rng=None, context=None):
        return 10 * context + np.random.default_rng(rng).normal(size=(n, len(context), 1))


def test_the_verdict_is_about_x_given_c():
    rng = np.random.default_rng(0)
    right = rng.random(400) < 0.3
    table = {"x": 10.0 * right + rng.normal(size=400), "side": np.where(right, "r", "l")}
    table["side"][:2] = "u"

    def learn(x, context=None, sample_weight=None, rng=0):
        return Shifted()

    known = {name: column[2:] for name, column in table.items()}
    model = fit_table(known, learn=learn)
    with pytest.warns(UserWarning, match="2 rows left out for a category that was never seen"):
        found = model.numbers_of(table, rng)
    assert np.array_equal(found.rows[:, 0], known["x"]) and isinstance(found.density, Shifted)
    good = fc.diagnose(found.density, found.rows, context=found.context, draws=2000)
    bad = fc.diagnose(found.density, found.rows, context=1 - found.context, draws=2000)
    assert good.trusted and not bad.trusted


def test_numbers_have_the_density_of_the_table_apart_from_noise_and_categories(here):
    """p(c, x) = p(c) times the mean density of the noisy numbers, and their steps are 1."""
    model, frame = fc.load("flats.npz"), read_table("flats.csv")
    numbers = []
    for seed in range(200):
        found = model.numbers_of(frame, seed)
        assert np.array_equal(np.floor(found.rows[:, 1]), frame["rooms"])
        given = {} if found.context is None else {"context": found.context}
        numbers.append(np.exp(found.density.log_prob(found.rows, **given)))
    own = model.frequencies.log_prob(codes(frame, model.schema.categories))
    log_p = np.log(np.mean(numbers, axis=0)) + own
    assert log_p == pytest.approx(model.log_prob(frame), abs=0.1)


# ---------------------------------------------------------------- places


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fit", "abc.csv", "-o", "abc.csv"], "abc.csv is the file that is read, and would be"),
        (
            ["fit", "abc.csv", "-o", "out.csv"],
            "an .npz, no .csv: for example -o out.npz",
        ),
        (["score", "abc.npz", "abc.csv", "-o", "abc.csv"], "is the file that is read"),
        (["score", "abc.npz", "abc.csv", "-o", "link.csv"], "is the file that is read"),
        (["score", "abc.npz", "abc.csv", "-o", "x.xlsx"], "as .csv, .npy or .parquet"),
        (["score", "abc.npz", "abc.csv", "-o", "x.npz"], "for example -o x.csv"),
        (["sample", "abc.npz", "-o", "abc.npz"], "is the file that is read"),
        (["plot", "abc.npz", "abc.csv", "-o", "picture"], "for example -o picture.png"),
        (["diagnose", "abc.npz", "abc.csv", "-o", "x.csv"], "for example -o x.png"),
        (["sample", "abc.npz", "-o", ""], "flowcore: -o is empty: give the file a name"),
    ],
)
def test_no_file_is_lost_and_none_has_a_misleading_name(arguments, told, numbers, capsys):
    os.link("abc.csv", "link.csv")
    before = {name: Path(name).read_bytes() for name in os.listdir()}
    assert told in refused(capsys, *arguments)
    assert {name: Path(name).read_bytes() for name in os.listdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "abc.npz", "-", "-o", "abc.csv"],
        ["fit", "-", "-o", "link"],
        ["plot", "abc.npz", "-", "-o", "link.png"],
        ["diagnose", "abc.npz", "-", "-o", "link.png"],
        ["diagnose", "abc.npz", "other.csv", "--train", "-", "-o", "link.png"],
    ],
)
def test_standard_input_is_not_lost(arguments, numbers, capsys, monkeypatch):
    """The shell's `< abc.csv`: the command sees no name of that file."""
    shutil.copy("abc.csv", "other.csv")
    os.link("abc.csv", "link")
    os.symlink("abc.csv", "link.png")
    before = Path("abc.csv").read_bytes()
    with open("abc.csv") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert "is the file that is read, and would be lost" in refused(capsys, *arguments)
    assert Path("abc.csv").read_bytes() == before and os.path.samefile("abc.csv", "link")


def test_scores_are_not_appended_to_their_own_table(numbers):
    """The shell's `>> abc.csv`: every block that is written would be read again."""
    before = Path("abc.csv").read_bytes()
    for data in ("abc.csv", "-"):
        with open("abc.csv", "a") as stdout, open("abc.csv") as stdin:
            done = start("score", "abc.npz", data, stdin=stdin, stdout=stdout,
                         stderr=subprocess.PIPE, capture_output=False)  # fmt: skip
        assert done.returncode == 1 and b"standard output is the file that is read" in done.stderr
    assert Path("abc.csv").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="files of a limited size are POSIX")
@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "abc.csv", "-o", "x"],
        ["score", "abc.npz", "many.csv", "-o", "x"],
        ["sample", "abc.npz", "-o", "x"],
        ["plot", "abc.npz", "-o", "x.png"],
        ["diagnose", "abc.npz", "abc.csv", "-o", "x.png"],
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
        told = refused(capsys, *arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert told == f"flowcore: {out}: File too large"
    assert out.read_bytes() == b"precious" and sorted(os.listdir()) == before


def test_what_a_killed_command_left_behind_is_removed_when_it_is_old(numbers, capsys):
    for name, age in (("old.csv", 3600), ("new.csv", 5)):
        left = Path(f".{name}-0123456789abcdef.tmp")
        left.write_text("half a table")
        os.utime(left, (time.time() - age,) * 2)
        run(capsys, "sample", "abc.npz", "-o", name)
        assert left.exists() == (name == "new.csv")


def test_the_disk_that_is_full_is_named(numbers, capsys, monkeypatch):
    def full(self, columns):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs.CsvRows, "write", full)
    told = run(capsys, "score", "abc.npz", "abc.csv", status=1).err
    assert told == "flowcore: standard output: No space left on device\n"


def test_parquet_is_written_in_groups(here, capsys, monkeypatch):
    """What is read back is what a CSV says, types and missing values included."""
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
    expected = [float(line.split(",")[-1]) for line in scored]
    assert np.array_equal(table["log_prob"].to_numpy(), expected, equal_nan=True)
    run(capsys, "sample", "flats.npz", "-n", 0, "-o", "none.parquet")
    assert parquet.read_table("none.parquet").shape == (0, 3)


def test_parquet_without_pyarrow_says_what_to_install(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = refused(capsys, "sample", "flats.npz", "-o", "x.parquet")
    assert told == 'flowcore: x.parquet needs pyarrow: pip install "flowcore[tables]"'


# ---------------------------------------------------------------- processes


def start(*arguments, **options):
    options = {"capture_output": True, **options}
    return subprocess.run([*COMMAND, *map(str, arguments)], **options)


def test_from_a_pipe_to_a_pipe(numbers):
    """In a C locale, without a display."""
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "LANG", "LC_CTYPE")}
    env["LC_ALL"] = "C"
    data = Path("abc.csv").read_bytes().replace(b"a,b", "a,\u00e5".encode())
    schema = Schema(tuple(Column(name, Kind("continuous")) for name in ("a", "\u00e5", "c")))
    fc.save(TableDensity(schema, None, fc.Normal(3)), "abc.npz")
    done = start("score", "abc.npz", "-", "--keep", "\u00e5", input=data, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().split()
    assert lines[0] == "\u00e5,log_prob" and len(lines) == 51
    done = start("plot", "abc.npz", "-", "-o", "x.png", input=data, env=env)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"x.png\n")
    done = start("score", "abc.npz", "-", input=data[:-200] + b",,,,\n", env=env)
    assert done.returncode == 1 and done.stderr.startswith(b"flowcore: <stdin>: line ")


@pytest.mark.skipif(os.name != "posix", reason="a broken pipe is another error there")
def test_a_reader_of_scores_that_has_read_enough_is_no_error(numbers):
    reader, writer = os.pipe()
    os.close(reader)
    done = start("sample", "abc.npz", "-n", 20_000, stdout=writer, capture_output=False,
                 stderr=subprocess.PIPE)  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
@pytest.mark.parametrize("out", [[], ["-o", "/dev/full"]])
def test_a_full_disk_is_one_line(out, numbers):
    with open("/dev/full", "w") as full:
        done = start("score", "abc.npz", "abc.csv", *out, stdout=full, capture_output=False,
                     stderr=subprocess.PIPE)  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(rb"flowcore: .*No space left on device\n", done.stderr)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("number", "jobs", "begins", "status", "ends"),
    [
        (signal.SIGINT, "1", b"it", 130, b"interrupted\n"),
        (signal.SIGTERM, "2", b"flow/s", 143, b""),
    ],
)
def test_a_signal_ends_a_fit_at_once_and_leaves_no_file(
    number, jobs, begins, status, ends, tmp_path
):
    """While flows are trained: `flowcore.fit` would return what it has, workers would go on.

    They have our standard error, too, so `communicate` would wait for them.
    """
    data = written(tmp_path / "flats.csv", flats(500))
    command = [*COMMAND, "fit", data, "-o", str(tmp_path / "x.npz"), "--jobs", jobs, "--progress"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        told = b""
        while begins not in told.split(b"|")[-1]:  # the progress bar
            told += process.stderr.read(1)
        process.send_signal(number)
        begun = time.monotonic()
        out, rest = process.communicate(timeout=60)
    assert (process.returncode, out) == (status, b"") and rest.endswith(ends)
    assert time.monotonic() - begun < 20 and os.listdir(tmp_path) == ["flats.csv"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_half_a_table(number, numbers):
    before = sorted(os.listdir())
    with subprocess.Popen(
        [*COMMAND, "sample", "abc.npz", "-n", "1000000000", "-o", "x.csv"]
    ) as run:
        while sorted(os.listdir()) == before:
            time.sleep(0.01)
        run.send_signal(number)
    assert run.returncode == 128 + number and sorted(os.listdir()) == before


def test_an_interrupt_that_somebody_catches_is_one_all_the_same(capsys, monkeypatch):
    from flowcore.cli import info

    def careless(path):
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException:
            raise ImportError("no module") from None

    monkeypatch.setattr(info, "read_model", careless)
    assert run(capsys, "info", "x.npz", status=130).err == "interrupted\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_is_lost_comes_again(capsys, monkeypatch):
    from flowcore.cli import info

    def deaf(path):
        with suppress(BaseException):
            signal.raise_signal(signal.SIGINT)
        time.sleep(30)

    monkeypatch.setattr(info, "read_model", deaf)
    begun = time.monotonic()
    run(capsys, "info", "x.npz", status=130)
    assert time.monotonic() - begun < 10


def test_help_and_wrong_arguments_load_no_numpy():
    script = "import sys; from flowcore.cli import main; status = main(sys.argv[1:])\n"
    script += "sys.exit(status if 'numpy' not in sys.modules else 99)"
    for arguments, status in [(["--version"], 0), (["fit", "--help"], 0), (["fit"], 2)]:
        run = [sys.executable, "-c", script, *arguments]
        assert subprocess.run(run, capture_output=True).returncode == status, arguments


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_commands_of_the_page(tmp_path):
    page = (Path(__file__).parent.parent / "docs" / "command_line.md").read_text("utf-8")
    commands = re.search(r"^```bash\n(.*?)^```", page, flags=re.M | re.S).group(1)
    ours = f'flowcore() {{ {shlex.quote(sys.executable)} -W error -m flowcore "$@"; }}\n'
    ours += f'python() {{ {shlex.quote(sys.executable)} "$@"; }}\n'
    done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", ours + commands], cwd=tmp_path,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(read_table(tmp_path / "scores.csv")) == 50
    assert len(read_table(tmp_path / "draws.csv")) == 1000
    assert (tmp_path / "page.png").stat().st_size and (tmp_path / "pairs.png").stat().st_size


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="resource")
def test_five_million_rows_are_scored_in_bounded_memory(tmp_path):
    """Below 500 MB, from a CSV of 300 MB, by two flows."""
    names = "abcdef"
    schema = Schema(tuple(Column(name, Kind("continuous")) for name in names))
    flow = fc.Mixture([fc.flows.maf(6, standardize=False), fc.flows.nsf(6, standardize=False)])
    fc.save(TableDensity(schema, None, flow), tmp_path / "model.npz")
    x = np.random.default_rng(0).normal(size=(50_000, 6))
    block = "".join(",".join(map("{:.6f}".format, row)) + "\n" for row in x.tolist())
    with open(tmp_path / "big.csv", "w") as file:
        file.write(",".join(names) + "\n")
        for _ in range(100):
            file.write(block)
    script = (
        "import resource, sys; from flowcore.cli import main; status = main(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(status)"
    )
    arguments = ["score", "model.npz", "big.csv", "-o", "out.npy"]
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=tmp_path,
                          capture_output=True, text=True, check=True)  # fmt: skip
    scores = np.load(tmp_path / "out.npy", mmap_mode="r")
    assert scores.shape == (5_000_000,)
    rounded = np.array([line.split(",") for line in block.split()], float)
    for start in (0, 50_000, 4_950_000):
        np.testing.assert_allclose(
            scores[start : start + 50_000], flow.log_prob(rounded), rtol=1e-9
        )
    kilobytes = int(done.stdout) / (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 500_000
