"""`Space`: the supports of a target's parameters, and the maps to them from the whole line.

    log p~(y) = log p~(x(y)) + log prior(x(y)) + log |det dx/dy|
                                      y (n, d) any numbers, x what the target takes

A flow is fitted to y. Simplexes and Cholesky factors have fewer coordinates y than x, and a
Bijector cannot change the number of coordinates. So these maps are applied to the target and to the
draws, and are not part of the flow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp
from autograd.tracer import isbox

from ..bijectors.box import box
from ..files import Record
from .priors import Prior, with_priors
from .supports import SUPPORTS, Angle, Box, Support

SIDES = {"real": (-math.inf, math.inf), "positive": (0.0, math.inf)}
_KNOWN = ", ".join(map(repr, (*SIDES, *SUPPORTS, "angle")))


class Parameter(NamedTuple):
    """One named parameter: its shape, the support of its last axes, `count` times, and its prior.

    Without a prior, its density is a part of the target.
    """

    name: str
    shape: tuple[int, ...]
    support: Support
    count: int = 1
    prior: Prior | None = None

    @property
    def free(self) -> int:
        """The number of free coordinates."""
        return self.count * self.support.free

    def around(self, centres: np.ndarray) -> Parameter:
        """The same, with the centres (free,) of its angles."""
        if not isinstance(self.support, Angle):
            return self
        return self._replace(support=self.support.around(centres))

    def from_line(self, y):
        """(x (n, *shape), log |det dx/dy| (n,)) of y (n, free), in autograd.numpy."""
        x, log_det = self.support.from_line(anp.reshape(y, (-1, self.support.free)))
        total = anp.sum(anp.reshape(log_det, (-1, self.count)), axis=1)
        return anp.reshape(x, (-1, *self.shape)), total

    def to_line(self, x: np.ndarray) -> np.ndarray:
        """y (n, free) of x (n, *shape)."""
        event = np.reshape(x, (len(x) * self.count, -1))
        return self.support.to_line(event).reshape(len(x), self.free)


class Space(Record):
    """All parameters. Targets take rows (n, D), or, if `named`, a dictionary of arrays.

    support, dim   as for `infer`; a ValueError for anything else
    centres        (free,): of each angle, in radians from its low, see `Angle`; other coordinates
                   have none. None: x is periodic in the y of an angle
    parameters     a list of `Parameter`
    named          False: x are rows, the parameters one beside the other
    """

    def __init__(self, support: Any, dim: int | None, centres: np.ndarray | None = None):
        support = with_priors(support)
        named = isinstance(support, Mapping)
        if named and not support:
            raise ValueError("support is an empty dictionary: name at least one parameter")
        if dim is None and not named:
            if not isinstance(support, list):
                raise ValueError("infer needs dim, the number of coordinates, or a flow")
            dim = len(support)
        parameters = [_parameter(*one) for one in support.items()] if named else _rows(support, dim)
        stops = np.cumsum([p.free for p in parameters])
        self.free, self.named = int(stops[-1]), named
        if dim not in (None, self.free):
            raise ValueError(
                f"dim is {dim}, but the named parameters have {self.free} free coordinates: "
                "leave dim out"
            )
        self._places = [
            slice(stop - p.free, stop) for p, stop in zip(parameters, stops.tolist(), strict=True)
        ]
        self.support, self.dim, self.centres, self.parameters = support, dim, centres, parameters
        if centres is not None:
            self.parameters = [p.around(centres[own]) for p, own in self._with_places()]

    @property
    def is_line(self) -> bool:
        """Whether y and x are the same rows, and the target is a density of them."""
        return not self.named and all(
            isinstance(p.support, Box) and p.support.is_line and p.prior is None
            for p in self.parameters
        )

    @property
    def is_periodic(self) -> bool:
        """Whether x is periodic in y, so that a density of y is one of a turn."""
        return self.centres is None and bool(self.places_of_angles)

    @property
    def places_of_angles(self) -> list[slice]:
        """Where the angles are among the free coordinates."""
        return [own for p, own in self._with_places() if isinstance(p.support, Angle)]

    def from_line(self, y):
        """(x, log |det dx/dy| (n,)) of y (n, free): x rows (n, D) or {name: (n, *shape)}."""
        return self._mapped(y, lambda p, x: 0.0)

    def with_priors(self, y):
        """(x, log |det dx/dy| + log prior(x) (n,)) of y (n, free)."""
        return self._mapped(y, lambda p, x: 0.0 if p.prior is None else p.prior.log_prob(x))

    def on_line(self, log_target: Callable) -> Callable:
        """y -> log p~(y), of the target of x."""
        if self.is_line:
            return log_target
        if not callable(log_target):
            raise TypeError(f"log_target is a function of parameters: got {log_target!r:.60}")
        return pulled_back(_by_name(log_target) if self.named else log_target, self.with_priors)

    def _mapped(self, y, log_density: Callable):
        found, total = {}, 0.0
        for p, own in self._with_places():
            found[p.name], log_det = p.from_line(y[:, own])
            total = total + log_det + log_density(p, found[p.name])
        return found if self.named else flat(found), total

    def to_line(self, x, strict: bool = True) -> np.ndarray:
        """y (n, free) of x. Errors: ValueError for a wrong shape, or for x outside of the support.
        If not strict, a row with NaN gives NaN, and a row outside gives inf."""
        x = x if self.named else self._columns_of(x)
        if not isinstance(x, Mapping) or x.keys() != {p.name for p in self.parameters}:
            raise ValueError(f"a dictionary of {[p.name for p in self.parameters]} is needed")
        columns = []
        for p in self.parameters:
            own = np.asarray(x[p.name], float)
            own = own if own.ndim > len(p.shape) else own[None]
            if own.shape[1:] != p.shape:
                raise ValueError(
                    f"{p.name} has shape {own.shape}, not {('n', *p.shape)}".replace("'", "")
                )
            with np.errstate(all="ignore"):
                y = p.to_line(own)
            y = np.where(np.isfinite(y), y, np.inf)
            if strict and np.isinf(y).any():
                raise ValueError(f"{p.name} has rows outside of its support, or on its boundary")
            y[np.isnan(own).reshape(len(own), -1).any(axis=1)] = np.nan
            columns.append(y)
        return np.concatenate(columns, axis=1)

    def _columns_of(self, x) -> dict:
        """Rows as the parameters that they consist of."""
        if len(self.parameters) == 1:
            return {self.parameters[0].name: x}
        x = np.atleast_2d(np.asarray(x, float))
        if x.shape != (len(x), len(self.parameters)):
            raise ValueError(f"x has shape {x.shape}, not (n, {len(self.parameters)})")
        return {p.name: x[:, j : j + 1] for j, p in enumerate(self.parameters)}

    def prior_draws(self, n: int, rng: np.random.Generator) -> np.ndarray | None:
        """Up to n draws y (m, free) of the prior; None if no parameter has a prior.

        Where some have none, their y are normal: x are then uniform angles. A draw on the boundary
        of a support, by rounding, is left out.
        """
        if all(p.prior is None for p in self.parameters):
            return None
        rows = rng.standard_normal((n, self.free))
        for p, own in self._with_places():
            if p.prior is not None:
                rows[:, own] = p.to_line(p.prior.sample(n, rng, p.shape))
        return rows[np.isfinite(rows).all(axis=1)]

    def numbers(self, x, share: np.ndarray) -> np.ndarray:
        """Rows (n, K) of all numbers of x; every angle is near its mean, see `Angle.near_mean`."""
        rows = np.array(flat(x))
        stops = np.cumsum([math.prod(p.shape) for p in self.parameters])
        for p, stop in zip(self.parameters, stops, strict=True):
            if isinstance(p.support, Angle):
                own = slice(stop - p.free, stop)
                rows[:, own] = p.support.near_mean(rows[:, own], share)
        return rows

    def labels(self) -> list[str]:
        """A name for every number of x: x_1, x_2 for rows; tau, theta[0], theta[1] for names."""
        if not self.named:
            return [f"x_{i + 1}" for i in range(sum(p.shape[0] for p in self.parameters))]
        return [
            p.name + (str(list(index)).replace(" ", "") if index else "")
            for p in self.parameters
            for index in np.ndindex(p.shape)
        ]

    def _with_places(self):
        return zip(self.parameters, self._places, strict=True)


def flat(x):
    """Rows (n, all numbers) of x, in the order of `Space.labels`."""
    parts = [*x.values()] if isinstance(x, Mapping) else [x]
    return anp.concatenate([anp.reshape(part, (len(part), -1)) for part in parts], axis=1)


def mapped(function: Callable, x):
    """function of every array of a dictionary, or of the one array."""
    if isinstance(x, Mapping):
        return {name: function(one) for name, one in x.items()}
    return function(x)


def _by_name(log_target: Callable) -> Callable:
    """The same, with another error if the target takes rows, or other names."""

    def of_dictionary(x):
        try:
            return log_target(x)
        except (AttributeError, KeyError, TypeError) as problem:
            if any(map(isbox, x.values())):  # an error of the gradient
                raise
            raise TypeError(
                f"log_target raised {problem!r}. Its argument is a dictionary of arrays, not rows, "
                f"since support= has names: {[*x]}"
            ) from problem

    return of_dictionary


def pulled_back(log_target: Callable, forward: Callable) -> Callable:
    """y -> log p~(x(y)) + log |det dx/dy|, for forward(y) = (x, log-det) in autograd.numpy.

    If the target returns its gradient by x, in the form of x, the result returns the gradient by y.
    If it returns None in its place, so does the result.
    """

    def on_the_line(y):
        x, log_det = forward(y)
        found = log_target(x)
        if isinstance(found, tuple):
            value, slope = found
            if slope is None:
                return np.asarray(value) + log_det, None
            if isinstance(slope, Mapping) and isinstance(x, Mapping):
                if slope.keys() != x.keys():
                    raise ValueError(f"log_target's gradient is by {[*slope]}, not by {[*x]}")
                slope = {name: slope[name] for name in x}  # JAX sorts names
            return _with_gradient(value, slope, forward, y)
        if np.shape(found) != (len(y),) and not (len(y) == 1 and np.shape(found) == ()):
            raise ValueError(
                f"log_target of {len(y)} rows returned shape {np.shape(found)}: one number a row "
                f"is {(len(y),)}"
            )
        # a target that autograd does not see through stays unboxed, so that `LogTarget` notices it
        return found + log_det if isbox(found) or not isbox(y) else found

    return on_the_line


def _with_gradient(value, slope, forward, y):
    def together(y):
        x, log_det = forward(y)
        return anp.concatenate([flat(x), log_det[:, None]], axis=1)

    vjp, found = make_vjp(together, y)
    bar = np.column_stack([flat(mapped(np.asarray, slope)), np.ones(len(y))])
    if bar.shape != found.shape:
        raise ValueError(
            f"log_target returned a gradient of {bar.shape[1] - 1} numbers a row for "
            f"{found.shape[1] - 1} parameters"
        )
    return np.asarray(value) + found[:, -1], vjp(bar)


def _rows(support, dim: int) -> list[Parameter]:
    """The parameters of rows: one of all coordinates, or, with angles or priors, one of each."""
    every = support if isinstance(support, list) else [support] * dim
    if len(every) != dim:
        raise ValueError(f"support has {len(every)} entries for {dim} coordinates")
    for one in every:
        if (isinstance(one, str) and one in SUPPORTS) or (isinstance(one, Prior) and one.shape):
            raise ValueError(
                f"{one!r} belongs to whole vectors: name them, such as "
                'support={"p": ("simplex", (3,))} or support={"p": fc.Dirichlet([1, 1, 1])}'
            )
    if any(isinstance(one, Prior) or one == "angle" for one in every):
        return [_parameter(f"x_{i + 1}", (one, (1,))) for i, one in enumerate(every)]
    ends = np.array([_sides("support", one) for one in every], float).T
    return [Parameter("x", (dim,), Box(box(*ends, dim)))]


def _sides(name: str, support) -> tuple[float, float]:
    if support is None:
        return SIDES["real"]
    if isinstance(support, str) and support in SIDES:
        return SIDES[support]
    if isinstance(support, tuple) and len(support) == 2:
        try:
            low, high = map(float, support)
        except (TypeError, ValueError):
            pass
        else:
            if low < high:
                return low, high
    raise ValueError(
        f"{name}: a support is one of {_KNOWN}, (low, high) with low < high, or, of a named "
        f'parameter, one of them with a shape, such as ("real", (8,)): got {support!r:.60}'
    )


def _parameter(name, given) -> Parameter:
    """ "real", (low, high), ("real", (8,)), ((low, high), (8,)) or a prior as a `Parameter`."""
    if not isinstance(name, str):
        raise ValueError(f"the name of a parameter is a text, not {name!r}")
    has_shape = isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], tuple)
    support, shape = given if has_shape else (given, ())
    if not all(isinstance(size, (int, np.integer)) and size > 0 for size in shape):
        raise ValueError(f"{name}: a shape is a tuple of positive integers: got {shape!r}")
    if isinstance(support, str) and support in SUPPORTS:
        kind = SUPPORTS[support]
        event, count = shape[-kind.n_axes :], math.prod(shape[: -kind.n_axes])
        if len(event) < kind.n_axes or len({*event}) > 1 or event[0] < 2:
            raise ValueError(
                f"{name}: {support!r} needs a shape that ends in {kind.example}, or another size "
                f"of at least 2: got {shape!r}"
            )
        return Parameter(name, shape, kind(event[0]), count)
    if isinstance(support, Prior):
        shape, own = shape if has_shape else support.shape, support.shape
        if shape[len(shape) - len(own) :] != own:
            raise ValueError(f"{name}: the shape {shape} must end in {own}, that of {support!r}")
        count = math.prod(shape) // math.prod(own) if support.is_vector else 1
        return Parameter(name, shape, support.support(shape), count, support)
    size = math.prod(shape)
    if isinstance(support, str) and support == "angle":
        return Parameter(name, shape, Angle(np.full(size, -math.pi), np.full(size, math.pi)))
    low, high = _sides(name, support)
    return Parameter(name, shape, Box(box(low, high, size)))
