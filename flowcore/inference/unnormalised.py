"""`LogTarget`: an unnormalised log-density, with its gradient."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp
from autograd.tracer import getval, isbox

from ..core import as_numbers

MOST_DIFFERENCES = 10  # coordinates of which a gradient by differences is taken
OF_ROWS = ArithmeticError, RuntimeError, ValueError  # by a row; also LinAlgError


class LogTarget:
    """An unnormalised log-density of rows (n, D), with its gradient.

    log_target   a function of rows: log p~ (n,), in autograd.numpy; or (log p~ (n,), its gradient
                 by the rows (n, D)), from wherever; or (log p~ (n,), None), for differences
    n_bad        at how many rows so far the value was not finite
    n_raised     at how many of these the target raised one of OF_ROWS

    Errors: ValueError for a target of another shape, a complex one, one without a gradient, or
    differences of more than 10 coordinates; what the target raises, if it does so at every row of
    its first call, or only if there are many.
    """

    def __init__(self, log_target: Callable, dim: int):
        if not callable(log_target):
            raise TypeError(f"log_target is a function of rows (n, {dim}): got {log_target!r:.60}")
        self.log_target, self.dim = log_target, dim
        self._has_gradient: bool | None = None  # its own; known after the first call
        self._works = False  # it has returned values and a gradient once
        self.n_bad = self.n_raised = 0

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(log p~ (n,), its gradient (n, D)).

        The value is -inf outside of the support, and NaN where the target is NaN or has no finite
        gradient; the slope is then 0. Errors: ValueError for a row where the target is inf.
        """
        value, slope = self.anywhere(x)
        if (value == np.inf).any():
            row = np.array2string(x[np.argmax(value == np.inf)], threshold=8)
            raise ValueError(
                f"log_target is inf at {row} (in free coordinates): is there a division by 0, or a "
                "density that is infinite at a bound?"
            )
        return value, slope

    def anywhere(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same without an error, for proposals, which may be anywhere."""
        with np.errstate(all="ignore"):
            value, slope = self._unless_raised(x)
            if not self._works:  # it raises at every row: that is no fault of the rows
                self._value_and_slope(x)
        value = np.where(np.isfinite(value) & ~np.isfinite(slope).all(axis=1), np.nan, value)
        good = np.isfinite(value)
        self.n_bad += np.count_nonzero(~good)
        return value, np.where(good[:, None], slope, 0.0)

    def values(self, x: np.ndarray) -> np.ndarray:
        """log p~ (n,) alone, without the cost of a gradient; -inf where it is not finite."""
        try:
            with np.errstate(all="ignore"):
                found = self.log_target(x)
            value = _real(found[0] if isinstance(found, tuple) else found).reshape(len(x))
        except OF_ROWS:
            value = self.anywhere(x)[0]
        return np.where(np.isfinite(value), value, -np.inf)

    def avoiding(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same for a search, which avoids the rows where the target is not finite: they are
        1,000 nats below the lowest of the others. All values are -inf if there are no others."""
        value, slope = self.anywhere(x)
        good = np.isfinite(value)
        return np.where(good, value, value[good].min() - 1e3 if good.any() else -np.inf), slope

    def power(self, beta: float) -> LogTarget:
        """log p~^beta: with beta < 1 a flatter target, whose modes are joined."""
        return LogTarget(lambda x: tuple(beta * part for part in self.anywhere(x)), self.dim)

    def _unless_raised(self, x):
        """Value and slope, with -inf and 0 at rows where the target raises.

        Batches that raise are halved: 2 log2(n) calls for one such row, none if there is none.
        """
        try:
            return self._value_and_slope(x)
        except OF_ROWS as error:
            problem, before = error, self.n_raised
        if len(x) < 2:  # some targets raise for no rows, too
            self.n_raised += len(x)
            return np.full(len(x), -np.inf), np.zeros_like(x)
        values, slopes = zip(*map(self._unless_raised, np.array_split(x, 2)), strict=True)
        if self.n_raised == before:  # no row raises alone
            raise problem
        return np.concatenate(values), np.concatenate(slopes)

    def _value_and_slope(self, x):
        if self._has_gradient is None:
            self._has_gradient = isinstance(self.log_target(x), tuple)
        if self._has_gradient:
            value, slope = self.log_target(x)
            value = _real(value)
            slope = self._by_differences(x) if slope is None else _real(slope)
        else:
            value, slope = self._by_autograd(x)
        if len(x) == 1 and value.shape == ():  # multivariate_normal of SciPy and autograd
            value = value[None]
        if value.shape != (len(x),) or slope.shape != x.shape:
            raise ValueError(
                f"log_target of rows {x.shape} returned shape {value.shape}, its gradient "
                f"{slope.shape}: one number a row is {(len(x),)}, the gradient {x.shape}"
            )
        self._works = True
        return value, slope

    def _by_autograd(self, x):
        found: list = []

        def total(rows):
            found.append(self.log_target(rows))
            return anp.sum(found[0]) + anp.sum(rows[:0])  # autograd warns of a constant

        problem = None
        try:
            vjp, _ = make_vjp(total, x)
            if isbox(found[0]):
                return _real(getval(found[0])), _real(vjp(1.0))
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            if self._works or isinstance(error, np.linalg.LinAlgError):  # or a row of its own
                raise
            problem = error  # NumPy, SciPy or math of its own, or a hole of autograd
        raise ValueError(_no_gradient(problem)) from problem

    def _by_differences(self, x):
        """Central differences (n, D), with steps h_i = eps^(1/3) max(1, |x_i|):

            d log p~ / dx_i = (log p~(x + h_i e_i) - log p~(x - h_i e_i)) / (2 h_i)

        The error is about h_i^2 / 6 times the third derivative, plus 4e-11 |log p~|.
        """
        if self.dim > MOST_DIFFERENCES:
            raise ValueError(
                f"log_target has {self.dim} coordinates, and differences are taken of at most "
                f"{MOST_DIFFERENCES}: write it in autograd.numpy, JAX or torch"
            )
        step = np.cbrt(np.finfo(float).eps) * np.maximum(1.0, np.abs(x))
        step = (x + step) - x  # a number that floats near x can add
        shifts = step[:, :, None] * np.eye(self.dim)
        rows = np.concatenate([x[:, None] + shifts, x[:, None] - shifts])
        ahead, behind = _real(self.log_target(rows.reshape(-1, self.dim))[0]).reshape(2, *x.shape)
        return (ahead - behind) / (2 * step)


def _no_gradient(problem: Exception | None) -> str:
    why = "it does not depend on its rows, as autograd sees it" if problem is None else problem
    fix = (
        "for the diagonals of matrices write np.diagonal(C, axis1=-1, axis2=-2)"
        if "make_diagonal" in str(problem)
        else "write it in autograd.numpy and autograd.scipy.stats, return (log p of every row, its "
        "gradient by the rows), or use flowcore.adapters: from_jax(f), from_torch(f), from_numpy(f)"
    )
    return f"log_target has no gradient ({why!s:.200}): {fix}"


def _real(values) -> np.ndarray:
    """Float64 numbers: complex ones are a ValueError."""
    return np.asarray(as_numbers("the result of log_target", values), float)
