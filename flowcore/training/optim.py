"""Optimisers: steps of the flat parameter vector along gradients.

An *optimiser* (`Adam`) is an immutable set of hyper-parameters. `start(theta)` gives a *state*,
which belongs to one run of one training loop, and whose `step(theta, gradient)` updates the
loop's own buffer theta in place:

    theta = np.array(flow.params)              # a writable copy: the loop owns it
    state = Adam(1e-3).start(theta)
    for gradient in ...:
        state.step(theta, gradient)            # nothing is allocated, the gradient is not kept

`Optimizer` and `OptimizerState` are the protocol that another optimiser follows. A learning rate
is a number, or a schedule, see `schedules`. `Average` smooths theta.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .schedules import LearningRate, is_number

PIECE = 2**16  # numbers that a step of Adam takes at once: with its sums they stay in the cache


class OptimizerState(Protocol):
    """The state of one run of an optimiser, between its steps."""

    def step(self, theta: np.ndarray, gradient: np.ndarray) -> None:
        """Update theta in place, downhill; the gradient is neither changed nor kept."""

    def arrays(self) -> dict[str, np.ndarray]:
        """A copy of the whole state as plain arrays, for `Optimizer.start(theta, arrays)`."""


class Optimizer(Protocol):
    """Hyper-parameters; starts any number of independent runs."""

    def start(
        self, theta: np.ndarray, arrays: Mapping[str, np.ndarray] | None = None
    ) -> OptimizerState:
        """A new state for vectors like theta, or the one that `arrays` describes."""


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, "Adam: a method for stochastic optimization", 2015, Algorithm 1).

        m <- beta1 m + (1 - beta1) g              m_hat = m / (1 - beta1^t)
        v <- beta2 v + (1 - beta2) g^2            v_hat = v / (1 - beta2^t)
        theta <- theta - learning_rate (m_hat / (sqrt(v_hat) + epsilon) + weight_decay theta)
                                                                                 t = 1, 2, ...

    With a weight_decay it is AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization",
    2019, Algorithm 2); the paper's lambda is learning_rate * weight_decay.

    Errors: ValueError outside of the ranges below. Cost of a step: ten passes over the vector
    (eleven with weight decay), a piece at a time, without allocations. The state is two vectors of
    theta's dtype.

    Parameters
    ----------
    learning_rate : float or callable
        A positive number, or a schedule: step -> number >= 0, steps counted from 0.
    beta1, beta2 : float
        Decay rates of the two averages, in [0, 1).
    epsilon : float
        Keeps the denominator away from zero.
    weight_decay : float
        Pulls all free parameters, including biases, towards 0; it does not enter m and v.

    Examples
    --------
    >>> theta = np.array([1.0, -2.0])
    >>> state = Adam(learning_rate=0.1).start(theta)
    >>> state.step(theta, gradient=np.array([30.0, -0.5]))     # the first step is the sign's
    >>> theta
    array([ 0.9, -1.9])
    >>> decaying = Adam(learning_rate=lambda step: 1e-3 * 0.999**step)
    """

    learning_rate: LearningRate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self):
        if not callable(self.learning_rate) and not is_number(self.learning_rate, above=0.0):
            raise ValueError(
                "learning_rate must be a positive number or a function of the step: "
                f"got {self.learning_rate!r}"
            )
        for name in ("beta1", "beta2"):
            beta = getattr(self, name)
            if not (is_number(beta) and 0 <= beta < 1):
                raise ValueError(f"{name} must lie in [0, 1): got {beta!r}")
        if not is_number(self.epsilon, above=0.0):
            raise ValueError(f"epsilon must be a positive number: got {self.epsilon!r}")
        if not (is_number(self.weight_decay) and self.weight_decay >= 0):
            raise ValueError(f"weight_decay must be a number >= 0: got {self.weight_decay!r}")

    def start(self, theta: np.ndarray, arrays: Mapping[str, np.ndarray] | None = None) -> AdamState:
        """A state for vectors like theta: a new one, or the one exported by `arrays()`."""
        return AdamState(self, theta, arrays)


class AdamState:
    """The two decayed sums of one run of `Adam`, and its step count t.

    m-hat and v-hat are *weighted means*, of the gradients and of their squares, with weights
    1, beta, beta^2, ... going back in time. So the state keeps the weighted sums

        M = g_t + beta1 g_{t-1} + beta1^2 g_{t-2} + ...      = m / (1 - beta1)
        V = g_t^2 + beta2 g_{t-1}^2 + ...                    = v / (1 - beta2)

    which cost one pass less each, and divides by the sums of the weights,
    w = 1 + beta + ... + beta^(t-1) = (1 - beta^t) / (1 - beta). These are scalars, and leave the
    vector operations altogether:

        m_hat / (sqrt(v_hat) + epsilon) = (sqrt(w2) / w1) M / (sqrt(V) + epsilon sqrt(w2))
    """

    def __init__(self, adam: Adam, theta: np.ndarray, arrays=None):
        self._learning_rate = adam.learning_rate
        # Python's floats, unlike NumPy's, leave float32 vectors in float32; so do 0-d arrays of it
        self._constants = float(adam.beta1), float(adam.beta2), float(adam.epsilon)
        self._decays = [np.array(beta, theta.dtype) for beta in self._constants[:2]]
        self._weight_decay = float(adam.weight_decay)
        self._pieces = [slice(i, i + PIECE) for i in range(0, theta.size, PIECE)]
        self._scratch = np.empty_like(theta[:PIECE])
        if arrays is None:
            self._m, self._v, self._t = np.zeros_like(theta), np.zeros_like(theta), 0
        else:
            self._m, self._v = np.array(arrays["m"]), np.array(arrays["v"])
            self._t = int(arrays["t"])

    def step(self, theta: np.ndarray, gradient: np.ndarray) -> None:
        """One step of Algorithm 1: theta changes in place, `gradient` is only read.

        Errors: ValueError, before anything changes, if a schedule returns no number >= 0, or the
        gradient is of another length.
        """
        if gradient.shape != theta.shape:
            raise ValueError(f"the gradient has shape {gradient.shape}, theta {theta.shape}")
        beta1, beta2, epsilon = self._constants
        rate = self._rate()
        self._t += 1
        weight1 = (1 - beta1**self._t) / (1 - beta1)
        root_weight2 = math.sqrt((1 - beta2**self._t) / (1 - beta2))

        decay1, decay2 = self._decays  # as arrays they are faster
        with np.errstate(all="ignore"):  # small numbers fade to 0, as they should
            for here in self._pieces:
                m, v, g, w = self._m[here], self._v[here], gradient[here], theta[here]
                scratch = self._scratch[: len(g)]
                m *= decay1
                m += g
                np.multiply(g, g, out=scratch)
                v *= decay2
                v += scratch
                np.sqrt(v, out=scratch)
                scratch += epsilon * root_weight2
                np.divide(m, scratch, out=scratch)
                scratch *= rate * root_weight2 / weight1
                if self._weight_decay:
                    w *= 1.0 - rate * self._weight_decay
                w -= scratch

    def arrays(self) -> dict[str, np.ndarray]:
        """{"m": M, "v": V, "t": t}: copies of the sums above and the number of steps taken.

        A run that starts from them (same `Adam`, same theta) continues bit for bit.
        """
        return {"m": self._m.copy(), "v": self._v.copy(), "t": np.array(self._t)}

    def _rate(self) -> float:
        if not callable(self._learning_rate):
            return float(self._learning_rate)
        rate = self._learning_rate(self._t)
        if not is_number(rate) or rate < 0:
            raise ValueError(
                f"the learning-rate schedule returned {rate!r} for step {self._t}: "
                "it must return a finite number >= 0"
            )
        return float(rate)


class Average:
    """The exponential moving average of theta over the updates t = 1, 2, ..., with a warm start.

        average_t = decay_t average_{t-1} + (1 - decay_t) theta_t
        decay_t   = min(decay, (t - 1) / (t + 9))

    So average_1 is theta_1, and early averages cover only about a tenth of the updates. (A
    bias-corrected average begins as the mean over all updates, which lags behind in short runs.)
    Cost of an update: three passes over the vector. References: Polyak and Juditsky, "Acceleration
    of stochastic approximation by averaging", 1992 (all weights equal); the warm start is that of
    TensorFlow's `ExponentialMovingAverage`, one update later.

    >>> average = Average(0.999, np.zeros(1))
    >>> for theta in (1.0, 13.0):
    ...     average.update(np.array([theta]))
    >>> average.values                                      # 1/11 * 1 + 10/11 * 13
    array([11.90909091])
    """

    def __init__(self, decay: float, theta: np.ndarray, updates: int = 0):
        self.decay, self.updates, self.values = float(decay), updates, theta.copy()
        self._scratch = np.empty_like(theta)

    def update(self, theta: np.ndarray) -> None:
        """Take in the theta of one more update; `values` changes in place."""
        self.updates += 1
        step = 1.0 - min(self.decay, (self.updates - 1) / (self.updates + 9))
        with np.errstate(all="ignore"):
            np.subtract(theta, self.values, out=self._scratch)
            self._scratch *= step
            self.values += self._scratch


OPTIMIZERS: Mapping[str, Callable[[LearningRate], Optimizer]] = {"adam": Adam}


def as_optimizer(optimizer: str | Optimizer, learning_rate: LearningRate | None) -> Optimizer:
    """The optimiser with that name, or the object, which has its own learning rate (None)."""
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            raise ValueError(
                f"unknown optimizer {optimizer!r}: choose one of {sorted(OPTIMIZERS)}, or pass an "
                "object such as Adam(1e-3)"
            )
        return OPTIMIZERS[optimizer](learning_rate)
    if isinstance(optimizer, type) or not hasattr(optimizer, "start"):
        raise TypeError(f"optimizer must be a name or an object: Adam(1e-3), not {optimizer!r}")
    if learning_rate is not None:
        raise ValueError("give the learning rate once: to the optimizer object, not to fit")
    return optimizer
