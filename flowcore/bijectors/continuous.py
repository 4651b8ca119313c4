"""Continuous flows: a velocity field, followed for one unit of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import autograd.numpy as anp
import numpy as np

from ..core.inputs import check_dim
from ..networks import MLP
from .bijector import Bijector

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Context, Params, Seed, Self

# act(a), and its slope as a function of h = act(a)
SMOOTH = {
    "tanh": (anp.tanh, lambda h: 1 - h**2),
    "sigmoid": (lambda a: (anp.tanh(a / 2) + 1) / 2, lambda h: h * (1 - h)),
    "softplus": (lambda a: anp.logaddexp(a, 0.0), lambda h: 1 - anp.exp(-h)),
}
WAYS = {"forward": 1, "inverse": -1}


class ContinuousFlow(Bijector):
    """x is where z arrives that moves with the velocity v from time 0 to 1.

        dx/dt = v(x, t; theta),   x(0) = z,   x = x(1)
        log |det dx/dz| = integral from 0 to 1 of div v(x(t), t) dt,    div v = sum_d dv_d/dx_d

    Both are integrated together by the Runge-Kutta method of order 4 on a fixed grid of `steps`
    equal steps, in both directions; so every row has one answer, whatever stands beside it. Forward
    and inverse are each other's inverse up to the error of the grid, O(steps^-4). The divergence is
    exact: the Jacobian of the network by forward products with the D unit vectors,

        T_0 = I,   T_l = act'(a_l) * (W_l^T T_{l-1})

    Cost of a direction, per row: 4 steps (D + 1) passes of the network. Gradients go through all
    steps, and are slow: train it by `fit_matching`, which needs none of them. Errors: ValueError
    for a network of another shape, or one that is not smooth, whose divergence jumps.

    Parameters
    ----------
    velocity : MLP
        (x, t) of D + 1 numbers -> v (D,), "tanh", "sigmoid" or "softplus", and not residual. It may
        read a context.
    steps : int
        Of the solver.

    References
    ----------
    Chen, Rubanova, Bettencourt, Duvenaud, "Neural ordinary differential equations", 2018, eq. 8.

    Examples
    --------
    >>> flow = ContinuousFlow.of(2, hidden=[8])
    >>> flow.forward(np.ones((1, 2)))  # a new one stands still
    array([[1., 1.]])
    """

    def __init__(self, velocity: MLP, steps: int = 20):
        if not isinstance(velocity, MLP):
            raise TypeError(f"velocity must be an MLP: {velocity!r:.80}")
        self.dim = velocity.in_dim - 1
        if velocity.out_shape != (self.dim,) or not self.dim:
            raise ValueError(
                f"velocity maps {velocity.in_dim} numbers (x, t) to {velocity.out_shape}, not to "
                f"({velocity.in_dim - 1},)"
            )
        if velocity.activation not in SMOOTH or velocity.residual:
            raise ValueError(
                f"velocity must be smooth, one of {sorted(SMOOTH)}, and not residual: {velocity!r}"
            )
        self.parts, self.steps_of_solver = (velocity,), check_dim("steps", steps)
        self.context_dim = velocity.context_dim

    @classmethod
    def of(
        cls, dim: int, hidden=(64, 64), activation: str = "tanh", context_dim: int = 0,
        rng: Seed = 0, steps: int = 20,
    ) -> Self:  # fmt: skip
        """A flow of D coordinates with a new network."""
        dim = check_dim("dim", dim)
        net = MLP(dim + 1, (dim,), hidden, activation, context_dim, rng)
        return cls(net, steps)

    @property
    def velocity(self) -> MLP:
        """The network of v."""
        return self.parts[0]

    def with_steps(self, steps: int) -> Self:
        """The same flow on another grid."""
        return type(self)(self.velocity, steps)

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        return {"velocity": self.velocity, "steps": self.steps_of_solver}

    def forward_and_log_det(
        self, z: ArrayLike, params: Params = None, context: Context = None
    ) -> tuple:
        """x = x(1) of shape (..., D), and its log-determinant, (...)."""
        return self._solve("forward", z, params, context)

    def inverse_and_log_det(
        self, x: ArrayLike, params: Params = None, context: Context = None
    ) -> tuple:
        """z = x(0) of shape (..., D), and its log-determinant, (...)."""
        return self._solve("inverse", x, params, context)

    def _solve(self, direction: str, x, params, context):
        layers = self._layers(self.params if params is None else params)
        h = WAYS[direction] / self.steps_of_solver
        t, log_det = float(direction == "inverse"), 0.0

        def slope(x, t):
            return velocity_and_divergence(layers, self.velocity.activation, x, t, context)

        for _ in range(self.steps_of_solver):
            k1, d1 = slope(x, t)
            k2, d2 = slope(x + h / 2 * k1, t + h / 2)
            k3, d3 = slope(x + h / 2 * k2, t + h / 2)
            k4, d4 = slope(x + h * k3, t + h)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            log_det = log_det + h / 6 * (d1 + 2 * d2 + 2 * d3 + d4)
            t = t + h
        return x, log_det

    def _layers(self, params) -> list[tuple]:
        """[(W, b, C), ...], dense, of the parameters."""
        theta = anp.concatenate([np.zeros(1), params])
        return [
            tuple(None if i is None else theta[i] for i in own) for own in self.velocity.places()
        ]

    def __repr__(self):
        return f"ContinuousFlow({self.velocity!r}, steps={self.steps_of_solver})"


def velocity_and_divergence(layers, activation: str, x, t: float, context=None):
    """(v (..., D), div v (...)) at x (..., D) and time t; layers [(W, b, C), ...] of a network."""
    act, act_slope = SMOOTH[activation]
    dim, h, tangents = x.shape[-1], None, None
    for l, (W, b, C) in enumerate(layers):
        bias = b if C is None or context is None else b + anp.dot(context, C)
        if l == 0:
            a, a_tangents = anp.dot(x, W[:dim]) + t * W[dim] + bias, W[:dim]
        elif l < len(layers) - 1:
            a, a_tangents = anp.dot(h, W) + bias, anp.dot(tangents, W)
        else:
            return anp.dot(h, W) + bias, anp.sum(tangents * W.T, axis=(-1, -2))
        h = act(a)
        tangents = act_slope(h)[..., None, :] * a_tangents
    raise AssertionError("a network has two layers at least")
