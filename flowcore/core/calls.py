"""From a public call to the arithmetic: plans, their free lists, and the one primitive of autograd.

Every public method of a network, bijector or density calls `call`. A *plan* is a part bound to a
number of rows, a dtype, and a tape or none. A call takes a plan from its part's free list, or makes
one, copies theta in, runs it, copies the results out, and returns it to the list. So objects stay
immutable, and no two threads use the same plan. Autograd sees a whole flow, however deep, as a
single primitive, whose gradients are one flat vector.
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
from autograd.core import make_vjp
from autograd.extend import defvjp_argnums, primitive
from autograd.tracer import isbox

from .._imports import imported
from .blas import BLAS
from .blocks import FEW, block_rows, keep_freed_memory, map_blocks
from .inputs import gate
from .workspace import Workspace

KEPT = 2  # idle plans for each number of rows and dtype
HEAVY = 5e5  # rows * parameters: below that, no product used a second BLAS thread
LARGEST = 2**25  # bytes of a part's idle plans by their own count; splines and mixtures keep up to
# as much again beside their work arrays

TWINS = "flowcore.spec.twins"  # the same computations as plain formulas

OPPOSITE = {"forward": "inverse", "inverse": "forward"}


def call(part, what: str, x, params, context, threads=None):
    """`what` of a part at x (..., D): an array, or a pair (value, log_det) of a bijector."""
    name = "z" if what == "forward" else "x"
    x, theta, context, lead = gate(part, x, params, context, name)
    if isbox(theta) or isbox(x) or isbox(context):
        found = _traced(
            theta, x, context, Lease(part, what, len(x), _dtype(theta, x, context), tape=True)
        )
        found = found if what in OPPOSITE else (found,)
    else:
        found = evaluate(part, what, x, theta, context, threads)
    if len(lead) != 1:
        found = [a.reshape(lead + a.shape[1:]) for a in found]
    return tuple(found) if what in OPPOSITE else found[0]


def evaluate(part, what: str, x, theta, context, threads=None, out=None):
    """The results for rows x (N, D), no autograd boxes: many rows in blocks, in threads.

    out   where to put the first result, e.g. x itself: a block is read before it is overwritten
    """
    dtype = _dtype(theta, x, context)

    def rows(x, context):
        return Lease(part, what, len(x), dtype, tape=False).run(theta, x, context)

    if threads is None and (len(x) < FEW or len(x) <= block_rows(len(x), theta.size)):
        return rows(x, context)
    if not part._memo_built_in:
        threads = 1  # it may have nested traces, whose levels threads confuse, or arrays of its own
    return map_blocks(rows, (x, context), threads, out, theta.size)


class Plan:
    """A part, bound: `what` is a direction of a bijector, "draw" (forward, for the values alone),
    "log_prob", or "phi" of a network."""

    def __init__(
        self, part, what: str, n_rows: int, dtype, tape: bool, theta=None, inputs_bar=True
    ):
        keep_freed_memory()
        self.what, self.l = what, np.empty(n_rows, dtype)
        self._own_params, self._holds_own = part.params, False  # theta is mostly the part's own
        part = _without_plans(part)  # `bind` may keep it: no circle of references
        self.at = Workspace(part, n_rows, dtype, tape, theta, inputs_bar)
        self.at.log_det = what != "draw"
        direction = "forward" if what == "draw" else what
        bound = part.bind(self.at, direction) if direction in OPPOSITE else part.bind(self.at)
        self.run, self.back = bound

    def load(self, theta, context) -> None:
        """Copy theta and the context in; the part's own parameters, which never change, once.

        theta may be the vector that the plan is bound to, whose values have changed.
        """
        if not self._holds_own or theta is not self._own_params:
            self._holds_own = False  # until all of it is in: an error may come between
            if theta is not self.at.theta:
                self.at.theta[...] = theta
            self.at.refresh()
            self._holds_own = theta is self._own_params
        if context is not None:
            self.at.context[...] = context.T

    def __call__(self, x):
        """The results for rows x (N, D), rows last, in arrays of the plan."""
        if self.what == "phi":
            return (self.run(x.T),)
        self.l.fill(0)
        y = self.run(x.T, self.l)
        return (self.l,) if self.what == "log_prob" else (y, self.l)

    def gradient(self, *bars):
        """(theta_bar, x_bar (N, D), context_bar (N, C)), in arrays of the plan; None for inputs
        that do not exist, or whose gradient is not needed."""
        at = self.at
        if at.context is not None:
            at.context_bar.fill(0)
        x_bar = self.back(*bars)
        at.add_tied_gradients()
        if not at.inputs_bar:
            return at.theta_bar, None, None
        return at.theta_bar, x_bar.T, None if at.context is None else at.context_bar.T


class Lease:
    """Exclusive use of a plan. The plan returns to its part's free list when the lease, or the tape
    that holds the lease, is garbage-collected."""

    def __init__(self, part, what, n_rows, dtype, tape):
        self.part, kind = part, (what, n_rows, dtype, tape)
        plans = part.__dict__.setdefault("_memo_plans", {})
        try:
            self.plan = plans[kind].pop()  # in one step: threads may be doing the same
        except LookupError:
            self.plan = Plan(part, what, n_rows, dtype, tape)
            _make_room(plans, self.plan.at.nbytes)
        self._idle = plans.setdefault(kind, [])

    def run(self, theta, x, context) -> list[np.ndarray]:
        """The results, copied out. NumPy does not warn: the results show what is not finite."""
        with np.errstate(all="ignore"), self.alone():
            self.plan.load(theta, context)
            return [np.array(_rows_first(a), self.plan.at.dtype, order="C") for a in self.plan(x)]

    def alone(self):
        """A context in which BLAS has one thread, if the work is large enough for several."""
        at = self.plan.at
        return BLAS.single_threaded() if at.n_rows * at.theta.size >= HEAVY else nullcontext()

    def __del__(self):
        # without `_idle` an interrupt, or an error, has come before there was a whole lease
        if hasattr(self, "_idle") and len(self._idle) < KEPT and self.plan.at.nbytes < LARGEST:
            self._idle.append(self.plan)


def _make_room(plans: dict[tuple, list[Plan]], nbytes: int) -> None:
    """Drop all idle plans if another plan of `nbytes` bytes would exceed LARGEST."""
    idle = sum(plan.at.nbytes for of_one_kind in list(plans.values()) for plan in of_one_kind)
    if nbytes < LARGEST < idle + nbytes:
        plans.clear()


def _without_plans(part):
    """The same part, another object."""
    clone = object.__new__(type(part))
    clone.__dict__.update(part.__dict__, _memo_plans={})
    return clone


@primitive
def _traced(theta, x, context, lease):
    found = lease.run(theta, x, context)
    return tuple(found) if len(found) > 1 else found[0]


def _traced_vjp(argnums, ans, args, kwargs):
    """Gradients by the plan's way back; by the plain twin where they are differentiated again."""
    theta, x, context, lease = args

    def vjp(bar):
        bars = (bar[0], bar[1]) if lease.plan.what in OPPOSITE else (bar,)
        if any(isbox(a) for a in (theta, x, context, *bars)):
            return [_twin_gradient(lease, args, i, bars) for i in argnums]
        bars = [_rows_last(np.asarray(a, lease.plan.at.dtype)) for a in bars]
        with np.errstate(all="ignore"), lease.alone():
            found = lease.plan.gradient(*bars)
            return [np.array(found[i], args[i].dtype, order="C") for i in argnums]

    return vjp


defvjp_argnums(_traced, _traced_vjp)


def _twin_gradient(lease, args, i, bars):
    """The gradient of the plain twin by argument i, for the trace of a second derivative.

    The twins import all rooms. So they are imported by name, and only here.
    """
    evaluate_twin = imported(TWINS).evaluate

    def f(arg):
        theta, x, context = (*args[:i], arg, *args[i + 1 : 3])
        return evaluate_twin(lease.part, lease.plan.what, theta, x, context)

    if len(bars) == 1:
        return make_vjp(f, args[i])[0](bars[0])
    return sum(make_vjp(lambda a, k=k: f(a)[k], args[i])[0](bar) for k, bar in enumerate(bars))


def _dtype(theta, x, context):
    """The dtype of a call: that of the parameters; without parameters, float32 stays float32."""
    if theta.size:
        return theta.dtype
    return x.dtype if context is None else np.result_type(x.dtype, context.dtype)


def _rows_first(a):
    """(D, N) -> (N, D), (D, n_out, N) -> (N, D, n_out), a view."""
    return a.T if a.ndim < 3 else np.moveaxis(a, -1, 0)


def _rows_last(a):
    return a.T if a.ndim < 3 else np.moveaxis(a, 0, -1)
