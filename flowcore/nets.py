"""Masked dense layers: one network engine for MADE and MLP, forward and backward by hand.

Every unit has a degree, and a unit may read only what its degree allows:

    hidden unit of degree d   reads units of degree <= d
    output unit of degree d   reads units of degree <  d

A MADE gives input i the degree i; an MLP gives all inputs and hidden units degree 0 and all outputs
degree 1, which allows every edge. Bias and context are units of degree 0 that always hold 1 and the
context, so a layer is one product:

    H_l = act(A_l [1; context; H_{l-1}])         H is (units, rows), A_l is (units out, units in)

Inside, the units of a layer are sorted by degree. What a unit reads is then a prefix of the previous
layer: A is block triangular, its rows of one degree are one dense block, and `theta` holds exactly
these blocks, one after the other: masked weights do not exist. Only the panels of A that can be
non-zero are multiplied. Outside (`weights`, `masks`), matrices are (in, out) in the caller's order.
"""

from __future__ import annotations

from collections.abc import Sequence

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp_argnums, primitive

from .arguments import prepare
from .params import Parametric
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


def _apply_elu(a):
    np.maximum(a, np.expm1(np.minimum(a, 0)), out=a)


ACTIVATIONS = {
    "relu": Activation(
        lambda a: anp.maximum(a, 0),
        lambda a: np.maximum(a, 0, out=a),
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
        lambda a: np.logaddexp(a, 0, out=a),
        lambda g, h: np.multiply(g, -np.expm1(-h), out=g),
    ),
}


class Layer:
    """The shape of one masked layer, units sorted by degree.

    blocks   [(r0, r1, k), ...]: rows r0:r1 of A (units of one degree) read columns 0:k
    panels   the same, neighbours merged into a few wide ones: what is multiplied
    columns  [(c0, c1, r), ...]: columns c0:c1 feed rows r: and up (for the way back)
    lead     leading columns: the bias, then the context
    """

    def __init__(self, degrees_in, degrees_out, n_context: int, strict: bool):
        d_in, d_out = np.sort(degrees_in), np.sort(degrees_out)
        self.lead = 1 + n_context
        self.shape = (len(d_out), self.lead + len(d_in))
        reach = self.lead + np.searchsorted(d_in, d_out, side="left" if strict else "right")
        edges = [0, *(np.flatnonzero(np.diff(reach)) + 1).tolist(), len(d_out)]
        self.blocks = [(r0, r1, int(reach[r0])) for r0, r1 in zip(edges, edges[1:], strict=False)]
        self.size = sum((r1 - r0) * k for r0, r1, k in self.blocks)
        # Four panels do 62% of the products; narrow layers are all call overhead: one panel.
        n_panels = 4 if min(self.shape) >= 128 else 1
        cuts = sorted({_next_edge(edges, len(d_out) * i / n_panels) for i in range(n_panels + 1)})
        self.panels = [
            (r0, r1, int(reach[r1 - 1])) for r0, r1 in zip(cuts, cuts[1:], strict=False)
        ]
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
        (r0, r1, k), full = self.blocks[0], self.size == self.shape[0] * self.shape[1]
        if full:
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
    Inside, units are sorted by degree: orders[l] lists the caller's units in that order.
    """

    def __init__(self, degrees, activation: str, context_dim: int, context_layers: str):
        self.activation = activation
        self.orders = [np.argsort(d, kind="stable") for d in degrees]
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
        self.slices = [slice(a, b) for a, b in zip([0, *stops], stops, strict=False)]
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
        read = [self._read(0, len(x), context, x.dtype)]
        read[0][self.layers[0].lead :] = _reorder(x.T, self.orders[0])
        for i, (layer, a) in enumerate(zip(self.layers[:-1], matrices, strict=False)):
            nxt = self._read(i + 1, len(x), context, x.dtype)
            units = nxt[self.layers[i + 1].lead :]
            layer.product(a, read[-1], units)
            activation.apply(units)
            read.append(nxt)
        out = np.empty((self.layers[-1].shape[0], len(x)), x.dtype)
        self.layers[-1].product(matrices[-1], read[-1], out)
        return read, out

    def _read(self, i, n_rows, context, dtype):
        """An array for what layer i reads: [1; context; units still to be filled]."""
        layer = self.layers[i]
        h = np.empty((layer.shape[1], n_rows), dtype)
        h[0] = 1
        if layer.lead > 1:
            h[1 : layer.lead] = context.T
        return h

    def backward(self, matrices, read, g):
        """g (units, N), the gradient of the outputs -> those of theta, x (N, D), context (N, C)."""
        activation = ACTIVATIONS[self.activation]
        theta_bar, context_bar = np.empty(self.size, g.dtype), None
        for i in reversed(range(len(self.layers))):
            layer, a, h = self.layers[i], matrices[i], read[i]
            layer.outer(g, h, theta_bar[self.slices[i]])
            if layer.lead > 1:
                share = a[:, 1 : layer.lead].T @ g
                context_bar = share if context_bar is None else context_bar + share
            g = layer.product_transposed(a, g)
            if i:
                activation.times_derivative(g, h[layer.lead :])
        x_bar = _restore(g, self.orders[0]).T
        return theta_bar, x_bar, None if context_bar is None else context_bar.T


def _reorder(a, order):
    """a[order], without a copy when the order is the one it has, or its reverse."""
    n = len(order)
    if np.array_equal(order, np.arange(n)):
        return a
    if np.array_equal(order, np.arange(n)[::-1]):
        return a[::-1]
    return a[order]


def _restore(a, order):
    """The inverse of `_reorder`."""
    return _reorder(a, np.argsort(order))


@primitive
def evaluate(theta, x, context, structure, out_shape, tape):
    """The whole network as one primitive: (N, D) -> (N, *out_shape).

    `tape` is a fresh dict for every call; it hands the forward pass's arrays to the backward one
    (a VJP sees nothing but the answer and the positional arguments).
    """
    matrices = tape.get("matrices") or structure.unpack(theta)
    read, out = structure.forward(matrices, x, context)
    tape.update(matrices=matrices, read=read)
    out = _restore(out, structure.orders[-1])
    return np.moveaxis(out.reshape(*out_shape, len(x)), -1, 0)


@primitive
def evaluate_backward(g, structure, tape):
    """Gradients of theta, x and context in one pass. A primitive without a VJP of its own, so that
    a second derivative raises NotImplementedError instead of being silently wrong."""
    g = g.reshape(len(g), -1).T
    g = _reorder(g, structure.orders[-1])
    return structure.backward(tape["matrices"], tape["read"], g)


def _evaluate_vjp(argnums, ans, args, kwargs):
    *_, structure, _, tape = args

    def vjp(g):
        grads = evaluate_backward(g, structure, tape)
        return [grads[argnum] for argnum in argnums]

    return vjp


defvjp_argnums(evaluate, _evaluate_vjp)


class Network(Parametric):
    """A stack of masked dense layers over one flat vector; the common part of `MADE` and `MLP`.

    theta: per layer, by degree of the unit, the dense block of its weights (bias, context, previous
    units). Random hidden layers (uniform in +-1/sqrt(fan-in), the fan-in being that of the mask) and
    a zero output layer, so that phi = 0 at first: the identity for every transformer.
    """

    def __init__(self, degrees, out_shape, activation, context_dim, context_layers, rng, dtype):
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, not {activation!r}")
        if context_layers not in ("all", "first"):
            raise ValueError(f'context_layers must be "all" or "first", not {context_layers!r}')
        if context_dim != int(context_dim) or context_dim < 0:
            raise ValueError(f"context_dim must be an integer >= 0, not {context_dim!r}")
        if np.dtype(dtype).kind != "f":
            raise ValueError(f"dtype must be a float type, not {np.dtype(dtype)}")
        self.activation, self.context_layers = activation, context_layers
        self.context_dim, self.out_shape = int(context_dim), tuple(out_shape)
        self._structure = Structure(degrees, activation, self.context_dim, context_layers)
        uniform = np.random.default_rng(rng).uniform(-1, 1, self._structure.size)
        uniform[self._structure.slices[-1]] = 0
        self.params = (uniform * self._param_scale()).astype(dtype)

    @property
    def in_dim(self) -> int:
        """Length of the last axis of the input."""
        return len(self._structure.orders[0])

    def __call__(self, x, params=None, context=None):
        """phi (..., *out_shape) of x (..., in_dim): one pass, O(weights) per row."""
        tape = {"matrices": self._matrices()} if params is None else {}
        x, params, context = prepare(self, self.in_dim, x, params, context)
        lead = x.shape[:-1]
        if len(lead) != 1:
            x = x.reshape((-1, self.in_dim))
            context = context if context is None else context.reshape((-1, self.context_dim))
        phi = evaluate(params, x, context, self._structure, self.out_shape, tape)
        return phi if len(lead) == 1 else phi.reshape(lead + self.out_shape)

    def plain(self, x, params=None, context=None):
        """The same network in plain autograd: the executable specification of the fast path."""
        x, params, context = prepare(self, self.in_dim, x, params, context)
        act, h = ACTIVATIONS[self.activation].plain, x
        weights = self._dense(params, lambda theta, index: theta[index])
        for i, (w, b, c) in enumerate(weights):
            h = anp.matmul(h, w) + b
            if c is not None:
                h = h + anp.matmul(context, c)
            if i < len(weights) - 1:
                h = act(h)
        return h.reshape(x.shape[:-1] + self.out_shape)

    def weights(self) -> list[tuple]:
        """[(W, b, C), ...] per layer: dense, (in, out), zero where masked, in the caller's unit
        order; C is None where the layer reads no context."""
        return self._dense(self.params, lambda theta, index: theta[index])

    def _dense(self, theta, take):
        structure = self._structure
        places = structure.unpack(np.arange(1, structure.size + 1))  # 0 where masked
        padded = anp.concatenate([np.zeros(1, theta.dtype), theta])
        dense = []
        for i, (layer, place) in enumerate(zip(structure.layers, places, strict=True)):
            place = place[np.argsort(structure.orders[i + 1])]
            units = place[:, layer.lead :][:, np.argsort(structure.orders[i])]
            c = padded[place[:, 1 : layer.lead].T] if layer.lead > 1 else None
            dense.append((padded[units.T], padded[place[:, 0]], c))
        return dense

    def with_weights(self, weights):
        """This network with the given [(W, b) or (W, b, C), ...], laid out as `weights()`."""
        structure = self._structure
        if len(weights) != len(structure.layers):
            raise ValueError(f"{self!r} has {len(structure.layers)} layers, not {len(weights)}")
        matrices = []
        for i, (given, own) in enumerate(zip(weights, self.weights(), strict=True)):
            w, b, c = _checked_layer(i, given, own, self._masks()[i])
            columns = [b[None], w[structure.orders[i]]]
            if c is not None:
                columns.insert(1, c)
            a = np.concatenate(columns)[:, structure.orders[i + 1]].T
            matrices.append(a.astype(self.params.dtype))
        return self.with_params(structure.pack(matrices))

    def _masks(self) -> list[np.ndarray]:
        return [w != 0 for w, _, _ in self.with_params(np.ones(self.n_params)).weights()]

    def _matrices(self):
        if "_memo_matrices" not in self.__dict__:
            self._memo_matrices = self._structure.unpack(self.params)
        return self._memo_matrices

    def _param_scale(self):
        """1/sqrt(fan-in) of the unit that a parameter belongs to."""
        structure, scales = self._structure, []
        for layer in structure.layers:
            for r0, r1, k in layer.blocks:
                scales.append(np.full((r1 - r0) * k, max(1, k - layer.lead) ** -0.5))
        return np.concatenate(scales)


def _checked_layer(i, given, own, mask):
    """One layer's (W, b, C) as arrays of the right shapes, nothing where the mask forbids it."""
    names = ("W", "b", "C")
    arrays = [None if a is None else np.asarray(a, float) for a in (*given, None)[:3]]
    for name, a, b in zip(names, arrays, own, strict=True):
        shape, wanted = (None if v is None else v.shape for v in (a, b))
        if shape != wanted:
            raise ValueError(f"layer {i}: {name} must have shape {wanted}, not {shape}")
    forbidden = (arrays[0] != 0) & ~mask
    if forbidden.any():
        raise ValueError(
            f"layer {i}: W has {int(forbidden.sum())} non-zero entries where the mask forbids a "
            "connection; multiply W by the mask first"
        )
    return arrays


class MLP(Network):
    """A multilayer perceptron: (..., in_dim) -> (..., *out_shape), the conditioner of a coupling.

        h_l = act(h_{l-1} W_l + c C_l + b_l),    phi = h_L W_{L+1} + c C_{L+1} + b_{L+1}

    in_dim        width of the input
    out_shape     shape of the output per row, e.g. (u, n_out)
    hidden        widths of the hidden layers; None: two of max(64, 2 in_dim)
    activation    "relu", "tanh", "sigmoid", "elu" or "softplus"
    context_dim   width of the context c (0: none), read by every layer

    Cost: O(weights) per row. A new one returns 0 (its last layer is zero).

    >>> MLP(2, (3, 2), hidden=[16])([[0.5, -1.0]]).shape
    (1, 3, 2)
    """

    def __init__(
        self,
        in_dim: int,
        out_shape: tuple[int, ...],
        hidden: Sequence[int] | None = None,
        activation: str = "relu",
        context_dim: int = 0,
        rng=0,
        dtype=float,
    ):
        if in_dim < 1:
            raise ValueError(f"in_dim must be at least 1, not {in_dim}")
        self.hidden = hidden_widths(hidden, in_dim)
        n_outputs = int(np.prod(out_shape))
        degrees = [np.zeros(n, int) for n in (in_dim, *self.hidden)] + [np.ones(n_outputs, int)]
        super().__init__(degrees, out_shape, activation, context_dim, "all", rng, dtype)

    def __repr__(self):
        context = f", context_dim={self.context_dim}" if self.context_dim else ""
        return (
            f"MLP({self.in_dim}, {self.out_shape}, hidden={list(self.hidden)}, "
            f"{self.activation!r}{context})"
        )


def hidden_widths(hidden, dim: int) -> tuple[int, ...]:
    """The widths of the hidden layers; None: two layers of max(64, 2 dim)."""
    widths = (max(64, 2 * dim),) * 2 if hidden is None else tuple(int(u) for u in hidden)
    if any(u < 1 for u in widths):
        raise ValueError(f"hidden layers need at least one unit each: {list(widths)}")
    return widths
