"""`infer`: a flow fitted to an unnormalised density, with diagnostics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.inputs import check_dim
from ..training import TrainingDivergedError, fit_reverse_kl
from ..training.unnormalised import LogTarget
from .bounds import check_bounds, rows_around, rows_beyond
from .result import DRAWS, Inference
from .space import Space, pulled_back
from .start import flow_around

if TYPE_CHECKING:
    from ..core.typing import Seed
    from ..distributions import TransformedDistribution

SKIP_ABOVE = 30.0  # times the usual norm of a gradient
FALL = 5.0  # nats: a density that is lower at a bound hardly needs a support


def infer(
    log_target: Callable,
    dim: int | None = None,
    *,
    flow: TransformedDistribution | None = None,
    support: Any = None,
    start: Any = None,
    anneal: int = 0,
    draws: int = DRAWS,
    rng: Seed = 0,
    **options: Any,
) -> Inference:
    """Fit a flow to an unnormalised density by reverse KL, weight its draws, and judge the fit.

    Errors: those of `fit_reverse_kl`; ValueError for a support that is invalid, or does not fit
    `dim` or the flow. Cost: the training, and one call of the target with `draws` rows.

    Parameters
    ----------
    log_target : callable
        A function of rows (n, D). It returns log p~ (n,), computed in autograd.numpy, or the pair
        of log p~ and its gradient (n, D). With named parameters it takes a dictionary of arrays of
        shape (n, *shape), and the gradient is a dictionary, too.
    dim : int or None
        D; None: the dim of the flow, or of the named parameters.
    flow : TransformedDistribution or None
        None: the Gaussian closest to the target is found first, and an IAF of four layers starts
        from it. A new flow of your own is initialised with rows near the target. With a support,
        the dim of the flow is the number of free coordinates.
    support : str, pair, list, dict or None
        The support of p. For rows: None or "real", "positive", or (low, high) with ends that may be
        infinite; or a list of these, one for every coordinate. For named parameters: {name:
        support} or {name: (support, shape)}. Three more supports are for vectors and matrices on
        the last axes of the shape: "simplex", "ordered" and "correlation_cholesky".
        The log-determinants of the maps are included.
    start : array_like or dict
        Parameters near the mass of p and inside of the support: see `fit_reverse_kl`.
    anneal : int
        For targets with several modes: the number of epochs at the beginning, such as 25 of the 50,
        that learn a flatter target. The Gaussian is then fitted to the flattest target. See
        `fit_reverse_kl`.
    draws : int
        Number of weighted draws.
    rng : int or Generator
        Seed of all random numbers.
    **options
        Options of `fit_reverse_kl`; without a flow of your own, max_seconds does not
        include the search for the Gaussian.

    Returns
    -------
    Inference
        The flow with its weighted draws; print it for the verdict.

    References
    ----------
    Kingma et al., "Improving variational inference with inverse autoregressive flow", 2016. Yao,
    Vehtari, Simpson and Gelman, "Yes, but did it work?", 2018.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> def log_target(p):  # a Gamma(3, 1), and a Dirichlet(2, 2, 2)
    ...     return 2 * anp.log(p["rate"]) - p["rate"] + anp.sum(anp.log(p["share"]), axis=1)
    >>> support = {"rate": "positive", "share": ("simplex", (3,))}
    >>> found = infer(log_target, support=support, epochs=6, batches=40, learning_rate=0.01)
    >>> mean, error = found.expectation()
    >>> bool(abs(mean["rate"] - 3) < 0.2), mean["share"].round(1)
    (True, array([0.3, 0.3, 0.3]))
    """
    check_dim("draws", draws)
    space = _space(support, dim, flow)
    rng = np.random.default_rng(rng)
    if not space.is_line:
        if not callable(log_target):
            raise TypeError(f"log_target is a function of parameters: got {log_target!r:.60}")
        log_target = pulled_back(log_target, space.from_line)
    start = None if start is None else space.to_line(start)
    target = LogTarget(log_target, space.free)
    if flow is None:
        near = target.power(1 / anneal) if check_dim("anneal", anneal, least=0) else target
        try:
            flow, start = flow_around(near, start, rng), None
        except ValueError:  # the search may have begun outside of bounds
            check_bounds(target, space, support, rows_around(start, space.free))
            raise
        check_bounds(target, space, support, rows_beyond(flow), FALL)
    options = {"skip_above": SKIP_ABOVE} | options
    try:
        flow, history = fit_reverse_kl(flow, target, anneal=anneal, start=start, rng=rng, **options)
    except TrainingDivergedError as problem:
        flow, history = problem.flow, problem.history
    found = Inference.of(flow, target, draws, rng, history, space)
    history.settings["raised_rows"] = target.n_raised
    if "diverged" in history.settings or not found.trusted:
        check_bounds(target, space, support, rows_beyond(flow))
    return found


def _space(support, dim, flow) -> Space:
    named = isinstance(support, dict)
    if dim is None and flow is not None and not named:
        dim = flow.dim
    space = Space.of(support, dim if dim is None else check_dim("dim", dim))
    if flow is not None and flow.dim != space.free:
        what = f"the support has {space.free} free coordinates" if named else f"dim is {dim}"
        raise ValueError(f"{what}, but the flow has dim {flow.dim}")
    return space
