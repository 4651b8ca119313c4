"""From a table to the parts of its density. The learner of the numbers is an argument."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..bijectors import Chain, Clamped, Standardize
from ..core import warn, without_warnings
from ..core.rows import as_weights
from ..distributions import ClampedBase, Distribution, Foreign, TransformedDistribution
from ..estimator.plan import default_minutes
from ..flows import nsf
from ..training import fit
from ..training.defaults import bins_for
from ..training.repeats import first_equal
from .checks import check_numbers
from .coordinates import Coordinates
from .encoding import Encoding
from .frame import Frame, as_frame
from .question import encoded_with_holes
from .record import check_dim
from .rules import find_rules
from .schema import Schema, argument, complete_rows

if TYPE_CHECKING:
    from ..core.typing import Base, Seed, TableLike
    from ..estimator import FlowDensity

CHANCE = 0.01  # of the pairs of equal rows, if independent columns explain no more, rows are copies
MARGINS = 4096  # values of a column that are kept


def learn_flow(
    x: np.ndarray,
    context: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    rng: Seed = 0,
    present: np.ndarray | None = None,
) -> Base:
    """A neural spline flow of x (n, D), given the context (n, C): `fit_table(X, learn=learn_flow)`.

    Write your own with the same arguments: it returns any density with `log_prob(x, context=)` and
    `sample(n, rng=, context=)`, both without a context if there is none.

    Only a table with atoms needs the argument `present`, since its rows lack numbers. Return a
    density of the numbers that are present, see `Clamped`: its context has the D columns of
    `present` after those of `context`. Without the argument, x has noise in place of absent
    numbers, and the density has to be one that `ClampedBase` takes, such as a mixture of Gaussians.
    Cost: as for `flowcore.fit` with its defaults.

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
        (n, D) of booleans: the numbers that a row has. None: no row can lack any.

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
        standardize=present is None, bins=bins_for(len(x)),
    )  # fmt: skip
    if present is not None:
        scaled = Chain([Standardize.from_data(x), flow.bijector])
        flow = TransformedDistribution(ClampedBase(flow.base, context_dim), Clamped(scaled))
    flow, history = fit(flow, x, context=context, sample_weight=sample_weight, rng=rng)
    if history.interrupted:
        raise KeyboardInterrupt  # no history is returned that shows it; `FlowDensity` stops, too
    return flow


class TrainingRows(NamedTuple):
    """The rows of a table as arrays.

    codes (n, K), -1 unknown; x (n, D), NaN unknown or absent; hole (n, D), which numbers are
    unknown; weight (n,) or None; notes: how they were read
    """

    schema: Schema
    encoding: Encoding
    codes: np.ndarray
    x: np.ndarray
    hole: np.ndarray
    weight: np.ndarray | None
    notes: dict


def training_rows(
    X: TableLike, schema: Schema | None, missing: str, sample_weight, ignore_extra: bool,
    rules: bool = True,
) -> TrainingRows:  # fmt: skip
    """Errors and warnings: see `fit_table`."""
    frame = as_frame(X)
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
    schema = schema.with_rules({})
    encoding = Encoding(schema)
    codes, x, hole, _ = encoded_with_holes(encoding, frame, values=True)
    encoding.check_inside(frame, x)
    encoding.check_known(frame, codes)
    encoding.warn_of_rounding(frame)
    names = [column.name for column in encoding.of_coordinates]
    check_numbers(x, names, Coordinates(encoding.kinds))
    if rules and (found := find_rules(frame, encoding, codes)):
        codes = codes[:, [column.name not in found for column in encoding.of_codes]]
        schema = schema.with_rules(found)
        encoding = Encoding(schema)
    notes = {"library": library, "rows": len(frame), "dropped": n_rows - len(frame)}
    notes |= {"missing": missing} if missing == "learn" else {}
    return TrainingRows(schema, encoding, codes, x, hole, weight, notes)


def fitted_parts(
    rows: TrainingRows, codes: np.ndarray, learn, share: float, rng: np.random.Generator
) -> tuple:
    """(schema, p(c), coordinates, density, margins, notes), given all codes; share: of the budget.

    Numbers that a row lacks are noise in z, which `present` marks.
    """
    x, weight, encoding = rows.x, rows.weight, rows.encoding
    categories, nats, context = _categories(rows, codes, rng)
    coordinates = Coordinates(encoding.kinds)
    u, first = _noise(codes, x, coordinates, rng)
    coordinates, absent = coordinates.fitted(x, u, *_once(first, weight)), ~encoding.is_there(codes)
    z, log_w = coordinates.to_line(x, u)
    z = np.where(absent, coordinates.filled(z, u), z)
    given = {"sample_weight": weight, "context": context}
    present = ~absent if any(part.may_be_gone for part in encoding.parts) else None
    density = summary = None
    with without_warnings():  # warnings about these columns have been given
        if encoding.kinds and callable(learn):
            if "present" in signature(learn).parameters:
                given["present"] = present
            density = learn(z, rng=rng, **given)
            density = density if isinstance(density, Distribution) else Foreign(density).density
        elif encoding.kinds:
            from ..estimator.density import fit_rows

            learn = _at_share(learn, share, len(z), rng)
            light = np.array(
                [own is not None for own in coordinates.scores]
            )  # behind an exponential
            learn = fit_rows(learn, z, present=present, light=light, **given)
            density, summary = learn.density_, _summary(learn, log_w, weight, nats)
    check_dim(density, coordinates.dim)
    notes = {"log_prob_of_categories": nats if density is None else None, "summary": summary}
    margins = [_quantiles(column, weight) for column in x.T]
    return rows.schema, categories, coordinates, density, margins, rows.notes | notes


def _categories(rows: TrainingRows, codes, rng) -> tuple:
    """(p(c) or None, its mean log-probability in nats, the codes as a context or None)."""
    sizes, weight = rows.encoding.sizes, rows.weight
    if not sizes:
        return None, 0.0, None
    from .categorical import CategoricalMixture
    from .onehot import OneHot

    categories = CategoricalMixture.fit(codes, sizes, rows.encoding.closed, weight, rng)
    nats = float(np.average(categories.log_prob(codes), weights=weight))
    one_hot = OneHot.of(categories.counts)
    return categories, nats, one_hot(codes) if one_hot.dim else None


def _at_share(learn: FlowDensity, share: float, n: int, rng: np.random.Generator) -> FlowDensity:
    """An unfitted copy with a share of the budget for n rows, and a seed."""
    from sklearn.base import clone

    learn = clone(learn)
    if learn.random_state is None:
        learn.random_state = int(rng.integers(2**31))
    if share < 1:
        learn.budget = share * (learn.budget or default_minutes(n))
        learn.max_seconds = learn.max_seconds and share * learn.max_seconds
    return learn


def _summary(learn: FlowDensity, log_w: np.ndarray, weight, nats: float) -> dict:
    """The summary of log p(c, x) on held-out rows, in the table's units, as data.

    Its errors are those of log q(z | c): log w is the same for all candidates.
    """
    held_out = np.isfinite(learn.held_out_scores_)
    weight = None if weight is None else weight[held_out]
    units = float(np.average(log_w[held_out], weights=weight)) if held_out.any() else 0.0
    return learn.summary_.shifted(units).shifted(nats)


def _noise(codes: np.ndarray, x: np.ndarray, coordinates: Coordinates, rng) -> tuple:
    """(u (n, D), the noise for all that the rows leave open; for each row the first one that it is
    a copy of, or None).

    Rows that are copies of others get the same noise, so that they stay copies, which no fold
    separates. They are copies if far more pairs of rows are equal than by chance, with independent
    columns; in a small table of whole numbers each row has its own noise.
    """
    u, both = rng.random(x.shape), np.column_stack([codes, np.nan_to_num(x, nan=-1e300)])
    first = first_equal(both, None) if x.size else None
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


def learner(learn, missing: str) -> Callable | FlowDensity:
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
