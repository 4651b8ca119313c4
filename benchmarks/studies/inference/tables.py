"""The tables: each a function that yields rows, a dict of name -> value."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.stats import wasserstein_distance

import flowcore as fc
from flowcore.inference.result import Inference
from flowcore.training.reverse_kl import ReverseKL
from flowcore.training.unnormalised import LogTarget

from ...support.cases import with_method
from . import models
from .exact import HEAVY, gaussian, targets
from .known import eight_schools, problems
from .posterior import compared, data_of, draws_of, moments, score_of_the_port

REFERENCE, REPEATS = 100_000, 10  # draws that others are compared with; sets of exact draws


def exact(dim: int, **options) -> Iterator[dict]:
    """`infer` on targets with exact draws: W1 is that of its weighted draws, over that of as many
    exact ones, of all margins together. Both are means over ten sets: single sets of exact draws
    range from .6 to 1.9 times their own mean."""
    for name, target in {**targets(dim), "eight schools": eight_schools()}.items():
        started = time.perf_counter()
        size, log_z = (10, target.log_z) if name == "eight schools" else (dim, 0.0)
        found = fc.infer(target.log_p, size, **options)
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


def gap(dim: int, **options) -> Iterator[dict]:
    """log Z - ELBO of one affine layer of IAF, on a Gaussian of correlated coordinates."""
    for condition in (10.0, 100.0):
        flow = fc.flows.iaf(dim, layers=1, hidden=[64, 64], activation="elu")
        found = fc.infer(gaussian(dim, condition).log_p, flow=flow, **options)
        value, error = found.elbo
        yield {"condition": condition, "D": dim, "gap": -value, "+-": error,
               "k-hat": found.k_hat}  # fmt: skip


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


def steps(report, dim: int, width: int, rows: int) -> Iterator[dict]:
    """Seconds of an update of reverse KL by the path derivative, over those of the plain ELBO."""
    target = LogTarget(lambda x: (-0.5 * np.sum(x**2, axis=1), -x), dim)
    for name in ("maf", "iaf"):
        flow = getattr(fc.flows, name)(dim, layers=5, hidden=[width, width], standardize=False)
        slow = with_method(flow, "sequential")
        losses = {
            "plain": ReverseKL(flow, target, gradient="total"),
            "path": ReverseKL(flow, target, gradient="path"),
            "textbook": ReverseKL(slow, target, gradient="path"),
        }
        z = losses["plain"].draws(rows, 0)
        steps = {k: lambda own=own, z=z: own(own.flow.params, z) for k, own in losses.items()}
        timings = report.interleave(steps)
        for kind in steps:
            report.add(f"{name} {kind}", timings, kind, dim=dim, width=width)
        ratio = {k: timings.ratio(k, "plain").median for k in ("path", "textbook")}
        yield {"flow": name, "path / plain": ratio["path"],
               "textbook path / plain": ratio["textbook"]}  # fmt: skip
