"""What is found, one small immutable object each; every number that a verdict speaks of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from ..training import History


@dataclass(frozen=True)
class Beside:
    """A mean log-density, and how far the judged one is above it, on the same rows, in nats."""

    name: str
    mean: float
    difference: float
    standard_error: float


@dataclass(frozen=True)
class Uniformity:
    """One histogram that should be flat.

    name         of the column, or of the latent coordinate
    ks           the distance from flat: the largest share of mass on the wrong side of a value
    p_value      of that, alone; adjusted: with all tests of the report
    shape        what is wrong, if anything is: see `uniformity.shape_of`
    counts       of 20 equal bins;  n: of rows
    given        of a triangular flow: the columns on which this one is conditional
    """

    name: str
    ks: float
    p_value: float
    adjusted: float
    shape: str
    counts: tuple[int, ...]
    n: int
    given: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Association:
    """The correlations of the latent coordinates, which should be none."""

    largest: float
    p_value: float
    adjusted: float


@dataclass(frozen=True)
class TwoSamples:
    """A classifier that is to tell rows from draws: area under its curve, on rows it has not seen.

    0.5: it cannot. leading: the columns that helped it most, if it can.
    """

    auc: float
    standard_error: float
    p_value: float
    adjusted: float
    n: int
    leading: tuple[str, ...] = ()


@dataclass(frozen=True)
class Far:
    """Rows less probable than all but a small share of the density's own draws.

    floor: that log-density;  rows: the indices, the least probable first;  expected: how many
    there would be of a true density;  without_density: how many rows have log p = -inf.
    """

    share: float
    floor: float
    rows: tuple[int, ...]
    expected: float
    p_value: float
    adjusted: float
    without_density: int


@dataclass(frozen=True)
class Row:
    """One of the least probable rows.

    level: the share of the density's own draws that is less probable
    column, value: where it is furthest out; place: the share of the draws below that value
    """

    index: int
    log_p: float
    level: float
    column: str
    value: float
    place: float


@dataclass(frozen=True)
class Learned:
    """The training rows' mean log-density, and how far it is above the held-out rows'."""

    mean: float
    difference: float
    standard_error: float


@dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """All of them: what sentences, advice, table and page are made of. See `Diagnosis`."""

    density: str
    n: int
    names: tuple[str, ...]
    mean: float
    standard_error: float
    median: float
    baselines: tuple[Beside, ...]
    baselines_by_halves: bool
    columns: tuple[Uniformity, ...]
    latents: tuple[Uniformity, ...] | None
    latents_of: str
    association: Association | None
    own_level: Uniformity
    classifier: TwoSamples | None
    far: Far
    worst: tuple[Row, ...]
    pull: float
    learned: Learned | None
    gridded: tuple[str, ...]
    draws: int
    wild_draws: int
    alpha: float
    history: History | None = field(repr=False)
    rows: np.ndarray = field(repr=False)
    drawn: np.ndarray = field(repr=False)
    given: tuple[str, ...] = ()
