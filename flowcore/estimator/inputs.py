"""What `FlowDensity` takes: tables of any kind, seeds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from ..core.inputs import as_numbers, column_labels
from ..core.labels import check_labels
from ..training.checks import check_finite


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
    if labels or kind in "mMSU" or np.ma.is_masked(X):  # dates would count as integers
        _check_numbers(X)
        check_labels("X", labels, labels and list(dict.fromkeys(labels)))
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


def _check_numbers(X) -> None:
    """A ValueError that names row, column, value and a way out, for a table of other things."""
    try:
        as_numbers("X", X)
    except ValueError as problem:
        if " drop" in str(problem):
            raise
        fix = "leave the column out, or take flowcore.tables.fit_table, which knows categories"
        raise ValueError(f"{problem}: {fix}") from None


def _name_the_cell(X, problem: Exception) -> None:
    """The problem that scikit-learn had, of the same kind, with the place of what is no number."""
    try:
        as_numbers("X", np.array(X, object))
    except ValueError as place:
        error = TypeError if isinstance(problem, TypeError) else ValueError
        raise error(f"{place}: {str(problem).splitlines()[0]}") from None


def seed_sequence(random_state) -> np.random.SeedSequence:
    """What every fit's seed is drawn from; None: fresh, not NumPy's global state."""
    if random_state is None:
        return np.random.SeedSequence()
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(random_state.integers(2**63, size=2).tolist())
    state = check_random_state(random_state)
    return np.random.SeedSequence(state.randint(2**31 - 1, size=4).tolist())
