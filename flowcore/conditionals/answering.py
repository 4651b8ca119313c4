"""Questions answered by weighted draws, many rows at a time.

    p(s_a) = E_g p(s_a, s_b) / g(s_b | s_a)        s_b ~ g(s_b | s_a)

A state s = (c, z) is a row of codes and numbers. A joint density has three methods:

    joint.marks(question)                       (m, k): rows of equal marks are answered together
    joint.without_weights(question, n, rngs)    a `Weighted` answer that needs no proposal, or None
    joint.target(question, n)                   p and g for states (m, n, W), n of each row:

    target.sample(rngs)                         states that are drawn from g, and log g (m, n)
    target.log_prob(states)                     log p (m, n), -inf where the question is not met
    target.log_proposal(states)                 log g (m, n), up to a number for each row
    target.in_units(states)                     rows of the question's kind; known values stay
    target.moving                               (W,): which numbers annealing moves

rngs are a generator for each row, so that its draws depend on no other row, or one for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core import BLAS, imported, warn
from ..core.inputs import check_dim, named
from ..distributions.columns import equal_rows
from .annealing import DIFFERENT, annealed
from .question import Question
from .weights import Judged, Weighted, weighted

NUMBERS = 2**18  # of draws that are held at once
MORE, FOUR = 5, 4  # times as many draws where the first ones fail; and for draws of equal weight
LEAST_DRAWS = 30  # of a row; fewer cannot be judged
FEWEST = 5_000  # that are annealed where the weights fail, for draws of equal weight


@dataclass(frozen=True)
class Answers(Judged):
    """The answers for n rows with holes.

    Attributes
    ----------
    draws : numpy.ndarray
        (m, n, D), m completed tables; known values do not change. m = 0 after `log_prob`.
    log_p, error : numpy.ndarray
        (n,), the log-density of the known values of each row, in nats, and its standard error.
    ess, k_hat : numpy.ndarray
        (n,), the effective sample size (inf without holes) and the Pareto k-hat (-inf if exact).
    annealed : numpy.ndarray
        (n,), True where the plain weights failed and annealed draws were used.
    tables : list
        The draws as m tables: for a frame of pandas, polars or pyarrow frames with all its columns,
        and its index; else arrays.

    Examples
    --------
    >>> import flowcore as fc
    >>> p = fc.MultivariateNormalMixture([[0.0, 5.0]], [[[1, 0], [0.8, 0.6]]])
    >>> answers = fc.Conditionals(p).impute([[1.0, np.nan], [np.nan, 5.0]], n=3)
    >>> answers.draws.shape, answers.log_p.round(4), answers.trusted
    ((3, 2, 2), array([-1.4189, -0.9189]), array([ True,  True]))
    """

    draws: np.ndarray
    log_p: np.ndarray
    error: np.ndarray
    ess: np.ndarray
    k_hat: np.ndarray
    annealed: np.ndarray
    as_table: Callable = field(default=np.asarray, repr=False)

    @property
    def tables(self) -> list:
        """The draws as completed tables of the caller's kind."""
        return [self.as_table(x) for x in self.draws]

    def warn_untrusted(self, numbers: np.ndarray) -> None:
        """A warning that counts the rows whose answers cannot be trusted; numbers: of all rows."""
        bad = np.flatnonzero(~self.trusted)
        if bad.size:
            warn(
                f"{bad.size} of {len(numbers)} rows have answers that are not to be trusted (k-hat "
                f"above 0.7, or fewer than 30 effective draws): {named('row', numbers[bad])}. "
                "Raise n_draws"
            )


def answers(
    joint: Any, question: Question, n: int, n_draws: int, rngs: list, progress: bool = False
) -> Answers:
    """The answers for all rows, with n draws taken from n_draws weighted ones of each row."""
    n_draws = check_dim("n_draws", n_draws, LEAST_DRAWS)
    m, width = len(question.codes), question.codes.shape[1] + question.x.shape[1]
    result = Answers(np.empty((n, m, width)), *np.zeros((4, m)), np.zeros(m, bool))
    blocks = blocks_of(joint, question, n_draws)
    for block in imported("tqdm.auto").tqdm(blocks, unit="blocks") if progress else blocks:
        block_rngs = [rngs[i] for i in block]
        answer = answer_block(joint, question.of(block), n_draws, block_rngs)
        for name in ("log_p", "error", "ess", "k_hat", "annealed"):
            getattr(result, name)[block] = getattr(answer, name)
        if n:
            result.draws[:, block] = answer.resampled(n, block_rngs).transpose(1, 0, 2)
    return result


def blocks_of(joint: Any, question: Question, n: int) -> list[np.ndarray]:
    """Numbers of rows that are answered together; each list is a block of bounded memory."""
    size = max(1, NUMBERS // (n * (1 + question.codes.shape[1] + question.x.shape[1])))
    together = equal_rows(joint.marks(question))
    return [rows[i : i + size] for rows in together for i in range(0, len(rows), size)]


def answer_block(joint: Any, question: Question, n: int, rngs: list) -> Weighted:
    """n weighted draws of each row; where they fail, from five times as many, or annealed."""
    answer = weighted_draws(joint, question, n, rngs)
    for i in np.flatnonzero(~answer.trusted):
        one, own = question.of([i]), [rngs[i]]
        more = weighted_draws(joint, one, MORE * n, own)
        if not more.trusted.all():
            more = weighted_draws(joint, one, MORE * n, own, moved=True)
        answer.replace([i], more.of_equal_weight(n, own))
    return answer


def different_draws(joint: Any, question: Question, n: int, rngs: list) -> Weighted:
    """n draws of equal weight for one row, taken from 4 n weighted ones; annealed if these fail, or
    if more than 5% of the n would be repeated."""
    answer = weighted_draws(joint, question, FOUR * n, rngs)
    n_different = np.minimum(n * answer.share, 1).sum()
    exact, good = np.isneginf(answer.k_hat).all(), answer.trusted.all()
    if not (exact or (good and n_different >= DIFFERENT * n)):
        answer = weighted_draws(joint, question, n if good else max(n, FEWEST), rngs, moved=True)
    return answer.of_equal_weight(n, rngs)


def weighted_draws(
    joint: Any, question: Question, n: int, rngs: list, moved: bool = False
) -> Weighted:
    """n weighted draws of each row, even if they fail; moved: annealed ones, of one row."""
    answer = joint.without_weights(question, n, rngs)
    if answer is not None:
        return answer
    with BLAS.single_threaded():
        target = joint.target(question, n)
        if moved:
            answer = annealed(target, *rngs)
        else:
            states, log_q = target.sample(rngs)
            log_p = target.log_prob(states)
            answer = weighted(states, np.where(np.isneginf(log_p), -np.inf, log_p - log_q))
        answer.x[:] = target.in_units(answer.x)
    return answer


def not_nan(log_p: Any, density: Any) -> np.ndarray:
    """log p as floats, or a ValueError if it is NaN."""
    log_p = np.asarray(log_p, float)
    if np.isnan(log_p).any():
        raise ValueError(f"the log-density is NaN at some draws: {density!r}")
    return log_p
