"""A yardstick in JAX: the step of `straight_line`, written by hand, jitted, its buffers donated."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .base import Contestant
from .straight_line import StraightLine


class HandJitted(Contestant):
    """A MAF's step without a library: dense weights times constant masks, as all of them do it."""

    packages = ("jax",)

    def build(self):
        import jax

        jax.config.update("jax_enable_x64", self.dtype == "float64")
        self.jax, case, rng = jax, self.case, np.random.default_rng(0)
        widths = [case.dim, *case.hidden, 2 * case.dim]
        self.theta = [
            [
                tuple(
                    jax.numpy.asarray((0.05 * rng.standard_normal(shape)).astype(self.dtype))
                    for shape in ((a, b), (b,))
                )
                for a, b in pairwise(widths)
            ]
            for _ in range(case.layers)
        ]
        self.masks = [jax.numpy.asarray(mask, self.dtype) for mask in self._masks()]

    def _masks(self) -> list[np.ndarray]:
        """(in, out), from the degrees 1 to D of the inputs."""
        inputs = np.arange(1, self.case.dim + 1)
        hidden = [degrees + 1 for degrees in StraightLine.degrees(self.case)]
        masks = [a[:, None] <= b for a, b in pairwise([inputs, *hidden])]
        return [*masks, hidden[-1][:, None] < np.tile(inputs, 2)]

    def put(self, x):
        return self.jax.numpy.asarray(x, self.dtype)

    def start(self):
        jax, rate = self.jax, self.rate

        def adam(theta, mean, square, gradient):
            mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
            square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, square, gradient)
            theta = jax.tree.map(
                lambda p, m, v: p - rate * m / (jax.numpy.sqrt(v) + 1e-8), theta, mean, square
            )
            return theta, mean, square

        def step(theta, mean, square, x):
            value, gradient = jax.value_and_grad(self.nll)(theta, x)
            return *adam(theta, mean, square, gradient), value

        self._step = jax.jit(step, donate_argnums=(0, 1, 2))
        self._state = (
            self.theta,
            jax.tree.map(jax.numpy.zeros_like, self.theta),
            jax.tree.map(jax.numpy.ones_like, self.theta),
        )
        self.theta = None  # donated by the first step

    def nll(self, theta, x):
        """The mean over the rows, less the constant of the normal density."""
        jnp, dim, log_scales = self.jax.numpy, self.case.dim, 0.0
        for k, layer in enumerate(theta):
            x = x[:, ::-1] if k else x
            *hidden, (w, b) = [
                (w * mask, b) for (w, b), mask in zip(layer, self.masks, strict=True)
            ]
            units = x
            for v, c in hidden:
                units = self.jax.nn.relu(units @ v + c)
            phi = units @ w + b
            alpha = 2 * jnp.tanh(phi[:, dim:] / 2)
            x = (x - phi[:, :dim]) * jnp.exp(-alpha)
            log_scales += alpha.sum(1)
        return (log_scales + 0.5 * (x * x).sum(1)).mean()

    def step(self):
        *self._state, value = self._step(*self._state, self.rows)
        return value

    @property
    def n_weights(self):
        return sum(leaf.size for leaf in self.jax.tree.leaves(self.theta or self._state[0]))
