"""The tables: each a function that yields rows, a dict of name -> value."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.stats import wasserstein_distance

import flowcore as fc
from flowcore.inference.result import Inference

from . import models
from .exact import HEAVY, targets
from .known import eight_schools, problems
from .posterior import compared, data_of, draws_of, moments, score_of_the_port

REFERENCE, REPEATS = 100_000, 10  # draws that others are compared with; sets of exact draws


def exact(dim: int, **options) -> Iterator[dict]:
    """`infer` on targets with exact draws: W1 is that of its weighted draws, over that of as many
    exact ones, of all margins together. Both are means over ten sets: single sets of exact draws
    range from .6 to 1.9 times their own mean."""
    for name, target in {**targets(dim), "eight schools": eight_schools()}.items():
        started, log_z = time.perf_counter(), target.log_z
        found = fc.infer(target.log_p, target.dim, **options)
        seconds = time.perf_counter() - started
        rng = np.random.default_rng(1)
        far, n = target.sample(REFERENCE, rng), len(found.draws)
        best = np.mean([_w1(target.sample(n, rng), far) for _ in range(REPEATS)])
        sets = (Inference.of(found.flow, found.target, n, rng) for _ in range(REPEATS))
        own = np.mean([_w1(one.draws, far, one.weights) for one in sets])
        yield {
            "target": name, "W1 ratio": own / best,
            "k-hat": found.k_hat, "log Z - exact": found.log_evidence[0] - log_z,
            "+-": found.log_evidence[1], "ELBO - exact": found.elbo[0] - log_z,
            "trusted": found.trusted, "seconds": seconds,
            "reached": name not in HEAVY and own <= 1.5 * best and _near(found, log_z),
        }  # fmt: skip


def _near(found, log_z: float) -> bool:
    return found.k_hat < 0.7 and abs(found.log_evidence[0] - log_z) <= 0.02


def _w1(x, reference, weights=None) -> float:
    """The sum over margins."""
    pairs = zip(x.T, reference.T, strict=True)
    return sum(wasserstein_distance(a, b, weights) for a, b in pairs)


def posteriors(clone: Path, names, **options) -> Iterator[dict]:
    """`infer` on models of posteriordb, beside 10,000 reference draws of each."""
    for name in names:
        posterior = models.made(name, data_of(clone, name.split("-")[0]))
        draws = draws_of(clone, name)
        started = time.perf_counter()
        found = fc.infer(posterior.log_p, support=posterior.support, **options)
        seconds = time.perf_counter() - started
        of_mean, of_sd = compared(found, posterior, moments(draws))
        close = of_mean <= 0.1 and of_sd <= 0.1
        yield {
            "model": name, "port": score_of_the_port(posterior, draws), "mean": of_mean,
            "sd": of_sd, "k-hat": found.k_hat, "log Z": found.log_evidence[0],
            "trusted": found.trusted, "close": close, "seconds": seconds,
        }  # fmt: skip


def evidence(runs: int, rows: int, **options) -> Iterator[dict]:
    """`evidence` on exact draws: how far from the truth, and how often within 1.96 errors."""
    for name, problem in problems().items():
        found = [
            fc.evidence(
                problem.sample(rows, np.random.default_rng(seed)), problem.log_p, rng=seed,
                **options,
            )
            for seed in range(runs)
        ]  # fmt: skip
        value, error = np.array(found).T
        off = value - problem.log_z
        yield {
            "problem": name, "log Z": problem.log_z, "mean error": float(off.mean()),
            "largest": float(np.abs(off).max()), "its bar": float(error.mean()),
            "inside 95%": float(np.mean(np.abs(off) < 1.96 * error)), "runs": runs,
        }  # fmt: skip
