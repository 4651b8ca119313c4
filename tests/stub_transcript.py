"""Tables as people have them, good and bad, and what is typed about them: `CASES`.

A case is some files and some lines, each a command of `flowcore`, with `< file` for standard input,
or `cat file`. Rows come from Python's own generator, whose numbers
do not change with versions of NumPy. Of 39 rows no flow is learned, so a fit takes a moment.
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

import flowcore as fc
from flowcore.cli import main

N = 39


def lines(*rows, separator=","):
    """Bytes of a CSV."""
    return ("\n".join(separator.join(map(str, row)) for row in rows) + "\n").encode()


def people(n=N, seed=0):
    """height, price, rooms, stars, city, new: rows of a table with a column of every sort."""
    r = random.Random(seed)
    return [
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


NAMES = ("height", "price", "rooms", "stars", "city", "new")
ROWS, OTHERS = people(), people(seed=1)


def chosen(names, rows=ROWS, header=True, separator=","):
    """Some of the columns as a CSV."""
    places = [NAMES.index(name) for name in names.split()]
    head = [names.split()] if header else []
    return lines(*head, *([row[j] for j in places] for row in rows), separator=separator)


def with_column(name, cell, rows=ROWS):
    """height and price, and a column of which `cell(i, random)` gives the i-th value."""
    r = random.Random(2)
    return lines(("height", "price", name), *((*row[:2], cell(i, r)) for i, row in enumerate(rows)))


def changed(data, old, new, count=1):
    """The same bytes, apart from a place that has to be there."""
    assert old.encode() in data, old
    return data.replace(old.encode(), new.encode(), count)


def array(save=np.save, **options):
    """height and price as .npy or .npz."""
    out = io.BytesIO()
    x = np.array([row[:2] for row in ROWS])
    save(out, **{key: value(x) for key, value in options.items()}) if options else save(out, x)
    return out.getvalue()


def parquet():
    """The table as Parquet, the last column true and false."""
    import pyarrow as pa
    import pyarrow.parquet

    columns = dict(zip(NAMES, zip(*ROWS, strict=True), strict=True))
    columns["new"] = [cell == "true" for cell in columns["new"]]
    out = io.BytesIO()
    pa.parquet.write_table(pa.table({name: list(column) for name, column in columns.items()}), out)
    return out.getvalue()


def zipped(name, data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
    return out.getvalue()


def saved(model):
    """The bytes of a model that `flowcore.save` wrote."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "saved.npz"
        fc.save(model, path)
        return path.read_bytes()


@functools.cache
def learned():
    """The bytes of a model that `fit` learned from height and price."""
    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        data, path = Path(folder) / "t.csv", Path(folder) / "m.npz"
        data.write_bytes(TWO)
        assert main(["fit", str(data), "-o", str(path)]) == 0
        return path.read_bytes()


TWO, SOME, NEW = chosen("height price"), chosen("height city"), chosen("height price", OTHERS[:4])
EVERY, FEW = chosen(" ".join(NAMES)), chosen(" ".join(NAMES), OTHERS[:4])
HELD_OUT = chosen("height price", OTHERS)

# name -> (files, lines that are typed); "t.csv" is learned from, "new.csv" scored
CASES = {
    # ------------------------------------------------------------ good ones
    "every-kind-as-it-comes": (
        {"t.csv": EVERY, "new.csv": FEW, "out.csv": chosen(" ".join(NAMES), OTHERS)},
        """
flowcore fit t.csv -o m.npz
flowcore score m.npz new.csv
flowcore sample m.npz -n 3
flowcore diagnose m.npz out.csv
flowcore info m.npz
""",
    ),
    "every-kind-edited": (
        {"t.csv": EVERY, "new.csv": FEW, "out.csv": chosen(" ".join(NAMES), OTHERS)},
        """
flowcore fit t.csv -o m.npz -k price=positive -k 'rooms=integer(0)' -k 'stars=gridded(0.5, 1, 3)'
flowcore score m.npz new.csv --draws 50
flowcore score m.npz new.csv --json
flowcore sample m.npz -n 3 --seed 5
flowcore diagnose m.npz out.csv --train t.csv
flowcore info m.npz --json
""",
    ),
    "suggestions-adopted": (
        {"t.csv": EVERY},
        """
flowcore fit t.csv -o m.npz --suggested --json
""",
    ),
    "numbers": (
        {"t.csv": TWO, "new.csv": NEW, "out.csv": HELD_OUT},
        """
flowcore fit t.csv -o m.npz
flowcore score m.npz new.csv
flowcore score m.npz new.csv --keep price -o s.csv
cat s.csv
flowcore diagnose m.npz out.csv
flowcore diagnose m.npz out.csv --json
flowcore diagnose m.npz t.csv
flowcore sample m.npz -n 2 -o d.csv
cat d.csv
flowcore sample m.npz -n 0
""",
    ),
    "one-column": (
        {
            "t.csv": chosen("height"),
            "new.csv": chosen("height", OTHERS[:3]),
            "out.csv": chosen("height", OTHERS),
        },
        """
flowcore fit t.csv -o m.npz
flowcore score m.npz new.csv
flowcore sample m.npz -n 2
flowcore diagnose m.npz out.csv
""",
    ),
    "categories-only": (
        {"t.csv": chosen("city new"), "new.csv": chosen("city new", OTHERS[:3])},
        """
flowcore fit t.csv -o m.npz
flowcore score m.npz new.csv
flowcore sample m.npz -n 3
flowcore diagnose m.npz new.csv
flowcore info m.npz
""",
    ),
    "a-flow": (
        {"t.csv": SOME, "new.csv": chosen("height city", OTHERS[:3])},
        """
flowcore fit t.csv -o m.npz --flow affine --budget 0.0001 --jobs 1
flowcore score m.npz new.csv
flowcore sample m.npz -n 2
flowcore fit t.csv -o m.npz --flow nonsense
flowcore fit t.csv -o m.npz --flow affine --budget 0
flowcore fit t.csv -o m.npz --quick --budget 1
""",
    ),
    "chosen-columns": (
        {"t.csv": EVERY, "new.csv": NEW},
        """
flowcore fit t.csv -o m.npz -c height,price
flowcore score m.npz new.csv
flowcore score m.npz t.csv -o s.csv
flowcore fit t.csv -o m.npz -c height,age
flowcore fit t.csv -o m.npz -c height -k height=aside
""",
    ),
    "integers": (
        {
            "t.csv": chosen("height rooms"),
            "new.csv": lines(("height", "rooms"), (1.7, 2), (1.7, 9), (1.7, 2.5), (1.7, -1)),
        },
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz -k 'rooms=integer(1, 5)'
flowcore score m.npz new.csv
flowcore sample m.npz -n 2
flowcore fit t.csv -o m.npz -k rooms=categorical
flowcore score m.npz new.csv
""",
    ),
    "grids": (
        {
            "t.csv": chosen("height stars"),
            "new.csv": lines(("height", "stars"), (1.7, 2), (1.7, 2.2)),
        },
        """
flowcore fit t.csv -o m.npz -k 'stars=gridded(0.5)'
flowcore score m.npz new.csv
flowcore fit t.csv -o m.npz -k 'stars=gridded(0.4)'
flowcore fit t.csv -o m.npz -k stars=gridded
flowcore fit t.csv -o m.npz -k 'stars=gridded(0.5, 1, 2)'
""",
    ),
    "booleans": (
        {
            "t.csv": chosen("height new"),
            "new.csv": lines(("height", "new"), (1.7, "TRUE"), (1.7, ""), (1.7, "yes")),
        },
        """
flowcore fit t.csv -o m.npz
flowcore score m.npz new.csv
flowcore sample m.npz -n 2
""",
    ),
    "zeros-and-ones": (
        {"t.csv": with_column("old", lambda i, r: i % 2)},
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz -k old=boolean
flowcore sample m.npz -n 2
""",
    ),
    "bounded": (
        {
            "t.csv": with_column("share", lambda i, r: round(r.betavariate(2, 5), 3)),
            "new.csv": lines(
                ("height", "price", "share"),
                (1.7, 150, 0.5),
                (1.7, 150, 1.5),
                (1.7, 150, 0),
                (1.7, -5, 0.5),
            ),
        },
        """
flowcore fit t.csv -o m.npz -k 'share=bounded(0, 1)' -k price=positive
flowcore score m.npz new.csv
flowcore fit t.csv -o m.npz -k 'share=bounded(0, 0.5)'
flowcore fit t.csv -o m.npz -k share=bounded
flowcore fit t.csv -o m.npz -k share
""",
    ),
    # ------------------------------------------------------------ columns that are not numbers
    "text-among-numbers": (
        {
            "t.csv": changed(TWO, str(ROWS[4][0]), "unknown"),
            "new.csv": changed(NEW, "1.", "x1."),
            "two.npz": learned,
        },
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz --missing-value unknown
flowcore fit t.csv -o m.npz --missing-value unknown --missing drop
flowcore score two.npz new.csv
""",
    ),
    "dates": (
        {"t.csv": with_column("day", lambda i, r: f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}")},
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz -k day=categorical
""",
    ),
    "row-numbers": (
        {"t.csv": with_column("id", lambda i, r: i + 1)},
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz -k id=aside
""",
    ),
    "codes": (
        {"t.csv": with_column("code", lambda i, r: f"{i % 4:03d}")},
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz --text code
""",
    ),
    "free-text": (
        {"t.csv": with_column("note", lambda i, r: f"the number {i} of all")},
        """
flowcore fit t.csv -o m.npz
""",
    ),
    "prices-with-signs": (
        {"t.csv": with_column("paid", lambda i, r: f"${r.randrange(100, 999)}")},
        """
flowcore fit t.csv -o m.npz
""",
    ),
    "thousands": (
        {"t.csv": with_column("sum", lambda i, r: f'"{1 + i % 7},{r.randrange(100, 999)}"')},
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz --decimal ,
""",
    ),
    "constant": (
        {"t.csv": with_column("kind", lambda i, r: 7)},
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz -k kind=aside
""",
    ),
    "unseen-values": (
        {
            "t.csv": SOME,
            "new.csv": lines(("height", "city"), (1.7, "Paris"), (1.7, "Bern"), (1.7, "7")),
        },
        """
flowcore fit t.csv -o m.npz
flowcore score m.npz new.csv
""",
    ),
    "a-category-called-NA": (
        {"t.csv": changed(SOME, "Bern", "NA", 99)},
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz --missing drop
""",
    ),
    # ------------------------------------------------------------ values that are not there, or odd
    "missing-cells": (
        {
            "t.csv": changed(TWO, str(ROWS[4][1]), ""),
            "new.csv": changed(NEW, f"{OTHERS[1][0]}", "NA"),
            "out.csv": changed(HELD_OUT, str(OTHERS[1][0]), ""),
        },
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz --missing drop
flowcore score m.npz new.csv
flowcore score m.npz new.csv --json
flowcore diagnose m.npz out.csv
flowcore diagnose m.npz out.csv --missing drop
""",
    ),
    "a-column-of-nothing": (
        {"t.csv": with_column("gone", lambda i, r: "")},
        """
flowcore fit t.csv -o m.npz
""",
    ),
    "infinite": (
        {
            "t.csv": changed(TWO, str(ROWS[4][1]), "inf"),
            "new.csv": changed(NEW, "1.", "-inf"),
            "two.npz": learned,
        },
        """
flowcore fit t.csv -o m.npz
flowcore score two.npz new.csv
""",
    ),
    "huge": (
        {
            "t.csv": lines(("a", "b"), *((f"{row[0]}e200", row[1]) for row in ROWS)),
            "new.csv": lines(("height", "price"), ("1e308", 1), ("1e400", 1)),
            "two.npz": learned,
        },
        """
flowcore fit t.csv -o m.npz
flowcore score two.npz new.csv
""",
    ),
    "rows-that-repeat": (
        {"t.csv": chosen("height price", ROWS[:20] * 2)},
        """
flowcore fit t.csv -o m.npz
""",
    ),
    "few-rows": (
        {f"{n}.csv": chosen("height price", ROWS[:n]) for n in range(4)},
        """
flowcore fit 0.csv -o m.npz
flowcore fit 1.csv -o m.npz
flowcore fit 2.csv -o m.npz
flowcore fit 3.csv -o m.npz
""",
    ),
    "columns-that-follow": (
        {
            "t.csv": lines(("a", "b", "c"), *((*row[:2], row[0] + row[1]) for row in ROWS)),
            "twice.csv": lines(("a", "b"), *((row[0], row[0]) for row in ROWS)),
            "nearly.csv": lines(("a", "b"), *((row[0], row[0] + row[1] / 1e9) for row in ROWS)),
        },
        """
flowcore fit t.csv -o m.npz
flowcore fit twice.csv -o m.npz
flowcore fit nearly.csv -o m.npz
""",
    ),
    # ------------------------------------------------------------ how files are written
    "no-header": (
        {
            "t.csv": chosen("height price", header=False),
            "new.csv": chosen("height price", OTHERS[:2], header=False),
        },
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz --no-header
flowcore score m.npz new.csv --no-header
flowcore sample m.npz -n 2
""",
    ),
    "names-twice": (
        {"t.csv": changed(TWO, "price", "height")},
        """
flowcore fit t.csv -o m.npz
""",
    ),
    "names-that-are-empty": (
        {"t.csv": changed(TWO, "price", "")},
        """
flowcore fit t.csv -o m.npz
""",
    ),
    "a-header-that-is-a-comment": (
        {"t.csv": b"#" + TWO, "new.csv": b"#" + NEW},
        """
flowcore fit t.csv -o m.npz
flowcore score m.npz new.csv
""",
    ),
    "semicolons-and-commas": (
        {
            "t.csv": chosen("height city price", separator=";").replace(b".", b","),
            "new.csv": chosen("height city price", OTHERS[:2], separator=";").replace(b".", b","),
        },
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz --decimal ,
flowcore score m.npz new.csv --decimal ,
flowcore score m.npz new.csv
""",
    ),
    "tabs-bars-and-spaces": (
        {
            "tab.csv": chosen("height price", separator="\t"),
            "bar.csv": chosen("height price", separator="|"),
            "space.csv": chosen("height price", separator=" "),
            "two.npz": learned,
        },
        """
flowcore score two.npz tab.csv --json
flowcore score two.npz bar.csv --json
flowcore fit space.csv -o m.npz
flowcore score two.npz space.csv --separator ' ' --json
flowcore fit tab.csv -o m.npz --separator ab
""",
    ),
    "lines-of-windows": (
        {"t.csv": b"\xef\xbb\xbf" + TWO.replace(b"\n", b"\r\n") + b"\r\n\r\n", "two.npz": learned},
        """
flowcore score two.npz t.csv --json
""",
    ),
    "quotes": (
        {
            "t.csv": changed(SOME, "Bern", '"St. ""G"", CH"', 99),
            "open.csv": changed(SOME, "Bern", '"Bern'),
            "inside.csv": changed(SOME, "Bern", '"Be"rn"'),
        },
        """
flowcore fit t.csv -o m.npz
flowcore sample m.npz -n 3
flowcore fit open.csv -o m.npz
flowcore fit inside.csv -o m.npz
""",
    ),
    "ragged": (
        {
            "t.csv": changed(TWO, f",{ROWS[4][1]}", ""),
            "more.csv": changed(TWO, str(ROWS[4][1]), "1,2"),
        },
        """
flowcore fit t.csv -o m.npz
flowcore fit more.csv -o m.npz
""",
    ),
    "encodings": (
        {
            "t.csv": changed(SOME, "Bern", "Zürich", 99).decode().encode("latin-1"),
            "wide.csv": SOME.decode().encode("utf-16"),
        },
        """
flowcore fit t.csv -o m.npz
flowcore fit t.csv -o m.npz --encoding latin-1
flowcore sample m.npz -n 3
flowcore fit wide.csv -o m.npz
flowcore fit t.csv -o m.npz --encoding nonsense
""",
    ),
    "nothing": (
        {"t.csv": b"", "blank.csv": b"\n\n", "head.csv": b"a,b\n", "m.npz": learned},
        """
flowcore fit t.csv -o m.npz
flowcore fit blank.csv -o m.npz
flowcore fit head.csv -o m.npz
flowcore fit gone.csv -o m.npz
flowcore fit . -o m.npz
flowcore score m.npz t.csv
flowcore diagnose m.npz head.csv
""",
    ),
    "compressed": (
        {"t.csv.gz": gzip.compress(TWO, mtime=0), "t.xlsx": zipped("xl/workbook.xml", b"<a/>")},
        """
flowcore fit t.csv.gz -o m.npz
flowcore fit t.xlsx -o m.npz
""",
    ),
    "npy": (
        {
            "t.npy": array(),
            "line.npy": array(save=lambda out, x: np.save(out, x[:, 0])),
            "cut.npy": array()[:-8],
            "objects.npy": array(
                save=lambda out, x: np.save(out, np.array([None, {}]), allow_pickle=True)
            ),
        },
        """
flowcore fit t.npy -o m.npz
flowcore score m.npz t.npy -o s.npy
flowcore sample m.npz -n 2
flowcore fit line.npy -o m.npz
flowcore fit cut.npy -o m.npz
flowcore fit objects.npy -o m.npz
""",
    ),
    "npz": (
        {
            "t.npz": array(
                np.savez, x=lambda x: x, y=lambda x: x[:, 0] ** 2, z=lambda x: x[:, 1] ** 2
            )
        },
        """
flowcore fit t.npz -o m.npz
flowcore fit t.npz -o m.npz --member x
flowcore fit t.npz -o m.npz --member w
""",
    ),
    "parquet": (
        {"t.parquet": parquet(), "cut.parquet": parquet()[:-9]},
        """
flowcore fit t.parquet -o m.npz
flowcore score m.npz t.parquet -o s.parquet
flowcore sample m.npz -n 2 -o d.parquet
flowcore score m.npz d.parquet --json
flowcore fit cut.parquet -o m.npz
""",
    ),
    "standard-input": (
        {"t.csv": TWO, "new.csv": NEW, "none": b""},
        """
flowcore fit - -o m.npz < t.csv
flowcore score m.npz - < new.csv
flowcore score m.npz - < none
""",
    ),
    # ------------------------------------------------------------ a table and the model of another
    "other-columns": (
        {
            "m.npz": learned,
            "order.csv": chosen("price height", OTHERS[:2]),
            "less.csv": chosen("price", OTHERS),
            "more.csv": chosen("height price city", OTHERS[:2]),
            "bare.csv": chosen("height price", OTHERS[:2], header=False),
        },
        """
flowcore score m.npz order.csv
flowcore score m.npz less.csv
flowcore score m.npz more.csv
flowcore score m.npz more.csv --ignore-extra
flowcore score m.npz more.csv --keep city
flowcore score m.npz bare.csv
flowcore score m.npz bare.csv --no-header
flowcore score m.npz order.csv --keep age
flowcore diagnose m.npz order.csv
flowcore diagnose m.npz less.csv
""",
    ),
    # ------------------------------------------------------------ models and places for files
    "models": (
        {
            "t.csv": TWO,
            "new.csv": NEW,
            "text.npz": b"no model",
            "arrays.npz": array(np.savez, x=lambda x: x),
            "flow.npz": lambda: saved(fc.flows.maf(2, layers=1, hidden=[3])),
            "bijector.npz": lambda: saved(fc.Exp(2)),
            "cut.npz": lambda: saved(fc.flows.maf(2, layers=1, hidden=[3]))[:-40],
        },
        """
flowcore info flow.npz
flowcore score flow.npz new.csv
flowcore sample flow.npz -n 2
flowcore diagnose flow.npz t.csv
flowcore info bijector.npz
flowcore info cut.npz
flowcore info text.npz
flowcore info arrays.npz
flowcore info gone.npz
flowcore info t.csv
flowcore info .
""",
    ),
    "places": (
        {"t.csv": TWO, "new.csv": NEW, "m.npz": learned},
        """
flowcore fit t.csv -o t.csv
flowcore fit t.csv -o gone/m.npz
flowcore fit t.csv -o .
flowcore fit t.csv -o m.csv
flowcore score m.npz new.csv -o new.csv
flowcore score m.npz new.csv -o s.xlsx
flowcore sample m.npz -n 2 -o m.npz
flowcore sample m.npz -n 2 -o gone/d.csv
flowcore diagnose m.npz new.csv -o page.txt
flowcore plot m.npz -o p.bmp
flowcore score m.npz new.csv --keep price -o s.npy
""",
    ),
    "wrong-options": (
        {"t.csv": TWO, "new.csv": NEW, "m.npz": learned},
        """
flowcore
flowcore guess t.csv
flowcore fit
flowcore fit t.csv
flowcore fit t.csv -o m.npz --depth 3
flowcore fit t.csv -o m.npz --seed -1
flowcore fit t.csv -o m.npz --seed x
flowcore fit t.csv -o m.npz --jobs 0
flowcore fit t.csv -o m.npz -k age=positive
flowcore fit t.csv -o m.npz -k price=large
flowcore fit t.csv -o m.npz -k 'price=positive(1, 2)'
flowcore fit t.csv -o m.npz -k 'price=bounded(2, 1)'
flowcore fit t.csv -o m.npz --text age
flowcore fit t.csv -o m.npz --missing maybe
flowcore fit t.csv -o m.npz --decimal x
flowcore fit t.csv -o m.npz --separator 5
flowcore fit t.csv -o m.npz --budget soon
flowcore score m.npz
flowcore score m.npz new.csv --draws 0
flowcore sample m.npz -n -1
flowcore sample m.npz -n x
flowcore score m.npz new.csv --keep log_prob
flowcore info m.npz more
flowcore --version
""",
    ),
}
