"""Discrete data: uniform dequantisation, bits per dimension, logits of pixels.

The likelihood of a density fitted to integers has no maximum: the density can put an ever narrower
and higher spike on every grid point. Uniform noise that fills the cells of the grid prevents this.
The density over a cell then gives a bound on the probability of the grid value:

    dequantize = Dequantize()                           # integers: cells [x, x + 1)
    flow, history = fit(flow, dequantize(x, rng=0))     # a density of x + u
    log_p = dequantize.log_prob(flow, x_test)           # log of a probability: at most 0
    bits_per_dim(log_p, dim=x_test.shape[-1])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

from .bijectors import Sigmoid
from .core.inputs import as_numbers, check_dim, constant, in_order, show

if TYPE_CHECKING:
    from .core.typing import ArrayLike, HasLogProb, Seed

OFF_GRID = 0.01  # of a step: how far rounded numbers, such as float32 ones, may be off the grid
EPS, LARGEST = float(np.finfo(float).eps), float(np.finfo(float).max)


@dataclass(frozen=True, eq=False)
class Dequantize:
    """Uniform noise that spreads every grid value over its cell, and the likelihood of the values.

    The grid: x_i = low_i + k step_i with an integer k. Its cell: [x_i, x_i + step_i).

        y = x + step * u,  u ~ U[0, 1)^D           `dequantize(x, rng)`: a flow is fitted to this
        x = low + step * floor((y - low) / step)   `dequantize.quantize(y)`: the way back

    A density p of y assigns to the grid value x the probability P(x), the integral over its cell,

        log P(x) = log E_u[p(x + step * u)] + sum_i log step_i
                >= E_u[log p(x + step * u)] + sum_i log step_i           (Jensen)

    and `log_prob` estimates that bound. So maximum likelihood on y maximises a lower bound of the
    likelihood of x. The density depends on the unit of the data, P(x) does not: pixels x / 256 with
    step=1/256 and pixels x with step=1 give the same number.

    Cost: O(D) per row. Errors: ValueError for a negative step, for steps that are all 0, for
    another D, and for values off the grid by more than 1% of a step (then `step` or `low` is
    wrong).

    Parameters
    ----------
    step : float or ndarray
        The distance of neighbouring values: 1 for integers, 0.1 for measurements with one decimal;
        a number or (D,). A step of 0 marks a continuous column: it gets no noise, and log P(x) then
        combines its density with the probability of the other columns.
    low : float or ndarray
        Any point of the grid; a number or (D,).

    References
    ----------
    Uria, Murray, Larochelle, "RNADE", 2013 (the noise); Theis, van den Oord, Bethge, "A
    note on the evaluation of generative models", 2016, section 3.1 (the bound).

    Examples
    --------
    >>> dequantize = Dequantize()
    >>> x = np.array([[0, 3], [255, 7]])
    >>> dequantize(x, rng=0).round(2)
    array([[  0.64,   3.27], [255.04,   7.02]])
    >>> dequantize.quantize(dequantize(x, rng=0))
    array([[  0.,   3.], [255.,   7.]])
    """

    step: float | Sequence[float] | np.ndarray = 1.0
    low: float | Sequence[float] | np.ndarray = 0.0

    def __post_init__(self):
        object.__setattr__(self, "step", constant("step", self.step))
        object.__setattr__(self, "low", constant("low", self.low))
        if np.less(self.step, 0).any() or not np.any(self.step):
            raise ValueError(f"step must be positive (0: a continuous column): {show(self.step)}")
        if np.ndim(self.step) and np.ndim(self.low) and self.step.shape != self.low.shape:
            raise ValueError(
                f"step has shape {self.step.shape}, low {self.low.shape}: one number a column each"
            )

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        return {"step": self.step, "low": self.low}

    def __call__(self, x: ArrayLike, rng: Seed = None) -> np.ndarray:
        """x + step * u for grid values x (..., D), in float64: a point of each value's cell.

        rng: an int or numpy Generator; None draws a fresh seed. A NaN stays a NaN.
        """
        x = self._columns(x)
        return self.points(x, np.random.default_rng(rng).random(x.shape))

    def points(self, x: ArrayLike, u: ArrayLike) -> np.ndarray:
        """x + step * u for grid values x (..., D) and given u in [0, 1), whose shapes broadcast."""
        x = self._on_grid(x)
        with np.errstate(over="ignore"):  # a cell may reach beyond the largest float
            y, centre = x + np.multiply(self.step, u), np.minimum(x + self.step / 2, LARGEST)
        # rounding may carry a point to the edge of its cell, or over it: once in 2^50 draws
        return np.where(self.quantize(y) == x, y, centre)

    def quantize(self, y: ArrayLike) -> np.ndarray:
        """low + step * floor((y - low) / step): the grid value whose cell y (..., D) lies in.

        A y that lies below a grid value only by a rounding error counts as that value. Samples of a
        flow may lie in cells outside of the range of the data: apply `np.clip` to them.
        """
        y = self._columns(y)
        with np.errstate(all="ignore"):  # inf - inf
            place = self._place(y)
            cell = np.rint(place)
            # what rounding left just below a grid value, such as 0.3 / 0.1, is that value
            rounding = 2 * EPS * (np.abs(y) + np.abs(self.low))
            rounding = np.minimum(rounding, OFF_GRID * self.step)
            cell = np.where(np.abs(place - cell) * self.step <= rounding, cell, np.floor(place))
            return self._value(y, cell)

    def log_prob(
        self,
        flow: HasLogProb,
        x: ArrayLike,
        draws: int = 1,
        rng: Seed = 0,
        context: ArrayLike | None = None,
    ) -> np.ndarray:
        """A lower bound of log P(x), the probability of grid values x (..., D); (...), in nats.

            log [ 1/K sum_k p(x + step * u_k) ] + sum_i log step_i,        u_k ~ U[0, 1)^D

        flow      anything with log_prob(y): a density of dequantised values
        draws     K. The estimate's mean over the noise is a lower bound, which rises to log P(x) as
                  K grows: the importance-weighted bound of Burda, Grosse, Salakhutdinov 2016. K = 1
                  is the plain Jensen bound, which most papers report
        rng       an int or numpy Generator; the same seed compares two flows under the same noise
        context   for a conditional flow: a bound of log P(x | context)

        -inf where every draw has density 0. Cost: K density passes, in the memory of one. Errors:
        ValueError for draws < 1, values off the grid.

        >>> from flowcore import Uniform
        >>> Dequantize().log_prob(Uniform(2, high=256.0), [[0, 255]]) / np.log(2)
        array([-16.])
        """
        draws = check_dim("draws", draws)
        x = self._on_grid(in_order("x", x, getattr(flow, "names", None)))
        rng = np.random.default_rng(rng)
        options = {} if context is None else {"context": context}
        total = flow.log_prob(self(x, rng), **options)
        for _ in range(draws - 1):
            another = flow.log_prob(self(x, rng), **options)
            with np.errstate(all="ignore"):  # a NaN stays one
                total = np.logaddexp(total, another)
        steps = np.broadcast_to(self.step, x.shape[-1:])
        volume = np.log(steps, where=steps > 0, out=np.zeros(len(steps))).sum()
        return total + np.asarray(volume - log(draws), total.dtype)

    def _on_grid(self, x):
        """x, checked, and free of small rounding."""
        x = self._columns(x)
        with np.errstate(all="ignore"):  # an infinite value is off the grid, too
            place = self._place(x)
            cell = np.rint(place)
            off = (np.abs(place - cell) > OFF_GRID) | np.isinf(x)
            off &= np.not_equal(self.step, 0)
        if off.any():
            raise ValueError(
                f"x = {x[off][0]:.6g} is not on the grid of step={show(self.step)}, "
                f"low={show(self.low)}: {np.count_nonzero(off)} of {x.size} values are not"
            )
        with np.errstate(all="ignore"):
            return self._value(x, cell)

    def _value(self, y, cell):
        """low + step * cell; y itself in a continuous column, and where floats skip cells."""
        as_it_is = np.equal(self.step, 0) | ~np.isfinite(cell)
        return np.where(as_it_is, y, self.low + self.step * cell)

    def _place(self, y):
        """(y - low) / step, where a grid value is an integer; 0 in a continuous column."""
        return (y - self.low) * np.not_equal(self.step, 0) / np.where(self.step, self.step, 1)

    def _columns(self, x) -> np.ndarray:
        """x as float64 (..., D), if that fits step and low."""
        x = as_numbers("x", x).astype(float, copy=False)
        for name in ("step", "low"):
            shape = np.shape(getattr(self, name))
            if x.ndim == 0 or (shape and x.shape[-1:] != shape):
                raise ValueError(f"x of shape {x.shape} is not (..., D) with {name} {shape or ''}")
        return x

    def __repr__(self):
        return f"Dequantize(step={show(self.step)}, low={show(self.low)})"


def bits_per_dim(log_prob: ArrayLike, dim: int) -> Any:
    """-log_prob / (D log 2): nats per row as bits per coordinate; any shape.

    Pass log-probabilities of discrete values (`Dequantize.log_prob`), because they do not depend on
    the units of the data. A log-density of x / 256 is larger than that of x by D log 256, and its
    "bits" are 8 too few. Lower is better; L equally likely values take log2(L) bits.

    Parameters
    ----------
    log_prob : array_like
        In nats, of any shape.
    dim : int
        D.

    Returns
    -------
    ndarray
        Bits per dimension, in the shape of log_prob.

    Examples
    --------
    >>> float(bits_per_dim(-16 * np.log(2), dim=2))
    8.0
    """
    log_prob = as_numbers("log_prob", log_prob)
    with np.errstate(all="ignore"):
        return log_prob * (-1 / (check_dim("dim", dim) * log(2)))


def logit_preprocessing(dim: int, levels: float, squash: float = 1e-6) -> Sigmoid:
    """The logit of pixels as a bijector at the data end, so that `log_prob` includes its log-det.

        z = logit(lambda + (1 - 2 lambda) x / levels),    logit(p) = log(p / (1 - p))
        x = low + (high - low) sigmoid(z),                lambda = squash
        low = -lambda levels / (1 - 2 lambda),            high = levels - low

    Forward is base -> data, z -> x: the `Sigmoid` with these ends, see `Sigmoid` for log-det and
    cost. Dequantised values x in [0, levels] lie strictly inside of (low, high); samples fill (low,
    high), and so may exceed [0, levels] by a fraction lambda of the range.

    Put it on the data side of a recipe's Standardize, so that `fit` standardises the logits:

        recipe = flows.maf(dim)
        bijector = Chain([logit_preprocessing(dim, 256), recipe.bijector])
        flow = TransformedDistribution(recipe.base, bijector)

    Errors: ValueError for levels not positive, squash outside of (0, 1/2).

    Parameters
    ----------
    dim : int
        D.
    levels : float
        Number of grey values 0, 1, ..., levels - 1 (of step 1, low 0).
    squash : float
        lambda in (0, 1/2); Papamakarios, Pavlakou, Murray 2017 (appendix) take 1e-6 for MNIST
        and 0.05 for CIFAR. The smaller it is, the longer are the tails near black and white; a
        float32 flow can barely resolve 1e-6 of the range.

    Returns
    -------
    Sigmoid
        From logits to pixels.

    Examples
    --------
    >>> logit_preprocessing(1, levels=4, squash=0.1).inverse([[0.0], [2.0]]).round(4)
    array([[-2.1972], [ 0.    ]])
    """
    squash, levels = float(as_numbers("squash", squash)), float(as_numbers("levels", levels))
    if not 0 < squash < 0.5:
        raise ValueError(f"squash must be in (0, 1/2), not {squash!r}")
    if not 0 < levels < np.inf:
        raise ValueError(f"levels must be positive, not {levels!r}")
    low = -squash * levels / (1 - 2 * squash)
    return Sigmoid(dim, low=low, high=levels - low)
