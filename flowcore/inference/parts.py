"""A flow for a target with several modes: a mixture of flows, each for its part of the target.

    p~ = sum_k p~_k        p~_k(y) = p~(y) w_k N_k(y) / sum_j w_j N_j(y)

with a Gaussian N_k and a share w_k for each mode. Then KL(q || p) of a mixture q = sum_k s_k q_k
with the shares s_k of the parts is at most sum_k s_k KL(q_k || p_k): if every flow is close to its
part, the mixture is close to the target.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np

from ..core import moment_after, until
from ..distributions import Mixture
from ..training import History, TrainingDivergedError
from ..training.defaults import AUTO, is_auto
from .modes import Gaussian, shares_of
from .reverse_kl import EPOCHS, fit_reverse_kl
from .start import flow_around
from .unnormalised import LogTarget

LEAST_EPOCHS = 10  # of a mode: the epochs of one fit are shared among the modes


def fit_modes(
    target: LogTarget, found: list[Gaussian], shares: np.ndarray, rng: np.random.Generator,
    max_seconds: float | None = None, checkpoint: str | os.PathLike | None = None, **options: Any,
) -> tuple[Any, History]:  # fmt: skip
    """A flow for the modes of a target, and the history of its training.

    One mode: an IAF that starts at its Gaussian. Several: a `Mixture` of such flows, and the
    history of the one with the largest share, or of one that diverged or was interrupted. All of
    them together have the epochs of one by default, but at least 10 each, and max_seconds.
    """
    if len(found) == 1:
        options |= {"max_seconds": max_seconds, "checkpoint": checkpoint}
        return trained(flow_around(*found[0]), target, rng=rng, **options)
    gaussians = [one.density for one in found]
    whole, flows, histories = Mixture(gaussians, shares), [], []
    if is_auto(options.get("epochs", AUTO)):
        options["epochs"] = max(LEAST_EPOCHS, EPOCHS // len(found))
    with until(moment_after(max_seconds)):
        for k, one in enumerate(found):
            file = None if checkpoint is None else f"{os.fspath(checkpoint)}.{k + 1}"
            part = _part(target, gaussians[k], whole)
            flow, history = trained(flow_around(*one), part, rng=rng, checkpoint=file, **options)
            flows.append(flow)
            histories.append(history)
    mixture = Mixture(flows, shares_of(target.values, flows, rng))
    # the one to read first: a training that diverged or was interrupted, or the largest share's
    broken = np.array(["diverged" in one.settings or one.interrupted for one in histories])
    k = np.argmax(mixture.weights + broken)
    # w_k was a guess: with the share instead, -ELBO + log Z is KL(q_k || p_k)
    shift, history = float(np.log(mixture.weights[k] / whole.weights[k])), histories[k]
    train, val = ([nll + shift for nll in nlls] for nlls in (history.train_nll, history.val_nll))
    return mixture, replace(history, train_nll=train, val_nll=val)


def trained(flow, target, **options: Any) -> tuple[Any, History]:
    """`fit_reverse_kl`; if training diverges, the best flow of before, and its history."""
    try:
        return fit_reverse_kl(flow, target, **options)
    except TrainingDivergedError as problem:
        return problem.flow, problem.history


def _part(target: LogTarget, gaussian, whole: Mixture):
    """log p~_k, up to a constant, with its gradient, as a function of rows."""
    share = LogTarget(lambda y: gaussian.log_prob(y) - whole.log_prob(y), target.dim)

    def log_p(y):
        value, slope = target.anywhere(y)
        log_share, by_y = share.anywhere(y)
        return value + log_share, slope + by_y

    return log_p
