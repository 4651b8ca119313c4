"""Log-densities written in JAX, torch or plain NumPy, as targets of `infer`.

Each function of this file takes f, the log-density of one parameter set: one row (D,), or a
dictionary of arrays of the parameters' shapes; f returns one number. If vectorized, f takes rows
(n, D), or a dictionary of arrays (n, *shape), and returns (n,). In both cases the result is a
function of rows, or of a dictionary: (log p~ (n,), its gradient in the form of the parameters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any

import numpy as np

from ..inference.space import mapped

BLOCK = 256  # the most rows of a compiled program


def from_jax(f: Callable, *, vectorized: bool = False) -> Callable:
    """Turn a log-density written in `jax.numpy` into a target of `infer`.

    f is the log-density of one parameter set, and is vectorised by `jax.vmap`. It is computed in
    float64, whatever JAX's own setting, which is not changed. Data of f should be NumPy arrays:
    arrays that JAX has made are float32 unless `jax_enable_x64` is set. f is compiled for 256 rows,
    and for 16, with which fewer rows are filled up.

    Errors: ImportError without JAX; ValueError if f does not return one number. Cost: two
    compilations, then calls of the compiled gradient.

    Parameters
    ----------
    f : callable
        Log p~ of one row (D,), or of a dictionary of arrays, up to a constant.
    vectorized : bool
        f takes rows (n, D), or a dictionary of arrays (n, *shape), and returns (n,).

    Returns
    -------
    callable
        A function of rows, or of a dictionary: log p~ (n,), and its gradient.
    """
    try:
        import jax
    except ImportError as problem:
        raise ImportError("from_jax needs jax: pip install jax") from problem
    # before 0.8 JAX has it among its experiments
    float64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    of_rows = f if vectorized else jax.vmap(f)

    def total(x):
        value = _checked(of_rows(x), _count(x))
        return value.sum(), value  # rows are independent: one gradient has those of all rows

    slope_and_value = jax.jit(jax.grad(total, has_aux=True))

    def log_target(x):
        n = _count(x)
        with float64(True):
            found = [slope_and_value(block) for block in _blocks(x, n)]
            slope, value = jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *found)
        return value.astype(float), slope

    return log_target


def from_torch(f: Callable, *, vectorized: bool = False) -> Callable:
    """Turn a log-density written in torch into a target of `infer`.

    f is the log-density of one parameter set, and is vectorised by `torch.func.vmap`. That refuses
    an `if` on values, such as the checks of some distributions of torch: pass them
    `validate_args=False`. f gets float64 tensors on the CPU; its data should be float64, too.

    Errors: ImportError without torch; ValueError if f does not return one number.

    Parameters
    ----------
    f : callable
        Log p~ of one row (D,), or of a dictionary of tensors, up to a constant.
    vectorized : bool
        f takes rows (n, D), or a dictionary of tensors (n, *shape), and returns (n,).

    Returns
    -------
    callable
        A function of rows, or of a dictionary: log p~ (n,), and its gradient.
    """
    try:
        import torch
    except ImportError as problem:
        raise ImportError("from_torch needs torch: pip install torch") from problem
    of_rows = f if vectorized else torch.func.vmap(f)

    def log_target(x):
        with torch.enable_grad():
            x = mapped(lambda a: torch.tensor(a, dtype=torch.float64, requires_grad=True), x)
            value = _checked(of_rows(x), _count(x))
            leaves = [*x.values()] if isinstance(x, Mapping) else [x]
            slopes = torch.autograd.grad(value.sum(), leaves, materialize_grads=True)
        slopes = [slope.numpy() for slope in slopes]
        slope = dict(zip(x, slopes, strict=True)) if isinstance(x, Mapping) else slopes[0]
        return value.detach().cpu().double().numpy(), slope

    return log_target


def from_numpy(f: Callable, *, vectorized: bool = False) -> Callable:
    """Turn a log-density written in plain NumPy into a target of `infer`, without a gradient.

    The gradient that the result returns is None, so `infer` takes central differences: see
    `LogTarget`. They are taken in the free coordinates, so f is called inside of the support only.

    Errors: `infer` raises ValueError for more than 10 free coordinates. Cost: 2 D + 1 calls of f
    for every row and D free coordinates; if vectorized, two calls for all rows.

    Parameters
    ----------
    f : callable
        Log p~ of one row (D,), or of a dictionary of arrays, up to a constant.
    vectorized : bool
        f takes rows (n, D), or a dictionary of arrays (n, *shape), and returns (n,).

    Returns
    -------
    callable
        A function of rows, or of a dictionary: log p~ (n,), and None.

    Examples
    --------
    >>> from scipy import stats
    >>> import flowcore as fc
    >>> log_p = stats.multivariate_normal([1.0, 2.0]).logpdf  # it takes rows
    >>> found = fc.infer(fc.adapters.from_numpy(log_p, vectorized=True), dim=2)
    >>> found.expectation()[0].round(1)
    array([1., 2.])
    """

    def log_target(x):
        n = _count(x)
        value = f(x) if vectorized else [f(mapped(itemgetter(i), x)) for i in range(n)]
        value = np.atleast_1d(np.asarray(value, float))  # multivariate_normal of SciPy
        return _checked(value, n), None

    return log_target


def _count(x) -> int:
    return len(next(iter(x.values())) if isinstance(x, Mapping) else x)


def _blocks(x, n: int) -> Iterator[Any]:
    """Blocks of 256 rows, or one of 16 if there are no more: programs are compiled for a number of
    rows. What is missing is filled with the last row."""
    size = 16 if n <= 16 else BLOCK
    for first in range(0, n, size):
        rows = np.minimum(np.arange(first, first + size), n - 1)
        yield mapped(itemgetter(rows), x)


def _checked(value, n: int):
    """value, if it is one number for each of n parameter sets."""
    if tuple(value.shape) != (n,):
        raise ValueError(
            f"f of {n} parameter sets returned shape {tuple(value.shape)}, not {(n,)}: f returns "
            "one number for one parameter set, or, with vectorized=True, (n,) for n rows"
        )
    return value
