"""One flat parameter vector over a tree of parts: layout, ties, copies.

Everything that can be trained (bijectors, networks, trainable bases) is a `Parametric`: either a
*leaf*, which owns a flat vector, or a *composite*, which is nothing but its parts. The vector of a
composite is the concatenation of its **distinct** leaves, in order of first appearance:

    Chain([f, g, f])          leaves: f, g       params = [f.params, g.params]

so an object that appears twice is one set of parameters (tied), and stays one when the tree is
copied with other values, pickled or saved. Nothing here is ever changed in place.
"""

from __future__ import annotations

import copy

import autograd.numpy as anp
import numpy as np
from autograd.tracer import isbox

from .arguments import as_vector, check_params


class Parametric:
    """A leaf with a flat vector of parameters, or a composite of parts (`parts`).

    Attributes whose name starts with `_memo` are derived from the rest: computed when first
    wanted, left out of copies and pickles.
    """

    parts: tuple[Parametric, ...] = ()
    context_dim: int = 0
    initialized: bool = True  # False: waits for `initialize` (Standardize, ActNorm)
    fitted: tuple[str, ...] = ()  # attributes set after construction, for `save`

    @property
    def params(self) -> np.ndarray:
        """All free parameters as one flat, read-only vector; every value of it is valid."""
        if "_memo_params" not in self.__dict__:
            own = [leaf.params for leaf in self.leaves] if self.parts else []
            own = [theta for theta in own if theta.size]  # the dtype is that of the non-empty ones
            if len(own) != 1:
                own = [np.concatenate(own) if own else np.zeros(0)]
            self.__dict__["_memo_params"] = frozen(own[0])
        return self.__dict__["_memo_params"]

    @params.setter
    def params(self, values):
        if "_own_params" in self.__dict__ or self.parts:
            raise AttributeError(
                f"{type(self).__name__}.params is read-only: use with_params(theta), which returns "
                "a new object"
            )
        self._own_params = self._memo_params = frozen(as_vector(values))

    @property
    def n_params(self) -> int:
        """Number of free parameters."""
        return self.params.size

    @property
    def leaves(self) -> tuple[Parametric, ...]:
        """The distinct leaves of the tree, in order of first appearance."""
        if not self.parts:
            return (self,)
        found = {id(leaf): leaf for part in self.parts for leaf in part.leaves}
        return tuple(found.values())

    def with_params(self, theta):
        """The same object with other parameter values: theta is flat, of length `n_params`."""
        if isbox(theta):
            raise TypeError(
                "with_params takes plain arrays; gradients are taken through params=, e.g. "
                "grad(lambda theta: np.mean(flow.log_prob(x, params=theta)))(flow.params)"
            )
        theta = frozen(check_params(self, theta))
        if not self.parts:
            clone = copy.copy(self)
            clone.__dict__.update(_own_params=theta, _memo_params=theta)
            return clone
        new = {
            id(leaf): leaf.with_params(theta[start:stop]) for leaf, start, stop in self._layout()
        }
        clone = self._rebuilt(new)
        clone._memo_params = theta
        return clone

    def _layout(self):
        """[(leaf, start, stop), ...]: where each distinct leaf lives in the flat vector."""
        stops = np.cumsum([leaf.n_params for leaf in self.leaves]).tolist()
        return list(zip(self.leaves, [0, *stops[:-1]], stops, strict=True))

    def _rebuilt(self, new: dict):
        """A copy of the tree in which the node with id i is new[i]; shared nodes stay shared."""
        if id(self) not in new and self.parts:
            clone = copy.copy(self)
            clone.parts = tuple(part._rebuilt(new) for part in self.parts)
            new[id(self)] = clone
        return new.get(id(self), self)

    def _share(self, params, part: Parametric):
        """What of `params`, a vector of this tree's parameters, belongs to `part`."""
        if params is None:
            if self.n_params and not part.n_params:
                return np.zeros(0, self.params.dtype)  # nothing, but it tells the tree's dtype
            return None  # the part's own
        if params is self.params and part.n_params:
            return part.params
        spans = self._spans(part)
        if spans == [(0, params.size)]:
            return params
        pieces = [params[start:stop] for start, stop in spans]
        return pieces[0] if len(pieces) == 1 else anp.concatenate(pieces)

    def _collect(self, parts, bars, dtype):
        """The gradient of this tree's vector from those of its parts' (in any order, repeated if a
        part was used repeatedly): tied parameters add up."""
        sized = [(part, bar) for part, bar in zip(parts, bars, strict=True) if bar.size]
        if len(sized) == 1 and sized[0][1].size == self.n_params:
            return sized[0][1]
        once = sum(bar.size for _, bar in sized) == self.n_params  # then nothing is tied
        total = (np.empty if once else np.zeros)(self.n_params, dtype)
        for part, bar in sized:
            done = 0
            for start, stop in self._spans(part):
                piece = bar[done : done + stop - start]
                if once:
                    total[start:stop] = piece
                else:
                    total[start:stop] += piece
                done += stop - start
        return total

    def _spans(self, part: Parametric):
        """The part's places in this tree's vector, neighbours merged: one, if nothing is tied."""
        memo = self.__dict__.setdefault("_memo_spans", {})
        if id(part) not in memo:
            places = {id(leaf): (start, stop) for leaf, start, stop in self._layout()}
            spans: list[tuple[int, int]] = []
            for start, stop in (places[id(leaf)] for leaf in part.leaves):
                if start == stop:
                    continue
                if spans and spans[-1][1] == start:
                    spans[-1] = (spans[-1][0], stop)
                else:
                    spans.append((start, stop))
            memo[id(part)] = spans or [(0, 0)]
        return memo[id(part)]

    def param_scale(self) -> np.ndarray:
        """Per parameter, the standard deviation that keeps a random value of it harmless."""
        if self.parts:
            return np.concatenate([leaf.param_scale() for leaf in self.leaves])
        return np.ones(self.n_params)

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if not k.startswith("_memo")}

    def __setstate__(self, state):
        self.__dict__.update(state)
        for name in ("_own_params", *self.fitted):  # pickle forgets the read-only flag
            if isinstance(state.get(name), np.ndarray):
                self.__dict__[name] = frozen(state[name])
        if "_own_params" in state:
            self.__dict__["_memo_params"] = self._own_params


def frozen(array: np.ndarray) -> np.ndarray:
    """`array`, read-only; copied first if somebody else could still write to it."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if array.flags.writeable or owner.flags.writeable:
        array = array.copy()
        array.flags.writeable = False
    return array
