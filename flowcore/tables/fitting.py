"""From a table to the parts of its density. The learner of the numbers is an argument."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING

import numpy as np

from ..bijectors import Chain, Clamped, Standardize
from ..core import remaking, warn
from ..core.rows import as_weights
from ..distributions import ClampedBase, Distribution, Foreign, TransformedDistribution
from ..estimator.plan import default_minutes
from ..estimator.record import as_data
from ..flows import nsf
from ..training import fit
from ..training.repeats import first_equal
from .categorical import CategoricalMixture
from .checks import check_numbers
from .coordinates import Coordinates
from .encoding import Encoding
from .frame import Frame, as_frame
from .missing_categories import drawn_codes, first_codes
from .onehot import OneHot
from .question import encoded_with_holes
from .record import check_dim
from .schema import Schema, argument, complete_rows

if TYPE_CHECKING:
    from ..core.typing import Base, Seed, TableLike
    from ..estimator import FlowDensity, Summary

CHANCE = 0.01  # of the pairs of equal rows, if independent columns explain no more, rows are copies
MARGINS = 4096  # values of a column that are kept
# shares of the budget, where categories are unknown: each density but the last one draws them
ROUNDS, ROUNDS_OF_CATEGORIES = (0.3, 0.7), (0.2,) * 5  # p(c) alone costs little


def learn_flow(
    x: np.ndarray,
    context: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    rng: Seed = 0,
    present: np.ndarray | None = None,
) -> Base:
    """A neural spline flow of x (n, D), given the context (n, C): `fit_table(X, learn=learn_flow)`.

    Write your own with the same arguments: it returns any density with `log_prob(x, context=)` and
    `sample(n, rng=, context=)`, both without a context if there is none. `present` may be left out:
    then there is noise in x in place of absent numbers, and `log_prob` of the table integrates over
    it by weighted draws, row by row. A density of the numbers that are present, see
    `Clamped`, takes the D columns of `present` after those of the context. Cost: as for
    `flowcore.fit` with its defaults.

    Parameters
    ----------
    x : ndarray
        (n, D), numbers mapped to the whole line; noise is added in columns on a grid.
    context : ndarray or None
        The categories, one-hot; None without categories.
    sample_weight : ndarray or None
        (n,), scaled so that the largest is 1.
    rng : int or Generator
        Decides initial weights and batches.
    present : ndarray or None
        (n, D) of booleans: the numbers that a row has. None: all of them.

    Returns
    -------
    TransformedDistribution
        The flow.
    """
    if present is not None:
        columns = present.astype(float)
        context = columns if context is None else np.hstack([context, columns])
    context_dim = 0 if context is None else context.shape[1]
    flow = nsf(
        x.shape[1], context_dim=context_dim, rng=rng, activation="tanh", standardize_context=False,
        standardize=present is None,
    )  # fmt: skip
    if present is not None:
        scaled = Chain([Standardize.from_data(x), flow.bijector])
        flow = TransformedDistribution(ClampedBase(flow.base, context_dim), Clamped(scaled))
    flow, history = fit(flow, x, context=context, sample_weight=sample_weight, rng=rng)
    if history.interrupted:
        raise KeyboardInterrupt  # no history is returned that shows it; `FlowDensity` stops, too
    return flow


def fitted_parts(
    X: TableLike, schema: Schema | None, learn, missing: str, sample_weight, rng: Seed,
    ignore_extra: bool,
) -> tuple:  # fmt: skip
    """(schema, p(c), coordinates, density, margins, notes) of a table: see `TableDensity`."""
    rng, frame = np.random.default_rng(rng), as_frame(X)
    library, weight = frame.library, as_weights(sample_weight, len(frame))
    n_rows = len(frame) if weight is None else int(np.count_nonzero(weight))
    if schema is None:
        frame, weight = _complete(frame, weight, missing)
        detected = Schema.from_data(frame, missing)
        detected.check_kinds(missing)
        schema = detected.suggested()
        _warn_of_assumptions(detected, missing)
        frame = schema.select(frame)
    else:
        schema.check_kinds(missing)
        frame, weight = _complete(schema.select(frame, ignore_extra), weight, missing, schema)
    encoding = Encoding(schema)
    codes, x, hole, _ = encoded_with_holes(encoding, frame, values=True)
    coordinates = Coordinates(encoding.kinds)
    encoding.check_inside(frame, x, coordinates.outside(x))
    encoding.check_known(frame, codes)
    check_numbers(x, [column.name for column in encoding.of_coordinates], coordinates)
    learn = _learner(learn, missing)
    notes = {"library": library, "rows": len(frame), "dropped": n_rows - len(frame)}
    notes |= {"missing": missing} if missing == "learn" else {}

    def parts(codes, share):
        categories, nats, context = None, 0.0, None
        if encoding.sizes:
            categories = CategoricalMixture.fit(codes, encoding.sizes, encoding.closed, weight, rng)
            nats = float(np.average(categories.log_prob(codes), weights=weight))
            one_hot = OneHot.of(categories.counts)
            context = one_hot(codes) if one_hot.dim else None
        u, first = _noise(codes, x, coordinates, rng)
        fitted, absent = coordinates.fitted(x, u, *_once(first, weight)), ~encoding.is_there(codes)
        z, log_w = fitted.to_line(x, u)
        z = np.where(absent, fitted.filled(z, u), z)
        density, summary = _density_of_numbers(z, log_w, absent, context, weight, learn, share, rng)
        check_dim(density, fitted.dim)
        learned = {
            "log_prob_of_categories": nats if density is None else None,
            "summary": None if summary is None else as_data(summary.shifted(nats)),
        }
        margins = [_quantiles(column, weight) for column in x.T]
        return schema, categories, fitted, density, margins, notes | learned

    if not (codes < 0).any():
        return parts(codes, 1.0)
    from .density import TableDensity

    drawn = first_codes(codes, encoding.sizes, x, weight, rng)
    rounds = ROUNDS if encoding.kinds else ROUNDS_OF_CATEGORIES
    for share in rounds[:-1]:
        density = TableDensity(schema).with_parts(*parts(drawn, share))
        drawn = drawn_codes(density, codes, x, hole, rng)
    return parts(drawn, rounds[-1])


def _noise(codes: np.ndarray, x: np.ndarray, coordinates: Coordinates, rng) -> tuple:
    """(u (n, D), the noise for all that the rows leave open; for each row the first one that it is
    a copy of, or None).

    Rows that are copies of others get the same noise, so that they stay copies, which no fold
    separates. They are copies if far more pairs of rows are equal than of rows with independent
    columns, where numbers that are on no grid do not repeat by chance; in a small table of whole
    numbers rows are equal by chance, and each has its own noise.
    """
    u, both = rng.random(x.shape), np.column_stack([codes, np.nan_to_num(x, nan=-1e300)])
    if not coordinates.is_open(x).any() or not len(x):
        return u, None
    first = first_equal(both, None)
    if first is None:
        return u, None
    every = expected = _pairs(np.zeros(len(x), int))
    pairs, on_grid = _pairs(first), np.append(np.ones(codes.shape[1]), coordinates.step)
    for column, step in zip(both.T, on_grid, strict=True):
        equal = _pairs(np.unique(column, return_inverse=True)[1])
        expected *= (equal if step else equal - pairs) / every
    return (u[first], first) if expected < CHANCE * pairs else (u, None)


def _once(first: np.ndarray | None, weight: np.ndarray | None) -> tuple:
    """(the distinct rows, the weight of each with its copies)."""
    if first is None:
        return slice(None), weight
    return np.unique(first, return_index=True)[1], np.bincount(first, weight)[np.unique(first)]


def _pairs(number: np.ndarray) -> float:
    """How many pairs of rows have the same number."""
    counts = np.bincount(number).astype(float)
    return float(np.sum(counts * (counts - 1)) / 2)


def _quantiles(x: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """The values of a column in order, by their weights; of many some, with both ends."""
    order = np.argsort(x, kind="stable")[: np.count_nonzero(~np.isnan(x))]  # NaN are last
    if not len(order):
        return np.zeros(1)
    m = min(MARGINS, len(order))
    total = np.cumsum(np.ones(len(order)) if weight is None else weight[order])
    return x[order[np.searchsorted(total, np.linspace(0, 1, m) * total[-1])]]


def _complete(frame: Frame, weight, missing: str, schema: Schema | None = None):
    """(frame, weight) without rows that miss something which has to be there, or weigh nothing."""
    if weight is not None and not weight.all():
        frame, weight = frame.take(weight > 0), weight[weight > 0]
    complete = complete_rows(frame, missing, schema)
    if complete.all():
        return frame, weight
    return frame.take(complete), None if weight is None else weight[complete]


def _warn_of_assumptions(found: Schema, missing: str) -> None:
    """One warning with all kinds of columns that were assumed."""
    wanted = [c for c in found.columns if c.note and (c.suggestion or c.kind.is_number)]
    if not wanted:
        return
    lines = "".join(f"\n  {c.name!r:.40}: {c.suggestion or c.kind} ({c.note})" for c in wanted[:20])
    more = f"\n  and {len(wanted) - 20} more" if len(wanted) > 20 else ""
    pasted = argument("missing", missing)
    warn(
        f"columns are taken for:{lines}{more}\nTo see all, print the schema. To take numbers as "
        f"they are: schema = Schema.from_data(X{pasted}); fit_table(X, schema{pasted}). To change "
        "a column: schema.suggested().edit(...)"
    )


def _learner(learn, missing: str) -> Callable | FlowDensity:
    """The argument `learn`, checked; a `FlowDensity` that takes holes, if there may be some."""
    from sklearn.base import clone

    from ..estimator import FlowDensity

    learn = FlowDensity() if learn is None else learn
    if not callable(learn) and not isinstance(learn, FlowDensity):
        raise TypeError(f"learn is a FlowDensity or a function: got {learn!r:.80}")
    if missing != "learn":
        return learn
    if not isinstance(learn, FlowDensity):
        raise ValueError(
            f"missing='learn' wants a FlowDensity, but learn is {learn!r:.80}, which takes "
            "complete rows: leave learn out, or pass missing='drop'"
        )
    return clone(learn).set_params(missing="learn")


def _density_of_numbers(
    z: np.ndarray, log_w: np.ndarray, absent: np.ndarray, context, weight, learn, share: float, rng
) -> tuple[Base | None, Summary | None]:
    """(q(z | c), a `FlowDensity`'s summary of log p(x | c) on held-out rows, in the table's units).

    absent (n, D): the numbers that a row lacks. They are noise in z: a `FlowDensity` leaves them
    out, a function has to learn them. share: of the budget. Errors of the summary are those of
    log q(z | c): log w is the same for all candidates.
    """
    from sklearn.base import clone

    from ..estimator import FlowDensity

    if not z.shape[1]:
        return None, None
    present = ~absent if absent.any() else None
    with remaking():  # warnings about these columns have been given
        if not isinstance(learn, FlowDensity):
            more = {"present": present} if "present" in signature(learn).parameters else {}
            density = learn(z, context=context, sample_weight=weight, rng=rng, **more)
            return density if isinstance(density, Distribution) else Foreign(density).density, None
        learn = clone(learn)
        if learn.random_state is None:
            learn.random_state = int(rng.integers(2**31))
        if share < 1:
            learn.budget = share * (learn.budget or default_minutes(len(z)))
            learn.max_seconds = learn.max_seconds and share * learn.max_seconds
        learn.fit(z, sample_weight=weight, context=context, present=present)
    held_out = np.isfinite(learn.held_out_scores_)
    held_out_weight = None if weight is None else weight[held_out]
    nats = np.average(log_w[held_out], weights=held_out_weight) if held_out.any() else 0.0
    return learn.density_, learn.summary_.shifted(float(nats))
