"""The algebra of bijectors: Chain, Invert, Permute, Blockwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core import Parametric, as_numbers
from ..core.calls import OPPOSITE
from ..core.inputs import as_integers, check_event, show
from .bijector import ANYWHERE, Bijector

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Bound, Box, Context, Seed, Workspace


class Composite(Bijector):
    """A bijector made of others, its `parts`: uninitialised as long as one of them is.

    A subclass writes `_initialize(direction, x, context, rng)`, where x is what that direction
    starts from, and `image`.
    """

    def __init__(self, bijectors: Sequence[Bijector]):
        name = type(self).__name__
        if not isinstance(bijectors, Iterable):
            raise TypeError(f"{name} takes a list of bijectors, not {bijectors!r}")
        self.parts = tuple(bijectors)
        if not self.parts:
            raise ValueError(f"{name} needs at least one bijector")
        for part in self.parts:
            if not isinstance(part, Bijector):
                raise TypeError(f"{name} takes bijectors, not {part!r}")
        self.context_dim = common_context_dim(self.parts)

    @property
    def bijectors(self) -> tuple[Bijector, ...]:
        """The parts, in the argument's order: a Chain's `forward` applies the last one first."""
        return self.parts

    @property
    def initialized(self) -> bool:
        """False while a part waits for data."""
        return all(part.initialized for part in self.parts)

    @property
    def domain(self) -> Box:
        """Where z lives: (low, high)."""
        return self.image("inverse", *ANYWHERE)

    @property
    def codomain(self) -> Box:
        """Where x lives: (low, high)."""
        return self.image("forward", *ANYWHERE)

    def initialize(self, x: ArrayLike, context: Context = None, rng: Seed = None) -> Bijector:
        """Initialise every part that waits for data."""
        return self._initialize("inverse", x, context, rng)

    def initialize_inverted(
        self, x: ArrayLike, context: Context = None, rng: Seed = None
    ) -> Bijector:
        return self._initialize("forward", x, context, rng)


class Chain(Composite):
    """The composition of bijectors: Chain([f, g]) is f o g, so `forward` applies g first.

        x = f(g(z)),    log |det dx/dz| = log |det df| + log |det dg|

    Cost: the sum of its parts. Nested Chains and Inverts run as one flat list of steps, and an
    object that appears twice shares its parameters. `chain[i]` and `len(chain)` refer to
    `bijectors`.

    Parameters
    ----------
    bijectors : sequence of Bijector
        f, g, ..., with the same dim; the last one is applied first.

    Examples
    --------
    >>> Chain([Permute([1, 2, 0]), Permute([0, 2, 1])])
    Chain(z -> Permute([0, 2, 1]) -> Permute([1, 2, 0]) -> x)
    """

    def __init__(self, bijectors: Sequence[Bijector]):
        super().__init__(bijectors)
        dims = [part.dim for part in self.parts]
        if len(set(dims)) > 1:
            raise ValueError(f"the bijectors of a Chain differ in dim: {dims}")
        self.dim = dims[0]

    def image(self, direction: str, low: ArrayLike, high: ArrayLike) -> Box:
        for part, way in self.steps(direction):
            low, high = part.image(way, low, high)
        return low, high

    def bind(self, at: Workspace, direction: str) -> Bound:
        runs, backs = [], []
        for part, way in self.steps(direction):
            run, back = part.bind(at, way)
            runs.append(run)
            if at.has_way_back:
                backs.insert(0, back)

        def run(x, l):
            for part in runs:
                x = part(x, l)
            return x

        def back(y_bar, l_bar):
            for part in backs:
                y_bar = part(y_bar, l_bar)
            return y_bar

        return run, back

    def _initialize(self, direction, x, context, rng):
        """From the data end to the base; each part gets x as the parts before it have mapped it."""
        steps, new = self.steps(direction), {}
        for k, (old, way) in enumerate(steps):
            if all(part.rebuilt(dict(new)).initialized for part, _ in steps[k:]):
                break
            part = initialize_part(old, way, x, context, rng, new)
            x = getattr(part, way)(x, context=context if part.context_dim else None)
        return self.rebuilt(new) if new else self

    def steps(self, direction: str) -> list[tuple[Bijector, str]]:
        parts = self.parts if direction == "inverse" else reversed(self.parts)
        return [step for part in parts for step in part.steps(direction)]

    def __getitem__(self, index: int | slice) -> Bijector:
        return Chain(self.parts[index]) if isinstance(index, slice) else self.parts[index]

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self):
        return f"Chain({' -> '.join(['z', *map(repr, reversed(self.parts)), 'x'])})"


class Invert(Composite):
    """The inverse of a bijector: forward and inverse, and their costs, are exchanged.

    `IAF = Invert(MAF)`. Its parameters are those of `bijector`.

    Parameters
    ----------
    bijector : Bijector
        The one to invert.

    Examples
    --------
    >>> from flowcore import Exp
    >>> log = Invert(Exp(1))
    >>> log, log.forward([1.0])
    (Invert(Exp(1)), array([0.]))
    """

    def __init__(self, bijector: Bijector):
        if not isinstance(bijector, Bijector):
            raise TypeError(f"Invert takes a bijector, not {bijector!r}")
        self.parts = (bijector,)
        self.dim = bijector.dim
        self.context_dim = bijector.context_dim

    @property
    def bijector(self) -> Bijector:
        """The bijector whose inverse this is."""
        return self.parts[0]

    @property
    def domain(self) -> Box:
        """Where z lives: (low, high)."""
        return self.bijector.codomain

    @property
    def codomain(self) -> Box:
        """Where x lives: (low, high)."""
        return self.bijector.domain

    def image(self, direction: str, low: ArrayLike, high: ArrayLike) -> Box:
        return self.bijector.image(OPPOSITE[direction], low, high)

    def bind(self, at: Workspace, direction: str) -> Bound:
        return self.bijector.bind(at, OPPOSITE[direction])

    def _initialize(self, direction, x, context, rng):
        start = initializer(self.bijector, OPPOSITE[direction])
        return self.rebuilt({id(self.bijector): start(x, context, rng)})

    def steps(self, direction: str) -> list[tuple[Bijector, str]]:
        return self.bijector.steps(OPPOSITE[direction])

    def __repr__(self):
        return f"Invert({self.bijector!r})"


class Permute(Bijector):
    """A fixed reordering of the coordinates: x[..., i] = z[..., permutation[i]]; log-det 0.

    Parameters
    ----------
    permutation : sequence of int or ndarray
        0..D-1, each once; a list or an integer array.

    Examples
    --------
    >>> Permute([1, 2, 0]).forward([10.0, 20.0, 30.0])
    array([20., 30., 10.])
    """

    def __init__(self, permutation: Sequence[int] | np.ndarray):
        p = as_integers("Permute's permutation", permutation)
        if p.ndim != 1 or p.size == 0 or not np.array_equal(np.sort(p), np.arange(p.size)):
            raise ValueError(f"Permute needs a permutation of 0..D-1, each once: got {show(p)}")
        super().__init__(p.size)
        self.permutation = tuple(p.tolist())

    def bind(self, at: Workspace, direction: str) -> Bound:
        there, back_again = list(self.permutation), np.argsort(self.permutation)
        if direction == "inverse":
            there, back_again = back_again, there
        return lambda x, l: x[there], lambda y_bar, l_bar: y_bar[back_again]

    def image(self, direction: str, low: ArrayLike, high: ArrayLike) -> Box:
        index = self.permutation if direction == "forward" else np.argsort(self.permutation)
        return tuple(np.broadcast_to(end, self.dim)[list(index)] for end in (low, high))

    def __repr__(self):
        shown = list(self.permutation)
        return f"Permute({shown})" if self.dim <= 12 else f"Permute(<{self.dim} coordinates>)"


class Blockwise(Composite):
    """Bijector k maps the k-th range of consecutive coordinates; the log-dets add up.

        x = (f_1(z_1), ..., f_K(z_K))       log |det dx/dz| = sum_k log |det df_k/dz_k|
        z = (f_1^-1(x_1), ..., f_K^-1(x_K))

    Cost: the sum of its parts. An object that appears twice shares its parameters. Use it at the
    data end of a flow for columns of different kinds, e.g. if one is positive. Errors: ValueError
    for other sizes, TypeError for parts that are no bijectors.

    Parameters
    ----------
    bijectors : sequence of Bijector
        f_1, ..., f_K; D is the sum of their dims. Those with a context_dim get the context.
    sizes : sequence of int
        Their dims again, as a check.

    Examples
    --------
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

    def image(self, direction: str, low: ArrayLike, high: ArrayLike) -> Box:
        low, high = (np.broadcast_to(end, self.dim) for end in (low, high))
        ends = np.empty((2, self.dim))
        for part, own in zip(self.parts, self.ranges, strict=True):
            for end, found in zip(ends, part.image(direction, low[own], high[own]), strict=True):
                end[own] = found
        return tuple(ends)

    @property
    def ranges(self) -> list[slice]:
        """The coordinates of every part."""
        stops = np.cumsum(self.sizes).tolist()
        return [slice(stop - size, stop) for stop, size in zip(stops, self.sizes, strict=True)]

    def bind(self, at: Workspace, direction: str) -> Bound:
        bound = [
            (own, *part.bind(at, direction))
            for own, part in zip(self.ranges, self.parts, strict=True)
        ]

        def run(x, l):
            # as wide as x: a Standardize further on may still have to subtract
            y = np.empty(x.shape, np.result_type(x.dtype, at.dtype))
            for own, part, _ in bound:
                y[own] = part(x[own], l)
            return y

        def back(y_bar, l_bar):
            return np.concatenate([part(y_bar[own], l_bar) for own, _, part in bound])

        return run, back

    def _initialize(self, direction, x, context, rng):
        """Each part from its own columns."""
        x, new = as_numbers("x", x), {}
        check_event(x, self.dim, self)
        for old, own in zip(self.parts, self.ranges, strict=True):
            initialize_part(old, direction, x[..., own], context, rng, new)
        return self.rebuilt(new)

    def __repr__(self):
        return f"Blockwise([{', '.join(map(repr, self.parts))}])"


def initialize_part(old, way: str, x, context, rng, new: dict) -> Bijector:
    """A part, initialised from x, which is where `way` starts from.

    new   id of a leaf -> its initialised self, which grows: a tied leaf is initialised once
    """
    start = initializer(old.rebuilt(dict(new)), way)
    part = start(x, context if old.context_dim else None, rng)
    new.update({id(a): b for a, b in zip(old.leaves, part.leaves, strict=True)})
    return part


def initializer(part: Bijector, way: str) -> Callable:
    """Its method that initialises it from where `way` starts."""
    return part.initialize if way == "inverse" else part.initialize_inverted


def common_context_dim(parts: Sequence[Parametric]) -> int:
    """The one context width of all parts that read a context; 0 if none does."""
    widths = {part.context_dim for part in parts if part.context_dim}
    if len(widths) > 1:
        raise ValueError(f"the parts need contexts of different widths: {sorted(widths)}")
    return widths.pop() if widths else 0
