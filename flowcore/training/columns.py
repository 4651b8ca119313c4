"""Columns that have no density: constant ones, grids, and columns that follow from others.

The likelihood of such a column has no maximum: it grows with every narrower spike. So a fit looks
good, and is of no use.
"""

from __future__ import annotations

import math

import numpy as np

from ..bijectors import Whiten
from ..core import warn
from ..core.inputs import named
from ..core.rows import blocks
from .checks import EXAMINED

WIDEST = 1000  # columns: in wider tables dependence is not looked for
LARGEST_CONDITION = 1e3  # of correlations, that flows learn well without whitening
TINY = 1e-6  # of a column's scale: what is left of it when the others are known
PART = 100  # times that: what a column adds at least, if the others do not suffice


def check_columns(x: np.ndarray, rows: np.ndarray, labels: list | None = None) -> None:
    """Errors and warnings about the columns of the training rows: constant (error), on a grid,
    dependent (warnings)."""
    constant = constant_columns(x, rows)
    if constant.size:
        raise ValueError(
            f"X is constant in {named('column', constant, labels)} of the training rows (column "
            f"{constant[0]}: always {x[rows[0], constant[0]]}): a constant has no density, drop it"
        )
    few, distinct, examined = few_valued_columns(x, rows)
    if few.size:
        warn(
            f"X has few distinct values in {named('column', few, labels)} (column {few[0]}: "
            f"{distinct} in {examined} rows). The likelihood of gridded data has no maximum, it "
            "grows with every narrower spike on a grid point: dequantise (add noise, uniform over "
            "one grid step) or pass the column as context",
        )
    dependent, too_many = dependent_columns(x, rows)
    if dependent.size:
        these = named("column", dependent, labels)
        warn(
            f"X has dependent columns: of {these}, {too_many} can be computed from the others, as "
            "sums of multiples of them. Such rows have no density: the likelihood grows without "
            f"bound, and means nothing. Drop {too_many} of these columns",
        )


def dependent_columns(
    x: np.ndarray, rows: np.ndarray, tiny: float = TINY
) -> tuple[np.ndarray, int]:
    """(columns that are linearly dependent, how many of them the others determine).

    Some combination sum_j a_j x_j is constant, up to `tiny` times the scale of each: then the
    correlation matrix has an eigenvalue of (nearly) zero, with the eigenvector v_j = a_j sd_j. A
    column takes part if v_j is a hundred times `tiny`: of b = a + .0005 c, with tiny = .001, only a
    and b do. It uses about 4 D evenly spaced rows. (D rows, or fewer, would always be dependent.)
    """
    vary, values, vectors = _principal_axes(_some(x, rows))
    nothing_left = values < tiny**2
    part = np.abs(vectors[:, nothing_left]).max(axis=1, initial=0.0)
    return vary[part > PART * tiny], int(nothing_left.sum())


def check_condition(flow, x: np.ndarray, context: np.ndarray | None) -> None:
    """A warning about correlations that a flow learns slowly, unless it whitens these rows."""
    steps = flow.bijector.steps("inverse") if hasattr(flow, "bijector") else ()
    parts = [part for part, _ in steps]
    of_context = [getattr(part, "standardize", None) for part in parts]
    tables = ("standardize", x, parts), ("standardize_context", context, of_context)
    for name, table, constants in tables:
        if table is None or any(isinstance(one, Whiten) for one in constants):
            continue
        found = condition_number(_some(table, np.arange(len(table))))
        if found > LARGEST_CONDITION:
            warn(
                f"the correlations of {'X' if table is x else 'the context'} have the condition "
                f"number {found:.2g}: some columns nearly follow from others, and "
                f'a flow may learn slowly what is in their differences. Try {name}="whiten" in the '
                "recipe, and keep it if the validation NLL is lower"
            )


def condition_number(x: np.ndarray) -> float:
    """The largest eigenvalue of the correlations of rows x (n, D), over the smallest one.

    Columns that are constant or follow from others do not count. 1 for D rows, or fewer.
    """
    values = _principal_axes(x)[1]
    values = values[values >= TINY**2]
    return float(values[-1] / values[0]) if values.size else 1.0


def _some(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """About 4 D of the rows, evenly spaced, at least 1,000."""
    return x[rows[:: math.ceil(len(rows) / max(1000, 4 * x.shape[1]))]]


@np.errstate(all="ignore")
def _principal_axes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(the columns that vary, the eigenvalues of their correlations, the eigenvectors); none if
    there are too few rows, or too many columns.

    Outliers are left out: beside them the other rows would look like one point.
    """
    sample = _without_outliers(x.astype(float))
    vary = np.flatnonzero((sample != sample[:1]).any(axis=0))
    if len(vary) >= len(sample) or len(vary) > WIDEST:
        return np.zeros(0, int), np.zeros(0), np.zeros((0, 0))
    z = sample[:, vary]
    z -= z.mean(axis=0)
    z /= np.abs(z).max(axis=0)  # no square underflows
    z /= np.sqrt(np.mean(z**2, axis=0))
    return vary, *np.linalg.eigh(z.T @ z / len(z))


def _without_outliers(x: np.ndarray) -> np.ndarray:
    """The rows within 100 interquartile ranges of the median, in these units."""
    low, middle, high = np.quantile(x / 4, (0.25, 0.5, 0.75), axis=0)  # no difference overflows
    unit = high - low
    unit = np.where(unit > 0, unit, np.maximum(np.abs(x / 4 - middle).max(axis=0), 1e-300))
    z = (x / 4 - middle) / unit
    return z[(np.abs(z) < 100).all(axis=1)]


def constant_columns(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Indices of the columns with one value in all of `rows`."""
    varies = np.zeros(x.shape[1], bool)
    first = x[rows[0]]
    for block in blocks(len(rows), x.shape[1]):
        varies |= (x[rows[block]] != first).any(axis=0)
        if varies.all():
            break
    return np.flatnonzero(~varies)


def few_valued_columns(x: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Columns whose values come back too often for a density; (columns, distinct, examined).

    Values drawn from a density are all different, whatever n is: only whole rows may repeat, in
    resampled data. So a column is on a grid (or has a spike) if its values occur more than twice on
    average among *different* rows. It is one, too, if they occur more than ten times among all
    rows, unless that is because whole rows repeat (which cannot be seen if D = 1). At most 10,000
    rows, evenly spaced, are examined (`examined`); `distinct` is the number of values of the first
    such column.
    """
    sample = x[rows[:: math.ceil(len(rows) / EXAMINED)]]
    ordered = np.sort(sample.T, axis=1)
    distinct = 1 + np.count_nonzero(ordered[:, 1:] != ordered[:, :-1], axis=1)
    few = 2 * distinct < len(sample)
    if few.any():
        different_rows = len({row.tobytes() for row in sample})
        whole = (distinct == different_rows) & (x.shape[1] > 1)
        few = (2 * distinct < different_rows) | (10 * distinct < len(sample)) & ~whole
    columns = np.flatnonzero(few)
    return columns, int(distinct[columns[0]]) if columns.size else 0, len(sample)
