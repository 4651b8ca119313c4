"""Parts with a transformed context: standardised, or reduced by a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core import as_numbers
from ..networks.network import Network
from .algebra import Composite, initializer
from .bijector import Bijector
from .linear import Standardization, Standardize

if TYPE_CHECKING:
    from ..core import Parametric
    from ..core.typing import ArrayLike, Bound, Box, Workspace


class OtherContext(Composite):
    """A bijector, the second of two `parts`, that reads a function of the context, the first."""

    @property
    def bijector(self) -> Bijector:
        """The bijector that sees the other context."""
        return self.parts[1]

    def image(self, direction: str, low: ArrayLike, high: ArrayLike) -> Box:
        return self.bijector.image(direction, low, high)

    def steps(self, direction: str) -> list[tuple[Bijector, str]]:
        """Those of the bijector, each with the other context, if it reads one."""
        steps = self.bijector.steps(direction)
        if steps[0][0] is self.bijector:
            return [(self, direction)]
        return [
            (type(self)(part, self.parts[0]) if part.context_dim else part, way)
            for part, way in steps
        ]

    def __repr__(self):
        return f"{type(self).__name__}({self.bijector!r}, {self.parts[0]!r})"


class StandardizeContext(OtherContext):
    """A bijector that reads its context standardised, with constants from the training data.

        x = f(z; (c - mean) / scale)       log-det of f

    Recipes with a `context_dim` contain one, so contexts such as years or prices need no scaling by
    hand. With a `Whiten`, f reads L^-1 (c - mean). `fit` (through `initialize`) sets the constants
    from the contexts of the training rows, once; until then they are those of the identity. A
    column of the context that does not vary keeps the scale 1. The parameters are the bijector's.
    Cost per row: the bijector's, and O(C), or O(C^2) with a Whiten. Errors: ValueError for a
    bijector that reads no context.

    Parameters
    ----------
    bijector : Bijector
        f, with a context_dim C > 0.
    standardize : Standardize or Whiten
        The constants, of dim C; one from its constructor is set by `initialize`. None: a new
        Standardize.

    Examples
    --------
    >>> from flowcore import MADE, MaskedAutoregressiveFlow
    >>> maf = MaskedAutoregressiveFlow(MADE(2, context_dim=1))
    >>> years = StandardizeContext(maf, Standardize.from_data([[1990.0], [2010.0]]))
    >>> x = np.array([0.5, -1.0])
    >>> bool((years.inverse(x, context=[2020.0]) == maf.inverse(x, context=[2.0])).all())
    True
    """

    def __init__(self, bijector: Bijector, standardize: Standardization | None = None):
        if not isinstance(bijector, Bijector):
            raise TypeError(f"StandardizeContext takes a bijector, not {bijector!r}")
        if not bijector.context_dim:
            raise ValueError(f"StandardizeContext: {bijector!r} reads no context (context_dim 0)")
        standardize = Standardize(bijector.context_dim) if standardize is None else standardize
        if not isinstance(standardize, Standardization):
            raise TypeError(
                f"StandardizeContext takes a Standardize or a Whiten, not {standardize!r}"
            )
        if standardize.dim != bijector.context_dim:
            raise ValueError(
                f"StandardizeContext: the {type(standardize).__name__} has dim {standardize.dim}, "
                f"but the bijector context_dim {bijector.context_dim}"
            )
        self.parts = (standardize, bijector)
        self.dim, self.context_dim = bijector.dim, bijector.context_dim

    @property
    def standardize(self) -> Standardization:
        """The constants, a Standardize or a Whiten."""
        return self.parts[0]

    def bind(self, at: Workspace, direction: str) -> Bound:
        mean = self.standardize.mean[:, None]
        linear, transposed, _ = self.standardize._linear(False, float)
        own = at.with_own_context()
        distance = at.scratch("distance", *own.context.shape, dtype=float)
        forward, backward = self.bijector.bind(own, direction)
        at.nbytes += own.nbytes

        def run(x, l):
            np.subtract(at.context, mean, distance)  # in float64: years are alike
            linear(distance, own.context)
            return forward(x, l)

        def back(y_bar, l_bar):
            own.context_bar.fill(0)
            x_bar = backward(y_bar, l_bar)
            if at.inputs_bar:
                transposed(own.context_bar, distance)
                np.add(at.context_bar, distance, at.context_bar, casting="same_kind")
            return x_bar

        return run, back

    def _initialize(self, direction, x, context, rng):
        if context is None:
            raise ValueError(f"{self!r} is initialised with the context of its data: give context=")
        context = as_numbers("context", context)
        standardize = self.standardize.initialize_from_context(context)
        start = initializer(self.bijector, direction)
        bijector = start(x, standardize.inverse(context), rng)
        return self.rebuilt({id(self.standardize): standardize, id(self.bijector): bijector})


class EmbedContext(OtherContext):
    """A bijector that reads a network's output in place of the context.

        x = f(z; h(c))       log-det of f

    The recipes of `flows` make one if you pass `context_net=`. The network is trained with the
    flow. It reduces a context such as an image or a long series to a few numbers. `params` has the
    network's parameters, then the bijector's. Cost per row: the bijector's, and one pass of the
    network. Errors: ValueError unless the network's output is a vector as wide as the bijector's
    context.

    Parameters
    ----------
    bijector : Bijector
        f, with a context_dim E > 0.
    network : MLP
        h, from C numbers to out_shape (E,).

    Examples
    --------
    >>> from flowcore import MADE, MLP, MaskedAutoregressiveFlow
    >>> maf = MaskedAutoregressiveFlow(MADE(2, context_dim=3))
    >>> EmbedContext(maf, MLP(100, (3,), hidden=[16])).context_dim
    100
    """

    def __init__(self, bijector: Bijector, network: Parametric):
        if not isinstance(bijector, Bijector):
            raise TypeError(f"EmbedContext takes a bijector, not {bijector!r}")
        if check_context_net(network) != bijector.context_dim:
            raise ValueError(
                f"EmbedContext: the network returns {network.out_shape[0]} numbers, but the "
                f"bijector has context_dim {bijector.context_dim}"
            )
        self.parts = (network, bijector)
        self.dim, self.context_dim = bijector.dim, network.in_dim

    @property
    def network(self) -> Parametric:
        """The network that the context passes through."""
        return self.parts[0]

    def bind(self, at: Workspace, direction: str) -> Bound:
        embed, embed_back = self.network.bind(at)
        own = at.with_own_context(self.bijector.context_dim)
        own.inputs_bar = True  # the network's parameters need the gradient by its output
        forward, backward = self.bijector.bind(own, direction)
        at.nbytes += own.nbytes

        def run(x, l):
            own.context[...] = embed(at.context)
            return forward(x, l)

        def back(y_bar, l_bar):
            own.context_bar.fill(0)
            x_bar = backward(y_bar, l_bar)
            c_bar = embed_back(own.context_bar)
            if c_bar is not None:
                np.add(at.context_bar, c_bar, at.context_bar)
            return x_bar

        return run, back

    def _initialize(self, direction, x, context, rng):
        if context is None:
            raise ValueError(f"{self!r} is initialised with the context of its data: give context=")
        embedded = self.network(as_numbers("context", context))
        bijector = initializer(self.bijector, direction)(x, embedded, rng)
        return self.rebuilt({id(self.bijector): bijector})


def reach_within(part: Parametric) -> np.ndarray | None:
    """The reach of the context in training, of the first constants that have one.

    What a network reads is a context of its own.
    """
    if isinstance(part, EmbedContext):
        return None
    found = [getattr(part, "reach", None), *map(reach_within, getattr(part, "parts", ()))]
    return next((reach for reach in found if reach is not None), None)


def check_context_net(network: Parametric) -> int:
    """E, the width of its output; a TypeError or ValueError for another kind of network."""
    if not isinstance(network, Network):
        raise TypeError(f"the context passes through an MLP, not {network!r:.200}")
    if len(network.out_shape) != 1 or network.context_dim:
        raise ValueError(
            "the context passes through a network with out_shape (E,) and without a context of its "
            f"own, such as MLP({network.in_dim}, (8,)): got {network!r:.200}"
        )
    return network.out_shape[0]
