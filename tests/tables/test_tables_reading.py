"""Files of tables: every flaw has its message, every engine the same values, memory is bounded."""

import bz2
import csv
import datetime
import gzip
import io
import lzma
import subprocess
import sys
import time
import timeit
import zipfile
from contextlib import nullcontext
from unittest.mock import patch

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from test_tables_frames import plain

import flowcore as fc
from flowcore.cli import main
from flowcore.tables import Schema, fit_table, read_blocks, read_table, reading


def read(data, **options):
    return read_table(io.BytesIO(data.encode() if isinstance(data, str) else data), **options)


def zipped(name, data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
    return out.getvalue()


# ---------------------------------------------------------------- what is read


GOOD = {
    "plain": ("a,b\n1,x\n2,y\n", {}, {"a": [1, 2], "b": ["x", "y"]}),
    "no end of line": ("a,b\n1,2\n3,4", {}, {"a": [1, 3], "b": [2, 4]}),
    "windows": ("a,b\r\n1,x\r\n2,y\r\n", {}, {"a": [1, 2], "b": ["x", "y"]}),
    "byte order mark": ("\ufeffa,b\n1,2\n", {}, {"a": [1], "b": [2]}),
    "semicolons": ("a;b\n1;2\n", {}, {"a": [1], "b": [2]}),
    "tabs": ("a\tb\n1\t2\n", {}, {"a": [1], "b": [2]}),
    "bars": ("a|b\n1|2\n", {}, {"a": [1], "b": [2]}),
    "colons": ("a:b\n1:2\n", {"separator": ":"}, {"a": [1], "b": [2]}),
    "spaces": ("a b\n1 2\n", {"separator": " "}, {"a": [1], "b": [2]}),
    "decimal comma": ("a;b\n1,5;-2,5e3\n", {"decimal": ","}, {"a": [1.5], "b": [-2500]}),
    "quotes": ('"a","b"\n"1","x, ""y""\nz"\n', {}, {"a": [1], "b": ['x, "y"\nz']}),
    "separators in quotes": ('"a;b",c\n1,2\n', {}, {"a;b": [1], "c": [2]}),
    "blank lines": ("\n\na,b\n\n1,2\n\n  \n3,4\n\n\n", {}, {"a": [1, 3], "b": [2, 4]}),
    "one column": ("a\n1\n2\n\n\n", {}, {"a": [1, 2]}),
    "one column, missing": ('a\n1\n""\nNA\n', {}, {"a": [1, None, None]}),
    "missing": ("a,b\n1,\nNA,y\nnan,N/A\n", {}, {"a": [1, None, None], "b": [None, "y", None]}),
    "missing, by option": ("a,b\n1,x\n?,-\n", {"missing_values": ("?", "-")},
                      {"a": [1, None], "b": ["x", None]}),
    "no header": ("1,x\n2,y\n", {"header": False}, {0: [1, 2], 1: ["x", "y"]}),
    "only a header": ("a,b\n", {}, {"a": [], "b": []}),
    "some columns": ("a,b,c\n1,x,3\n", {"columns": ["c", "a"]}, {"c": [3], "a": [1]}),
    "no name": (",a,\n0,1,2\n", {}, {"Unnamed: 0": [0], "a": [1], "Unnamed: 2": [2]}),
    "no name, not wanted": (",a\n0,1\n", {"columns": ["a"]}, {"a": [1]}),
    "codes": ("zip\n01234\n99999\n", {"text": ["zip"]}, {"zip": ["01234", "99999"]}),
    "spaces round numbers": ("a,b\n 1 ,\t2\n", {}, {"a": [1], "b": [2]}),
    "spaces round text": ("a,b\n x ,y\n", {}, {"a": [" x "], "b": ["y"]}),
    "signs": ("a,b\n+1,-.5\n1.,2E+3\n", {}, {"a": [1, 1], "b": [-0.5, 2000]}),
    "infinite": ("a,b\ninf,-Infinity\n", {}, {"a": [np.inf], "b": [-np.inf]}),
    "utf-8": ("é,b\n1,ü\n", {}, {"é": [1], "b": ["ü"]}),
    "text after nothing": ("a,b\n1,\n2,\n", {}, {"a": [1, 2], "b": [None, None]}),
    "ends of lines in names": ('"a\n(kg)";b\n1;2\n', {}, {"a\n(kg)": [1], "b": [2]}),
    "one column, separators in quotes": (
        'name\n"Smith, J1"\n"Lee, ""A"""\nLi; B\nHo; C\n', {},
        {"name": ["Smith, J1", 'Lee, "A"', "Li; B", "Ho; C"]}),
    "hashes": ("#id,b\n1,#x\n", {}, {"#id": [1], "b": ["#x"]}),
    "old line ends": ("a,b\r1,2\r", {}, {"a": [1], "b": [2]}),
    "old line ends in quotes": ('a,b\n1,"x\ry"\n', {}, {"a": [1], "b": ["x\ry"]}),
    "minus": ("a,b\n1,\u22122\n", {}, {"a": [1], "b": [-2]}),
    "quotes amid names": ('5" disk,b\n1,2\n3,5" x\n', {}, {'5" disk': [1, 3], "b": ["2", '5" x']}),
    "quotes amid text": ('a,b\n1,5" disk\n2,x\n', {}, {"a": [1, 2], "b": ['5" disk', "x"]}),
    "beyond 2^53": (f"a,b\n{2**60},{2**60 + 1}\n", {}, {"a": [2**60], "b": [2**60 + 1]}),
    "the nearest float64": (
        "a\n9007199254740993\n0.1\n1e-320\n2.2250738585072011e-308\n", {},
        {"a": [float(2**53), 0.1, 1e-320, 2.2250738585072011e-308]}),
    "gzip": (gzip.compress(b"a,b\n1,x\n"), {}, {"a": [1], "b": ["x"]}),
    "bzip2": (bz2.compress(b"a,b\n1,x\n"), {}, {"a": [1], "b": ["x"]}),
    "xz": (lzma.compress(b"a,b\n1,x\n"), {}, {"a": [1], "b": ["x"]}),
    "a country": ("a,b\n1,NA\n2,\n", {"missing_values": [""]},
                  {"a": [1, 2], "b": ["NA", None]}),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
def test_texts_that_are_read(case):
    data, options, expected = GOOD[case]
    assert plain(read(data, **options)) == expected


def test_encodings():
    data = "é,b\n1,ü\n2,€\n"
    for encoding in ("cp1252", "utf-16", "utf-8-sig"):
        assert plain(read(data.encode(encoding), encoding=encoding)) == plain(read(data))


@pytest.mark.parametrize(("cells", "warned"), [("01,02", False), ("001,020", True), ("001,20", 0)])
def test_codes_with_leading_zeros_are_numbers_with_a_warning(cells, warned):
    text = "a\n" + cells.replace(",", "\n")
    match = "column 'a': '001' is read as a number, without its zeros: if it is a code, pass text="
    with pytest.warns(UserWarning, match=match) if warned else nullcontext():
        assert read(text)["a"].tolist() == [*map(int, cells.split(","))]


# ---------------------------------------------------------------- what is refused


BAD = {
    "empty": ("", {}, "the stream is empty: there is not even a header"),
    "blank": ("\n\n\n", {}, "is empty"),
    "numbers for names": ("1,2\n3,4\n", {}, r"first line has numbers, \['1', '2'\].*header=False"),
    "two names": ("a,a\n1,2\n", {}, "two columns are called 'a'"),
    "later comment": ("a,b\n1,2\n# x\n", {}, r"row 1 has 1 cells, not 2: .*comment"),
    "short": ("a,b\n1,2\n\n3\n", {}, r"row 1 has 1 cells, not 2: \['3'\]"),
    "long": ("a,b\n1,2\n3,4,5\n", {}, r"row 1 has 3 cells, not 2"),
    "word": ("a,b\n1,2\n1,oops\n3,4\n", {}, r"row 1, column 'b': 'oops' is no number"),
    "comma for a point": ("a;b\n1,5;2\n2,5;3\nx;3\n", {},
                          r"row 0, column 'a': '1,5' has the decimal sign ',', .*decimal=','"),
    "point for a comma": ("a;b\n1,5;2.5\n2,5;3\n3;3\n", {"decimal": ","},
                          "column 'b': '2.5' has the decimal sign '.'"),
    "thousands": ('a,b\n1,"1,000"\n2,3\n3,4\n', {}, "column .b.: .1,000. has the .* of thousands"),
    "underscores": ("a,b\n1,1_000\n2,3\n3,4\n", {}, "column 'b': '1_000' is no number"),
    "hexadecimal": ("a,b\n1,0x10\n2,3\n3,4\n", {}, "column 'b': '0x10' is no number"),
    "digits of others": ("a,b\n1,\u0661\n2,3\n3,4\n", {}, "column 'b': '\u0661' is no number"),
    "open quote": ('a,b\n1,"x\n2,y\n', {}, r"line 3 cannot be read \(unex.*: is a quote open"),
    "text after a quote": ('a,b\n1,"x"y\n', {}, r"line 2 cannot be read \(.*expected after"),
    "blank in one column": ("a\n1\n\n2\n", {}, "a blank line .* may be a missing value"),
    "two separators": ("a;b,c\n1;2,3\n", {}, "has ',' and ';', and one of them.*: pass sep"),
    "zero byte": ("a,b\n1,2\n3,4\n1,2\0\n", {},
                  r"row 2, column 'b': '2\\x00' is no|line 4 cannot be read"),
    "utf-16": ("a,b\n1,2\n".encode("utf-16"), {},
               r"the stream is no text of utf-8 from b'\\xff.*; else pass encoding='utf-16'$"),
    "latin-1": ("a,b\n1,2\n1,é\n".encode("latin-1"), {},
                r"no text of utf-8 from b'\\xe9\\n' on, after b'a,b\\n1,2\\n1,': if it is Ex.*"
                "; else pass encoding='cp1252' or encoding='latin-1'$"),
    "late latin-1": (b"a\n" + b"1234567\n" * 50_000 + b"1\xb5\n", {},
                     r"no text of utf-8 from b'\\xb5\\n' on, after .*1234567\\n1'"),
    "too large": ("a\n1\n-1e400\n3\n", {},
                  r"row 1, column 'a': '-1e400' is no number of type float64"),
    "too large, late": ("a\n" + "1234567\n" * 50_000 + "1e400\n", {},
                        r"row 50000, column 'a': '1e400' is no number of type float64"),
    "a unit": ("a\n1\n2 kg\n3\n", {},
               r"row 1, column 'a': '2 kg' is no n.*: mend it, or pass text="),
    "cut": (gzip.compress(b"a,b\n1,2\n")[:-9], {}, "the stream cannot be unpacked"),
    "spoilt": (b"BZh9" + bytes(30), {}, "the stream cannot be unpacked"),
    "Excel": (b"\xd0\xcf\x11\xe0", {}, "save the sheet as a CSV"),
    "Excel, zipped": (zipped("xl/workbook.xml", b"<a/>"), {}, "an Excel file: save the sheet as"),
    "no such column": ("a,b\n1,2\n", {"columns": ["c"]}, "has no column 'c', but 'a', 'b'"),
    "no such text": ("a,b\n1,2\n", {"text": ["c"]}, "has no column 'c'"),
    "separator": ("a,b\n", {"separator": "::"}, "separator is one character"),
    "separator of numbers": ("a,b\n", {"separator": "e"}, "separator is one character"),
    "separator as decimal": ("a,b\n", {"separator": ",", "decimal": ","}, "separator is one"),
    "decimal": ("a,b\n", {"decimal": "·"}, 'decimal is "." or ","'),
    "encoding": ("a,b\n", {"encoding": "klingon"}, "no encoding of text: name"),
    "block": ("a,b\n", {"block_bytes": 3}, "block_bytes must be an integer >= 1024"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_texts_that_are_refused(case):
    data, options, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        read(data, **options)


def test_a_later_surprise_names_its_row(tmp_path):
    path = tmp_path / "data.csv"
    lines = [f"{i},{i / 7}\n" for i in range(5000)]
    lines[4321] = "4321,n.a.\n"
    path.write_text("id,x\n" + "".join(lines))
    with pytest.raises(ValueError, match=r"data.csv: row 4321, column 'x': 'n.a.' i"):
        read_table(path, block_bytes=2048)
    lines[4321] = '4321,"1\n'
    path.write_text("id,x\n" + "".join(lines))
    with pytest.raises(ValueError, match=r"line 5001 cannot be read \(unexpected end"):
        read_table(path, block_bytes=2048)


def test_files_that_are_not_there(tmp_path):
    for source, error, message in (
        (tmp_path / "nothing.csv", FileNotFoundError, None),
        ("https://example.org/table.csv", FileNotFoundError, None),  # it is not fetched
        (tmp_path, IsADirectoryError, None),
        (7, TypeError, "source is a path or a file"),
        (io.StringIO("a,b\n1,2\n"), ValueError, "open it in binary mode"),
    ):
        with pytest.raises(error, match=message):
            read_table(source)


# ---------------------------------------------------------------- blocks, pipes, other kinds


def test_blocks_are_the_whole_table(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "x": rng.normal(size=3000),
            "c": rng.choice(["a", 'b"', "c\n,d", ""], 3000),
            "n": np.where(rng.random(3000) < 0.1, np.nan, rng.integers(0, 9, 3000)),
        }
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    whole = read_table(tmp_path / "t.csv")
    assert (whole["x"] == table["x"]).all()
    assert plain(whole)["c"] == [v or None for v in table["c"]]
    for size in (*range(1024, 1100, 9), 5000, 2**20):
        frames = list(read_blocks(tmp_path / "t.csv", block_bytes=size))
        starts = np.cumsum([0, *map(len, frames)])
        assert [f.first_row for f in frames] == starts[:-1].tolist() and starts[-1] == 3000
        assert all(f.source.endswith("t.csv") for f in frames)
        for name in table:
            found = np.concatenate([f[name] for f in frames])
            assert [*map(str, found)] == [*map(str, whole[name])]
    assert len(frames) == 1


def test_arrays(tmp_path):
    x = np.random.default_rng(0).normal(size=(500, 3))
    records = np.array([(1, 2.5), (3, 4.5)], [("n", "i4"), ("x", "f8")])
    for array, names in ((x, (0, 1, 2)), (np.asfortranarray(x), (0, 1, 2)), (records, ("n", "x")),
                         (x[:0], (0, 1, 2)), (x.astype(">f4"), (0, 1, 2))):  # fmt: skip
        np.save(tmp_path / "x.npy", array)
        np.savez_compressed(tmp_path / "x.npz", array)
        for file in ("x.npy", "x.npz"):
            found = read_table(tmp_path / file, block_bytes=1024)
            expected = np.array(array.tolist(), float).reshape(len(array), len(names))
            assert found.names == names and (np.asarray(found) == expected).all()
    assert read_table(tmp_path / "x.npy", columns=[2, 0]).names == (2, 0)
    np.savez(tmp_path / "c.npz", a=x[:, 0], b=x[:, 1] > 0)
    found = read_table(tmp_path / "c.npz", block_bytes=1024)
    assert (found["a"] == x[:, 0]).all() and found["b"].dtype == bool
    np.savez(tmp_path / "m.npz", train=x, test=x[:5])
    with pytest.raises(ValueError, match=r"save one of them as an \.npy"):
        read_table(tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: np.save(p, np.zeros(3)), r"shape \(3,\), not \(n, D\); save x\[:, None\]"),
        (
            lambda p: np.save(p, np.array([{}]), allow_pickle=True),
            "it holds Python objects: save num",
        ),
        (lambda p: np.save(p, np.zeros((2, 2), complex)), "column 0 holds complex128"),
        (lambda p: np.savez(p, a=np.zeros((2, 2)), b=np.zeros(3)), "neither one table nor columns"),
        (lambda p: np.savez(p), "holds nothing: neither"),
        (
            lambda p: np.savez(p, a=np.array([[None]])),
            "it holds Python objects: save numbers, or a",
        ),
        (lambda p: p.write_bytes(b"\x93NUMPY" + b"x" * 30), "is no array that can be read"),
        (lambda p: p.write_bytes(b"PK\x03\x04" + b"x" * 30), "cannot be unpacked"),
        (lambda p: p.write_bytes(b"PAR1" + b"x" * 30), "is no Parquet file"),
        (
            lambda p: (np.save(p, np.zeros((9, 9))), cut(p)),
            "it may be cut short, or still being wri",
        ),
        (lambda p: pq.write_table(pa.table({"a": [[1]]}), p), "column 'a'"),
    ],
)
def test_other_files_that_are_refused(tmp_path, make, message):
    path = tmp_path / "file.npz"
    make(path)
    path = path if path.exists() else tmp_path / "file.npz.npy"
    with pytest.raises(ValueError, match=message):
        read_table(path)


def cut(path):
    path = path if path.exists() else path.with_name("file.npz.npy")
    path.write_bytes(path.read_bytes()[:-8])


@given(st.data())
def test_damaged_arrays_are_refused_or_the_same(data):
    kind = data.draw(st.sampled_from(["npy", "npz", "parquet"]))
    file = io.BytesIO()
    x = np.arange(12.0).reshape(4, 3)
    if kind == "parquet":
        pq.write_table(pa.table({"a": x[:, 0], "b": x[:, 1]}), file)
    else:
        (np.save if kind == "npy" else np.savez)(file, x)
    good = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(8, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut_at = data.draw(st.integers(8, len(good)))
    try:
        for frame in read_blocks(io.BytesIO(bytes(good[:cut_at]))):
            assert len(frame) <= 12
    except ValueError:
        pass


def test_parquet(tmp_path):
    table = pa.table({"x": [0.5, None, 2.5], "c": ["a", None, "b"], "f": [True, False, True],
                      "n": [1, 2, 3], "at": pa.array([datetime.time(10, 30), None, None]),
                      "took": pa.array([90, None, 7], "duration[s]")})  # fmt: skip
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=2)
    found = read_table(path)
    assert plain(found.select("xcfn")) == table.select(list("xcfn")).to_pydict()
    assert found["f"].dtype == bool and found["at"].tolist() == ["10:30:00", None, None]
    assert found["took"].dtype.kind == "m" and np.isnat(found["took"][1])
    assert read_table(path, columns=["n", "x"]).names == ("n", "x")
    with pytest.raises(ValueError, match="has no column 'z'"):
        read_table(path, columns=["z"])
    with pytest.raises(ValueError, match="the stream is not read from a pipe"):
        read_table(Pipe(path.read_bytes()))
    pq.write_table(table.slice(0, 0), path)
    assert len(read_table(path)) == 0 and read_table(path).names == tuple(table.column_names)


class Pipe(io.RawIOBase):
    """Bytes that come once."""

    def __init__(self, data):
        self._left = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._left.readinto(memoryview(buffer)[:7])  # in small pieces, as pipes do


def test_from_a_pipe():
    x, file = np.random.default_rng(0).normal(size=(4000, 3)), io.BytesIO()
    np.save(file, x)
    csv = pd.DataFrame(x, columns=["a", "b", "c"]).to_csv(index=False)
    for data in (file.getvalue(), csv.encode()):
        for pipe in (Pipe(data), io.BufferedReader(Pipe(data))):
            frames = list(read_blocks(pipe, block_bytes=4096))
            assert (np.concatenate(list(map(np.asarray, frames))) == x).all()


@pytest.mark.parametrize(("library", "data"), [("pandas", b"a"), ("pyarrow", b"PAR1")])
def test_what_is_not_installed_is_one_line(library, data, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError) as problem:
        read(data)
    assert str(problem.value).endswith(f'needs {library}: pip install "flowcore[tables]"')


def test_the_time_grows_with_the_columns_and_not_with_their_square():
    def seconds(columns):
        text = ",".join(f"c{j}" for j in range(columns)) + 9 * ("\n" + ",".join(["1.5"] * columns))
        return min(timeit.repeat(lambda: read(text), number=1, repeat=3, timer=time.thread_time))

    assert seconds(8000) < 8 * seconds(2000)


def test_compressed_files(tmp_path):
    table, path = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), tmp_path / "t.csv.zip"
    table.to_csv(path, index=False)
    assert plain(read_table(path)) == {"a": [1, 2], "b": ["x", "y"]}
    np.save(tmp_path / "t.npy", table[["a"]])
    assert read(lzma.compress((tmp_path / "t.npy").read_bytes()))[0].tolist() == [1, 2]


WORDS = ["NA", "null", "nan", "None", "", "a\rb", "a\nb", '5" disk', "x;y", " x ", "1", "\u2212"]


def test_what_is_written_is_read_back(tmp_path, capsys):
    """By the command line: categories that look like missing values, a name like a comment."""
    rng = np.random.default_rng(0)
    table = {"#id": rng.choice(WORDS, 900), "x;y": rng.normal(size=900),
             "n": rng.choice([2**60, 2**60 + 1], 900)}  # fmt: skip
    schema = Schema.from_data(table).edit(n="categorical")
    density = fit_table(table, schema, learn=lambda x, **given: fc.Normal(1))
    fc.save(density, tmp_path / "m.npz")
    for name in ("t.csv", "t.parquet"):
        model, table, out = (f"{tmp_path}/{own}" for own in ("m.npz", name, "s.npy"))
        assert main(["sample", model, "-o", table, "-n", "900"]) == 0
        assert main(["score", model, table, "-o", out]) == 0
        drawn = density.sample(900, rng=0)
        np.testing.assert_array_equal(np.load(out), density.log_prob(drawn))
        assert set(drawn["#id"]) == set(WORDS)
    assert capsys.readouterr().err == ""


def test_what_a_density_needs(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": [f"r{i}" for i in range(90)], "x": rng.normal(size=90),
                          "zip": rng.choice(["01", "02"], 90)})  # fmt: skip
    table.to_csv(tmp_path / "t.csv", index=False)
    schema = Schema.from_data(table).edit(id="aside")
    frames = list(read_blocks(tmp_path / "t.csv", schema=schema, block_bytes=1024))
    assert frames[0].names == ("x", "zip") and frames[0]["zip"].tolist() == list(table["zip"])
    np.testing.assert_array_equal(frames[0]["x"], table["x"])
    table.assign(zip="03", x="oops").to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ValueError, match=r"t.csv: row 0, column 'x': 'oops' is no numb"):
        next(read_blocks(tmp_path / "t.csv", schema=schema))


# ---------------------------------------------------------------- fuzz


CELLS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from([
        "", "NA", "nan", "-inf", "1e999", "1,5", "+1", ".5", "5.", "1_0", "0x1", " 7 ", "\t8", '"',
        '""', '"9"', '"a,b"', '"a\nb"', '"c""d"', 'e"f', "#", "# g", "é", "\ufeff", "\x00", "\x0b1",
        "nan(1)", "1e", "-", "--1", "1 2", "true", "\r", "\u0663", "1\xa0", "1d5", "1f", "Infinity",
    ]),
    st.text(max_size=4),
)  # fmt: skip
RECORDS = st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=8)
ENDS = st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n", " \n", "\n\r"])
OPTIONS = st.fixed_dictionaries(
    {"separator": st.sampled_from([None, ",", ";", "\t", " "]), "header": st.booleans(),
     "decimal": st.sampled_from([".", ","])}
)  # fmt: skip


def outcome(data, options):
    """The columns as reprs, or the kind of error."""
    try:
        frame = read_table(io.BytesIO(data), **options)
    except ValueError as problem:
        return type(problem)
    return [(name, repr(frame[name].tolist())) for name in frame.names]


@pytest.mark.filterwarnings("ignore:Length of header")  # of pandas before 3, beside the error
@given(RECORDS, ENDS, OPTIONS, st.sampled_from([",", ";", "\t"]), st.integers(1, 20))
@example([["a"], ["1"], [""], ["2"]], "\n", {"header": True}, ",", 1)
@example([["a"], ["\ufeff"]], "\n", {"header": True}, ",", 1)
def test_every_text_is_read_or_refused_whatever_the_size_of_blocks(
    records, end, options, separator, copies
):
    text = (end.join(separator.join(record) for record in records) + end) * copies
    data = text.encode("utf-8", "surrogatepass")
    with patch.object(reading, "FIRST", 20):
        small = outcome(data, {**options, "block_bytes": 1024})
        assert small == outcome(data, options)


FLAWS = [
    *('3,"x', '3,"x\n4,y', '3,x"y', '3,"x\ry"', "3", "3,4,5", "#", "3,", '3,"x"y'),
    *("nan(1),x", "1e999,x", "inf,x", "-Inf,x", "nan,x", " NA,x", "1_0,x", "\x0b1,x", "1\xa0,x"),
    *("3,\x00", "0x1,x", "+1,x", "1.,x", "1e5,x", "1e,x", '"1",x', '" 1 ",x', "\u06631,x", ","),
    *("3,\ufeff", '3,"NA"', "1;2,x", "True,x", "2.5.,x", "9223372036854775808,x", '"1"5,x'),
]  # fmt: skip


def is_number(cell):
    """Whether `float` reads it, but for underscores, foreign digits and what is too large."""
    try:
        too_large = np.isinf(float(cell)) and "n" not in cell.lower()
    except ValueError:
        return False
    return cell.strip().isascii() and "_" not in cell and not too_large


def as_cells(record):
    """What Python's `csv` module makes of a record; [] for a broken one."""
    try:
        return next(csv.reader([record], strict=True))
    except (csv.Error, StopIteration):
        return []


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_late_record_has_the_cells_of_the_csv_module_and_the_numbers_of_float(flaw):
    """All others are refused."""
    cells = as_cells(flaw)
    text = "\n".join(["a,b", *["1.5,x"] * 20, flaw, "2.5,y"]) + "\n"
    with patch.object(reading, "FIRST", 20):
        if len(cells) != 2:
            with pytest.raises(ValueError, match=r"cannot be read|cells, not 2"):
                read(text)
            return
        found = read(text, text=["a", "b"], missing_values=["?"])
        assert [found["a"][20], found["b"][20]] == cells
        if is_number(cells[0].replace("NA", "nan") or "nan"):
            np.testing.assert_array_equal(
                read(text)["a"][20], float(cells[0].replace("NA", "nan") or "nan")
            )
        else:
            with pytest.raises(ValueError, match="row 20, column 'a'"):
                read(text)


def test_blank_lines_that_come_late_are_no_rows():
    text = "\n".join(["a,b", *["1.5,x"] * 20, "", "  ", "\t", "2.5,y"]) + "\n"
    with patch.object(reading, "FIRST", 20):
        assert read(text)["a"].tolist() == [1.5] * 20 + [2.5]


TABLES = st.integers(1, 4).flatmap(
    lambda d: st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=d, max_size=d),
        min_size=1, max_size=20,
    )
)  # fmt: skip


@given(TABLES, st.sampled_from([".", ","]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_was_written_is_read(rows, decimal, end, quoted):
    """Never a wrong number: repr of a float is read back to the last bit, in both ways."""

    def cell(v):
        text = repr(v).replace(".", decimal)
        return f'"{text}"' if quoted else text

    header = ";".join(f"c{j}" for j in range(len(rows[0])))
    text = end.join([header, *(";".join(map(cell, row)) for row in rows)]) + end
    for first in (1, 2**18):
        with patch.object(reading, "FIRST", first):
            found = read(text, decimal=decimal)
        assert np.asarray(found).tobytes() == np.array(rows).tobytes()


MEGABYTES = """
import resource, sys
import pandas
from flowcore.tables import read_blocks
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    n = sum(len(frame) for frame in read_blocks(sys.argv[1]))
except ValueError as problem:
    n = problem
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) // 1024, n)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["numbers", "an open quote", "a quote amid text", "Fortran"])
def test_memory_is_bounded(kind, tmp_path):
    """A million rows take no more than a few blocks, and a quote does not swallow them."""
    path = tmp_path / "big.csv"
    if kind == "Fortran":
        np.save(path.with_suffix(".npy"), np.zeros((6, 4_000_000)).T)  # 192 MB
        path = path.with_suffix(".npy")
    else:
        first = {"an open quote": '"5', "a quote amid text": '5"'}.get(kind, "5")
        text = "" if kind == "numbers" else "x"
        line = ",".join([f"0.123456789012345{text}"] * 6) + "\n"
        path.write_text(f"a,b,c,d,e,f\n{first}{line}" + line * 1_000_000)  # 108 MB
    done = subprocess.run([sys.executable, "-c", MEGABYTES, path], check=True,
                          capture_output=True, text=True).stdout.split()  # fmt: skip
    assert int(done[0]) < 120, done
    assert ("limit" in done) == (kind == "an open quote"), done
