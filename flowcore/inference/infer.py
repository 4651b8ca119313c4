"""`infer`: a flow fitted to an unnormalised density, with diagnostics."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import warn
from ..core.inputs import check_dim
from ..training.checks import check_flow
from .circles import centred
from .modes import Gaussian, find_modes
from .parts import fit_modes, trained
from .result import DRAWS, Inference
from .space import Space
from .start import first_gaussian
from .unnormalised import LogTarget
from .verdict import MISSING, of_labels

if TYPE_CHECKING:
    from ..core.typing import Seed
    from ..distributions import TransformedDistribution

PRIOR_DRAWS = 1000  # the best of which is where the search for the Gaussian starts
SKIP_ABOVE = 30.0  # times the usual norm of a gradient
GAP, REFIT = 2.0, 15  # standard errors of missing mass, epochs of a fit that mends it


def infer(
    log_target: Callable,
    dim: int | None = None,
    *,
    flow: TransformedDistribution | None = None,
    support: Any = None,
    start: Any = None,
    draws: int = DRAWS,
    rng: Seed = 0,
    **options: Any,
) -> Inference:
    """Weighted draws of a density that is known up to a constant, such as a posterior.

    A flow is fitted to it by reverse KL, and its draws get importance weights. These give
    expectations and the evidence, and they show whether the fit can be trusted: print the result.

    Errors: those of `fit_reverse_kl`; ValueError for a support that is invalid, or does not fit
    `dim` or the flow. Cost: the training of a flow for each mode, the search for modes, and one
    call of the target with `draws` rows and, unless q is close to p, 64,000 rows more. If a peak in
    a wide mode is missed, the training again, with a flow for the peak. If moved draws find gaps,
    as on a ring, or several modes cannot be trusted, two refits.

    Parameters
    ----------
    log_target : callable
        A function of rows (n, D). It returns log p~ (n,), computed in autograd.numpy, or the pair
        of log p~ and its gradient (n, D). With named parameters it takes a dictionary of arrays of
        shape (n, *shape), and the gradient is a dictionary, too.
    dim : int or None
        D; None: the dim of the flow, of the named parameters, or of a list of supports.
    flow : TransformedDistribution or None
        None: the modes of the target are searched for. An IAF of four layers starts from the
        Gaussian of each mode; several modes give a `Mixture` of such flows. For a flow of your own
        there is no search for modes; with a support, its dim is the number of free coordinates.
    support : str, pair, list, dict or None
        The support of p, or its priors. For rows: None or "real", "positive", or (low, high) with
        ends that may be infinite; or a list of these, one for every coordinate. For named
        parameters: {name: support} or {name: (support, shape)}. "angle" is for angles in [-pi, pi).
        Three more supports are for vectors and matrices on the last axes of the shape: "simplex",
        "ordered" and "correlation_cholesky". The log-determinants of the maps are included.

        A prior may take the place of a support: `HalfCauchy`, `LogUniform`, `Dirichlet`,
        `Uniform(low, high)`, or a frozen distribution of scipy.stats. Its log-density is added to
        log_target, which is then the likelihood.
    start : array_like or dict
        Parameters near the mass of p and inside of the support: the searches start there.
    draws : int
        Number of weighted draws.
    rng : int or Generator
        Seed of all random numbers.
    **options
        Options of `fit_reverse_kl`; max_seconds does not include the searches for the Gaussian and
        the modes. Several modes share the default epochs, and have at least 10 each; the name of a
        checkpoint then ends with the number of the mode.

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
    if flow is not None:
        check_flow(flow)
    space = _space(support, dim, flow)
    rng = np.random.default_rng(rng)
    space = centred(space, log_target, start, rng)
    log_target = space.on_line(log_target)
    start = None if start is None else space.to_line(start)
    target = LogTarget(log_target, space.free)
    options = {"skip_above": SKIP_ABOVE} | options
    if flow is None:
        near, extra = _first(target, space, start, rng)
        # the search has draws of its own: a target with one mode is fitted as without a search
        gaussians, modes = find_modes(target, near, extra, copy.deepcopy(rng))
        if (advice := of_labels(modes)) and len(gaussians) > 1:
            warn(f"{len(gaussians)} modes found: each gets a flow of its own.{advice}")
        flow, history = fit_modes(target, gaussians, modes.shares, rng, **options)
        if len(gaussians) > 1:
            modes = replace(modes, shares=flow.weights)
    else:
        gaussians, modes = [], None
        flow, history = trained(flow, target, start=start, rng=rng, **options)
    history.settings["raised_rows"] = target.n_raised
    found = Inference.of(flow, target, draws, rng, history, space, modes).checked(rng)
    if modes is None or options.get("max_seconds"):
        return found
    if len(gaussians) == len(modes.shares) and (found.missed > MISSING).any():
        found = _with_peaks(found, gaussians, rng, options)
    share, error = found.missing_mass
    if not (share > GAP * error or (len(found.modes.shares) > 1 and not found.trusted)):
        return found
    again = found.refit(draws, rng, epochs=REFIT).refit(draws, rng, epochs=REFIT)
    best = min(found, again, key=lambda one: (not one.trusted, one.log_evidence[1]))
    return replace(best, history=found.history)


def _with_peaks(
    found: Inference, gaussians: list[Gaussian], rng: np.random.Generator, options: dict
) -> Inference:
    """The same target with flows for peaks, too, that the flows of its modes have missed."""
    modes = found.modes
    peaks = np.flatnonzero(found.missed > MISSING)
    missed = found.missed[peaks]
    shares = np.append(modes.shares * max(0.5, 1 - missed.sum()), missed)
    flow, history = fit_modes(
        found.target, [*gaussians, *map(found.peak, peaks)], shares / shares.sum(), rng,
        **options | {"checkpoint": None},
    )  # fmt: skip
    history.settings["raised_rows"] = found.target.n_raised
    modes = replace(
        modes,
        centres=np.append(modes.centres, modes.centres[peaks], axis=0),
        shares=flow.weights,
        counts=np.append(modes.counts, modes.counts[peaks]),
    )
    again = Inference.of(flow, found.target, len(found.rows), rng, history, found.space, modes)
    return again.checked(rng)


def _first(target: LogTarget, space: Space, start, rng) -> tuple[Gaussian, np.ndarray]:
    """The Gaussian closest to the target, and rows where ascents start: `start`, or the prior's.

    The search for the Gaussian starts at the best of the draws of the prior.
    """
    if start is not None:
        return first_gaussian(target, start, rng), start
    rows = space.prior_draws(PRIOR_DRAWS, rng)
    if rows is None or not len(rows):
        return first_gaussian(target, None, rng), np.empty((0, target.dim))
    best = rows[[np.argmax(target.avoiding(rows)[0])]]
    return first_gaussian(target, best, rng), rows


def _space(support, dim, flow) -> Space:
    named = isinstance(support, dict)
    if dim is None and flow is not None and not named:
        dim = flow.dim
    space = Space(support, dim if dim is None else check_dim("dim", dim))
    if flow is not None and flow.dim != space.free:
        what = f"the support has {space.free} free coordinates" if named else f"dim is {dim}"
        raise ValueError(f"{what}, but the flow has dim {flow.dim}")
    return space
