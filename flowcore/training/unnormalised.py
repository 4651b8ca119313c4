"""`Target`: an unnormalised log-density, with its gradient."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp
from autograd.tracer import getval, isbox


class Target:
    """An unnormalised log-density of rows (n, D), with its gradient.

    log_target   a function of rows: log p~ (n,), in autograd.numpy; or (log p~ (n,), its gradient
                 by the rows (n, D)), from wherever
    n_rows, n_bad   how many rows it was asked for, and at how many the value was not finite

    Errors: ValueError for a target of another shape, or one without a gradient.
    """

    def __init__(self, log_target: Callable, dim: int):
        if not callable(log_target):
            raise TypeError(f"log_target is a function of rows (n, {dim}): got {log_target!r:.60}")
        self._log_target, self.dim = log_target, dim
        self._has_gradient: bool | None = None  # its own; known after the first call
        self.n_rows = self.n_bad = 0

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(log p~ (n,), its gradient (n, D)); a row that is not finite has -inf, and slope 0."""
        with np.errstate(all="ignore"):
            value, slope = self._value_and_slope(x)
        bad = ~(np.isfinite(value) & np.isfinite(slope).all(axis=1))
        self.n_rows, self.n_bad = self.n_rows + len(x), self.n_bad + int(bad.sum())
        return np.where(bad, -np.inf, value), np.where(bad[:, None], 0.0, slope)

    def power(self, beta: float) -> Target:
        """log p~^beta: with beta < 1 a flatter target, whose modes are joined."""
        return Target(lambda x: tuple(beta * part for part in self(x)), self.dim)

    def _value_and_slope(self, x):
        if self._has_gradient is None:
            self._has_gradient = isinstance(self._log_target(x), tuple)
        if self._has_gradient:
            value, slope = (np.asarray(part, float) for part in self._log_target(x))
        else:
            value, slope = self._by_autograd(x)
        if value.shape != (len(x),) or slope.shape != x.shape:
            raise ValueError(
                f"log_target of rows {x.shape} returned shape {value.shape}, its gradient "
                f"{slope.shape}: one number a row is {(len(x),)}, the gradient {x.shape}"
            )
        return value, slope

    def _by_autograd(self, x):
        found: list = []

        def total(rows):
            found.append(self._log_target(rows))
            return anp.sum(found[0]) + anp.sum(rows[:0])  # autograd warns of a constant

        problem: object = "it does not depend on its rows, as autograd sees it"
        try:
            vjp, _ = make_vjp(total, x)
            if isbox(found[0]):
                return np.asarray(getval(found[0]), float), np.asarray(vjp(1.0), float)
        except (AttributeError, TypeError, ValueError) as error:  # NumPy or math of its own
            problem = error
        raise ValueError(
            f"log_target has no gradient ({problem!s:.200}): write it in autograd.numpy, or return "
            "(log p of every row, its gradient by the rows)"
        )
