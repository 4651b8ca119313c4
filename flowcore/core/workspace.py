"""Bound once, run often: where a part is bound, and what binding means.

Everything built in (transformers, networks, bijectors, densities, whole flows) writes one method:

    part.bind(at, ...) -> run, back

`bind` makes once what depends on the layout of theta and on the number of rows only: views of the
parameters and of their gradient, work arrays, constants. It returns two functions that do nothing
but arithmetic. What is computed stands in `run`, its way back beside it in `back`:

    bijector      bind(at, direction)   y = run(x, l)            x_bar = back(y_bar, l_bar)
    density       bind(at)              run(x, l)                x_bar = back(l_bar)
    network       bind(at)              phi = run(x)             x_bar = back(phi_bar)
    transformer   bind(at, direction, D)      y, log_det = run(x, phi)
                                              x_bar, phi_bar = back(y_bar, l_bar)

a_bar is the gradient dL/da of a scalar loss L. Arrays are (coordinates, rows): x is (D, N), and
l (N,) is where log-dets and log-densities are added up. Four rules keep it right:

* run of a bijector or density adds to l; back writes its part of theta_bar, and adds to
  context_bar.
* back may run again with other cotangents: it overwrites nothing that run left.
* Arrays are shared where they may be: read x before you write y.
* A bound part serves one call at a time (see `calls`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from autograd.builtins import tuple as atuple
from autograd.core import VJPNode, make_vjp
from autograd.tracer import getval, isbox, new_box, trace_stack

from .inputs import check_log_det, check_log_prob


class Workspace:
    """What parts are bound to: a flat vector and its gradient, a number of rows, memory.

    theta, theta_bar       the vector of the whole tree, and its gradient
    n_rows, dtype          of all arrays in here
    context, context_bar   (C, N), or None
    tape                   True: what `array` gives is kept for the way back
    """

    def __init__(self, root, n_rows: int, dtype, tape: bool, theta=None):
        self.n_rows, self.dtype, self.tape = n_rows, np.dtype(dtype), tape
        self.theta = np.empty(root.n_params, dtype) if theta is None else theta
        self.theta_bar = np.zeros(root.n_params, dtype)
        self.context = self.context_bar = None
        if root.context_dim:
            self.context = np.empty((root.context_dim, n_rows), dtype)
            self.context_bar = np.zeros_like(self.context)
        self.nbytes = 0  # of the arrays
        self._places, self._met = root.layout.slices, set()
        self._ties: list[tuple[np.ndarray, np.ndarray]] = []
        self._shared: dict[tuple, np.ndarray] = {}
        self._refresh: list[Callable] = []

    def params(self, leaf):
        """(theta, theta_bar) of one leaf: views. Of a leaf that is met again, theta_bar is a vector
        of its own, which `settle` adds."""
        here = self._places[id(leaf)]
        theta, theta_bar = self.theta[here], self.theta_bar[here]
        if id(leaf) in self._met:
            again = np.zeros_like(theta_bar)
            self._ties.append((theta_bar, again))
            return theta, again
        self._met.add(id(leaf))
        return theta, theta_bar

    def whenever_theta_changes(self, refresh: Callable) -> None:
        """Call this whenever theta has new values: for what follows from theta alone."""
        self._refresh.append(refresh)

    def refresh(self) -> None:
        """theta has new values."""
        for refresh in self._refresh:
            refresh()

    def settle(self) -> None:
        """At the end of the way back: tied parameters add up."""
        for theta_bar, again in self._ties:
            theta_bar += again

    def array(self, name, *shape, dtype=None) -> np.ndarray:
        """An array to write in `run`: kept for the way back, if there will be one."""
        if not self.tape:
            return self.scratch(name, *shape, dtype=dtype)
        array = np.empty(shape, dtype or self.dtype)
        self.nbytes += array.nbytes
        return array

    def scratch(self, name, *shape, dtype=None) -> np.ndarray:
        """An array that everybody gets who asks for this name and shape: its content soon goes."""
        key = (name, shape, dtype)
        if key not in self._shared:
            self._shared[key] = np.empty(shape, dtype or self.dtype)
            self.nbytes += self._shared[key].nbytes
        return self._shared[key]

    def zeros(self, *shape) -> np.ndarray:
        """Zeros, shared with everybody: to be read only."""
        key = ("zeros", shape)
        if key not in self._shared:
            self._shared[key] = np.zeros(shape, self.dtype)
        return self._shared[key]

    def number(self, value) -> np.ndarray:
        """A constant as a 0-d array: NumPy is faster with it than with a Python number."""
        return np.array(value, self.dtype)


def by_autograd(f: Callable, at: Workspace, part):
    """(run, back) of somebody's own f(params, x (N, D), context), written in autograd.numpy.

    f returns (value (N, D), log_det (N,)), or a density's log_prob (N,) alone. `part` is whose it
    is: a leaf, or a composite that shares its vector out by itself.
    """
    pieces = [at.params(leaf) for leaf in part.leaves]
    ends = np.cumsum([theta.size for theta, _ in pieces])[:-1]
    reads_context = bool(part.context_dim)
    vjp = None

    def outputs(args):
        return f(*args) if reads_context else f(*args, None)

    def run(x, l):
        nonlocal vjp
        params = np.concatenate([at.theta[:0], *(theta for theta, _ in pieces)])
        args = (params, np.array(x.T, at.dtype), *([at.context.T] if reads_context else []))
        first = vjp is None
        vjp, found = vjp_of(outputs, args, part) if at.tape else (None, outputs(args))
        if at.tape and first and part.n_params:
            _check_reads_params(outputs, args, part)
        if not isinstance(found, tuple):
            check_log_prob(part, x.T, found)
            np.add(l, found, l, casting="same_kind")
            return None
        value, log_det = found
        check_log_det(part, value, log_det)
        np.add(l, log_det, l, casting="same_kind")
        return np.asarray(value, at.dtype).T

    def back(*bars):
        y_bar, l_bar = bars if len(bars) == 2 else (None, *bars)
        theta_bar, x_bar, *context_bar = vjp(l_bar if y_bar is None else (y_bar.T, l_bar))
        for (_, own), bar in zip(pieces, np.split(theta_bar, ends), strict=True):
            own[...] = bar
        if reads_context:
            at.context_bar += context_bar[0].T
        return x_bar.T

    return run, back


def vjp_of(f: Callable, args, part):
    """autograd's make_vjp of a function of a tuple that returns an array or a tuple of arrays, with
    an error that names what is not written in autograd.numpy."""

    def outputs(args):
        found = f(args)
        several = isinstance(found, tuple)
        for a in found if several else (found,):
            if np.asarray(getval(a)).dtype == object:  # so is np.stack of boxes
                raise TypeError("it returned an array of objects")
        return atuple(found) if several else found

    try:
        return make_vjp(outputs, args)
    except (TypeError, ValueError, AttributeError) as problem:
        f(args)  # an error of its own, whoever asks: raise that one
        raise TypeError(
            f"the gradient of {part!r} is wanted, and cannot be taken: write its methods in "
            "autograd.numpy (import autograd.numpy as anp), without writes into arrays, and "
            f"compute with the params that they are given ({problem})"
        ) from problem


def _check_reads_params(f: Callable, args, part):
    """A TypeError if f ignores the parameters: their gradient would be 0, and nobody would know."""
    with trace_stack.new_trace() as trace:
        found = f((new_box(args[0], trace, VJPNode.new_root()), *args[1:]))
    if not any(isbox(a) for a in (found if isinstance(found, tuple) else (found,))):
        raise TypeError(
            f"the gradient of {part!r} is wanted, but what it returns does not depend on params: "
            "compute with the params that its methods are given, in autograd.numpy, not with "
            "self.params"
        )


def require(cls: type, base: type, *names: str) -> None:
    """A TypeError unless cls writes `bind`, or the methods that autograd makes it from."""
    missing = [name for name in names if getattr(cls, name) is getattr(base, name)]
    if missing and cls.bind is base.bind:
        raise TypeError(
            f"Can't instantiate abstract class {cls.__name__}: it must define {', '.join(missing)} "
            "(or bind, see flowcore.core.workspace)"
        )
