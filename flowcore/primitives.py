"""Where flowcore meets autograd: one primitive for whatever has a hand-written gradient, and tanh.

Everything in the engine that has a gradient is a function on plain arrays

    run(theta, x, context) -> (value, pullback)
    pullback(value_bar)    -> (theta_bar, x_bar, context_bar)

where a_bar is the gradient of the loss with respect to a. A chain runs its parts one after another
and pulls back through them in reverse; so a whole flow, however deep, is a single operation to
autograd, and its gradients land directly in one flat vector.
"""

from __future__ import annotations

import numpy as np
from autograd.extend import defvjp, defvjp_argnums, primitive
from autograd.tracer import getval, isbox


def differentiable(run, theta, x, context):
    """The value of run(theta, x, context): an array or a tuple of arrays, traced by autograd."""
    if isbox(theta) or isbox(x) or isbox(context):
        return _run(theta, x, context, run, {})
    return run(theta, x, context)[0]


@primitive
def _run(theta, x, context, run, tape):
    # `tape` is a fresh dict for every call: a VJP sees only the answer and positional arguments
    value, tape["pullback"] = run(theta, x, context)
    return value


@primitive
def _run_backward(theta, x, context, tape, *value_bars):
    """A primitive without a gradient of its own, of all that a gradient depends on: a second
    derivative raises NotImplementedError instead of being silently wrong."""
    return tape["pullback"](*value_bars)


def _run_vjp(argnums, ans, args, kwargs):
    theta, x, context, _, tape = args

    def vjp(value_bar):
        value_bars = value_bar if isinstance(getval(ans), tuple) else (value_bar,)
        bars = _run_backward(theta, x, context, tape, *value_bars)
        return [np.asarray(bars[i], args[i].dtype) for i in argnums]

    return vjp


defvjp_argnums(_run, _run_vjp)


def _run_backward_vjp(argnums, ans, args, kwargs):
    raise NotImplementedError(
        "second derivatives: the gradients of networks, splines and mixtures are written by hand, "
        "and are not differentiable themselves; take finite differences of a gradient"
    )


defvjp_argnums(_run_backward, _run_backward_vjp)


@primitive
def tanh(a):
    """tanh with the derivative 1 - tanh^2; autograd's 1/cosh^2 overflows beyond |a| of about 89."""
    return np.tanh(a)


defvjp(tanh, lambda ans, a: lambda g: g * (1 - ans * ans))
