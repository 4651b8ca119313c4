"""Masked dense layers: activations, one layer's blocks, a stack of layers. Plain arrays only.

Every unit has a degree, and a unit may read only what its degree allows:

    hidden unit of degree d   reads units of degree <= d
    output unit of degree d   reads units of degree <  d

A MADE gives input i the degree i; an MLP gives all inputs and hidden units degree 0 and all outputs
degree 1, which allows every edge. Bias and context are units of degree 0 that always hold 1 and the
context, so a layer is one product:

    H_l = act(A_l [1; context; H_{l-1}])         H is (units, rows), A_l is (units out, units in)

A residual network adds, before act, the pre-activations of two layers before to those of hidden
layers 3, 5, ...: unit k to unit k, which is of the same degree.

Inside, the units of a layer are sorted by degree. What a unit reads is then a prefix of the layer
before: A is block triangular, its rows of one degree are one dense block, and `theta` holds exactly
these blocks, one after the other: masked weights do not exist. Only the panels of A that can be
non-zero are multiplied. Outside (`weights`, `masks`), matrices are (in, out) in the caller's order.
"""

from __future__ import annotations

from itertools import pairwise

import autograd.numpy as anp
import numpy as np

from .primitives import tanh


class Activation:
    """An elementwise nonlinearity h = act(a), in place, and act'(a) written in terms of h."""

    def __init__(self, plain, apply, times_derivative):
        self.plain = plain  # for the autograd twin
        self.apply = apply  # apply(a): overwrites a with act(a)
        self.times_derivative = times_derivative  # (g, h): overwrites g with g * act'(a)


def _sigmoid(a):
    return 0.5 * (tanh(0.5 * a) + 1)  # no overflow on either side


def _apply_sigmoid(a):
    np.tanh(np.multiply(a, 0.5, out=a), out=a)
    a += 1
    a *= 0.5


def _apply_relu(a):
    # against a row of zeros: three to four times faster than np.maximum(a, 0) in NumPy 2
    np.maximum(a, np.zeros(a.shape[-1], a.dtype), out=a)


def _apply_elu(a):
    np.maximum(a, np.expm1(np.minimum(a, 0)), out=a)


def _apply_softplus(a):
    tail = np.log1p(np.exp(-np.abs(a)))  # np.logaddexp warns about a NaN
    np.add(np.maximum(a, 0, out=a), tail, out=a)


ACTIVATIONS = {
    "relu": Activation(
        lambda a: anp.maximum(a, 0),
        _apply_relu,
        lambda g, h: np.multiply(g, h > 0, out=g),
    ),
    "tanh": Activation(
        tanh,
        lambda a: np.tanh(a, out=a),
        lambda g, h: np.multiply(g, 1 - h * h, out=g),
    ),
    "sigmoid": Activation(
        _sigmoid, _apply_sigmoid, lambda g, h: np.multiply(g, h * (1 - h), out=g)
    ),
    "elu": Activation(
        lambda a: anp.where(a > 0, a, anp.expm1(anp.minimum(a, 0))),
        _apply_elu,
        lambda g, h: np.multiply(g, np.minimum(h, 0) + 1, out=g),
    ),
    "softplus": Activation(
        lambda a: anp.logaddexp(a, 0),
        _apply_softplus,
        lambda g, h: np.multiply(g, -np.expm1(-h), out=g),
    ),
}


class Layer:
    """The shape of one masked layer, units sorted by degree.

    blocks   [(r0, r1, k), ...]: rows r0:r1 of A (units of one degree) read columns 0:k
    panels   the same, neighbours merged into a few wide ones: what is multiplied
    columns  [(c0, c1, r), ...]: columns c0:c1 feed rows r: and up (for the way back)
    lead     leading columns: the bias, then the context
    reach    how many columns each row reads
    """

    def __init__(self, degrees_in, degrees_out, n_context: int, strict: bool):
        d_in, d_out = np.sort(degrees_in), np.sort(degrees_out)
        self.lead = 1 + n_context
        self.shape = (len(d_out), self.lead + len(d_in))
        reach = self.lead + np.searchsorted(d_in, d_out, side="left" if strict else "right")
        self.reach = reach.tolist()
        edges = [0, *(np.flatnonzero(np.diff(reach)) + 1).tolist(), len(d_out)]
        self.blocks = [(r0, r1, int(reach[r0])) for r0, r1 in pairwise(edges)]
        self.size = sum((r1 - r0) * k for r0, r1, k in self.blocks)
        # Four panels do 62% of the products; narrow layers are all call overhead: one panel.
        n_panels = 4 if min(self.shape) >= 128 else 1
        cuts = sorted({_next_edge(edges, len(d_out) * i / n_panels) for i in range(n_panels + 1)})
        self.panels = [(r0, r1, int(reach[r1 - 1])) for r0, r1 in pairwise(cuts)]
        starts = [self.lead, *(k for _, _, k in self.panels)]
        self.columns = [
            (c0, c1, r0)
            for c0, c1, (r0, _, _) in zip(starts, starts[1:], self.panels, strict=False)
            if c0 < c1
        ]

    def unpack(self, theta):
        """The dense A whose free entries are `theta` (flat, of length `size`)."""
        if len(self.blocks) == 1 and self.blocks[0][2] == self.shape[1]:
            return theta.reshape(self.shape)
        a = np.zeros(self.shape, theta.dtype)
        start = 0
        for r0, r1, k in self.blocks:
            stop = start + (r1 - r0) * k
            a[r0:r1, :k] = theta[start:stop].reshape(r1 - r0, k)
            start = stop
        return a

    def pack(self, a, out):
        """The free entries of `a`, written to the flat `out`."""
        start = 0
        for r0, r1, k in self.blocks:
            stop = start + (r1 - r0) * k
            out[start:stop].reshape(r1 - r0, k)[...] = a[r0:r1, :k]
            start = stop

    def product(self, a, h, out):
        """out = A h."""
        for r0, r1, k in self.panels:
            np.matmul(a[r0:r1, :k], h[:k], out=out[r0:r1])

    def product_transposed(self, a, g):
        """A^T g without the leading columns: the gradient of the units that were read."""
        out = np.empty((self.shape[1] - self.lead, g.shape[1]), g.dtype)
        end = self.lead
        for c0, c1, r0 in self.columns:
            np.matmul(a[r0:, c0:c1].T, g[r0:], out=out[c0 - self.lead : c1 - self.lead])
            end = c1
        out[end - self.lead :] = 0  # units that nothing reads
        return out

    def outer(self, g, h, out):
        """out = the free entries of g h^T: the gradient of theta."""
        if self.size == self.shape[0] * self.shape[1]:
            np.matmul(g, h.T, out=out.reshape(self.shape))
            return
        a = np.empty(self.shape, g.dtype)
        for r0, r1, k in self.panels:
            np.matmul(g[r0:r1], h[:k].T, out=a[r0:r1, :k])
        self.pack(a, out)


def _next_edge(edges, target):
    return min((e for e in edges if e >= target), default=edges[-1])


class Structure:
    """All layers of a network, fixed by the degrees of its units: the algebra on plain arrays.

    degrees   [inputs, hidden 1, ..., hidden L, outputs], in the caller's unit order
    Inside, units are sorted by degree: orders[l] lists the caller's units in that order, and
    sorted_inputs, unsorted_inputs, ... select what turns one order into the other.
    skips     the hidden layers whose pre-activations are added two layers later: 1, 3, ..., L-2 in
              a residual network, else none
    """

    def __init__(
        self, degrees, activation: str, context_dim: int, context_layers: str, residual=False
    ):
        self.activation = activation
        self.skips = range(1, len(degrees) - 3 if residual else 1, 2)
        self.orders = [np.argsort(d, kind="stable") for d in degrees]
        self.sorted_inputs, self.unsorted_inputs = _selectors(self.orders[0])
        self.sorted_outputs, self.unsorted_outputs = _selectors(self.orders[-1])
        last = len(degrees) - 2
        self.layers = [
            Layer(
                degrees[i],
                degrees[i + 1],
                context_dim if i == 0 or context_layers == "all" else 0,
                strict=i == last,
            )
            for i in range(last + 1)
        ]
        stops = np.cumsum([layer.size for layer in self.layers]).tolist()
        self.slices = [slice(a, b) for a, b in pairwise([0, *stops])]
        self.size = stops[-1]

    def unpack(self, theta) -> list[np.ndarray]:
        """theta -> [A_1, ..., A_{L+1}], dense, sorted, zero where masked."""
        return [
            layer.unpack(theta[part]) for layer, part in zip(self.layers, self.slices, strict=True)
        ]

    def pack(self, matrices) -> np.ndarray:
        """[A_1, ..., A_{L+1}] -> theta."""
        theta = np.empty(self.size, matrices[0].dtype)
        for layer, part, a in zip(self.layers, self.slices, matrices, strict=True):
            layer.pack(a, theta[part])
        return theta

    def forward(self, matrices, x, context):
        """Rows x (N, D) -> what each layer reads, [H_0, ..., H_L], and the outputs (units, N)."""
        activation = ACTIVATIONS[self.activation]
        read, carried = [self.empty_read(0, len(x), context, x.dtype)], None
        read[0][self.layers[0].lead :] = x.T[self.sorted_inputs]
        for i, (layer, a) in enumerate(zip(self.layers[:-1], matrices, strict=False)):
            nxt = self.empty_read(i + 1, len(x), context, x.dtype)
            units = nxt[self.layers[i + 1].lead :]
            layer.product(a, read[-1], units)
            if self.skips:
                carried = self.add_skip(i + 1, units, carried)
            activation.apply(units)
            read.append(nxt)
        out = np.empty((self.layers[-1].shape[0], len(x)), x.dtype)
        self.layers[-1].product(matrices[-1], read[-1], out)
        return read, out

    def add_skip(self, l, a, carried):
        """a += carried, the pre-activations of hidden layer l-2, if l is to add them.

        Returns what to carry on: of a skipping layer a copy, since act will overwrite a.
        """
        if l - 2 in self.skips:
            a += carried
        return a.copy() if l in self.skips else carried

    def empty_read(self, i, n_rows, context, dtype):
        """An array for what layer i reads: [1; context; units still to be filled]."""
        layer = self.layers[i]
        h = np.empty((layer.shape[1], n_rows), dtype)
        h[0] = 1
        if layer.lead > 1:
            h[1 : layer.lead] = context.T
        return h

    def backward(self, matrices, read, g):
        """g (units, N), the gradient of the outputs -> those of theta, x (N, D), context (N, C)."""
        times_derivative = ACTIVATIONS[self.activation].times_derivative
        bars = [g]  # of the pre-activations, from the last layer to the first
        for i in reversed(range(1, len(self.layers))):
            g = self.layers[i].product_transposed(matrices[i], g)
            times_derivative(g, read[i][self.layers[i].lead :])
            if i in self.skips:
                g += bars[-2]  # of hidden layer i + 2
            bars.append(g)
        x_bar = self.layers[0].product_transposed(matrices[0], g)[self.unsorted_inputs].T
        theta_bar, context_bar = self.parameter_gradient(matrices, read, bars[::-1])
        return theta_bar, x_bar, context_bar

    def parameter_gradient(self, matrices, read, bars):
        """From the gradients of all pre-activations: those of theta, and of the context (N, C)."""
        theta_bar, context_bar = np.empty(self.size, bars[0].dtype), None
        for layer, part, a, h, g in zip(
            self.layers, self.slices, matrices, read, bars, strict=True
        ):
            layer.outer(g, h, theta_bar[part])
            if layer.lead > 1:
                share = a[:, 1 : layer.lead].T @ g
                context_bar = share if context_bar is None else context_bar + share
        return theta_bar, None if context_bar is None else context_bar.T


def _selectors(order):
    """Indices s, u with a[s] = a[order] and a[s][u] = a; slices, hence views, where possible."""
    ascending = np.arange(len(order))
    if np.array_equal(order, ascending):
        return slice(None), slice(None)
    if np.array_equal(order, ascending[::-1]):
        return slice(None, None, -1), slice(None, None, -1)
    return order, np.argsort(order)
