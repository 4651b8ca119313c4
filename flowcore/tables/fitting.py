"""`fit_table`: from a table to its density. How the numbers are learnt is an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..core import fixable, remaking, warn
from ..distributions import Distribution, Foreign
from ..estimator.record import as_data
from ..flows import nsf
from ..training import fit
from ..training.checks import as_weights
from .checks import check_numbers
from .density import TableDensity
from .encoding import check_inside, codes, coordinates, line, noise
from .frame import Frame, as_frame
from .frequencies import Frequencies
from .onehot import OneHot
from .schema import Schema, complete_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..core.typing import Base, Seed, TableLike
    from ..estimator import FlowDensity, Summary


def learn_flow(
    x: np.ndarray,
    context: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    rng: Seed = 0,
) -> Base:
    """A neural spline flow of x (n, D), given the context (n, C): `fit_table(X, learn=learn_flow)`.

    Write your own with the same arguments: it returns any density with `log_prob(x, context=)` and
    `sample(n, rng=, context=)`, both without a context if there is none. Cost: that of
    `flowcore.fit` with its defaults.

    Parameters
    ----------
    x : ndarray
        Numbers on the whole line, those on a grid with noise.
    context : ndarray or None
        What the categories are, one-hot; None without categories.
    sample_weight : ndarray or None
        (n,), scaled so that the largest is 1.
    rng : int or Generator
        Decides initial weights and batches.

    Returns
    -------
    TransformedDistribution
        The flow.
    """
    context_dim = 0 if context is None else context.shape[1]
    flow = nsf(
        x.shape[1], context_dim=context_dim, rng=rng, activation="tanh", standardize_context=False
    )
    flow, history = fit(flow, x, context=context, sample_weight=sample_weight, rng=rng)
    if history.interrupted:
        raise KeyboardInterrupt  # a density has no history to show it; `FlowDensity` stops, too
    return flow


def fit_table(
    X: TableLike,
    schema: Schema | None = None,
    *,
    learn: Callable[..., Base] | FlowDensity | None = None,
    missing: str = "error",
    sample_weight: ArrayLike | None = None,
    rng: Seed = 0,
) -> TableDensity:
    """The density p(c) p(x | c) of a table with columns of every kind.

    Errors: ValueError, naming row, column and value, for missing values, text among numbers, what
    is off a grid or outside of a support; naming the columns, for constant ones and free text that
    are not set aside, and for those that repeat others or follow from them. Cost: `learn`, and a
    sort of each column.

    Parameters
    ----------
    X : table
        Of pandas, polars or pyarrow, a mapping of columns, a `Frame`, or an array (n, D).
    schema : Schema or None
        What the columns are. None: `Schema.from_data(X)`, with one warning if it has suggestions.
    learn : FlowDensity or callable or None
        `FlowDensity(...)`: the density that held-out rows prefer, and a `summary`; None: with its
        defaults. A callable: learn(x, context=, sample_weight=, rng=) -> a density of the numbers,
        which come mapped to the whole line, given the categories, which come as a context: see
        `learn_flow`.
    missing : str
        "error", or "drop": rows that miss a value take no part.
    sample_weight : array_like or None
        (n,) >= 0; rows of weight 0 take no part.
    rng : int or Generator
        For noise, initial weights, batches.

    Returns
    -------
    TableDensity
        With `log_prob` in the units of the table, and `sample`.

    Examples
    --------
    >>> from flowcore import GaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> table = {"height": rng.normal(1.7, 0.1, 300), "smokes": rng.random(300) < 0.3}
    >>> def normal(x, context=None, sample_weight=None, rng=0):
    ...     return GaussianMixture.from_data(x, 1)
    >>> density = fit_table(table | {"smokes": rng.normal(size=300)}, learn=normal)
    >>> density.schema.meaning
    'p is a density of height, smokes, in units of 1/[height] 1/[smokes]'
    >>> len(density.sample(5, rng=0))
    5
    """
    rng = np.random.default_rng(rng)
    frame = as_frame(X)
    library, weight = frame.library, as_weights(sample_weight, len(frame))
    n = len(frame) if weight is None else int(np.count_nonzero(weight))
    found = schema is None
    if not found:
        _check_kinds(schema, missing)
        frame = schema.select(frame)
    frame, weight = _complete(frame, weight, missing)
    if found:
        schema = Schema.from_data(frame)
        _check_kinds(schema, missing)
        _warn_of_suggestions(schema, missing)
    x, own = coordinates(frame, schema.numbers), codes(frame, schema.categories)
    check_inside(frame, schema.numbers, x)
    check_numbers(x, schema)
    frequencies, nats, context = None, 0.0, None
    if schema.categories:
        frequencies = _frequencies(frame, own, schema, weight)
        nats = float(np.average(frequencies.log_prob(own), weights=weight))
        one_hot = OneHot(frequencies.combinations, frequencies.counts, frequencies.sizes)
        context = one_hot(own) if one_hot.dim else None
    density, summary = _learned(x, context, schema, weight, learn, rng)
    notes = {
        "library": library,
        "rows": len(frame),
        "dropped": n - len(frame),
        "log_prob_of_categories": nats if density is None else None,
        "summary": None if summary is None else as_data(summary.shifted(nats)),
    }
    return TableDensity(schema, frequencies, density, notes)


def _complete(frame: Frame, weight, missing: str):
    """(frame, weight) without rows that miss something or weigh nothing."""
    if weight is not None and not weight.all():
        frame, weight = frame.take(weight > 0), weight[weight > 0]
    complete = complete_rows(frame, missing)
    if complete.all():
        return frame, weight
    return frame.take(complete), None if weight is None else weight[complete]


def _warn_of_suggestions(schema: Schema, missing: str) -> None:
    """One warning with all that the schema suggests, and the line to paste."""
    wanted = [c for c in schema.columns if c.note and (c.suggestion or c.kind.is_number)]
    if not wanted:
        return
    reasons = "; ".join(f"{c.name!r:.40} looks {c.looks} ({c.note})" for c in wanted[:10])
    drop, edits = _drop(missing), schema.suggestions or {c.name: "aside" for c in wanted}
    found = f"schema = Schema.from_data(X{drop})"
    warn(
        f"columns that are taken as continuous: {reasons}. To follow: {found}.edit({edits!r}); "
        f"to leave it so, without this warning: {found}. Then fit_table(X, schema{drop})"
    )


def _drop(missing: str) -> str:
    """An argument of the lines to be pasted."""
    return ', missing="drop"' if missing == "drop" else ""


def _check_kinds(schema: Schema, missing: str) -> None:
    """A ValueError for columns that are constant or free text."""
    if all(c.kind.name == "aside" for c in schema.columns):
        raise ValueError("all columns of the schema are aside: there is nothing to model")
    bad = [c for c in schema.columns if c.kind.name in ("constant", "text")]
    if bad:
        aside = {c.name: "aside" for c in bad}
        texts = {c.name: "categorical" for c in bad if c.kind.name == "text" and c.values}
        reasons = "; ".join(f"{c.name!r:.40} is {c.kind} ({c.why}: {c.note})" for c in bad[:5])
        raise fixable(
            ValueError, f"column {reasons}, and so cannot be modelled: ",
            *({"kind": edits} for edits in (aside, texts) if edits),
            words="leave it out, or set it aside: schema = "
            f"Schema.from_data(X{_drop(missing)}).edit({aside!r:.300})",
        )  # fmt: skip


def _frequencies(frame: Frame, own: np.ndarray, schema: Schema, weight) -> Frequencies:
    columns = schema.categories
    sizes = [len(column.values) for column in columns]
    problem = "which the schema does not have: find the schema from these rows"
    for column, size, codes_of_column in zip(columns, sizes, own.T, strict=True):
        frame.check(column.name, codes_of_column >= size, problem)
    closed = [not column.kind.has_unseen for column in columns]
    return Frequencies.fit(own, sizes, closed, weight)


def _learned(x, context, schema: Schema, weight, learn, rng) -> tuple[Base | None, Summary | None]:
    """(q(z | c), the summary of a `FlowDensity` about log p(x | c) of held-out rows).

    The summary is in the table's units. Its errors are those of log p(z | c): what is added is the
    same for all candidates.
    """
    from sklearn.base import clone

    from ..estimator import FlowDensity

    learn = FlowDensity() if learn is None else learn
    if not callable(learn) and not isinstance(learn, FlowDensity):
        raise TypeError(f"learn is a FlowDensity or a function: got {learn!r:.80}")
    if not schema.numbers:
        return None, None
    dequantize, ends = noise(schema.numbers), line(schema.numbers)
    y = x if dequantize is None else dequantize(x, rng)
    z = y if ends is None else ends.inverse(y)
    with remaking():  # warnings about these columns were given above
        if callable(learn):
            density = learn(z, context=context, sample_weight=weight, rng=rng)
            return density if isinstance(density, Distribution) else Foreign(density).density, None
        seed = int(rng.integers(2**31)) if learn.random_state is None else learn.random_state
        learn = clone(learn).set_params(random_state=seed)
        learn.fit(z, sample_weight=weight, context=context)
    held_out = np.isfinite(learn.held_out_scores_)
    nats = np.log([c.kind.step for c in schema.numbers if c.kind.is_gridded]).sum()
    if ends is not None and held_out.any():
        own = None if weight is None else weight[held_out]
        nats -= np.average(ends.forward_log_det(z[held_out]), weights=own)
    return learn.density_, learn.summary_.shifted(float(nats))
