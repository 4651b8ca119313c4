"""Networks over one flat parameter vector: MLP, and the common part of MLP and MADE.

A call is one operation to autograd, by the passes of `layers`. `Network.plain` is the same network
in plain autograd: the executable specification of the fast path, to which tests hold it equal.
"""

from __future__ import annotations

from collections.abc import Sequence

import autograd.numpy as anp
import numpy as np

from .arguments import as_rows, check_dim, prepare
from .layers import ACTIVATIONS, Structure
from .params import Parametric
from .primitives import differentiable


class Network(Parametric):
    """A stack of masked dense layers over one flat vector; the common part of `MADE` and `MLP`.

    theta: per layer, by degree of the unit, the dense block of its weights (bias, context, units
    of the layer before). Random hidden layers (uniform in +-1/sqrt(fan-in), with the fan-in that
    the mask leaves) and a zero output layer: phi = 0 at first, every transformer's identity.
    """

    def __init__(
        self, degrees, out_shape, activation, context_dim, context_layers, rng, dtype,
        residual=False,
    ):  # fmt: skip
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, not {activation!r}")
        if context_layers not in ("all", "first"):
            raise ValueError(f'context_layers must be "all" or "first", not {context_layers!r}')
        check_context_dim(context_dim)
        if np.dtype(dtype).kind != "f":
            raise ValueError(f"dtype must be a float type, not {np.dtype(dtype)}")
        self.activation, self.context_layers = activation, context_layers
        self.context_dim, self.out_shape = int(context_dim), tuple(out_shape)
        self.residual = bool(residual)
        self.structure = Structure(
            degrees, activation, self.context_dim, context_layers, self.residual
        )
        uniform = np.random.default_rng(rng).uniform(-1, 1, self.structure.size)
        uniform[self.structure.slices[-1]] = 0
        self.params = (uniform * self.param_scale()).astype(dtype)

    @property
    def in_dim(self) -> int:
        """Length of the last axis of the input."""
        return len(self.structure.orders[0])

    def __call__(self, x, params=None, context=None):
        """phi (..., *out_shape) of x (..., in_dim): one pass, O(weights) per row."""
        x, params, context = prepare(self, self.in_dim, x, params, context)
        x, context, lead = as_rows(x, context)
        phi = differentiable(self._run, params, x, context)
        return phi if len(lead) == 1 else phi.reshape(lead + self.out_shape)

    def _run(self, theta, x, context):
        """phi (N, *out_shape) and its pullback; see `primitives`."""
        structure, matrices = self.structure, self.matrices(theta)
        read, out = structure.forward(matrices, x, context)
        out = out[structure.unsorted_outputs]

        def pullback(phi_bar):
            rows = phi_bar.reshape(len(x), len(out)).T[structure.sorted_outputs]
            return structure.backward(matrices, read, rows)

        return np.moveaxis(out.reshape(*self.out_shape, len(x)), -1, 0), pullback

    def plain(self, x, params=None, context=None):
        """The same network in plain autograd: the executable specification of the fast path."""
        x, params, context = prepare(self, self.in_dim, x, params, context)
        act, h, before = ACTIVATIONS[self.activation].plain, x, []
        weights = self._dense(params, lambda theta, index: theta[index])
        for i, (w, b, c) in enumerate(weights):
            a = anp.matmul(h, w) + b
            if c is not None:
                a = a + anp.matmul(context, c)
            if self.residual and i in range(2, len(weights) - 1, 2):
                a = a + before[i - 2]
            before.append(a)
            if i < len(weights) - 1:
                h = act(a)
        return a.reshape(x.shape[:-1] + self.out_shape)

    def weights(self) -> list[tuple]:
        """[(W, b, C), ...] per layer: dense, (in, out), zero where masked, in the caller's unit
        order; C is None where the layer reads no context."""
        return self._dense(self.params, lambda theta, index: theta[index])

    def _dense(self, theta, take):
        structure = self.structure
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
        structure = self.structure
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

    def matrices(self, theta) -> list[np.ndarray]:
        """The layers' dense matrices, sorted by degree; those of its own parameters are kept."""
        if theta is not self.params:
            return self.structure.unpack(theta)
        if "_memo_matrices" not in self.__dict__:
            self._memo_matrices = self.structure.unpack(theta)
        return self._memo_matrices

    def param_scale(self):
        """1/sqrt(fan-in) of the unit that a parameter belongs to: context and units, at least 1."""
        structure, scales = self.structure, []
        for layer in structure.layers:
            for r0, r1, k in layer.blocks:
                scales.append(np.full((r1 - r0) * k, max(1, k - 1) ** -0.5))
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
    hidden        widths of the hidden layers; None: two of max(64, 2 in_dim), three if residual
    activation    "relu", "tanh", "sigmoid", "elu" or "softplus"
    context_dim   width of the context c (0: none), read by every layer
    residual      True: two hidden layers at a time are a block whose input is added to its output.
                  With h_l = act(a_l):  a_2 = h_1 W_2 + b_2,  a_3 = h_2 W_3 + b_3 + a_1,
                                        a_4 = h_3 W_4 + b_4,  a_5 = h_4 W_5 + b_5 + a_3, ...
                  m blocks are 2 m + 1 hidden layers; layers 1, 3, 5, ... are of one width

    Cost: O(weights) per row. A new one returns 0 (its last layer is zero). Errors: ValueError for
    bad widths. Residual blocks: He, Zhang, Ren, Sun, "Identity mappings in deep residual networks",
    2016 (pre-activation, without normalization); Durkan et al., "Neural spline flows", 2019.

    >>> MLP(2, (3, 2), hidden=[16])([[0.5, -1.0]]).shape
    (1, 3, 2)
    >>> MLP(2, (3, 2), hidden=[16, 16, 16], residual=True)
    MLP(2, (3, 2), hidden=[16, 16, 16], 'relu', residual=True)
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
        residual: bool = False,
    ):
        in_dim = check_dim("in_dim", in_dim)
        self.hidden = hidden_widths(hidden, in_dim, residual)
        n_outputs = int(np.prod(out_shape))
        degrees = [np.zeros(n, int) for n in (in_dim, *self.hidden)] + [np.ones(n_outputs, int)]
        super().__init__(degrees, out_shape, activation, context_dim, "all", rng, dtype, residual)

    def __repr__(self):
        context = f", context_dim={self.context_dim}" if self.context_dim else ""
        residual = ", residual=True" if self.residual else ""
        return (
            f"MLP({self.in_dim}, {self.out_shape}, hidden={list(self.hidden)}, "
            f"{self.activation!r}{context}{residual})"
        )


def check_context_dim(context_dim):
    """A ValueError unless it is an integer >= 0."""
    if context_dim != int(context_dim) or context_dim < 0:
        raise ValueError(f"context_dim must be an integer >= 0, not {context_dim!r}")


def hidden_widths(hidden, dim: int, residual=False) -> tuple[int, ...]:
    """The widths of the hidden layers; None: two layers of max(64, 2 dim), three if residual."""
    if not isinstance(residual, (bool, np.bool_)):
        raise ValueError(
            f"residual must be True or False, not {residual!r}; the number of blocks follows from "
            "hidden: m blocks are 2 m + 1 layers"
        )
    if hidden is None:
        return (max(64, 2 * dim),) * (3 if residual else 2)
    if np.ndim(hidden) != 1:
        raise ValueError(f"hidden must be a list of widths, e.g. [64, 64], not {hidden!r}")
    widths = tuple(check_dim("the width of a hidden layer", u) for u in hidden)
    if residual:
        _check_blocks(widths)
    return widths


def _check_blocks(widths):
    """A ValueError unless these layers are residual blocks: odd in number, skips of one width."""
    if len(widths) < 3 or len(widths) % 2 == 0:
        raise ValueError(
            "residual=True needs an odd number of hidden layers, at least 3 (one, then two per "
            f"block), e.g. hidden=[64, 64, 64]: hidden={list(widths)} has {len(widths)}"
        )
    if len(set(widths[::2])) > 1:
        raise ValueError(
            "residual=True adds hidden layer 1 to 3, 3 to 5, ...: their widths must be equal, not "
            f"{list(widths[::2])} (hidden={list(widths)})"
        )
