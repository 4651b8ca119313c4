"""Continuous flows: a velocity field, followed for one unit of time."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ..core import Parametric, warn
from ..core.inputs import as_numbers, check_dim, positive
from ..networks import MLP, SMOOTH, JacobianProducts, hidden_widths
from .bijector import Bijector

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, Context, DTypeLike, Hidden, Seed, Self, Workspace

# the classical Runge-Kutta method: where in a step the velocity is taken, and its weight
STAGES = ((0.0, 1 / 6), (0.5, 1 / 3), (0.5, 1 / 3), (1.0, 1 / 6))
# numbers of steps that `with_tolerance` tries: 4, 6, 8, 12, 16, 24, ..., 1024
GRIDS = tuple(sorted([2**k for k in range(2, 11)] + [3 * 2**k for k in range(1, 9)]))


class ContinuousFlow(Bijector):
    """x is the place that z reaches if it moves with the velocity v from time 0 to 1.

        dx/dt = v(x, t; theta),   x(0) = z,   x = x(1)
        log |det dx/dz| = integral from 0 to 1 of div v(x(t), t) dt,    div v = sum_d dv_d/dx_d

    Both are integrated together by the Runge-Kutta method of order 4 on a fixed grid of `n_steps`
    equal steps, in both directions. A step of size h at (x, t) is, with k_1 = v(x, t),

        k_2 = v(x + h/2 k_1, t + h/2),   k_3 = v(x + h/2 k_2, t + h/2),   k_4 = v(x + h k_3, t + h)
        x <- x + h/6 (k_1 + 2 k_2 + 2 k_3 + k_4)

    and the inverse has h < 0, from t = 1. The grid is the same for all rows. An adaptive solver
    would couple the rows of a batch; here the result of a row does not depend on the others.
    Forward and inverse undo each other, and the log-det belongs to the map, both up to the error of
    the grid, O(n_steps^-4): `with_tolerance` chooses a grid, and so does `fit_matching`.

    The divergence is exact: the diagonal of the Jacobian, by D Jacobian-vector products. For a
    larger D, above 32, `probes` = K replaces the D unit vectors by K random sign vectors e, which
    estimate div v by the mean of e . J e (Hutchinson). They are drawn anew for every step of the
    grid, from a fixed seed: so the density is an estimate, but a deterministic one.

    Cost of a direction, per row: 4 n_steps (1 + D) passes of the network, or 1 + K; a gradient
    takes about four times that, in the memory of one pass, because stages are computed again on the
    way back. `sample` needs no divergence: 4 n_steps passes. `fit_matching` trains it without
    solving the equation.

    Errors: TypeError for anything but an MLP without angles; ValueError for a network of another
    shape, and for one that is not smooth, whose divergence would jump.

    Parameters
    ----------
    velocity : MLP
        (x, features of t) -> v (D,), with the activation "silu", "tanh", "sigmoid" or "softplus".
        It may be residual, and may read a context. See `of`.
    n_steps : int
        Steps of the grid.
    frequencies : int
        F: the features of t are t, cos(pi k t) and sin(pi k t), k = 1..F; 0: t alone.
    probes : int
        K of Hutchinson's estimate, less than D; 0: the exact divergence.

    References
    ----------
    Chen, Rubanova, Bettencourt, Duvenaud, "Neural ordinary differential equations", 2018, eq. 8;
    Grathwohl et al., "FFJORD", 2019 (Hutchinson's estimate).

    Examples
    --------
    >>> flow = ContinuousFlow.of(2, hidden=[8])
    >>> flow
    ContinuousFlow(MLP(3, (2,), hidden=[8], 'tanh'), n_steps=20)
    >>> flow.forward(np.ones((1, 2)))  # a new one stands still
    array([[1., 1.]])
    """

    def __init__(
        self, velocity: Parametric, n_steps: int = 20, frequencies: int = 0, probes: int = 0
    ):
        if not isinstance(velocity, MLP) or velocity.circular:
            raise TypeError(f"velocity must be an MLP without angles, not {velocity!r:.80}")
        self.n_steps = check_dim("n_steps", n_steps)
        self.frequencies = check_dim("frequencies", frequencies, least=0)
        self.probes = check_dim("probes", probes, least=0)
        self.dim = velocity.in_dim - 1 - 2 * self.frequencies
        if velocity.out_shape != (self.dim,):
            raise ValueError(
                f"velocity must map D + {1 + 2 * self.frequencies} numbers, x and features of t "
                f"(frequencies={self.frequencies}), to (D,), not {velocity.in_dim} numbers to "
                f"{velocity.out_shape}"
            )
        if velocity.activation not in SMOOTH:
            raise ValueError(
                f"activation must be smooth, one of {sorted(SMOOTH)}, not "
                f"{velocity.activation!r}: the divergence of the velocity would jump at its kinks"
            )
        if self.probes >= self.dim and self.probes:
            raise ValueError(
                f"probes={self.probes} of dim={self.dim}: with as many vectors as coordinates the "
                "divergence is exact, probes=0"
            )
        self.parts = (velocity,)
        self.context_dim = velocity.context_dim

    @classmethod
    def of(
        cls, dim: int, hidden: Hidden = None, activation: str = "tanh", context_dim: int = 0,
        rng: Seed = 0, dtype: DTypeLike = float, residual: bool = False, *, n_steps: int = 20,
        frequencies: int = 0, probes: int = 0,
    ) -> Self:  # fmt: skip
        """A flow of D coordinates with a new network; its arguments as for `MLP` (hidden=None: two
        layers of max(64, 2 D), three if residual)."""
        dim, n_features = check_dim("dim", dim), 1 + 2 * check_dim("frequencies", frequencies, 0)
        hidden = hidden_widths(hidden, dim, residual)
        net = MLP(dim + n_features, (dim,), hidden, activation, context_dim, rng, dtype, residual)
        return cls(net, n_steps, frequencies, probes)

    @property
    def velocity(self) -> MLP:
        """The network of v."""
        return self.parts[0]

    def field(self, x: ArrayLike, t: ArrayLike, context: Context = None) -> np.ndarray:
        """The velocity v(x, t) of x (..., D), at a time t or times (...)."""
        x = as_numbers("x", x)
        t = np.broadcast_to(as_numbers("t", t), x.shape[:-1])
        return self.velocity(np.concatenate([x, self.time_features(t)], axis=-1), context=context)

    def time_features(self, t: ArrayLike) -> np.ndarray:
        """The features of times t (...) that the network reads: (..., 1 + 2 F)."""
        t = np.asarray(t)[..., None]
        angles = np.pi * np.arange(1, self.frequencies + 1) * t
        return np.concatenate([t, np.cos(angles), np.sin(angles)], axis=-1)

    def path(self, z: ArrayLike, times: ArrayLike, context: Context = None) -> np.ndarray:
        """x(t) of rows z (N, D) at rising times from 0 to 1, (len(times), N, D).

        For pictures: between two times, it takes `n_steps` steps.
        """
        x, found, before = as_numbers("z", z), [], 0.0
        for t in np.asarray(times, float):
            for h in np.full(self.n_steps, (t - before) / self.n_steps):
                total, k = np.zeros_like(x), np.zeros_like(x)
                for c, weight in STAGES:
                    k = self.field(x + c * h * k, before + c * h, context)
                    total = total + weight * k
                x, before = x + h * total, before + h
            found.append(x)
            before = t
        return np.stack(found)

    def with_steps(self, n_steps: int) -> Self:
        """The same flow on another grid."""
        return type(self)(self.velocity, n_steps, self.frequencies, self.probes)

    def with_tolerance(
        self, x: ArrayLike, tolerance: float = 1e-4, context: Context = None
    ) -> Self:
        """The same flow on the coarsest grid of 4, 6, 8, 12, ..., 1024 steps that suits rows x.

        A grid suits them if twice as many steps change no coordinate of f^-1(x), and no log-det, by
        more than the tolerance. With `probes` only coordinates are compared, because the log-det is
        another estimate on each grid. There is a warning if no grid suits them.
        """
        positive("tolerance", tolerance)
        wide = self.with_params(self.params.astype(float))

        @cache
        def images(n_steps):
            return wide.with_steps(n_steps).inverse_and_log_det(x, context=context)

        for n_steps in GRIDS:
            pairs = zip(images(n_steps), images(2 * n_steps), strict=True)
            pairs = [*pairs][: 1 if self.probes else 2]
            error = max(np.abs(a - b).max() for a, b in pairs)
            if error <= tolerance:
                return self.with_steps(n_steps)
        warn(
            f"{GRIDS[-1]} steps are off by {error:.2g}, more than the tolerance {tolerance:.2g}: "
            "is the velocity too steep? Train with a smaller learning_rate, or allow more"
        )
        return self.with_steps(GRIDS[-1])

    def bind(self, at: Workspace, direction: str) -> Bound:
        dim, n_steps = self.dim, self.n_steps
        start, h = (0.0, 1 / n_steps) if direction == "forward" else (1.0, -1 / n_steps)
        directions = self.directions()[..., : None if at.log_det else 0]
        field = JacobianProducts(self.velocity, at, directions.shape[-1])
        directions = directions.astype(at.dtype)[..., None]
        if direction == "inverse":
            directions = directions[::-1]
        inputs = np.zeros((self.velocity.in_dim, at.n_rows), at.dtype)
        points: list = []  # with a tape: x at every stage of every step

        def velocity_and_divergence(x, t, e):
            inputs[:dim], inputs[dim:] = x, self.time_features(t)[:, None]
            v, je = field.run(inputs, e)
            return v, np.einsum("dk,dkn->n", e[:dim, :, 0], je)

        def run(x, l):
            field.begin()
            points.clear()
            x = np.array(x, at.dtype)
            for i, e in enumerate(directions):
                t, moved, gained, k = start + i * h, 0.0, 0.0, 0.0
                for c, weight in STAGES:
                    point = x + (c * h) * k
                    if at.tape:
                        points.append(point)
                    k, div = velocity_and_divergence(point, t + c * h, e)
                    moved, gained = moved + weight * k, gained + weight * div
                x = x + h * moved
                np.add(l, h * gained, l)
            return x

        def back(x_bar, l_bar):
            """A step at a time, its stages from the last to the first, each computed again."""
            field.begin()
            field.forget()
            at_points = list(points)
            for i in reversed(range(n_steps)):
                e, t = directions[i], start + i * h
                through, total = 0.0, x_bar
                for c, weight in reversed(STAGES):
                    # k is used in the step, and by the next stage, whose point is x + c h k
                    k_bar = (h * weight) * x_bar + through
                    velocity_and_divergence(at_points.pop(), t + c * h, e)
                    je_bar = e[:dim] * (h * weight * l_bar)
                    point_bar = field.back(k_bar, je_bar)[:dim]
                    through, total = (c * h) * point_bar, total + point_bar
                x_bar = total
            return x_bar

        return run, back

    def directions(self) -> np.ndarray:
        """E of every step, (n_steps, inputs, K): sum_k e_k . J e_k is div v, or estimates it."""
        if not self.probes:
            e = np.broadcast_to(np.eye(self.dim), (self.n_steps, self.dim, self.dim))
        else:
            shape = self.n_steps, self.dim, self.probes
            signs = np.random.default_rng(0).integers(2, size=shape) * 2.0 - 1.0
            e = signs / np.sqrt(self.probes)
        return np.pad(e, [(0, 0), (0, self.velocity.in_dim - self.dim), (0, 0)])  # not along t

    def __repr__(self):
        options = "".join(
            f", {name}={getattr(self, name)}"
            for name in ("frequencies", "probes")
            if getattr(self, name)
        )
        return f"ContinuousFlow({self.velocity!r}, n_steps={self.n_steps}{options})"
