"""A user's own bijectors and densities: two methods in autograd.numpy, bound like all others.

autograd traces them anew for every batch, which is slower than a hand-written gradient.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from autograd.builtins import tuple as atuple
from autograd.core import VJPNode, make_vjp
from autograd.tracer import getval, isbox, new_box, trace_stack

from .inputs import check_one_a_row
from .workspace import Workspace


def by_autograd(f: Callable, at: Workspace, part):
    """(run, back) of a user's f(params, x (N, D), context), written in autograd.numpy.

    f returns (value (N, D), log_det (N,)), or for a density log_prob (N,) alone. `part` is its
    owner: a leaf, or a composite that splits its vector itself.
    """
    pieces = [at.params(leaf) for leaf in part.leaves]
    ends = np.cumsum([theta.size for theta, _ in pieces])[:-1]
    reads_context = bool(part.context_dim)
    vjp, checked = None, False

    def outputs(args):
        return f(*args) if reads_context else f(*args, None)

    def run(x, l):
        nonlocal vjp, checked
        params = np.concatenate([at.theta[:0], *(theta for theta, _ in pieces)])
        args = (params, np.array(x.T, at.dtype))
        if reads_context:
            args = (*args, np.array(at.context.T, at.dtype, order="C"))
        vjp, found = vjp_of(outputs, args, part) if at.tape else (None, outputs(args))
        if at.tape and part.n_params and not checked:
            _check_reads_params(outputs, args, part)
            checked = True
        if not isinstance(found, tuple):
            check_one_a_row(part, "log_prob", found, x.T)
            np.add(l, found, l, casting="same_kind")
            return None
        value, log_det = found
        check_one_a_row(part, "log-det", log_det, value)
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


def is_built_in(part) -> bool:
    """True if a part and everything in it are of flowcore's own classes.

    These are finite functions of finite numbers: a NaN means that an intermediate number
    overflowed.
    """
    if type(part).__module__.partition(".")[0] != __name__.partition(".")[0]:
        return False
    inner = [*getattr(part, "parts", ()), *getattr(part, "transformers", ())]
    inner += [getattr(part, name) for name in ("transformer", "density") if hasattr(part, name)]
    return all(map(is_built_in, inner))


def vjp_of(f: Callable, args, part):
    """autograd's make_vjp of a function of a tuple that returns an array or a tuple of arrays, with
    an error that names the part that is not written in autograd.numpy."""

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
        f(args)  # raises, if f is wrong without a trace, too: then that error is the better one
        raise TypeError(
            f"the gradient of {part!r} is needed, and cannot be computed: write its methods in "
            "autograd.numpy (import autograd.numpy as anp), without writes into arrays, and "
            f"compute with the params that they are given ({problem})"
        ) from problem


def _check_reads_params(f: Callable, args, part):
    """A TypeError if f ignores the parameters: otherwise their gradient would silently be 0."""
    with trace_stack.new_trace() as trace:
        found = f((new_box(args[0], trace, VJPNode.new_root()), *args[1:]))
    if not any(isbox(a) for a in (found if isinstance(found, tuple) else (found,))):
        raise TypeError(
            f"the gradient of {part!r} is needed, but its result does not depend on params: "
            "compute with the params that its methods get, in autograd.numpy, not with "
            "self.params"
        )
