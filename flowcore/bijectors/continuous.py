"""Continuous flows: a velocity field, followed for one unit of time."""

from __future__ import annotations

from copy import copy
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..core import Parametric, call, warn
from ..core.inputs import as_numbers, check_dim, gate, positive
from ..networks import MLP, SMOOTH, JacobianProducts, hidden_widths
from .bijector import Bijector

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, Context, DTypeLike, Hidden, Seed, Self, Workspace

# Runge-Kutta methods by their order. In a step of size h from x, stage i takes the velocity k_i at
# x + h sum_j a_ij k_j, at the time t + h sum_j a_ij: row i lists a_ij, and the last one is the end.
METHODS = {
    4: [[], [1 / 2], [0, 1 / 2], [0, 0, 1], [1 / 6, 1 / 3, 1 / 3, 1 / 6]],
    5: [
        [], [1 / 4], [1 / 8, 1 / 8], [0, -1 / 2, 1], [3 / 16, 0, 0, 9 / 16],
        [-3 / 7, 2 / 7, 12 / 7, -12 / 7, 8 / 7], [7 / 90, 0, 32 / 90, 12 / 90, 32 / 90, 7 / 90],
    ],
}  # fmt: skip
FEWEST, MOST = 2, 1024  # steps of a grid that `with_tolerance` chooses
BACK = 1.0, 0.0  # the span of time from the data to the base
ROUND_TRIP = 5  # tolerances by which f(z) may be off, in units of z
SOME = 250  # rows, enough for the mean of squares


class ContinuousFlow(Bijector):
    """x is the place that z reaches if it moves with the velocity v from time 0 to 1.

        dx/dt = v(x, t; theta),   x(0) = z,   x = x(1)
        log |det dx/dz| = integral from 0 to 1 of div v(x(t), t) dt,    div v = sum_d dv_d/dx_d

    A Runge-Kutta method integrates x and the log-det together, on a fixed grid of `n_steps` equal
    steps. The classical method, of order 4, takes a step of size h from (x, t) as follows, with k_1
    = v(x, t):

        k_2 = v(x + h/2 k_1, t + h/2),   k_3 = v(x + h/2 k_2, t + h/2),   k_4 = v(x + h k_3, t + h)
        x <- x + h/6 (k_1 + 2 k_2 + 2 k_3 + k_4)

    The inverse starts at t = 1, with h < 0. Butcher's method of order 5 has six stages a step, and
    needs fewer stages for the same error. All rows have the same grid, so the result of a row does
    not depend on the others, as it would with an adaptive solver.

    How exact is it? Forward and inverse undo each other, and the log-det is right, only up to the
    error of the grid, O(n_steps^-order). `with_tolerance` and `fit_matching` choose a grid. The
    divergence is exact: D Jacobian-vector products give the diagonal of the Jacobian.

    Cost of a direction, per row: 1 + D passes of the network for each of 4 n_steps stages (6
    n_steps at order 5). A gradient takes about four times as long, in the memory of one pass.
    `sample` needs no divergence: one pass a stage. `fit_matching` trains the flow without solving
    the equation.

    Errors: TypeError for anything but an MLP without angles; ValueError for a network of another
    shape, or a network that is not smooth, because its divergence would jump.

    Parameters
    ----------
    velocity : MLP
        (x, features of t) -> v (D,), with the activation "silu", "tanh", "sigmoid" or "softplus".
        It may be residual, and may read a context. See `of`.
    n_steps : int
        Steps of the grid.
    frequencies : int
        F: the features of t are t, cos(pi k t) and sin(pi k t), k = 1..F; 0: t alone.
    order : int
        The order of the Runge-Kutta method: 4 or 5.

    References
    ----------
    Butcher, "On Runge-Kutta processes of high order", 1964 (order 5);
    Chen, Rubanova, Bettencourt, Duvenaud, "Neural ordinary differential equations", 2018, eq. 8.

    Examples
    --------
    >>> flow = ContinuousFlow.of(2, hidden=[8])
    >>> flow
    ContinuousFlow(MLP(3, (2,), hidden=[8], 'tanh'), n_steps=20)
    >>> flow.forward(np.ones((1, 2)))  # a new one stands still
    array([[1., 1.]])
    """

    _span = (0.0, 1.0)  # of time; `_moved` takes others

    def __init__(
        self, velocity: Parametric, n_steps: int = 20, frequencies: int = 0, order: int = 4
    ):  # fmt: skip
        if not isinstance(velocity, MLP) or velocity.circular:
            raise TypeError(f"velocity must be an MLP without angles, not {velocity!r:.80}")
        self.n_steps = check_dim("n_steps", n_steps)
        self.frequencies = check_dim("frequencies", frequencies, least=0)
        self.order = check_dim("order", order)
        if self.order not in METHODS:
            raise ValueError(f"order must be one of {[*METHODS]}, not {order}")
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
        self.parts = (velocity,)
        self.context_dim = velocity.context_dim

    @classmethod
    def of(
        cls, dim: int, hidden: Hidden = None, activation: str = "tanh", context_dim: int = 0,
        rng: Seed = 0, dtype: DTypeLike = float, residual: bool = False, *, n_steps: int = 20,
        frequencies: int = 0, order: int = 4,
    ) -> Self:  # fmt: skip
        """A flow of D coordinates with a new network; its arguments as for `MLP` (hidden=None: two
        layers of max(64, 2 D), three if residual)."""
        dim, n_features = check_dim("dim", dim), 1 + 2 * check_dim("frequencies", frequencies, 0)
        hidden = hidden_widths(hidden, dim, residual)
        net = MLP(dim + n_features, (dim,), hidden, activation, context_dim, rng, dtype, residual)
        return cls(net, n_steps, frequencies, order)

    @property
    def velocity(self) -> MLP:
        """The network of v."""
        return self.parts[0]

    def field(self, x: ArrayLike, t: ArrayLike, context: Context = None) -> np.ndarray:
        """The velocity v(x, t) of x (..., D), at a time t or times (...)."""
        x = as_numbers("x", x)
        inputs = np.concatenate([x, self.time_features(np.broadcast_to(t, x.shape[:-1]))], axis=-1)
        return self.velocity(inputs, context=context)

    def time_features(self, t: ArrayLike) -> np.ndarray:
        """The features of times t (...) that the network reads: (..., 1 + 2 F)."""
        t = np.asarray(t)[..., None]
        angles = np.pi * np.arange(1, self.frequencies + 1) * t
        return np.concatenate([t, np.cos(angles), np.sin(angles)], axis=-1)

    def path(self, z: ArrayLike, times: ArrayLike, context: Context = None) -> np.ndarray:
        """x(t) of rows z (N, D) at rising times from 0 to 1, (len(times), N, D).

        For pictures: it takes `n_steps` steps from each time to the next, and from 0 to the first.
        """
        x, found = as_numbers("z", z), []
        for span in pairwise([0.0, *np.asarray(times, float)]):
            x = self._moved(x, span, context)
            found.append(x)
        return np.stack(found)

    def _moved(self, x, span, context):
        """Where rows x, at the start of a span of time, are at its end, without a divergence."""
        part = copy(self)
        part._span = span
        return call(part, "draw", x, None, context)

    def with_steps(self, n_steps: int, order: int | None = None) -> Self:
        """The same flow on another grid, by the same method or by that of another order."""
        order = self.order if order is None else order
        return type(self)(self.velocity, n_steps, self.frequencies, order)

    def with_tolerance(
        self, x: ArrayLike, tolerance: float = 1e-4, context: Context = None
    ) -> Self:
        """The same flow, by the method of order 5, with few steps, but enough for rows x.

        The grid is compared with one of twice as many steps. The grid is fine enough if the finer
        grid changes no coordinate of z = f^-1(x) by more than the tolerance, and the log-dets of
        at most 250 rows by at most the tolerance in root mean square. The finer grid must also lead
        from f(z) back to z with an error of at most five tolerances. These errors are in units of
        z, in which a narrow cluster is as wide as any other. The number of steps grows from 2. If
        1024 steps are too few, there is a warning.
        """
        positive("tolerance", tolerance)
        x, _, context, _ = gate(self, x, None, context)
        wide, n_steps = self.with_params(self.params.astype(float)), FEWEST

        def excess():
            changes = wide._changes(n_steps, x, context)
            return next((change for change in changes if not change <= tolerance), None)

        while (error := excess()) is not None and n_steps < MOST:
            wanted = n_steps * (error / tolerance) ** (1 / 6)  # rarely too many
            n_steps = max(n_steps + 1, int(np.fmin(MOST, wanted)))
        if error is not None:
            warn(
                f"{MOST} steps are off by {error:.2g}, more than the tolerance {tolerance:.2g}: "
                "is the velocity too steep? Train with a smaller learning_rate, or allow more"
            )
        return self.with_steps(n_steps, 5)

    def _changes(self, n_steps, x, context):
        """What twice as many steps change, see `with_tolerance`: the cheapest first, because
        log-dets take D times as long as points."""
        grids = grid, finer = [self.with_steps(n, 5) for n in (n_steps, 2 * n_steps)]
        z, finer_z = (flow._moved(x, BACK, context) for flow in grids)
        yield np.abs(z - finer_z).max()
        again = finer._moved(grid._moved(z, BACK[::-1], context), BACK, context)
        yield np.abs(z - again).max() / ROUND_TRIP
        some = np.random.default_rng(0).permutation(len(x))[:SOME]
        rows = x[some], None, None if context is None else context[some]
        log_dets = [flow.inverse_and_log_det(*rows)[1] for flow in grids]
        yield np.sqrt(np.mean(np.subtract(*log_dets) ** 2))

    def bind(self, at: Workspace, direction: str) -> Bound:
        dim, n_steps = self.dim, self.n_steps
        start, stop = self._span if direction == "forward" else self._span[::-1]
        h = (stop - start) / n_steps
        # unit vectors of the directions of x, none along t and without a log-det
        e = np.eye(self.velocity.in_dim, dim if at.log_det else 0, dtype=at.dtype)[..., None]
        field = JacobianProducts(self.velocity, at, e.shape[1])
        *rows, end = (np.array(h * np.array(row), at.dtype) for row in METHODS[self.order])
        stages = [h * sum(row) for row in METHODS[self.order][:-1]]
        features = self.time_features(start + h * np.arange(n_steps)[:, None] + stages)
        k = at.scratch("velocities", len(rows), dim, at.n_rows)
        div = at.scratch("divergences", len(rows), at.n_rows)
        points: list = []  # with a tape: x at every stage of every step

        def velocity(x, of_time):
            field.x[:dim], field.x[dim:] = x, of_time[:, None]
            return field.run()

        def begin():
            field.begin()
            field.e[...] = e

        def run(x, l):
            begin()
            points.clear()
            x = np.array(x, at.dtype)
            for of_stages in features:
                for i, row in enumerate(rows):
                    point = x + combined(row, k)
                    if at.tape:
                        points.append(point)
                    k[i], je = velocity(point, of_stages[i])
                    div[i] = np.einsum("dk,dkn->n", e[:dim, :, 0], je)
                x = x + combined(end, k)
                np.add(l, combined(end, div), l)
            return x

        def back(x_bar, l_bar):
            """A step at a time, its stages from the last to the first, each computed again."""
            begin()
            at_points = list(points)
            for of_stages in features[::-1]:
                k_bar = end[:, None, None] * x_bar
                for i in reversed(range(len(rows))):
                    velocity(at_points.pop(), of_stages[i])
                    point_bar = field.back(k_bar[i], e[:dim] * (end[i] * l_bar))[:dim]
                    k_bar[:i] += rows[i][:, None, None] * point_bar
                    x_bar = x_bar + point_bar
            return x_bar

        return run, back

    def __repr__(self):
        usual = {"frequencies": 0, "order": 4}
        own = {name: getattr(self, name) for name in usual}
        options = "".join(f", {name}={n}" for name, n in own.items() if n != usual[name])
        return f"ContinuousFlow({self.velocity!r}, n_steps={self.n_steps}{options})"


def combined(row, k):
    """sum_j row_j k_j, over as many k as the row has numbers."""
    return (row @ k.reshape(len(k), -1)[: len(row)]).reshape(k.shape[1:])
