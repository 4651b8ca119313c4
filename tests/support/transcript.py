"""Tables as people have them, good and bad: the files of each case of `test_transcript`.

What is typed about them stands in `data/transcript/<case>.txt`. Rows come from Python's own
generator, whose numbers do not change with versions of NumPy. Of 39 rows no flow is learned, so a
fit takes a moment.
"""

import functools
import gzip
import io
import random
import zipfile
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

import flowcore as fc
from flowcore.cli import main

N = 39


def people(n=N, seed=0):
    """Rows of a table with a column of every sort."""
    r = random.Random(seed)
    rows = [
        (
            round(r.gauss(1.7, 0.1), 3),
            round(150 * 2.7 ** r.gauss(0, 0.5), 2),
            r.randrange(1, 6),
            r.choice([1.0, 1.5, 2.0, 2.5, 3.0]),
            r.choice(["Bern", "Oslo", "Rome"]),
            r.choice(["true", "false"]),
        )
        for _ in range(n)
    ]
    return pd.DataFrame(rows, columns=["height", "price", "rooms", "stars", "city", "new"])


ROWS, OTHERS = people(), people(seed=1)
HEIGHT, PRICE = ROWS["height"], ROWS["price"]


def csv(table, **options):
    """Bytes of a CSV."""
    return table.to_csv(index=False, lineterminator="\n", **options).encode()


def chosen(names, rows=ROWS, **options):
    """Some of the columns as a CSV."""
    return csv(rows[names.split()], **options)


def with_column(name, cell):
    """height and price, and a column of which `cell(i, random)` gives the i-th value."""
    r = random.Random(2)
    return csv(ROWS[["height", "price"]].assign(**{name: [cell(i, r) for i in range(N)]}))


def changed(data, old, new, count=1):
    """The same bytes, apart from a place that has to be there."""
    assert str(old).encode() in data, old
    return data.replace(str(old).encode(), new.encode(), count)


def array(save=np.save, **options):
    """height and price as .npy or .npz."""
    out, x = io.BytesIO(), ROWS[["height", "price"]].to_numpy()
    save(out, **{key: value(x) for key, value in options.items()}) if options else save(out, x)
    return out.getvalue()


def zipped(name, data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
    return out.getvalue()


def in_folder(make):
    """The bytes that `make` writes to a path."""
    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        path = Path(folder) / "m.npz"
        make(path)
        return path.read_bytes()


def saved(model):
    """The bytes of a model that `flowcore.save` wrote."""
    return in_folder(lambda path: fc.save(model, path))


@functools.cache
def learned():
    """The bytes of a model that `fit` learned from height and price."""

    def fit(path):
        data = path.with_suffix(".csv")
        data.write_bytes(TWO)
        assert main(["fit", str(data), "-o", str(path)]) == 0

    return in_folder(fit)


TWO, SOME, NEW = chosen("height price"), chosen("height city"), chosen("height price", OTHERS[:4])
EVERY, FEW, ALL_OTHERS = csv(ROWS), csv(OTHERS[:4]), csv(OTHERS)
HELD_OUT = chosen("height price", OTHERS)
PARQUET = ROWS.assign(new=ROWS["new"] == "true").to_parquet()

# name -> files; "t.csv" is learned from, "new.csv" scored
CASES = {
    # ------------------------------------------------------------ good ones
    "every-kind-as-it-comes": {"t.csv": EVERY, "new.csv": FEW, "out.csv": ALL_OTHERS},
    "every-kind-edited": {"t.csv": EVERY, "new.csv": FEW, "out.csv": ALL_OTHERS},
    "samples-that-are-scored": {"t.csv": EVERY, "bare.csv": chosen("height price", header=False)},
    "suggestions-adopted": {"t.csv": EVERY},
    "numbers": {"t.csv": TWO, "new.csv": NEW, "out.csv": HELD_OUT},
    "one-column": {
        "t.csv": chosen("height"),
        "new.csv": chosen("height", OTHERS[:3]),
        "out.csv": chosen("height", OTHERS),
    },
    "categories-only": {"t.csv": chosen("city new"), "new.csv": chosen("city new", OTHERS[:3])},
    "a-flow": {"t.csv": SOME, "new.csv": chosen("height city", OTHERS[:3])},
    "chosen-columns": {"t.csv": EVERY, "new.csv": NEW},
    "integers": {
        "t.csv": chosen("height rooms"),
        "new.csv": b"height,rooms\n1.7,2\n1.7,9\n1.7,2.5\n1.7,-1\n",
    },
    "grids": {
        "t.csv": chosen("height stars"),
        "new.csv": b"height,stars\n1.7,2\n1.7,2.2\n",
    },
    "booleans": {
        "t.csv": chosen("height new"),
        "new.csv": b"height,new\n1.7,TRUE\n1.7,\n1.7,yes\n",
    },
    "zeros-and-ones": {
        "t.csv": with_column("old", lambda i, r: i % 2),
        "new.csv": b"height,price,old\n1.7,150,1\n1.7,150,2\n",
    },
    "bounded": {
        "t.csv": with_column("share", lambda i, r: round(r.betavariate(2, 5), 3)),
        "new.csv": b"height,price,share\n1.7,150,0.5\n1.7,150,1.5\n1.7,150,0\n1.7,-5,0.5\n",
    },
    "atoms": {
        "t.csv": with_column("rain", lambda i, r: 0 if i % 2 else round(2.7 ** r.gauss(1, 1), 2)),
        "new.csv": b"height,price,rain\n1.7,150,0\n1.7,150,2.5\n1.7,150,-1\n",
        "out.csv": with_column("rain", lambda i, r: 0 if i % 3 else round(2.7 ** r.gauss(1, 1), 2)),
    },
    "numbers-as-they-are": {"t.csv": EVERY, "out.csv": ALL_OTHERS},
    # ------------------------------------------------------------ columns that are not numbers
    "text-among-numbers": {
        "t.csv": changed(TWO, HEIGHT[4], "unknown"),
        "new.csv": changed(NEW, "1.", "x1."),
        "two.npz": learned,
    },
    "dates": {"t.csv": with_column("day", lambda i, r: f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}")},
    "row-numbers": {"t.csv": with_column("id", lambda i, r: i + 1)},
    "codes": {"t.csv": with_column("code", lambda i, r: f"{i % 4:03d}")},
    "free-text": {"t.csv": with_column("note", lambda i, r: f"the number {i} of all")},
    "prices-with-signs": {"t.csv": with_column("paid", lambda i, r: f"${r.randrange(100, 999)}")},
    "thousands": {"t.csv": with_column("sum", lambda i, r: f"{1 + i % 7},{r.randrange(100, 999)}")},
    "constant": {"t.csv": with_column("kind", lambda i, r: 7)},
    "unseen-values": {
        "t.csv": SOME,
        "new.csv": b"height,city\n1.7,Paris\n1.7,Bern\n1.7,7\n",
    },
    "a-column-aside": {
        "t.csv": with_column("note", lambda i, r: "2 kg" if i == 30 else i),
        "bare.csv": b"1,2\n2,3 kg\n4,5\n7,8\n9,1\n",
    },
    "a-category-called-NA": {"t.csv": changed(SOME, "Bern", "NA", 99)},
    # ------------------------------------------------------------ values that are not there, or odd
    "missing-cells": {
        "t.csv": changed(TWO, PRICE[4], ""),
        "new.csv": changed(NEW, OTHERS["height"][1], "NA"),
        "out.csv": changed(HELD_OUT, OTHERS["height"][1], ""),
    },
    "missing-cells-that-are-a-value": {
        "t.csv": with_column("pay", lambda i, r: "" if i % 3 else round(r.gauss(9, 1), 2)),
        "new.csv": b"height,price,pay\n1.7,150,\n1.7,150,9\n,150,9\n",
    },
    "a-column-of-nothing": {"t.csv": with_column("gone", lambda i, r: "")},
    "infinite": {
        "t.csv": changed(TWO, PRICE[4], "inf"),
        "new.csv": changed(NEW, "1.", "-inf"),
        "two.npz": learned,
    },
    "huge": {
        "t.csv": csv(pd.DataFrame({"a": HEIGHT.astype(str) + "e200", "b": PRICE})),
        "new.csv": b"height,price\n1e308,1\n1e400,1\n",
        "two.npz": learned,
    },
    "rows-that-repeat": {"t.csv": chosen("height price", pd.concat([ROWS[:20]] * 2))},
    "few-rows": {f"{n}.csv": chosen("height price", ROWS[:n]) for n in range(4)},
    "columns-that-follow": {
        "t.csv": csv(pd.DataFrame({"a": HEIGHT, "b": PRICE, "c": HEIGHT + PRICE})),
        "twice.csv": csv(pd.DataFrame({"a": HEIGHT, "b": HEIGHT})),
        "nearly.csv": csv(pd.DataFrame({"a": HEIGHT, "b": HEIGHT + PRICE / 1e9})),
    },
    # ------------------------------------------------------------ how files are written
    "no-header": {
        "t.csv": chosen("height price", header=False),
        "new.csv": chosen("height price", OTHERS[:2], header=False),
    },
    "names-twice": {"t.csv": changed(TWO, "price", "height")},
    "names-that-are-empty": {"t.csv": changed(TWO, "price", "")},
    "a-header-that-is-a-comment": {"t.csv": b"#" + TWO, "new.csv": b"#" + NEW},
    "semicolons-and-commas": {
        "t.csv": chosen("height city price", sep=";").replace(b".", b","),
        "new.csv": chosen("height city price", OTHERS[:2], sep=";").replace(b".", b","),
    },
    "tabs-bars-and-spaces": {
        "tab.csv": chosen("height price", sep="\t"),
        "bar.csv": chosen("height price", sep="|"),
        "space.csv": chosen("height price", sep=" "),
        "two.npz": learned,
    },
    "lines-of-windows": {
        "t.csv": b"\xef\xbb\xbf" + TWO.replace(b"\n", b"\r\n") + b"\r\n\r\n",
        "two.npz": learned,
    },
    "quotes": {
        "t.csv": changed(SOME, "Bern", '"St. ""G"", CH"', 99),
        "open.csv": changed(SOME, "Bern", '"Bern'),
        "inside.csv": changed(SOME, "Bern", '"Be"rn"'),
    },
    "ragged": {
        "t.csv": changed(TWO, f",{PRICE[4]}", ""),
        "more.csv": changed(TWO, PRICE[4], "1,2"),
    },
    "encodings": {
        "t.csv": changed(SOME, "Bern", "Zürich", 99).decode().encode("latin-1"),
        "wide.csv": SOME.decode().encode("utf-16"),
    },
    "nothing": {"t.csv": b"", "blank.csv": b"\n\n", "head.csv": b"a,b\n", "m.npz": learned},
    "compressed": {
        "t.csv.gz": gzip.compress(TWO, mtime=0),
        "t.xlsx": zipped("xl/workbook.xml", b"<a/>"),
    },
    "npy": {
        "t.npy": array(),
        "line.npy": array(save=lambda out, x: np.save(out, x[:, 0])),
        "cut.npy": array()[:-8],
        "objects.npy": array(
            save=lambda out, x: np.save(out, np.array([None, {}]), allow_pickle=True)
        ),
    },
    "npz": {
        "t.npz": array(np.savez, x=lambda x: x, y=lambda x: x[:, 0] ** 2, z=lambda x: x[:, 1] ** 2)
    },
    "parquet": {"t.parquet": PARQUET, "cut.parquet": PARQUET[:-9]},
    "standard-input": {"t.csv": TWO, "new.csv": NEW, "none": b""},
    # ------------------------------------------------------------ a table and the model of another
    "other-columns": {
        "m.npz": learned,
        "order.csv": chosen("price height", OTHERS[:2]),
        "less.csv": chosen("price", OTHERS),
        "more.csv": chosen("height price city", OTHERS[:2]),
        "bare.csv": chosen("height price", OTHERS[:2], header=False),
    },
    # ------------------------------------------------------------ models and places for files
    "models": {
        "t.csv": TWO,
        "new.csv": NEW,
        "text.npz": b"no model",
        "arrays.npz": array(np.savez, x=lambda x: x),
        "flow.npz": lambda: saved(fc.flows.maf(2, layers=1, hidden=[3])),
        "bijector.npz": lambda: saved(fc.Exp(2)),
        "cut.npz": lambda: saved(fc.flows.maf(2, layers=1, hidden=[3]))[:-40],
    },
    "questions": {
        "t.csv": EVERY,
        "holes.csv": changed(
            changed(csv(OTHERS[:3].assign(id=["a", "b", "c"])), OTHERS["height"][0], ""),
            OTHERS["city"][1],
            "",
        ),
        "negative.csv": changed(FEW, OTHERS["price"][1], "-5"),
    },
    "a-drift-check": {
        "m.npz": learned,
        "out.csv": HELD_OUT,
        "dear.csv": chosen("height price city", OTHERS.assign(price=9 * OTHERS["price"])),
    },
    "places": {"t.csv": TWO, "new.csv": NEW, "m.npz": learned},
    "wrong-options": {"t.csv": TWO, "new.csv": NEW, "m.npz": learned},
}
