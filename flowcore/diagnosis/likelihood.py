"""Mean log p, compared with simple densities and training rows, and without the worst row.

Log-densities are in nats, and every difference has its standard error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..bijectors import Standardize
from ..core import imported
from ..core.inputs import named
from ..distributions import ClampedBase
from ..mixtures.normal_mixture import fitted
from .density import GivenRows
from .findings import Finding, nats
from .tests import Row

MOST_ROWS = 10_000  # that baselines and training means are made of: more hardly change them
LARGE_GAP = 0.1  # nats between training and held-out rows


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """The mean of values (n,), and its standard error; nan unless all are finite."""
    error = math.nan
    if len(values) > 1 and np.isfinite(values).all():
        error = float(values.std(ddof=1) / math.sqrt(len(values)))
    return float(values.mean()), error


def support(log_p: np.ndarray, place: np.ndarray) -> list[Finding]:
    """Rows whose density is 0; place (n,): the numbers of the rows."""
    rows = place[np.isneginf(log_p)].tolist()
    text = (
        f"The density is 0 at {len(rows):,} of {len(log_p):,} rows ({named('row', rows)}): outside "
        "of its support, or too far out for a floating-point number. The mean is -inf."
    )
    found = Finding("support", "rows of density 0", len(rows), fault=True, sentence=text,
                    rows=tuple(rows))  # fmt: skip
    return [found] * bool(rows)


# ---------------------------------------------------------------------------- baselines


@np.errstate(all="ignore")  # at rows so far out that both densities are 0
def baselines(
    log_p: np.ndarray, held_out: GivenRows, train: GivenRows | None, rng: np.random.Generator,
    lacking: bool = False,
) -> list[Finding]:  # fmt: skip
    """The gain of the density over a Gaussian, and over the mixture with the best BIC.

    Without training rows these learn from half of the held-out rows, and all are compared on the
    other half. With a context they are fitted to rows (x, c), and p(x | c) = p(x, c) / p(c). If
    rows may be lacking numbers, the Gaussian is `FlowDensity`'s, of those that are present. The
    p-value is that of Student's t test that the baseline is no better.
    """
    here, learn, half, short = np.arange(len(log_p)), train, "", ""
    if train is None:
        others, here = np.array_split(rng.permutation(len(log_p)), 2)
        learn = held_out.of(others)
        half = " (on half of the rows; the baselines learned from the others)"
        short = " (half)"
    gains, found = [], _of_present if lacking else _baselines
    for name, theirs in found(learn, held_out.of(here), rng):
        gain, error = mean_and_error(log_p[here] - theirs)
        p = float(imported("scipy.stats").t(len(here) - 1).cdf(np.divide(gain, error)))
        text = f"The density is 0 at some rows, where {name} is not{half}." * (gain == -math.inf)
        if math.isfinite(gain):  # as good as the truth may be: a fault only where a test finds one
            text = f"The density is no better than {name}: {nats(gain, error)} nats a row{half}."
        if p > 0.975:  # two-sided, at 5%
            text = f"The density is better than {name} by {nats(gain, error)} nats a row{half}."
        gains.append(Finding("baselines", f"gain over {name}{short}", gain, error, p=p,
                             fault=gain == -math.inf, sentence=text))  # fmt: skip
    return gains


def _of_present(learn: GivenRows, rows: GivenRows, rng) -> Iterator[tuple[str, np.ndarray]]:
    """(name, log p of the numbers that rows have) of a Gaussian, if there is enough to learn."""
    from ..estimator.rows import Sample  # with scikit-learn
    from ..estimator.simple_densities import mixture_of_present

    weight, place = np.full(len(learn.x), 1 / len(learn.x)), np.arange(len(learn.x))
    p = mixture_of_present(Sample(learn.x, learn.context, weight, place), rng)
    if p is not None:
        yield "a Gaussian", ClampedBase(p).log_prob(rows.x, context=rows.context[:, -p.dim :])


def _baselines(learn: GivenRows, rows: GivenRows, rng) -> Iterator[tuple[str, np.ndarray]]:
    """(name, log p(x | c) of the rows), of a Gaussian, and of a mixture if there is a better one.

    In units of powers of two, exactly, in which no square over- or underflows.
    """
    dim, known = learn.x.shape[1], learn.joint
    if len(known) < 2:
        raise ValueError("X_train has one row, but the Gaussian baseline needs at least two")
    known = known[rng.permutation(len(known))[:MOST_ROWS]]
    unit = np.frexp(np.abs(known).max(axis=0))[1]
    known, x = np.ldexp(known, -unit), np.ldexp(rows.joint, -unit)
    # a column may be constant, such as a category's: `from_data` would raise
    standardize = Standardize(len(unit)).initialize_from_context(known)
    weight = np.full(len(known), 1 / len(known))
    for k in (1, "bic"):
        p = fitted(known, weight, k, rng, standardize)
        if k == "bic" and p.n_components == 1:
            return
        log_p = p.log_prob(x)
        if len(unit) > dim:
            log_p = log_p - p.marginal(range(dim, len(unit))).log_prob(x[:, dim:])
        log_p = log_p - unit[:dim].sum() * math.log(2)
        name = "a Gaussian" if k == 1 else f"a mixture of {p.n_components} Gaussians"
        yield name, np.where(np.isnan(log_p), -np.inf, log_p)


# ---------------------------------------------------------------------------- rows that decide


@np.errstate(invalid="ignore")  # of rows of density 0
def worst_row(log_p: np.ndarray, worst: Row, log_p_of_draws: np.ndarray) -> Finding:
    """By how many nats the least probable row alone lowers the mean.

    A fault only if it is further below all m draws than these are below their median: of n rows of
    the truth, one is below all draws in n / (n + m) of the reports.
    """
    mean, error = mean_and_error(log_p)
    pull = float((log_p.sum() - log_p.min()) / (len(log_p) - 1) - mean)
    decides = pull > max(0.1, 0.7 * error)
    floor = 2 * log_p_of_draws.min() - np.median(log_p_of_draws)
    text = (
        f"Row {worst.index} alone (log p {nats(worst.log_p)}) lowers the mean by {nats(pull)} "
        f"nats; the median row has {nats(float(np.median(log_p)))}."
    )
    return Finding("worst row", "nats that the worst row costs", pull, remedy="tails",
                   fault=bool(decides and worst.log_p < floor), sentence=text * decides,
                   rows=(worst.index,))  # fmt: skip


def overfitting(log_p: np.ndarray, of_train: np.ndarray, harm: bool) -> Finding:
    """Mean log p of training rows minus mean log p of held-out rows.

    A gap alone is not a fault. Together with `harm`, any fault on held-out rows, it is.
    """
    mean, error = mean_and_error(of_train)
    gap, error = mean - float(log_p.mean()), math.hypot(error, mean_and_error(log_p)[1])
    size, large = f"overfitting: {nats(gap, error)} nats", gap > max(2 * error, LARGE_GAP)
    text = f"Training rows are hardly more likely than held-out rows ({size})."
    if large and harm:
        text = f"The density has learned training rows by heart ({size})."
    elif large:
        text = (
            f"Training rows are more likely than held-out rows ({size}), as is usual for a "
            "flexible density. The held-out rows show no harm; quote their mean."
        )
    return Finding("overfitting", "overfitting", gap, error, held_out=False, fault=large and harm,
                   sentence=text * math.isfinite(error))  # fmt: skip
