"""What is learned: a density that is known exactly, points painted by hand, or a table."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np

import flowcore as fc

FEWEST, MOST = 20, 20_000  # rows of a painting or a table
HELD_OUT = 0.2  # of them, which no step sees
JUDGES = 2000  # fresh points on which a flow is judged where the truth is known
JUDGES_SEED = 20_240  # theirs; no training ever draws from it
REACH = 2.4  # of a frame around the data, in standard deviations
UNLIKE = 3.0  # times wider than high: no square would show both columns


@dataclass(frozen=True)
class StretchedNormal(fc.targets.Target):
    """Two independent coordinates, x1 ~ N(0, 2^2) and x2 ~ N(0, 1)."""

    dim = 2

    def sample(self, n, rng=None):
        return np.random.default_rng(rng).normal(size=(n, 2)) * self.std()

    def log_prob(self, x):
        z = np.asarray(x, float) / self.std()
        return -0.5 * (z**2).sum(-1) - np.log(2 * np.pi) - np.log(2)

    def entropy(self):
        return float(np.log(2 * np.pi * np.e) + np.log(2))

    def mean(self):
        return np.zeros(2)

    def std(self):
        return np.array([2.0, 1.0])


# Circles and spirals are not among them: they need scipy, which a page would have to load.
TARGETS = MappingProxyType(
    {
        "two_moons": fc.targets.two_moons(0.05),
        "stretched_normal": StretchedNormal(),
        "correlated_gaussian": fc.targets.correlated_gaussian(0.8),
        "banana": fc.targets.banana(),
        "eight_gaussians": fc.targets.eight_gaussians(),
        "checkerboard": fc.targets.checkerboard(),
        "pinwheel": fc.targets.pinwheel(),
    }
)


class Data:
    """Rows to learn from, rows to judge by, and the truth, if it is known.

    rows    (n, 2), or None: every step draws fresh ones from the truth
    truth   a `Target`, or None
    """

    def __init__(self, rows: np.ndarray | None, truth=None, held: np.ndarray | None = None):
        self.rows, self.truth, self._held = rows, truth, held

    @cached_property
    def judges(self) -> np.ndarray:
        """Rows that no step sees: fresh draws of the truth, or those that were set aside."""
        return self._held if self.truth is None else self.truth.sample(JUDGES, rng=JUDGES_SEED)

    @cached_property
    def controls(self) -> np.ndarray | None:
        """Control variates of the judges, (n, 5), whose means under the truth are known to be 0.

        u and u^2 - 1 of the standardised coordinates, and log p + H(p). A flow before its first
        step is a Gaussian in u, so its distance is exact; later errors are smaller with them.
        """
        if self.truth is None:
            return None
        u = (self.judges - self.truth.mean()) / self.truth.std()
        surprise = self.truth.log_prob(self.judges) + self.entropy
        return np.column_stack([u, u**2 - 1, surprise])

    @cached_property
    def entropy(self) -> float | None:
        """Of the truth, in nats; None if it is not known."""
        return None if self.truth is None else float(self.truth.entropy())

    @property
    def two_rows(self) -> np.ndarray:
        """Two rows with the mean and the standard deviation of the data: of the truth, exactly."""
        known = self.truth is not None and self.rows is None
        mean = self.truth.mean() if known else self.rows.mean(axis=0)
        std = self.truth.std() if known else self.rows.std(axis=0)
        return np.stack([mean - std, mean + std])

    @cached_property
    def frame(self) -> list[float]:
        """[left, right, bottom, top] around the data: a square, if its columns are alike."""
        if self.truth is not None:
            middle, reach = self.truth.mean(), REACH * self.truth.std().max()
        else:
            low, high = self.rows.min(axis=0), self.rows.max(axis=0)
            middle, reach = (low + high) / 2, 0.65 * (high - low)
            if reach.max() < UNLIKE * reach.min():
                reach = reach.max()
        low, high = middle - reach, middle + reach
        return [float(v) for side in zip(low, high, strict=True) for v in side]

    def shown(self, n: int = 600) -> np.ndarray:
        """Some rows to look at."""
        if self.rows is None:
            return self.judges[:n]
        return self.rows[:: max(1, len(self.rows) // n)][:n]


def of_target(name: str, points: int, seed: int) -> Data:
    """A known density, learned from so many points, or from fresh ones in every step (0)."""
    truth = TARGETS[name]
    if points == 0:
        return Data(None, truth)
    if points < FEWEST:
        raise ValueError(f"points must be 0 (fresh ones) or at least {FEWEST}: not {points}")
    return Data(truth.sample(points, rng=np.random.default_rng([seed, 1])), truth)


def of_rows(rows, what: str, seed: int) -> Data:
    """Points that somebody painted, or rows of a table; a fifth of them is set aside."""
    rows = np.asarray(rows, float).reshape(-1, 2)
    if len(rows) < FEWEST:
        raise ValueError(f"{what} has {len(rows)} points: at least {FEWEST} are needed")
    if not np.isfinite(rows).all():
        raise ValueError(f"{what} has values that are not finite")
    for i, std in enumerate(rows.std(axis=0)):
        if not std > 0:
            raise ValueError(
                f"{what}: column {i + 1} has the one value {rows[0, i]:g}, so it has no density"
            )
    order = np.random.default_rng([seed, 1]).permutation(len(rows))
    n_held = round(HELD_OUT * len(rows))
    return Data(rows[np.sort(order[n_held:])], None, rows[np.sort(order[:n_held])])


def read_table(text: str, columns: tuple[str, str] | None = None) -> dict:
    """Two columns of a CSV: {"names": those with numbers, "chosen": two of them, "rows": (n, 2)}.

    Separators are guessed: a comma, a semicolon or a tab. A first row that is no row of numbers
    has the names. Errors: ValueError that names the row and the column.
    """
    lines = [line for line in text.removeprefix("\ufeff").splitlines() if line.strip()]
    if not lines:
        raise ValueError("the file is empty")
    separator = max(",;\t", key=lines[0].count)
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))
    except csv.Error as problem:  # which is no ValueError
        raise ValueError(f"{problem}: a quote may be missing") from None
    width = len(rows[0])
    has_names = not any(_is_number(cell) for cell in rows[0])
    names = [cell.strip() or f"column {i + 1}" for i, cell in enumerate(rows[0])]
    if not has_names:
        names = [f"column {i + 1}" for i in range(width)]
    rows = rows[has_names:]
    if not rows:
        raise ValueError("the file has names, but no rows")
    numeric = [i for i in range(width) if i < len(rows[0]) and _is_number(rows[0][i])]
    if len(numeric) < 2:
        raise ValueError(
            f"two columns of numbers are needed: this file has {len(numeric)}. A number is "
            f"written as 1.5: {rows[0][0]!r} stands in the first row"
        )
    known = [names[i] for i in numeric]
    chosen = list(columns or known[:2])
    for name in chosen:
        if name not in known:
            raise ValueError(
                f"there is no column {name!r} of numbers: there are {', '.join(known)}"
            )
    places = [numeric[known.index(name)] for name in chosen]
    found = [_numbers(row, k + 1 + has_names, places, names, width) for k, row in enumerate(rows)]
    step = -(-len(found) // MOST)
    return {"names": known, "chosen": chosen, "rows": np.array(found[::step]), "of": len(found)}


def _numbers(row: list[str], line: int, places: list[int], names: list[str], width: int):
    if len(row) != width:
        raise ValueError(f"row {line} has {len(row)} cells, the first one {width}")
    for i in places:
        if not _is_number(row[i]):
            shown = repr(row[i].strip()) if row[i].strip() else "empty"
            raise ValueError(f"row {line}, column {names[i]!r} is {shown}: not a finite number")
    return [float(row[i]) for i in places]


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
