"""`LogTarget`: an unnormalised log-density, with its gradient."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp
from autograd.tracer import getval, isbox

from ..core import as_numbers

OF_ROWS = ArithmeticError, ValueError  # what a target raises because of a row; also LinAlgError


class LogTarget:
    """An unnormalised log-density of rows (n, D), with its gradient.

    log_target   a function of rows: log p~ (n,), in autograd.numpy; or (log p~ (n,), its gradient
                 by the rows (n, D)), from wherever
    n_bad        at how many rows so far the value was not finite
    n_raised     at how many of these the target raised an ArithmeticError or a ValueError

    Errors: ValueError for a target of another shape, a complex one, or one without a gradient; what
    the target raises, if it does so at every row of its first call, or only if there are many.
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
        if len(x) == 1:
            self.n_raised += 1
            return np.array([-np.inf]), np.zeros_like(x)
        values, slopes = zip(*map(self._unless_raised, np.array_split(x, 2)), strict=True)
        if self.n_raised == before:  # no row raises alone
            raise problem
        return np.concatenate(values), np.concatenate(slopes)

    def _value_and_slope(self, x):
        if self._has_gradient is None:
            self._has_gradient = isinstance(self.log_target(x), tuple)
        if self._has_gradient:
            value, slope = (_real(part) for part in self.log_target(x))
        else:
            value, slope = self._by_autograd(x)
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

        problem: object = "it does not depend on its rows, as autograd sees it"
        try:
            vjp, _ = make_vjp(total, x)
            if isbox(found[0]):
                return _real(getval(found[0])), _real(vjp(1.0))
        except (AttributeError, TypeError, ValueError) as error:  # NumPy or math of its own
            if self._works or isinstance(error, np.linalg.LinAlgError):  # or a row of its own
                raise
            problem = error
        raise ValueError(
            f"log_target has no gradient ({problem!s:.200}): write it in autograd.numpy, or return "
            "(log p of every row, its gradient by the rows)"
        )


def _real(values) -> np.ndarray:
    """Float64 numbers: complex ones are a ValueError."""
    return np.asarray(as_numbers("the result of log_target", values), float)
