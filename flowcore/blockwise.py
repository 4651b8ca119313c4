"""Different bijectors for different coordinates, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from autograd.tracer import isbox

from .arguments import broadcast_leading, check_context, check_event, check_log_det, check_params
from .bijector import Bijector, Composite


class Blockwise(Composite):
    """Bijector k maps the k-th range of consecutive coordinates; the log-dets add up.

        x = (f_1(z_1), ..., f_K(z_K))       log |det dx/dz| = sum_k log |det df_k/dz_k|
        z = (f_1^-1(x_1), ..., f_K^-1(x_K))

    bijectors   f_1, ..., f_K; D is the sum of their dims. Those with a context_dim get the context
    sizes       their dims again, if you want to have them checked

    Cost: the sum of its parts. An object that appears twice shares its parameters. At the data end
    of a flow it takes care of columns of different kinds, e.g. one that is positive.
    Errors: ValueError for other sizes, TypeError for what is no bijector.

    >>> from flowcore import Permute
    >>> Blockwise([Permute([1, 0]), Permute([2, 0, 1])]).forward([1.0, 2.0, 3.0, 4.0, 5.0])
    array([2., 1., 5., 3., 4.])
    """

    def __init__(self, bijectors: Sequence[Bijector], sizes: Sequence[int] | None = None):
        super().__init__(bijectors)
        self.sizes = tuple(part.dim for part in self.parts)
        if sizes is not None and tuple(sizes) != self.sizes:
            raise ValueError(f"sizes are {sizes}, but the bijectors' dims {list(self.sizes)}")
        self.dim = sum(self.sizes)

    @property
    def domain(self):
        return self._ends("domain")

    @property
    def codomain(self):
        return self._ends("codomain")

    def _ends(self, name):
        """(low, high) of all coordinates, (D,) arrays."""
        ends = [[np.full(part.dim, end) for end in getattr(part, name)] for part in self.parts]
        return tuple(np.concatenate(blocks) for blocks in zip(*ends, strict=True))

    def _blocks(self, x, context):
        """[(part, its coordinates of x, the context if it reads one), ...]"""
        stops = np.cumsum(self.sizes).tolist()
        return [
            (part, x[..., stop - part.dim : stop], context if part.context_dim else None)
            for part, stop in zip(self.parts, stops, strict=True)
        ]

    def forward_and_log_det(self, z, params=None, context=None):
        return self._run("forward", z, params, context)

    def inverse_and_log_det(self, x, params=None, context=None):
        return self._run("inverse", x, params, context)

    def _run(self, direction, x, params, context):
        params = None if params is None else check_params(self, params)
        x = x if isbox(x) else np.asarray(x)  # the parts cast, as in a Chain
        check_event(x, self.dim, self)
        check_context(context, self.context_dim, self)
        if context is not None:  # parts that read none must have the same leading axes
            context = context if isbox(context) else np.asarray(context)
            x, context = broadcast_leading(x, context)
        if isbox(x) or isbox(params) or isbox(context):
            return self._by_pull(direction, x, self.params if params is None else params, context)
        values, total = [], 0
        for part, block, own_context in self._blocks(x, context):
            run = getattr(part, f"{direction}_and_log_det")
            value, log_det = run(block, self._share(params, part), own_context)
            check_log_det(part, value, log_det)
            values.append(value)
            total = total + log_det
        # float64 next to float32 makes all float64: a Standardize may still have to subtract
        return np.concatenate(values, axis=-1), total

    def _pull(self, direction, theta, x, context):
        results = [
            part._pull(direction, self._share(theta, part), block, own_context)
            for part, block, own_context in self._blocks(x, context)
        ]
        values, log_dets, pulls = zip(*results, strict=True)
        for part, value, log_det in zip(self.parts, values, log_dets, strict=True):
            check_log_det(part, value, log_det)

        def pullback(value_bar, l_bar):
            blocks = self._blocks(value_bar, None)
            bars = [pull(bar, l_bar) for pull, (_, bar, _) in zip(pulls, blocks, strict=True)]
            theta_bars, x_bars, context_bars = zip(*bars, strict=True)
            shares = [bar for bar in context_bars if bar is not None]
            theta_bar = self._collect(self.parts, theta_bars, theta.dtype)
            return theta_bar, np.concatenate(x_bars, axis=-1), sum(shares) if shares else None

        return np.concatenate(values, axis=-1), sum(log_dets), pullback

    def initialize(self, x, context=None, rng=None):
        """Initialise every part that waits for data, each from its own columns."""
        return self._initialize_blocks("initialize", x, context, rng)

    def initialize_inverted(self, x, context=None, rng=None):
        return self._initialize_blocks("initialize_inverted", x, context, rng)

    def _initialize_blocks(self, start, x, context, rng):
        x = np.asarray(x)
        check_event(x, self.dim, self)
        new: dict = {}  # id of a leaf -> its initialised self, so that a tied leaf is met only once
        for old, block, own_context in self._blocks(x, context):
            part = getattr(old._rebuilt(dict(new)), start)(block, own_context, rng)
            new.update({id(a): b for a, b in zip(old.leaves, part.leaves, strict=True)})
        return self._rebuilt(new)

    def __repr__(self):
        return f"Blockwise([{', '.join(map(repr, self.parts))}])"
