"""A cell that is not empty is never changed: what `--auto` reads comes back as it was written."""

import csv
import datetime
import io
import tempfile
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import flowcore as fc
from flowcore.cli import main
from flowcore.tables import Schema, TableDensity, dates, read_table
from flowcore.tables.cells import WORDS, form_of, notation_of_column, written
from flowcore.tables.dates import formats_of
from flowcore.tables.encoding import Encoding
from flowcore.tables.fitting import training_rows
from flowcore.tables.reading import FIRST, MISSING_WORDS

ROWS = 40
AMOUNTS = st.floats(-1e6, 1e6).map(lambda v: round(v, 2))
DAYS = st.dates(min_value=datetime.date(1990, 1, 1)).map(str)
FORMATS = {
    "plain": AMOUNTS.map(str),
    "more zeros": AMOUNTS.map("{:.5f}".format),
    "whole": st.integers(-50, 50).map(str),
    "padded": st.integers(0, 999).map("{:05}".format),
    "prices": AMOUNTS.map("${:,.2f}".format),
    "shares": st.integers(0, 100).map("{}%".format),
    "pounds": st.integers(0, 300).map("{} lbs".format),
    "accounts": st.integers(0, 10**6).map("({:,})".format),
    "thousands": st.floats(0, 900).map("{:.1f}k".format),
    "groups": st.integers(1000, 10**7).map(lambda v: f"{v:,}".replace(",", " ")),
    "ranges": st.sampled_from(["0", "1", "2-10", "11-100", "Over 100"]),
    "below": st.one_of(st.just("<0.5"), st.floats(0.5, 9).map("{:.3f}".format)),
    "answers": st.sampled_from(["yes", "Yes", " yes", "no", "NO ", "no\t"]),
    "days": st.one_of(DAYS, DAYS, st.sampled_from(["2019-02-31", "0000-00-00"])),
    "odd": st.sampled_from(["inf", "1e400", "12 pieces", "$", "#", "May", "x;y", 'a "b"', "1_0"]),
    "missing": st.sampled_from(["", "NA", " ", "unknown", "?", "-"]),
    "texts": st.text("ab c,\n", min_size=1, max_size=4),
}  # fmt: skip


@st.composite
def exports(draw):
    """Columns of cells, most of each in one format."""
    table = {"z": [f"{v:.3f}" for v in np.random.default_rng(0).normal(size=ROWS)]}
    for name in draw(st.lists(st.sampled_from(sorted(FORMATS)), min_size=1, max_size=3)):
        seed = draw(st.lists(FORMATS[name], min_size=1, max_size=ROWS))
        cells = [seed[i % len(seed)] for i in range(ROWS)]
        others = draw(st.lists(st.sampled_from(sorted(FORMATS)), max_size=2))
        for other in others:
            cells[draw(st.integers(0, ROWS - 1))] = draw(FORMATS[other])
        table[name] = cells
    return table


def model(path):
    """A density of its columns that knows nothing of the numbers."""
    frame = read_table(path, strict=False)
    schema = Schema.from_data(frame, auto=True)
    frame = Encoding(schema).without_odd(schema.select(frame))[0]
    rows = training_rows(frame, schema, "learn", None, False)
    density = TableDensity(learn=lambda x, **_: fc.Normal(x.shape[1]))
    return density.fit(rows._replace(x=np.nan_to_num(rows.x), hole=np.zeros(rows.x.shape, bool)))


@contextmanager
def imputed(table, name, first=FIRST):
    """The file of a table after `impute`, by a model of it; first: characters of the first block,
    by which `impute` decides types."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(folder)
        with (folder / "t.csv").open("w", newline="") as file:
            csv.writer(file).writerows([[*table], *zip(*table.values(), strict=True)])
        fc.save(model(folder / "t.csv"), folder / "m.npz")
        files = [str(folder / name) for name in ("m.npz", "t.csv")]
        with mock.patch("flowcore.tables.reading.FIRST", first):
            assert main(["impute", *files, "-o", str(folder / name)]) == 0
        yield folder / name


def is_missing(cell, words):
    return cell.strip() in words


@settings(max_examples=settings.default.max_examples // 5, deadline=None)  # each fits a model
@given(exports())
def test_a_cell_that_is_not_empty_is_never_changed(table):
    with imputed(table, "full.csv") as path, path.open(newline="") as file:
        names, *rows = csv.reader(file)
    after = dict(zip(names, zip(*rows, strict=True), strict=True))
    for name, cells in table.items():
        for before, now in zip(cells, after[name], strict=True):
            assert now == before or is_missing(before, {*MISSING_WORDS, *WORDS}), name


@settings(max_examples=settings.default.max_examples // 5, deadline=None)
@given(exports(), st.integers(0, ROWS - 1))
def test_nor_is_it_in_parquet_whichever_block_has_the_first_odd_one(table, first):
    """Numbers of columns without an odd cell are numbers there; all else is text, as it was."""
    table["late"] = [f"{v:.3f}" if i != first else "<0.5" for i, v in enumerate(PRICES[:ROWS])]
    with imputed(table, "full.parquet", first=200) as path:
        after = pd.read_parquet(path)
    assert set(map(type, after["late"])) == {str}
    for name, cells in table.items():
        for before, now in zip(cells, after[name].tolist(), strict=True):
            if not is_missing(before, {*MISSING_WORDS, *WORDS}):
                assert now == (before if isinstance(now, str) else float(before)), name


PRICES = np.exp(np.random.default_rng(1).normal(4, 2, 90)).round(2)
READ = {
    "price": ([f"${v:,.2f}" for v in PRICES], "$", "${:,.2f}"),
    "free": ([f"${v:,.2f}" if v > 9 else "0" for v in PRICES], "$", "${}"),
    "cents": ([f"${v / 100:.2f}".replace("$0.", "$.") for v in PRICES], "$", "${}"),
    "share": ([f"{v % 100:.0f}%" for v in PRICES], "%", "{:.0f}%"),
    "weight": ([f"{v:.0f}lbs" for v in PRICES], "lb", "{:.0f}lbs"),
    "years": ([f"{v:.0f} years" for v in PRICES], "year", "{:.0f} years"),
    "account": ([f"({v:,.0f})" for v in PRICES], "", "{}"),
    "value": ([f"€{v:.1f}M" for v in PRICES], "€", "€{}"),
    "thousands": ([f"{9 * v:,.0f}" for v in PRICES], "", "{:,.0f}"),
    "groups": ([f"{99 * v:,.0f}".replace(",", " ") for v in PRICES], "", "{}"),
    "below": ([f"{v}" if v > 20 else "<20" for v in PRICES], "", ""),
}
TEXT = {
    "flats": [f"{k % 9}{'ABC'[k % 3]}" for k in range(90)],
    "phones": [f"614 555 {k}" for k in range(123, 213)],
    "zip": [f"{k:05}" for k in range(500, 590)],
    "floats": [f"12E{k}" for k in range(90)],
    "rooms": [f"{k}-{k + 30}" for k in range(90)],
    "strikes": ["0", "1", "2-10", "11-100", "Over 100"] * 18,
    "grades": ["1", "2", "3", "absent", "absent"] * 18,
    "units": [f"{k} {'kg' if k % 2 else 'lb'}" for k in range(90)],
}


@pytest.mark.parametrize("name", READ)
def test_numbers_with_a_mark_are_numbers(name):
    cells, unit, form = READ[name]
    notation = notation_of_column(Counter(cells), ".")
    assert "".join(notation.unit) == unit
    numbers = {cell: notation.number(cell) for cell in cells if cell[0] != "<"}
    assert form_of(numbers) == form
    if "{}" not in form:
        assert all(written(x, form) == cell for cell, x in numbers.items())
    assert all(notation.number(written(x, form)) == x for x in numbers.values())


@pytest.mark.parametrize("name", TEXT)
def test_codes_and_ranges_are_text(name):
    assert notation_of_column(Counter(TEXT[name]), ".") is None


DAYS_OF_400 = pd.Timestamp("2017-03-01") + pd.to_timedelta(np.arange(400) * 151_234, "s")
FORMS = (
    "%-m/%-d/%Y %-H:%M:%S", "%m/%d/%Y %I:%M %p", "%Y%m%dT%H%M%S", "%Y-%m-%dT%H:%M:%S+01:00",
    "%d.%m.%y", "%B %-d, %Y", "%-d %B %Y", "%a, %d %b %Y", "%b-%y", "%Y-%m-%dT%H:%M:%S.%f",
    "%-d/%m/%Y", "%-d/%-m/%Y", "%-m/%-d/%y", "%d-%b-%Y", "%-d-%b-%y",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("odd", ["2019-02-31", "unknown", "0000-00-00"])
def test_a_format_is_that_of_nearly_all_cells(form, odd):
    cells = _texts(DAYS_OF_400, form)
    assert formats_of(Counter([*cells, odd]))[0] == form


def _texts(days, form):
    seconds = days.to_numpy().astype("M8[s]").astype(float)
    return dates.written(seconds, form, False).tolist()


def test_what_differs_by_case_or_space_alone_is_one_category():
    cells = ["yes", "Yes", " yes", "no", "no\t"] * 20
    text = "a,z\n" + "".join(f"{cell},{i / 7}\n" for i, cell in enumerate(cells))
    with pytest.warns(UserWarning, match="'Yes' differ from others by case or space alone"):
        frame = read_table(io.BytesIO(text.encode()), strict=False)
    assert set(frame["a"]) == {"yes", "no"} and frame.texts["a"].tolist() == cells


def test_a_frame_keeps_what_could_not_be_read():
    text = "a,b\n" + "".join(f"{'<2' if i % 9 == 4 else i / 7},{i % 5}\n" for i in range(60))
    with pytest.warns(UserWarning, match="'<2' is no number: 0.12 of the column's cells count as"):
        frame = read_table(io.BytesIO(text.encode()), strict=False)
    density = TableDensity.of(Schema.from_data(frame, auto=True), fc.Normal(2))
    (table,) = density.impute(frame, n=1).tables
    assert [v == "<2" for v in table["a"]] == [i % 9 == 4 for i in range(60)]


def test_too_few_complete_rows_are_an_error_that_names_columns(tmp_path, capsys):
    schema = Schema.from_data({"a": np.arange(60) / 7, "b": PRICES[:60]})
    fc.save(TableDensity.of(schema, fc.Normal(2)), tmp_path / "m.npz")
    rows = pd.DataFrame({"a": np.where(np.arange(60) < 3, 1.5, np.nan), "b": PRICES[:60]})
    rows.to_csv(tmp_path / "t.csv", index=False)
    assert main(["diagnose", str(tmp_path / "m.npz"), str(tmp_path / "t.csv")]) == 1
    assert "fewer than 10 complete rows" in (said := capsys.readouterr().err)
    assert "--kind a=aside" in said


@pytest.mark.parametrize("learned", [True, False])
def test_rows_with_holes_are_scored_by_what_they_have_if_the_model_learned_from_some(
    learned, tmp_path, capsys
):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 200))
    density = TableDensity.of(Schema.from_data({"a": a, "b": b}), fc.Normal(2))
    density.notes = {"missing": "learn"} if learned else {}
    fc.save(density, tmp_path / "m.npz")
    cells = np.array([*map("{:.3f}".format, a[:60])], object)
    cells[50], cells[55] = "", "<0.5"  # in the second block
    pd.DataFrame({"a": cells, "b": b[:60]}).to_csv(tmp_path / "t.csv", index=False)
    files = [str(tmp_path / name) for name in ("m.npz", "t.csv")]
    with mock.patch("flowcore.tables.reading.FIRST", 200):  # characters
        for name in ("s.csv", "s.parquet"):
            assert main(["score", *files, "--keep", "a", "-o", str(tmp_path / name)]) == 0
    scores = pd.read_csv(tmp_path / "s.csv", dtype={"a": str}, keep_default_na=False)
    kept = pd.read_parquet(tmp_path / "s.parquet")["a"].fillna("")
    assert scores["a"].tolist() == kept.tolist() == cells.tolist()
    log_p, holes = scores["log_prob"].astype(float).to_numpy(), [50, 55]
    own = stats.norm.logpdf(b[holes])
    assert log_p[holes] == pytest.approx(own if learned else [np.nan] * 2, abs=0.02, nan_ok=True)
    assert ("2 of 60 rows miss a value" in capsys.readouterr().err) is not learned


@pytest.mark.parametrize("command", ["impute", "score"])
def test_numbers_that_are_whole_in_the_first_block_alone_are_written(command, tmp_path):
    rows = pd.DataFrame({"x": [*range(60), 0.5, 2.25], "z": PRICES[:62]})
    rows.to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(UserWarning):  # a model that knows nothing
        fc.save(model(tmp_path / "t.csv"), tmp_path / "m.npz")
    files = [str(tmp_path / name) for name in ("m.npz", "t.csv")]
    keep = ["--keep", "x"] * (command == "score")
    with mock.patch("flowcore.tables.reading.FIRST", 100):
        assert main([command, *files, *keep, "-o", str(tmp_path / "o.parquet")]) == 0
    assert pd.read_parquet(tmp_path / "o.parquet")["x"].tolist() == rows["x"].tolist()
