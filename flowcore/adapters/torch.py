"""Functions of flowcore in a graph of torch, with flowcore's own gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from autograd.builtins import tuple as atuple
from autograd.tracer import getval

from ..core import vjp_of


def to_torch(function: Callable) -> Callable:
    """Turn a function of arrays, written in autograd.numpy, into a function of torch tensors.

    Any method of a flow, base, bijector or network is such a function: `to_torch(flow.log_prob)`
    takes (x, params, context), tensors or None. The result is a tensor, or two if the method
    returns a pair. flowcore computes the gradients with respect to all three, and second
    derivatives, too (`create_graph=True`). Tensors are on the CPU. Results and gradients have the
    dtype of the tensors they are computed from: float32 if all are float32. bfloat16 is computed in
    float32. Without gradients (`torch.no_grad()`, or arguments that need none) the cost is a call
    of the function, and copies.

    Errors: ImportError without torch.

    Parameters
    ----------
    function : callable
        A function of one or more arrays that returns an array or a tuple of arrays.

    Returns
    -------
    callable
        A function of tensors, or None, in the same places.
    """
    try:
        import torch
    except ImportError as problem:
        raise ImportError("to_torch needs torch: pip install torch") from problem

    def as_array(tensor):
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().numpy()

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *args):
            ctx.save_for_backward(*args)
            arrays = [None if a is None else as_array(a) for a in args]
            ctx.wanted = [i for i, needed in enumerate(ctx.needs_input_grad) if needed]
            ctx.pullback, found = _pullback(function, arrays, ctx.wanted)
            floats = [a.dtype for a in args if a is not None and a.is_floating_point()]
            dtype = reduce(torch.promote_types, floats) if floats else None
            several = isinstance(found, tuple)
            results = [torch.tensor(one, dtype=dtype) for one in (found if several else [found])]
            return tuple(results) if several else results[0]

        @staticmethod
        def backward(ctx, *bars):
            args = ctx.saved_tensors
            if torch.is_grad_enabled():  # create_graph=True: a gradient of this is wanted, too
                gradients = to_torch(_gradients(function, ctx.wanted, len(args)))(*args, *bars)
            else:
                gradients = map(torch.tensor, ctx.pullback([*map(as_array, bars)]))
            found = dict(zip(ctx.wanted, gradients, strict=True))
            return tuple(found[i].to(a.dtype) if i in found else None for i, a in enumerate(args))

    def of_tensors(*args: Any) -> Any:
        if not torch.is_grad_enabled():
            args = [None if a is None else a.detach() for a in args]
        return Function.apply(*args)

    return of_tensors


def _pullback(function, args, wanted):
    """(from gradients by the results to those by the wanted arguments, the results)."""
    if not wanted:
        return None, function(*args)

    def of_wanted(some):
        given = dict(zip(wanted, some, strict=True))
        return function(*(given.get(i, a) for i, a in enumerate(args)))

    vjp, found = vjp_of(of_wanted, atuple([args[i] for i in wanted]), function)
    several = isinstance(getval(found), tuple)
    return lambda bars: vjp(atuple(bars) if several else bars[0]), found


def _gradients(function, wanted, n_args):
    """The gradients by the wanted arguments, as a function of arguments and results' gradients."""
    return lambda *all: tuple(_pullback(function, all[:n_args], wanted)[0](all[n_args:]))
