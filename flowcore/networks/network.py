"""Networks over one flat parameter vector: MLP, and the common part of MLP and MADE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..core import Parametric, Step, as_numbers, call, check_overrides, copied
from ..core.inputs import FLOATS, as_integers, check_dim
from .activations import ACTIVATIONS, MOMENTS, STEEPNESS
from .layers import BlockTriangular, Layer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike
    from typing_extensions import Self

    from ..core import Workspace
    from ..core.typing import Array, Bound, Context, Hidden, Params, Seed, Weights


class Network(Parametric):
    """A stack of masked dense layers over one flat vector; the common part of `MADE` and `MLP`.

    degrees   [inputs, hidden 1, ..., hidden L, outputs] of all units, in the caller's order
    circular  which inputs are angles. The first layer reads the features of x: the other inputs,
              then the cosines of the angles, then their sines. `features` lists, for each of
              them, the input that it comes from, whose degree it has

    theta: per layer, by degree of the unit, the dense block of its weights (bias, context, units
    of the layer before). At first the output layer is zero: phi = 0, every transformer's identity.
    Hidden layers are random and keep variances: if inputs and context have variance 1, so have all
    pre-activations at any depth, see `_first_params`.

    A residual network adds the pre-activations of hidden layers 1, 3, ..., L - 2 to those of two
    layers later, unit k to unit k, which has the same degree. `skips` lists these layers.
    """

    def __init__(
        self, degrees, out_shape, activation, context_dim, context_layers, rng, dtype,
        residual=False, circular=(),
    ):  # fmt: skip
        if not isinstance(activation, str) or activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, not {activation!r}")
        if context_layers not in ("all", "first"):
            raise ValueError(f'context_layers must be "all" or "first", not {context_layers!r}')
        self.context_dim = check_dim("context_dim", context_dim, least=0)
        if np.dtype(dtype) not in FLOATS:
            raise ValueError(f"dtype must be float32 or float64, not {np.dtype(dtype)}")
        self.activation, self.context_layers = activation, context_layers
        self.out_shape = tuple(check_dim("out_shape", n) for n in out_shape)
        self.residual = bool(residual)
        last = len(degrees) - 2
        self.skips = range(1, last - 1 if self.residual else 1, 2)
        # s, u of the inputs and of the first axis of phi: x[s] is sorted by degree, x[s][u] is x
        in_order = np.argsort(degrees[0], kind="stable")
        self.input_selectors = _selectors(in_order)
        self.output_selectors = slice(None), slice(None)
        self.circular = circular_indices(circular, len(in_order))
        others = np.setdiff1d(np.arange(len(in_order)), self.circular)
        self.features = np.array([*others, *self.circular, *self.circular], int)
        degrees = [np.asarray(degrees[0])[self.features], *degrees[1:]]
        self.orders = [np.argsort(d, kind="stable") for d in degrees]  # sorted <- the caller's
        # with angles: the rows of the features of each input, both sorted by degree; of an angle
        # cos, then sin
        of_rows, inputs = self.features[self.orders[0]], in_order if self.circular else ()
        self.feature_rows = [np.flatnonzero(of_rows == i).tolist() for i in inputs]
        self.layers = []
        for l, (below, above) in enumerate(pairwise(degrees)):
            n_context = self.context_dim if l == 0 or context_layers == "all" else 0
            self.layers.append(Layer(below, above, n_context, strict=l == last))
        stops = np.cumsum([layer.size for layer in self.layers]).tolist()
        self.slices = [slice(a, b) for a, b in pairwise([0, *stops])]
        self.params = self._first_params(np.random.default_rng(rng)).astype(dtype)

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        check_overrides(cls, Parametric, ("__call__",))

    @property
    def dim(self) -> int:
        """Length of the last axis of the input."""
        return len(self.features) - len(self.circular)

    @property
    def in_dim(self) -> int:
        """The same, as MLP's constructor calls it."""
        return self.dim

    def __call__(self, x: ArrayLike, params: Params = None, context: Context = None) -> Array:
        """phi (..., *out_shape) of x (..., dim): one pass, O(weights) per row."""
        return call(self, "phi", x, params, context)

    def bind(self, at: Workspace) -> Bound:
        """phi = run(x), of shape (*out_shape, N), good until the next run; x_bar = back(phi_bar),
        or None if it is not needed.

        run:   H_l = act(A_l [1; context; H_{l-1}])   for l = 1..L, without act for l = L + 1;
               H_0 are the features of x
        back:  theta_bar_l = bar_l [1; context; H_{l-1}]^T,  bar_{l-1} = act'(H_{l-1}) * A_l^T bar_l
        """
        needs_x_bar = at.has_way_back  # of what was bound before
        net = BoundNetwork(self, at)
        inputs, phi = net.x, net.units[-1].reshape(*self.out_shape, at.n_rows)
        by_degree, original = self.input_selectors
        out_by_degree, out_original = self.output_selectors
        embed, embed_back = net.embedding(range(self.dim))
        way_out, way_back = [*net.begin, *embed], embed_back if needs_x_bar else []
        for l, matrix in enumerate(net.matrices, 1):
            act, derivative = net.activation(l) if l <= self.n_hidden else ([], [])
            way_out += [*matrix.product(net.read[l - 1], net.units[l]), *act]
            if at.tape:
                outer = matrix.outer(net.bars[l], net.read[l - 1])
                needed = l > 1 or needs_x_bar
                through = matrix.product_transposed(net.bars[l], net.bars[l - 1]) if needed else []
                way_back = [*derivative, *outer, *through, *way_back]

        def run(x):
            inputs[...] = x[by_degree]
            for step in way_out:
                step()
            return phi[out_original]

        if not at.tape:
            return run, None
        x_bar = net.x_bar if needs_x_bar else None
        received = net.phi_bar

        def back(phi_bar):
            if phi_bar is not received:
                received[...] = phi_bar[out_by_degree]
            for step in way_back:
                step()
            return None if x_bar is None else x_bar[original]

        return run, back

    @property
    def n_hidden(self) -> int:
        """L, the number of hidden layers."""
        return len(self.layers) - 1

    def weights(self) -> list[tuple]:
        """[(W, b, C), ...] per layer: dense, (in, out), zero where masked, in the caller's unit
        order; C is None where the layer reads no context."""
        theta = np.concatenate([np.zeros(1, self.params.dtype), self.params])
        return [tuple(None if i is None else theta[i] for i in layer) for layer in self.places()]

    def places(self) -> list[tuple]:
        """The places of (W, b, C) of each layer in the vector (0, *theta): 0 where masked."""
        places = []
        for l, (layer, own) in enumerate(zip(self.layers, self.slices, strict=True)):
            a = layer.dense(np.arange(own.start + 1, own.stop + 1))[np.argsort(self.orders[l + 1])]
            units = a[:, layer.lead :][:, np.argsort(self.orders[l])]
            places.append((units.T, a[:, 0], a[:, 1 : layer.lead].T if layer.lead > 1 else None))
        return places

    def with_weights(self, weights: Weights) -> Self:
        """This network with the given [(W, b) or (W, b, C), ...], laid out as `weights()`."""
        if len(weights) != len(self.layers):
            raise ValueError(f"{self!r} has {len(self.layers)} layers, not {len(weights)}")
        theta = np.empty(1 + self.n_params, self.params.dtype)
        for l, (own, places) in enumerate(zip(weights, self.places(), strict=True)):
            for a, place in zip(_checked_layer(l, own, places), places, strict=True):
                if a is not None:
                    theta[place] = a
        return self.with_params(theta[1:])

    def _first_params(self, rng) -> np.ndarray:
        """theta of a new network. With n the fan-in that the mask leaves, m and s the mean and the
        standard deviation of act(a) for a ~ N(0, 1), and e_0, e_k uniform in +-1, a unit starts as

            a = e_0 / sqrt(n) + sum_k sqrt(3 / n) e_k (h_k - m) / s       over k = 1..n inputs h_k

        (m = 0, s = 1 for the inputs, which no activation has changed). A residual network of B
        blocks adds up B such sums: the weights into this sum are smaller by sqrt(B). If the first
        layer reads few inputs, N, and its units saturate, their weights start larger, by
        c / sqrt(N) if that is more than 1 (c: STEEPNESS): each unit is then a step somewhere in the
        data instead of nearly linear.
        """
        theta = rng.uniform(-1, 1, self.slices[-1].stop)
        theta[self.slices[-1]] = 0
        n_read = max(1, max(self.layers[0].n_read) - 1)
        theta[self.slices[0]] *= max(1, STEEPNESS.get(self.activation, 0) / n_read**0.5)
        for l, (layer, own) in enumerate(zip(self.layers[:-1], self.slices[:-1], strict=True)):
            mean, deviation = MOMENTS[self.activation] if l > 0 else (0.0, 1.0)
            summands = len(self.skips) if l - 1 in self.skips else 1
            for (_, _, k), block in zip(layer.blocks, layer.split(theta[own]), strict=True):
                bias, weights, units = block[:, 0], block[:, 1:], block[:, layer.lead :]
                bias *= max(1, k - 1) ** -0.5
                weights *= (3 / (summands * max(1, k - 1))) ** 0.5
                units /= deviation
                bias -= mean * units.sum(axis=1)
        return theta

    def param_scale(self) -> np.ndarray:
        """1/sqrt(fan-in) of the unit that a parameter belongs to: context and units, at least 1."""
        blocks = [block for layer in self.layers for block in layer.blocks]
        return np.concatenate(
            [np.full((r1 - r0) * k, max(1, k - 1) ** -0.5) for r0, r1, k in blocks]
        )


class BoundNetwork:
    """The arrays of a bound network, units sorted by degree; l = 0 are the features of x.

    x, x_bar          the inputs, and their gradient: if no input is an angle, H_0 and its bars
    matrices[l - 1]   A_l, for l = 1..L+1
    read[l]           [1; context; H_l], what layer l + 1 reads
    units[l]          H_l, a view of it; units[L + 1] are the outputs
    bars[l]           with a tape: the gradients of H_0, of the pre-activations of H_1..H_L, of the
                      outputs
    begin             the first calls of `run`: they copy the context to its place
    """

    def __init__(self, network: Network, at):
        theta, theta_bar = at.params(network)
        layers, n_rows = network.layers, at.n_rows
        self.at, self.skips, self.feature_rows = at, network.skips, network.feature_rows
        self.embedded = bool(network.circular)
        self.function = ACTIVATIONS[network.activation]
        self.matrices = [
            BlockTriangular(layer, at, theta[own], theta_bar[own])
            for layer, own in zip(layers, network.slices, strict=True)
        ]
        # by name: without a tape, the networks of a flow share these arrays and their ones
        self.read = [
            at.array(("read", l, layer.lead), layer.shape[1], n_rows)
            for l, layer in enumerate(layers)
        ]
        self.units = [h[layer.lead :] for h, layer in zip(self.read, layers, strict=True)]
        self.units.append(at.array("outputs", layers[-1].shape[0], n_rows))
        self.x = at.array("x", network.dim, n_rows) if self.embedded else self.units[0]
        if at.tape:
            self.bars = [at.array("x_bar", *self.units[0].shape)]
            self.x_bar = at.array("x_bar", *self.x.shape) if self.embedded else self.bars[0]
            self.bars += [at.scratch(("bar", l), *h.shape) for l, h in enumerate(self.units[1:-1])]
            # the array that transformers write to, unless phi_bar has to be sorted, by a copy
            by_degree = network.output_selectors[0]
            is_sorted = isinstance(by_degree, slice) and by_degree == slice(None)
            name = "phi_bar" if is_sorted else "outputs_bar"
            self.phi_bar = at.scratch(name, *network.out_shape, n_rows)
            self.bars.append(self.phi_bar.reshape(self.units[-1].shape))
        self.kept = {l: at.scratch(("kept", l), *self.units[l].shape) for l in self.skips}
        self.begin = []
        for h, layer in zip(self.read, layers, strict=True):
            h[0] = 1
            if layer.lead > 1:
                self.begin.append(copied(h[1 : layer.lead], at.context))

    def embedding(self, inputs: Sequence[int]) -> tuple[list[Step], list[Step]]:
        """The features of some inputs, sorted by degree, and their way back.

        (cos x, sin x) of an angle, whose x_bar is cos x sin_bar - sin x cos_bar; else x.
        """
        out, back = [], []
        for i in inputs if self.embedded else ():
            x, h = self.x[i], [self.units[0][row] for row in self.feature_rows[i]]
            functions = [np.cos, np.sin] if len(h) == 2 else [np.positive]
            out += [Step(f, x, a) for f, a in zip(functions, h, strict=True)]
            if not self.at.tape:
                continue
            x_bar, h_bar = self.x_bar[i], [self.bars[0][row] for row in self.feature_rows[i]]
            if len(h) == 1:
                back.append(copied(x_bar, *h_bar))
            else:
                (cos, sin), (cos_bar, sin_bar) = h, h_bar
                product = self.at.scratch("sin x cos_bar", len(x))
                back.append(Step(np.multiply, cos, sin_bar, x_bar))
                back.append(Step(np.multiply, sin, cos_bar, product))
                back.append(Step(np.subtract, x_bar, product, x_bar))
        return out, back

    def activation(self, l: int, rows=slice(None)) -> tuple[list[Step], list[Step]]:
        """The activation of some rows of hidden layer l, over A_l H_{l-1}, and its way back."""
        tape, h = self.at.tape, self.units[l][rows]
        g = self.bars[l][rows] if tape else None
        out, back = self.function(self.at, h, g)
        if l in self.skips:
            out = [copied(self.kept[l][rows], h), *out]
            back = [*back, Step(np.add, g, self.bars[l + 2][rows], g)] if tape else []
        if l - 2 in self.skips:
            out = [Step(np.add, h, self.kept[l - 2][rows], h), *out]
        return out, back


def _checked_layer(l, own, places):
    """One layer's (W, b, C) as arrays, if their shapes are right and masked weights are 0."""
    names = [f"layer {l}: {name}" for name in "WbC"]
    arrays = [
        None if a is None else as_numbers(name, a)
        for name, a in zip(names, (*own, None)[:3], strict=True)
    ]
    for name, a, place in zip(names, arrays, places, strict=True):
        shape, wanted = (None if v is None else v.shape for v in (a, place))
        if shape != wanted:
            raise ValueError(f"{name} must have shape {wanted}, not {shape}")
    forbidden = (arrays[0] != 0) & (places[0] == 0)
    if forbidden.any():
        raise ValueError(
            f"layer {l}: W has {int(forbidden.sum())} non-zero entries where the mask forbids a "
            "connection; multiply W by the mask first"
        )
    return arrays


def _selectors(order):
    """Indices s, u with a[s] = a[order] and a[s][u] = a; slices, and so views, where possible."""
    for view in (slice(None), slice(None, None, -1)):
        if np.array_equal(order, np.arange(len(order))[view]):
            return view, view
    return order, np.argsort(order)


def circular_indices(circular: Sequence[int], dim: int) -> tuple[int, ...]:
    """The indices of angles among dim inputs, sorted; or a ValueError."""
    if np.ndim(circular) != 1:
        raise ValueError(f"circular must be a list of coordinates, such as [0], not {circular!r}")
    found = sorted(as_integers("circular", circular).tolist())
    if len(set(found)) < len(found) or not set(found) <= set(range(dim)):
        raise ValueError(f"circular must list different coordinates of 0..{dim - 1}: {circular!r}")
    return tuple(found)


class MLP(Network):
    """A multilayer perceptron: (..., in_dim) -> (..., *out_shape), the conditioner of a coupling.

        h_l = act(h_{l-1} W_l + c C_l + b_l),    phi = h_L W_{L+1} + c C_{L+1} + b_{L+1}

    In a residual MLP, every two hidden layers form a block, and the block's input is added to its
    output. With h_l = act(a_l):

        a_2 = h_1 W_2 + b_2,    a_3 = h_2 W_3 + b_3 + a_1,
        a_4 = h_3 W_4 + b_4,    a_5 = h_4 W_5 + b_5 + a_3, ...

    m blocks have 2 m + 1 hidden layers; layers 1, 3, 5, ... have the same width.

    Cost: O(weights) per row. A new MLP returns 0, because its last layer is zero. Errors:
    ValueError for bad widths.

    Parameters
    ----------
    in_dim : int
        Width of the input.
    out_shape : tuple of int
        Shape of the output per row, e.g. (u, n_out).
    hidden : sequence of int
        Widths of the hidden layers; None: two of max(64, 2 in_dim), three if residual.
    activation : str
        "relu", "tanh", "sigmoid", "elu", "softplus" or "silu".
    context_dim : int
        Width of the context c (0: none), read by every layer.
    rng : int or numpy Generator
        Seed of the initial weights.
    dtype : dtype
        float64 or float32.
    residual : bool
        True: every two hidden layers form a block, see above.
    circular : sequence of int
        The inputs that are angles, in radians. The network reads their cosines and sines, after the
        other inputs, so it is periodic in the angles.

    References
    ----------
    Residual blocks: He, Zhang, Ren, Sun, "Identity mappings in deep residual networks", 2016
    (pre-activation, without normalization); Durkan et al., "Neural spline flows", 2019.

    Examples
    --------
    >>> MLP(2, (3, 2), hidden=[16])([[0.5, -1.0]]).shape
    (1, 3, 2)
    >>> MLP(2, (3, 2), hidden=[16, 16, 16], residual=True)
    MLP(2, (3, 2), hidden=[16, 16, 16], 'relu', residual=True)
    """

    def __init__(
        self,
        in_dim: int,
        out_shape: tuple[int, ...],
        hidden: Hidden = None,
        activation: str = "relu",
        context_dim: int = 0,
        rng: Seed = 0,
        dtype: DTypeLike = float,
        residual: bool = False,
        circular: Sequence[int] = (),
    ):
        in_dim = check_dim("in_dim", in_dim)
        self.hidden = hidden_widths(hidden, in_dim, residual)
        n_outputs = math.prod(check_dim("out_shape", n) for n in out_shape)
        degrees = [np.zeros(n, int) for n in (in_dim, *self.hidden)] + [np.ones(n_outputs, int)]
        super().__init__(
            degrees, out_shape, activation, context_dim, "all", rng, dtype, residual, circular
        )

    def __repr__(self):
        context = f", context_dim={self.context_dim}" if self.context_dim else ""
        residual = ", residual=True" if self.residual else ""
        circular = f", circular={list(self.circular)}" if self.circular else ""
        return (
            f"MLP({self.in_dim}, {self.out_shape}, hidden={list(self.hidden)}, "
            f"{self.activation!r}{context}{residual}{circular})"
        )


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
        _check_residual(widths)
    return widths


def _check_residual(widths):
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
