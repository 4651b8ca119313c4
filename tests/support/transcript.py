"""Tables as people have them: the files of each case of `test_transcript`.

What is typed about them stands in `data/transcript/<case>.txt`. Rows come from Python's own
generator, whose numbers do not change with versions of NumPy. Of 39 rows no flow is learned, so a
fit takes a moment.
"""

import functools
import io
import random
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
PRICE = ROWS["price"]


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

# name -> files; "t.csv" is learned from, "new.csv" scored
CASES = {
    "every-kind-as-it-comes": {"t.csv": EVERY, "new.csv": FEW, "out.csv": ALL_OTHERS},
    "every-kind-edited": {"t.csv": EVERY, "new.csv": FEW, "out.csv": ALL_OTHERS},
    "samples-that-are-scored": {"t.csv": EVERY, "bare.csv": chosen("height price", header=False)},
    "numbers": {"t.csv": TWO, "new.csv": NEW, "out.csv": HELD_OUT},
    "categories-only": {"t.csv": chosen("city new"), "new.csv": chosen("city new", OTHERS[:3])},
    "a-flow": {"t.csv": SOME, "new.csv": chosen("height city", OTHERS[:3])},
    "integers": {
        "t.csv": chosen("height rooms"),
        "new.csv": b"height,rooms\n1.7,2\n1.7,9\n1.7,2.5\n1.7,-1\n",
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
    "dates": {"t.csv": with_column("day", lambda i, r: f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}")},
    "unseen-values": {
        "t.csv": SOME,
        "new.csv": b"height,city\n1.7,Paris\n1.7,Bern\n1.7,7\n",
    },
    "missing-cells": {
        "t.csv": changed(TWO, PRICE[4], ""),
        "new.csv": changed(NEW, OTHERS["height"][1], "NA"),
        "out.csv": changed(HELD_OUT, OTHERS["height"][1], ""),
    },
    "missing-cells-that-are-a-value": {
        "t.csv": with_column("pay", lambda i, r: "" if i % 3 else round(r.gauss(9, 1), 2)),
        "new.csv": b"height,price,pay\n1.7,150,\n1.7,150,9\n,150,9\n",
    },
    "rows-that-repeat": {"t.csv": chosen("height price", pd.concat([ROWS[:20]] * 2))},
    "no-header": {
        "t.csv": chosen("height price", header=False),
        "new.csv": chosen("height price", OTHERS[:2], header=False),
    },
    "semicolons-and-commas": {
        "t.csv": chosen("height city price", sep=";").replace(b".", b","),
        "new.csv": chosen("height city price", OTHERS[:2], sep=";").replace(b".", b","),
    },
    "models": {
        "t.csv": TWO,
        "new.csv": NEW,
        "text.npz": b"no model",
        "arrays.npz": lambda: in_folder(lambda path: np.savez(path, x=np.eye(2))),
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
