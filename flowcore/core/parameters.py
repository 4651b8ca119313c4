"""One flat parameter vector over a tree of parts: layout, ties, copies.

Everything that can be trained (bijectors, networks, bases, whole flows) is a `Parametric`: either a
*leaf*, which owns a flat vector, or a *composite*, which only consists of its parts. The vector of
a composite is the concatenation of its **distinct** leaves, in order of first appearance:

    Chain([f, g, f])          leaves: f, g       params = [f.params, g.params]

so an object that appears twice has one set of parameters (it is tied), and keeps one when the tree
is copied with other values, pickled or saved. Nothing here is ever changed in place.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TYPE_CHECKING

import autograd.numpy as anp
import numpy as np
from autograd.tracer import isbox

from .inputs import as_vector, check_params
from .own_parts import is_built_in

if TYPE_CHECKING:
    from .typing import Array, ArrayLike, Params, Self


class Parametric:
    """A leaf with a flat vector of parameters, or a composite of `parts`.

    A class of your own may set:

    parts         the objects that it is made of, a tuple; () for a leaf, which sets `self.params`
                  in its constructor
    context_dim   width of the context that it reads; 0: none
    initialized   False until it is set from data (see `Bijector.initialize`)
    fitted        names of attributes that are set after construction, for `save`
    check_fitted() a ValueError if their values are invalid, for `load`
    config()      the constructor's arguments as a dict, for `save`, if they are not attributes
                  of the same names
    param_scale() see the method

    Attributes whose name starts with `_memo` are left out of copies and pickles: they follow from
    the rest and are computed when first needed, or belong to this object only.
    """

    parts: tuple[Parametric, ...] = ()
    context_dim: int = 0
    initialized: bool = True
    fitted: tuple[str, ...] = ()

    @cached_property
    def params(self) -> np.ndarray:
        """All free parameters as one flat, read-only vector; any vector of its length is valid.

        It is float64, unless a leaf is float32: then the whole vector is.
        """
        own = [leaf.params for leaf in self.leaves if leaf.n_params] if self.parts else []
        if len(own) < 2:
            return own[0] if own else frozen(np.zeros(0))
        dtype = min((theta.dtype for theta in own), key=lambda d: d.itemsize)
        return frozen(np.concatenate(own, dtype=dtype, casting="same_kind"))

    def __setattr__(self, name, value):
        """`self.params = theta`, once, in the constructor of a leaf."""
        if name == "params":
            if "params" in self.__dict__ or self.parts:
                raise AttributeError(
                    f"{type(self).__name__}.params is read-only: use with_params(theta), which "
                    "returns a new object"
                )
            value = frozen(as_vector(value))
            if value.ndim != 1:
                raise ValueError(f"params must be flat, one vector: not of shape {value.shape}")
        super().__setattr__(name, value)

    def check_fitted(self) -> None:
        """A ValueError for `fitted` constants that `initialize` could not have set.

        `load` calls it. Only classes with such constants override it.
        """

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the parameters, and so of all results."""
        return self.params.dtype

    @property
    def n_params(self) -> int:
        """Number of free parameters."""
        return self.params.size

    @property
    def leaves(self) -> tuple[Parametric, ...]:
        """The distinct leaves of the tree, in order of first appearance."""
        return self._memo_leaves if self.parts else (self,)

    @cached_property
    def _memo_leaves(self) -> tuple[Parametric, ...]:
        found = {id(leaf): leaf for part in self.parts for leaf in part.leaves}
        return tuple(found.values())

    @property
    def layout(self) -> dict[int, slice]:
        """id of each leaf -> the place of its parameters in the flat vector."""
        return self._memo_layout if self.parts else {id(self): slice(0, self.n_params)}

    @cached_property
    def _memo_layout(self) -> dict[int, slice]:
        sizes = [leaf.n_params for leaf in self.leaves]
        stops = np.cumsum(sizes).tolist()
        places = (slice(stop - size, stop) for size, stop in zip(sizes, stops, strict=True))
        return dict(zip(map(id, self.leaves), places, strict=True))

    _memo_built_in = cached_property(is_built_in)

    def with_params(self, theta: ArrayLike) -> Self:
        """The same object with other parameter values: theta is flat, of length `n_params`."""
        if isbox(theta):
            raise TypeError(
                "with_params takes plain arrays; gradients are taken through params=, e.g. "
                "grad(lambda theta: np.mean(flow.log_prob(x, params=theta)))(flow.params)"
            )
        theta = frozen(check_params(self, theta))
        if self.parts:
            new = {id(leaf): leaf.with_params(theta[self.layout[id(leaf)]]) for leaf in self.leaves}
            clone = self.rebuilt(new)
        else:
            clone = copy.copy(self)
        clone.__dict__["params"] = theta
        return clone

    def rebuilt(self, new: dict) -> Self:
        """A copy of the tree in which the node with id i is new[i]; shared nodes stay shared."""
        if id(self) not in new and self.parts:
            clone = copy.copy(self)
            clone.parts = tuple(part.rebuilt(new) for part in self.parts)
            for name, value in vars(clone).items():  # a part that has a name of its own, too
                clone.__dict__[name] = _replaced(value, new)
            new[id(self)] = clone
        return new.get(id(self), self)

    def params_of(self, part: Parametric, params: Params) -> Array | None:
        """The parameters of `part` within `params`, a vector of this whole tree; None for None.

        For a class that calls the methods of its parts itself:
        `part.forward_and_log_det(z, self.params_of(part, params), context)`.
        """
        if params is None or params is self.params:
            return None
        pieces = [params[self.layout[id(leaf)]] for leaf in part.leaves]
        return pieces[0] if len(pieces) == 1 else anp.concatenate([params[:0], *pieces])

    def param_scale(self) -> np.ndarray:
        """For every parameter, the standard deviation that `testing.randomize` takes at scale 1."""
        if self.parts:
            return np.concatenate([np.zeros(0), *(leaf.param_scale() for leaf in self.leaves)])
        return np.ones(self.n_params)

    def __getstate__(self):
        derived = ("params",) if self.parts else ()
        return {
            name: value
            for name, value in self.__dict__.items()
            if not name.startswith("_memo") and name not in derived
        }

    def __setstate__(self, state):
        self.__dict__.update(state)
        for name in ("params", *type(self).fitted):  # pickle forgets the read-only flag
            if isinstance(state.get(name), np.ndarray):
                self.__dict__[name] = frozen(state[name])


def _replaced(value, new: dict):
    """new[i] for the object with id i, also within a list or tuple; else the value itself."""
    if type(value) in (list, tuple) and any(id(item) in new for item in value):
        return type(value)(new.get(id(item), item) for item in value)
    return new.get(id(value), value)


def frozen(array: np.ndarray) -> np.ndarray:
    """`array`, read-only; a copy if another array could still write to its memory."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if array.flags.writeable or owner.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array
