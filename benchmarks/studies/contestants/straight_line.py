"""A yardstick in plain NumPy: the step written out by hand for one shape.

`Floor` is what NumPy itself can reach: one MAF, one number of rows, one thread, no library and no
checks. All arrays and views are made once, every call has an `out`, scalars are 0-d arrays (half
the price of Python's floats), and the formulas stand in one line after the other.

Arrays are (units, rows). A bias is the weight of a unit that is always 1, the first row of `units`,
so that a layer is one product. A mask is known only as its panels: the units stand in the order of
their degrees, and panel k of the weights between hidden layers reads the panels up to k. What a
mask forbids within a panel is multiplied and trained all the same: a yardstick for the time of a
step, and not a flow to use.
"""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np

from .base import Contestant

PANELS = (1, 2, 4)  # what is tried: more of them multiply fewer zeros, in smaller products
TRIALS = 7


class Floor(Contestant):
    """The straight-line step, with the number of panels that is fastest here."""

    packages = ("numpy",)

    def build(self):
        self._steps = [
            StraightLine(self.case, self.dtype, self.rate, panels)
            for panels in (PANELS if self.case.dim > 2 else PANELS[:1])
        ]

    def start(self):
        x = np.ascontiguousarray(np.asarray(self.rows).T)
        fastest = min(self._steps, key=lambda one: _best_seconds(lambda: one.step(x)))
        self.panels = fastest.panels
        self._step = lambda: fastest.step(x)

    def step(self):
        return self._step()

    @property
    def n_weights(self):
        return self._steps[0].theta.size


class StraightLine:
    """One training step of a MAF on rows (D, n): mean NLL, gradient, Adam in place."""

    def __init__(self, case, dtype: str, rate: float, panels: int = 1):
        self.panels, self.dim, n = panels, case.dim, case.batch
        widths = [case.dim, *case.hidden, 2 * case.dim]
        shapes = [(b, a + 1) for a, b in pairwise(widths)]
        size = case.layers * sum(rows * columns for rows, columns in shapes)
        self.theta = (0.05 * np.random.default_rng(0).standard_normal(size)).astype(dtype)
        self.theta_bar = np.zeros(size, dtype)
        self._adam = Adam(self.theta, self.theta_bar, rate)
        values, gradients = _views(self.theta, shapes), _views(self.theta_bar, shapes)
        self.layers = [
            Layer(weights, weights_bar, n, self.degrees(case), panels)
            for weights, weights_bar in zip(values, gradients, strict=True)
        ]
        zero_d = lambda value: np.array(value, dtype)  # noqa: E731
        self._per_row, self._row_count = zero_d(1 / n), n
        self._z_bar = np.empty((case.dim, n), dtype)

    @staticmethod
    def degrees(case) -> list[np.ndarray]:
        """Of every hidden layer's units, ascending."""
        return [np.sort(np.arange(width) % max(1, case.dim - 1)) for width in case.hidden]

    def value_and_gradient(self, x: np.ndarray) -> float:
        """The mean NLL, less the constant of the normal density; its gradient is in theta_bar."""
        log_scales = 0.0
        for k, layer in enumerate(self.layers):
            x, log_scale = layer.forward(x[::-1] if k else x)
            log_scales += log_scale
        value = (0.5 * float(np.vdot(x, x)) + log_scales) / self._row_count
        z_bar = np.multiply(x, self._per_row, self._z_bar)
        for k, layer in reversed(list(enumerate(self.layers))):
            z_bar = layer.backward(z_bar, self._per_row, below=k > 0)
            z_bar = z_bar[::-1]
        return value

    def step(self, x: np.ndarray) -> float:
        value = self.value_and_gradient(x)
        self._adam.step()
        return value


class Layer:
    """One masked network and its affine map z = (x - mu) exp(-alpha), alpha = 2 tanh(s / 2)."""

    def __init__(self, weights, weights_bar, n: int, degrees, panels: int):
        dtype = weights[0].dtype
        self.weights, self.weights_bar = weights, weights_bar
        self.back = [w[:, 1:].T for w in weights]  # biases have no way back
        self.units = [np.ones((w.shape[1], n), dtype) for w in weights]
        self.values = [u[1:] for u in self.units]
        self.units_t = [u.T for u in self.units]
        self.bars = [np.empty_like(v) for v in self.values]
        self.active = [np.empty(v.shape, bool) for v in self.values]
        self.phi, self.phi_bar = (np.empty((len(weights[-1]), n), dtype) for _ in range(2))
        d = len(self.phi) // 2
        self.mu, self.s, self.mu_bar, self.s_bar = (
            *(self.phi[:d], self.phi[d:]), *(self.phi_bar[:d], self.phi_bar[d:])
        )  # fmt: skip
        self.tanh, self.alpha, self.shrink, self.z, self.x_bar, self.spare = (
            np.empty((d, n), dtype) for _ in range(6)
        )
        self.zero = np.zeros(n, dtype)  # beside (units, n) cheaper than a scalar
        self.half, self.one, self.two, self.minus_two = (
            np.array(value, dtype) for value in (0.5, 1.0, 2.0, -2.0)
        )
        self.panels = [
            Panels(self, k, _cuts(degrees[k - 1], degrees[k], panels))
            for k in range(1, len(weights) - 1)
        ]

    def forward(self, x):
        """(z, the sum of all alpha)."""
        values, n_hidden = self.values, len(self.panels)
        values[0][...] = x
        np.dot(self.weights[0], self.units[0], values[1])
        np.maximum(values[1], self.zero, out=values[1])
        for k, panels in enumerate(self.panels, start=1):
            panels.forward()
            np.maximum(values[k + 1], self.zero, out=values[k + 1])
        np.dot(self.weights[n_hidden + 1], self.units[n_hidden + 1], self.phi)
        np.multiply(self.s, self.half, self.tanh)
        np.tanh(self.tanh, self.tanh)
        np.multiply(self.tanh, self.two, self.alpha)
        np.multiply(self.tanh, self.minus_two, self.shrink)
        np.exp(self.shrink, self.shrink)
        np.subtract(values[0], self.mu, self.z)
        np.multiply(self.z, self.shrink, self.z)
        return self.z, float(np.add.reduce(self.alpha, None))

    def backward(self, z_bar, per_row, below: bool):
        """x_bar; `below`: is there a layer that wants all of it?"""
        np.multiply(z_bar, self.shrink, self.x_bar)
        np.negative(self.x_bar, self.mu_bar)
        np.multiply(z_bar, self.z, self.spare)  # alpha_bar = 1 / n - z_bar z
        np.subtract(per_row, self.spare, self.spare)
        np.multiply(self.tanh, self.tanh, self.tanh)  # d alpha / ds = 1 - tanh^2
        np.subtract(self.one, self.tanh, self.tanh)
        np.multiply(self.spare, self.tanh, self.s_bar)
        last = len(self.panels) + 1
        np.dot(self.phi_bar, self.units_t[last], self.weights_bar[last])
        np.dot(self.back[last], self.phi_bar, self.bars[last])
        self._through_relu(last)
        for k in range(last - 1, 0, -1):
            self.panels[k - 1].backward()
            self._through_relu(k)
        np.dot(self.bars[1], self.units_t[0], self.weights_bar[0])
        if below:
            np.dot(self.back[0], self.bars[1], self.spare)
            np.add(self.x_bar, self.spare, self.x_bar)
        return self.x_bar

    def _through_relu(self, k: int) -> None:
        np.greater(self.values[k], self.zero, self.active[k])
        np.multiply(self.bars[k], self.active[k], self.bars[k])


class Panels:
    """The product between two hidden layers, by panels: panel k reads the units up to its cut.

    cuts: (edges below, edges above), as many panels as there are gaps in each.
    """

    def __init__(self, layer: Layer, k: int, cuts):
        weights, weights_bar = layer.weights[k], layer.weights_bar[k]
        below, above = ([*pairwise(edges)] for edges in cuts)
        bars, values = layer.bars, layer.values
        self._forward, self._down, self._across = [], [], []
        for (a, b), (c, d) in zip(below, above, strict=True):
            reads = slice(0, 1 + b)
            self._forward.append((weights[c:d, reads], layer.units[k][reads], values[k + 1][c:d]))
            self._down.append((weights[c:, 1 + a : 1 + b].T, bars[k + 1][c:], bars[k][a:b]))
            place = weights_bar[c:d, reads]
            # np.dot writes into whole arrays only: a narrower place gets a copy
            out = place if place.flags.c_contiguous else np.empty_like(place, order="C")
            self._across.append((bars[k + 1][c:d], layer.units_t[k][:, reads], out, place))

    def forward(self) -> None:
        for weights, units, out in self._forward:
            np.dot(weights, units, out)

    def backward(self) -> None:
        for bars, units, out, place in self._across:
            np.dot(bars, units, out)
            if out is not place:
                place[...] = out
        for weights, bars, out in self._down:
            np.dot(weights, bars, out)


class Adam:
    """The update of Kingma and Ba, without the correction of the first steps, in place."""

    def __init__(self, theta, gradient, rate: float):
        zero_d = lambda value: np.array(value, theta.dtype)  # noqa: E731
        self.theta, self.gradient = theta, gradient
        self.mean, self.square = np.zeros_like(theta), np.ones_like(theta)
        self.spare = np.empty_like(theta)
        self.keep, self.take, self.keep2, self.take2 = map(zero_d, (0.9, 0.1, 0.999, 0.001))
        self.rate, self.tiny = zero_d(rate), zero_d(1e-8)

    def step(self) -> None:
        g, m, v, spare = self.gradient, self.mean, self.square, self.spare
        np.multiply(m, self.keep, m)
        np.multiply(g, self.take, spare)
        np.add(m, spare, m)
        np.multiply(g, g, spare)
        np.multiply(spare, self.take2, spare)
        np.multiply(v, self.keep2, v)
        np.add(v, spare, v)
        np.sqrt(v, spare)
        np.add(spare, self.tiny, spare)
        np.divide(m, spare, spare)
        np.multiply(spare, self.rate, spare)
        np.subtract(self.theta, spare, self.theta)


def _views(flat, shapes) -> list[list[np.ndarray]]:
    """The matrices of every layer, as views of one flat vector."""
    layers, at = [], 0
    while at < flat.size:
        layer = []
        for rows, columns in shapes:
            layer.append(flat[at : at + rows * columns].reshape(rows, columns))
            at += rows * columns
        layers.append(layer)
    return layers


def _cuts(below, above, panels: int) -> tuple[list[int], list[int]]:
    """Edges of the panels in two layers with these degrees: each panel begins with a degree."""
    wanted = [below[len(below) * k // panels] for k in range(1, panels)]
    degrees = sorted({d for d in wanted if d > below[0]})
    return tuple(
        [0, *np.searchsorted(units, degrees).tolist(), len(units)] for units in (below, above)
    )


def _best_seconds(call) -> float:
    call()
    best = np.inf
    for _ in range(TRIALS):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best
