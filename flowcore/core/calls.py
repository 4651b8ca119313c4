"""From a public call to the arithmetic: plans, their free lists, and the one primitive of autograd.

A *plan* is a part bound to a number of rows, a dtype, and a tape or none. A call takes one from its
part's free list, or makes it, copies theta in, runs it, copies the results out, and puts it back.
So objects stay immutable, and threads never meet in a plan. To autograd a whole flow, however deep,
is a single primitive, whose gradients land in one flat vector.
"""

from __future__ import annotations

import copy
from contextlib import suppress

import numpy as np
from autograd.core import make_vjp
from autograd.extend import defvjp, defvjp_argnums, primitive
from autograd.tracer import isbox

from .blocks import MANY, map_blocks
from .inputs import gate
from .workspace import Workspace

KEPT = 2  # idle plans for each number of rows and dtype
SIZES = 16  # of them on one free list
LARGEST = 2**26  # bytes of a plan that is kept

OPPOSITE = {"forward": "inverse", "inverse": "forward"}


class Plan:
    """A part, bound: `way` is a direction of a bijector, "log_prob", or "phi" of a network."""

    def __init__(self, part, way: str, n_rows: int, dtype, tape: bool, theta=None):
        self.way, self.l = way, np.empty(n_rows, dtype)
        self._own, self._has_own = part.params, False  # what theta is most of the time
        part = copy.copy(part)  # without its plans: no circle, whatever `bind` keeps of the part
        self.at = Workspace(part, n_rows, dtype, tape, theta)
        self.run, self.back = part.bind(self.at, way) if way in OPPOSITE else part.bind(self.at)

    def load(self, theta, context) -> None:
        """Copy theta and the context in; the part's own parameters, which never change, once."""
        if not self._has_own or theta is not self._own:
            self.at.theta[...] = theta
            self.at.refresh()
            self._has_own = theta is self._own
        if context is not None:
            self.at.context[...] = context.T

    def __call__(self, x):
        """The results for rows x (N, D), rows last, in arrays of the plan's."""
        if self.way == "phi":
            return (self.run(x.T),)
        self.l.fill(0)
        y = self.run(x.T, self.l)
        return (self.l,) if self.way == "log_prob" else (y, self.l)

    def gradient(self, *bars):
        """(theta_bar, x_bar (N, D), context_bar (N, C) or None), in arrays of the plan's."""
        at = self.at
        if at.context is not None:
            at.context_bar.fill(0)
        x_bar = self.back(*bars)
        at.settle()
        return at.theta_bar, x_bar.T, None if at.context is None else at.context_bar.T


def call(part, way: str, x, params, context, threads=None):
    """What `part` gives `way` at x (..., D): an array, or a pair (value, log_det) of a bijector."""
    x, theta, context, lead = gate(part, x, params, context)
    if isbox(theta) or isbox(x) or isbox(context):
        found = _traced(theta, x, context, Lease(part, way, len(x), _dtype(theta, x, context)))
        found = found if way in OPPOSITE else (found,)
    else:
        found = evaluate(part, way, x, theta, context, threads)
    if len(lead) != 1:
        found = [a.reshape(lead + a.shape[1:]) for a in found]
    return tuple(found) if way in OPPOSITE else found[0]


def evaluate(part, way: str, x, theta, context, threads=None, out=None):
    """The results for plain rows x (N, D): many rows in blocks of a fixed size, in threads.

    out   where to put the first result, e.g. x itself: a block is read before it is overwritten
    """
    dtype = _dtype(theta, x, context)

    def rows(x, context):
        plan, shelf = _take(part, way, len(x), dtype, tape=False)
        plan.load(theta, context)
        found = [np.asarray(_rows_first(a), dtype) for a in plan(x)]
        return found, lambda: _give(plan, shelf)

    if threads is None and len(x) < MANY:
        found, give_back = rows(x, context)
        found = [a.copy() for a in found]
        give_back()
        return found
    return map_blocks(rows, (x, context), threads, out)


@primitive
def _traced(theta, x, context, lease):
    found = lease.evaluate(theta, x, context)
    return found if len(found) > 1 else found[0]


def _traced_vjp(argnums, ans, args, kwargs):
    """Gradients by the plan's way back; by the plain twin where they are differentiated again."""
    theta, x, context, lease = args

    def vjp(bar):
        bars = (bar[0], bar[1]) if lease.plan.way in OPPOSITE else (bar,)
        if any(isbox(a) for a in (theta, x, context, *bars)):
            return [_twin_gradient(lease, args, i, bars) for i in argnums]
        bars = [_rows_last(np.asarray(a, lease.plan.at.dtype)) for a in bars]
        found = lease.plan.gradient(*bars)
        return [np.array(found[i], args[i].dtype) for i in argnums]

    return vjp


defvjp_argnums(_traced, _traced_vjp)


def _twin_gradient(lease, args, i, bars):
    """The gradient of the plain twin by argument i, traced by whoever differentiates again."""
    from .. import twins

    def f(arg):
        theta, x, context = (*args[:i], arg, *args[i + 1 : 3])
        return twins.evaluate(lease.part, lease.plan.way, theta, x, context)

    if len(bars) == 1:
        return make_vjp(f, args[i])[0](bars[0])
    return sum(make_vjp(lambda a, k=k: f(a)[k], args[i])[0](bar) for k, bar in enumerate(bars))


class Lease:
    """A plan that is out of its free list, and goes back when its tape is gone."""

    def __init__(self, part, way, n_rows, dtype):
        self.part = part
        self.plan, self._shelf = _take(part, way, n_rows, dtype, tape=True)

    def evaluate(self, theta, x, context):
        """Copies of the results."""
        self.plan.load(theta, context)
        return tuple(_rows_first(a).astype(self.plan.at.dtype) for a in self.plan(x))

    def __del__(self):
        if hasattr(self, "_shelf"):
            _give(self.plan, self._shelf)


def _take(part, way, n_rows, dtype, tape):
    """A plan nobody else uses, and the free list that it goes back to."""
    shelves = part.__dict__.setdefault("_memo_plans", {})
    if len(shelves) > SIZES:
        shelves.clear()
    shelf = shelves.setdefault((way, n_rows, dtype, tape), [])
    with suppress(IndexError):
        return shelf.pop(), shelf  # in one step: threads may be doing the same
    return Plan(part, way, n_rows, dtype, tape), shelf


def _give(plan, shelf):
    if len(shelf) < KEPT and plan.at.nbytes <= LARGEST:
        shelf.append(plan)


def _dtype(theta, x, context):
    """The dtype of a call: that of the parameters; without any, float32 stays float32."""
    if theta.size:
        return theta.dtype
    return x.dtype if context is None else np.result_type(x.dtype, context.dtype)


def _rows_first(a):
    """(D, N) -> (N, D), (D, n_out, N) -> (N, D, n_out), a view."""
    return a.T if a.ndim < 3 else np.moveaxis(a, -1, 0)


def _rows_last(a):
    return a.T if a.ndim < 3 else np.moveaxis(a, 0, -1)


@primitive
def tanh(a):
    """tanh with the derivative 1 - tanh^2; autograd's 1/cosh^2 overflows beyond |a| of about 89."""
    return np.tanh(a)


defvjp(tanh, lambda ans, a: lambda g: g * (1 - ans * ans))
