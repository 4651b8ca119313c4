"""What `FlowDensity` is given: tables of any kind, contexts, seeds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import validate_data

from ..core.inputs import as_numbers, column_labels
from ..core.labels import check_labels
from ..training.checks import as_context, check_finite


def check_rows(estimator, X, reset: bool) -> tuple[np.ndarray, list | None]:
    """(X as floats (n, D), the names of its columns or None); pandas, polars, pyarrow as well.

    reset: this is `fit`, which remembers the number of columns and their names; else they have to
    be the same, in the same order.
    """
    if isinstance(X, Mapping) and not hasattr(X, "toarray"):  # a sparse matrix may be a dict
        raise TypeError(f"X is a {type(X).__name__}, no table: write pandas.DataFrame(X)")
    if hasattr(X, "to_pandas") and not hasattr(X, "__dataframe__"):  # scikit-learn knows the others
        X = X.to_pandas()
    labels = column_labels(X)
    kind = getattr(getattr(X, "dtype", None), "kind", "f")
    if np.ma.is_masked(X):
        as_numbers("X", X)
    if labels or kind in "mMSU":  # dates would count as integers
        _check_numbers(X)
        twice = next((name for i, name in enumerate(labels) if name in labels[:i]), None)
        if twice is not None:
            raise ValueError(f"two columns are called {twice!r:.40}: rename one of them")
    options = dict(dtype=float, order="C", ensure_all_finite=False)
    try:
        table = validate_data(estimator, X, reset=reset, skip_check_array=False,
                              ensure_min_samples=2 if reset else 1, **options)  # fmt: skip
    except (TypeError, ValueError, OverflowError) as problem:
        if isinstance(X, (list, tuple)) or kind in "Oc":
            _name_the_cell(X, problem)
        raise
    check_finite("X", table, float, labels)
    return table, labels


def check_latents(estimator, Z) -> np.ndarray:
    """Z as floats (n, D): of other columns than the table, so that names do not matter."""
    Z = check_array(np.asarray(Z), dtype=float, order="C", estimator=estimator)
    if Z.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {Z.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"
        )
    return Z


def _check_numbers(X) -> None:
    """A ValueError that names row, column, value and a way out, for a table of other things."""
    try:
        as_numbers("X", X)
    except ValueError as problem:
        known = f"{problem}".endswith("fill them")
        fix = "" if known else (
            ": leave the column out, or take flowcore.tables.fit_table, which knows categories"
        )  # fmt: skip
        raise ValueError(f"{problem}{fix}") from None


def _name_the_cell(X, problem: Exception) -> None:
    """The problem that scikit-learn had, of the same kind, with the place of what is no number."""
    try:
        as_numbers("X", np.array(X, object))
    except ValueError as place:
        error = TypeError if isinstance(problem, TypeError) else ValueError
        raise error(f"{place}: {str(problem).splitlines()[0]}") from None


def given_context(
    context, n: int | None, dim: int | None, names: list | None = None
) -> np.ndarray | None:
    """The context as floats (n, C); n, dim: how many there have to be, None: any number.

    names: those of its columns in `fit`, if they had some; a table with names has the same ones.
    """
    if context is None:
        return None
    check_labels("context", column_labels(context), names)
    table = as_numbers("context", context)
    context = as_context("context", context, "X", len(table) if n is None else n)
    if dim is not None and context.shape[1] != dim:
        raise ValueError(f"context has {context.shape[1]} columns, but in fit it had {dim}")
    return context


def seed_sequence(random_state) -> np.random.SeedSequence:
    """What every fit's seed is drawn from; None: fresh, not NumPy's global state."""
    if random_state is None:
        return np.random.SeedSequence()
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(random_state.integers(2**63, size=2).tolist())
    state = check_random_state(random_state)
    return np.random.SeedSequence(state.randint(2**31 - 1, size=4).tolist())
