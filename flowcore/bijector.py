"""The algebra of flows: Bijector, Chain, Invert, Permute. Read this file after `reference.py`.

A normalizing flow is an invertible map with a known Jacobian between a simple base density and
the data's density:

    forward = base -> data   x = f(z)       sampling
    inverse = data -> base   z = f^-1(x)    density

    log p(x) = log p_base(z) + log |det dz/dx|         (change of variables)

Conventions, here and everywhere:

* Events are vectors on the last axis: x is (..., D), every log-det is (...).
* A log-det is always that of the direction just taken: log |det d out / d in|.
* A bijector is an immutable description that carries its own flat vector of parameters, `params`.
  Every method takes `params=` (other values, e.g. an autograd box) and `context=` (conditioning
  variables, shape (..., context_dim)).

A new bijector is two methods; everything else follows from them. It is written in autograd's
NumPy (`import autograd.numpy as anp`), so that its gradient is known:

    class Shear(Bijector):                            # x = (z1, z2 + a z1)
        def __init__(self):
            super().__init__(dim=2, params=np.zeros(1))

        def forward_and_log_det(self, z, params=None, context=None):
            a = self.params if params is None else params
            x = anp.stack([z[..., 0], z[..., 1] + a[0] * z[..., 0]], axis=-1)
            return x, np.zeros(z.shape[:-1])

        def inverse_and_log_det(self, x, params=None, context=None):
            a = self.params if params is None else params
            z = anp.stack([x[..., 0], x[..., 1] - a[0] * x[..., 0]], axis=-1)
            return z, np.zeros(x.shape[:-1])
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from autograd.builtins import tuple as atuple
from autograd.core import make_vjp
from autograd.tracer import isbox

from .arguments import (
    as_float,
    as_rows,
    check_context,
    check_event,
    check_log_det,
    check_params,
    prepare,
)
from .params import Parametric
from .primitives import differentiable

OPPOSITE = {"forward": "inverse", "inverse": "forward"}
ANYWHERE = (-np.inf, np.inf)


class Bijector(Parametric, ABC):
    """An invertible, differentiable map of vectors with a computable log-determinant.

    dim        D, the length of the last axis
    params     this bijector's own parameters (default: none)
    domain     (low, high), numbers or (D,) arrays: where z lives; default: everywhere
    codomain   the same for x

    A subclass that reads `context` sets `context_dim` to its width. One that sets constants from
    data overrides `initialize` (and `initialize_inverted`, to work inside an `Invert`) and sets
    `initialized = True` on what it returns. One that wraps other bijectors keeps them in `parts`.
    """

    dim: int
    domain: tuple = ANYWHERE
    codomain: tuple = ANYWHERE

    def __repr__(self):
        return f"{type(self).__name__}({self.dim})"

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        own = vars(cls)
        if "initialize" in own and "initialized" not in own and cls.initialized is True:
            cls.initialized = False  # until an instance says otherwise

    def __init__(self, dim: int, params=()):
        self.dim = dim
        self.params = params

    @abstractmethod
    def forward_and_log_det(self, z, params=None, context=None):
        """x = f(z) of shape (..., D), and log |det dx/dz| of shape (...)."""

    @abstractmethod
    def inverse_and_log_det(self, x, params=None, context=None):
        """z = f^-1(x) of shape (..., D), and log |det dz/dx| of shape (...)."""

    def forward(self, z, params=None, context=None):
        """x = f(z): from the base to the data (sampling)."""
        return self.forward_and_log_det(z, params, context)[0]

    def inverse(self, x, params=None, context=None):
        """z = f^-1(x): from the data to the base (density)."""
        return self.inverse_and_log_det(x, params, context)[0]

    def forward_log_det(self, z, params=None, context=None):
        """log |det dx/dz| at z, in nats."""
        return self.forward_and_log_det(z, params, context)[1]

    def inverse_log_det(self, x, params=None, context=None):
        """log |det dz/dx| at x, in nats; equals -forward_log_det at z = f^-1(x)."""
        return self.inverse_and_log_det(x, params, context)[1]

    def initialize(self, x, context=None, rng=None) -> Bijector:
        """This bijector with its data-dependent constants set from x (n, D), its output side.

        `fit` calls it once. What is initialised already stays as it is; most bijectors have
        nothing to initialise and return themselves.
        """
        return self

    def initialize_inverted(self, x, context=None, rng=None) -> Bijector:
        """The same inside an `Invert`: x are values on this bijector's input side."""
        if not self.initialized:
            raise NotImplementedError(
                f"{type(self).__name__} waits for data inside an Invert: write its "
                "initialize_inverted(x, context, rng), where x is on its input side"
            )
        return self

    def _steps(self, direction: str) -> list[tuple[Bijector, str]]:
        """[(part, the direction it is run in), ...] in the order in which they are run."""
        return [(self, direction)]

    def _prepare(self, x, params, context):
        """The arguments of either direction, checked and cast; its own parameters for None."""
        return prepare(self, self.dim, x, params, context)

    # What follows is for bijectors with hand-written gradients; others get it from autograd. Skip
    # it at first reading. Notation: v_bar is dL/dv, the gradient of a scalar loss L.

    def _pull(self, direction: str, theta, x, context):
        """value, log_det and pullback of one direction, on plain arrays with rows x (N, D):

        pullback(value_bar (N, D), l_bar (N,)) -> (theta_bar, x_bar, context_bar)
        """
        run = getattr(self, f"{direction}_and_log_det")
        args = (theta, x) if context is None else (theta, x, context)
        vjp, (value, log_det) = make_vjp(lambda a: atuple(run(a[1], a[0], *a[2:])), args)
        return value, log_det, lambda *bars: (*vjp(bars), None)[:3]  # None if no context

    def _by_pull(self, direction: str, x, theta, context):
        """One direction as a single differentiable operation, from `_pull`."""
        x, context, lead = as_rows(x, context)

        def run(theta, x, context):
            value, log_det, pullback = self._pull(direction, theta, x, context)
            return (value, log_det), pullback

        value, log_det = differentiable(run, theta, x, context)
        if len(lead) != 1:
            value, log_det = value.reshape((*lead, self.dim)), log_det.reshape(lead)
        return value, log_det


class ByPull(Bijector):
    """A bijector that writes one method by hand, `_pull`; both directions follow from it."""

    @abstractmethod
    def _pull(self, direction: str, theta, x, context):
        """See `Bijector._pull`."""

    def forward_and_log_det(self, z, params=None, context=None):
        return self._by_pull("forward", *self._prepare(z, params, context))

    def inverse_and_log_det(self, x, params=None, context=None):
        return self._by_pull("inverse", *self._prepare(x, params, context))


class Composite(Bijector):
    """A bijector made of others: what `Chain` and `Blockwise` have in common."""

    def __init__(self, bijectors: Sequence[Bijector]):
        self.parts = tuple(bijectors)
        name = type(self).__name__
        if not self.parts:
            raise ValueError(f"{name} needs at least one bijector")
        for part in self.parts:
            if not isinstance(part, Bijector):
                raise TypeError(f"{name} takes bijectors, not {part!r}")
        self.context_dim = common_context_dim(self.parts)

    @property
    def bijectors(self) -> tuple[Bijector, ...]:
        """The parts, as given (of a Chain the last one is applied first by `forward`)."""
        return self.parts

    @property
    def initialized(self) -> bool:
        return all(part.initialized for part in self.parts)


class Chain(Composite):
    """The composition of bijectors: Chain([f, g]) is f o g, so `forward` applies g first.

        x = f(g(z)),    log |det dx/dz| = log |det df| + log |det dg|

    Cost: the sum of its parts. Nested Chains and Inverts are run as one flat list of steps, and
    an object that appears twice shares its parameters. `chain[i]` and `len(chain)` see the list.

    >>> Chain([Permute([1, 2, 0]), Permute([0, 2, 1])])
    Chain(z -> Permute([0, 2, 1]) -> Permute([1, 2, 0]) -> x)
    """

    def __init__(self, bijectors: Sequence[Bijector]):
        super().__init__(bijectors)
        dims = [part.dim for part in self.parts]
        if len(set(dims)) > 1:
            raise ValueError(f"the bijectors of a Chain differ in dim: {dims}")
        self.dim = dims[0]

    @property
    def domain(self):
        return self.parts[-1].domain

    @property
    def codomain(self):
        return self.parts[0].codomain

    def forward_and_log_det(self, z, params=None, context=None):
        return self._run("forward", z, params, context)

    def inverse_and_log_det(self, x, params=None, context=None):
        return self._run("inverse", x, params, context)

    def _run(self, direction, x, params, context):
        params = None if params is None else check_params(self, params)
        x = x if isbox(x) else np.asarray(x)  # parts cast: a Standardize subtracts before it does
        check_event(x, self.dim, self)
        check_context(context, self.context_dim, self)
        if isbox(x) or isbox(params) or isbox(context):
            context = context if context is None or isbox(context) else np.asarray(context)
            return self._by_pull(direction, x, self.params if params is None else params, context)
        total = None
        for part, way in self._steps(direction):
            run = getattr(part, f"{way}_and_log_det")
            x, log_det = run(x, self._share(params, part), context if part.context_dim else None)
            check_log_det(part, x, log_det)
            total = log_det if total is None else total + log_det
        return x, total

    def _pull(self, direction, theta, x, context):
        total, pulls = 0, []
        for part, way in self._steps(direction):
            own_context = context if part.context_dim else None
            x, log_det, pullback = part._pull(way, self._share(theta, part), x, own_context)
            check_log_det(part, x, log_det)
            total = total + log_det
            pulls.append((part, pullback))

        def pull_all(x_bar, l_bar):
            bars, context_bar = [], None
            for _, pullback in reversed(pulls):
                part_bar, x_bar, share = pullback(x_bar, l_bar)
                bars.append(part_bar)
                if share is not None:
                    context_bar = share if context_bar is None else context_bar + share
            parts = [part for part, _ in reversed(pulls)]
            return self._collect(parts, bars, theta.dtype), x_bar, context_bar

        return x, total, pull_all

    def initialize(self, x, context=None, rng=None):
        """Initialise every part that waits for data, walking from the data end to the base."""
        return self._initialize_along(self._steps("inverse"), x, context, rng)

    def initialize_inverted(self, x, context=None, rng=None):
        return self._initialize_along(self._steps("forward"), x, context, rng)

    def _initialize_along(self, steps, x, context, rng):
        new: dict = {}  # id of a leaf -> its initialised self, so that a tied leaf is met only once
        for k, (old, way) in enumerate(steps):
            if all(part._rebuilt(dict(new)).initialized for part, _ in steps[k:]):
                break
            own_context = context if old.context_dim else None
            part = old._rebuilt(dict(new))
            # before its inverse is run, x is on the part's output side, where data come from
            start = part.initialize if way == "inverse" else part.initialize_inverted
            part = start(x, own_context, rng)
            new.update({id(a): b for a, b in zip(old.leaves, part.leaves, strict=True)})
            x = getattr(part, way)(x, context=own_context)
        return self._rebuilt(new) if new else self

    def _steps(self, direction):
        memo = self.__dict__.setdefault("_memo_steps", {})
        if direction not in memo:
            parts = self.parts if direction == "inverse" else reversed(self.parts)
            memo[direction] = [step for part in parts for step in part._steps(direction)]
        return memo[direction]

    def __getitem__(self, index):
        return self.parts[index]

    def __len__(self):
        return len(self.parts)

    def __repr__(self):
        return f"Chain({' -> '.join(['z', *map(repr, reversed(self.parts)), 'x'])})"


class Invert(Bijector):
    """The inverse of a bijector: its forward is the other's inverse, and so are their costs.

    `IAF = Invert(MAF)`: one word of difference. Parameters are those of the part.
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
    def domain(self):
        return self.bijector.codomain

    @property
    def codomain(self):
        return self.bijector.domain

    def forward_and_log_det(self, z, params=None, context=None):
        return self.bijector.inverse_and_log_det(z, params, context)

    def inverse_and_log_det(self, x, params=None, context=None):
        return self.bijector.forward_and_log_det(x, params, context)

    def _pull(self, direction, theta, x, context):
        return self.bijector._pull(OPPOSITE[direction], theta, x, context)

    def initialize(self, x, context=None, rng=None):
        return Invert(self.bijector.initialize_inverted(x, context, rng))

    def initialize_inverted(self, x, context=None, rng=None):
        return Invert(self.bijector.initialize(x, context, rng))

    @property
    def initialized(self) -> bool:
        return self.bijector.initialized

    def _steps(self, direction):
        return self.bijector._steps(OPPOSITE[direction])

    def __repr__(self):
        return f"Invert({self.bijector!r})"


class Permute(Bijector):
    """A fixed reordering of the coordinates: x[..., i] = z[..., permutation[i]]; log-det 0.

    >>> Permute([1, 2, 0]).forward([10.0, 20.0, 30.0])
    array([20., 30., 10.])
    """

    def __init__(self, permutation: Sequence[int]):
        p = np.asarray(permutation)
        is_list = p.ndim == 1 and p.size > 0 and p.dtype.kind in "iu"
        if not is_list or not np.array_equal(np.sort(p), np.arange(p.size)):
            raise ValueError(
                f"Permute needs a permutation of 0..D-1, each once: got {np.asarray(p).tolist()}"
            )
        super().__init__(p.size)
        self.permutation = tuple(p.tolist())

    def forward_and_log_det(self, z, params=None, context=None):
        return self._run(list(self.permutation), z, params, context)

    def inverse_and_log_det(self, x, params=None, context=None):
        return self._run(np.argsort(self.permutation), x, params, context)

    def _run(self, index, x, params, context):
        dtype = self._prepare(x, params, context)[1].dtype
        if not isbox(x):  # float64 values stay so: a Standardize may still have to subtract
            x = as_float(x, np.result_type(np.asarray(x), dtype))
        return x[..., index], np.zeros(x.shape[:-1], dtype)

    def _pull(self, direction, theta, x, context):
        there, back = list(self.permutation), np.argsort(self.permutation)
        if direction == "inverse":
            there, back = back, there
        log_det = np.zeros(len(x), theta.dtype)
        return x[:, there], log_det, lambda x_bar, l_bar: (theta, x_bar[:, back], None)

    def __repr__(self):
        shown = list(self.permutation)
        return f"Permute({shown})" if self.dim <= 12 else f"Permute(<{self.dim} coordinates>)"


def common_context_dim(parts: Sequence[Parametric]) -> int:
    """The one context width of all parts that read a context; 0 if none does."""
    widths = {part.context_dim for part in parts if part.context_dim}
    if len(widths) > 1:
        raise ValueError(f"the parts want contexts of different widths: {sorted(widths)}")
    return widths.pop() if widths else 0
