"""One run of a program: evidence, its error, calls of the likelihood, CPU seconds."""

from __future__ import annotations

import time
from importlib import import_module
from tempfile import TemporaryDirectory

import numpy as np

from .targets import TARGETS, Target

FLOWCORE_MAF = {"recipe": "maf", "layers": 3, "hidden": [64, 64]}


class Clock:
    """CPU seconds of this process within one method of an object."""

    def __init__(self):
        self.seconds = 0.0

    def on(self, owner, name: str) -> None:
        method = getattr(owner, name)

        def timed(*args, **kwargs):
            start = time.process_time()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds += time.process_time() - start

        setattr(owner, name, timed)


def nessai(target: Target, own: bool, seed: int, quick: bool, clock: Clock):
    """Nested sampling with 1,000 live points; its RealNVP, or flowcore's of the same widths."""
    from nessai.flowmodel import FlowModel
    from nessai.flowsampler import FlowSampler
    from nessai.model import Model

    from .nessai_flow import FlowcoreModel, FlowcoreProposal

    class Problem(Model):
        allow_vectorised = True
        names = [f"x{i}" for i in range(target.dim)]  # noqa: RUF012
        bounds = {name: [target.low, target.high] for name in names}  # noqa: RUF012

        def log_prior(self, x):
            inside = np.log(self.in_bounds(x), dtype=float)
            return inside - target.dim * np.log(target.high - target.low)

        def log_likelihood(self, x):
            return target.log_l(self.unstructured_view(x).reshape(-1, target.dim))

    clock.on(FlowModel if own else FlowcoreModel, "train")
    with TemporaryDirectory() as folder, np.errstate(divide="ignore"):
        sampler = FlowSampler(
            Problem(), output=folder, nlive=100 if quick else 1000, seed=seed, resume=False,
            plot=False, flow_proposal_class=None if own else FlowcoreProposal,
        )  # fmt: skip
        sampler.run(plot=False, save=False)
    found = sampler.ns
    return found.log_evidence, found.log_evidence_error, found.total_likelihood_evaluations


def pocomc(target: Target, own: bool, seed: int, quick: bool, clock: Clock):
    """Preconditioned Monte Carlo with its defaults; nsf6 of zuko, or flowcore's."""
    import pocomc as program
    from scipy.stats import uniform

    from .pocomc_flow import PocoFlow

    prior = program.Prior([uniform(target.low, target.high - target.low)] * target.dim)
    sampler = program.Sampler(
        prior, target.log_l, vectorize=True, random_state=seed,
        **({"n_effective": 64, "n_active": 32, "train_config": {"epochs": 5}} if quick else {}),
    )  # fmt: skip
    if not own:
        sampler.flow = PocoFlow(target.dim, seed)
    clock.on(sampler.flow, "fit")
    n = 128 if quick else 4096
    sampler.run(n_total=n, n_evidence=n, progress=False)
    log_z, error = sampler.evidence()
    return log_z, error, sampler.calls


def aspire(target: Target, own: bool, seed: int, quick: bool, clock: Clock):
    """Sequential Monte Carlo from a flow fitted to 2,000 prior draws; zuko's MAF, or as large a
    one of flowcore's, by the same number of epochs."""
    from aspire import Aspire, Samples

    from .aspire_flow import AspireFlow

    rng = np.random.default_rng(seed)
    names = [f"x{i}" for i in range(target.dim)]
    box = np.log(target.high - target.low)
    calls = 0

    def log_l(samples):
        nonlocal calls
        calls += len(samples.x)
        return target.log_l(np.asarray(samples.x, float))

    def log_prior(samples):
        x = np.asarray(samples.x)
        inside = ((x >= target.low) & (x <= target.high)).all(axis=1)
        return np.where(inside, -target.dim * box, -np.inf)

    bounds = {name: [target.low, target.high] for name in names}
    flow = None if own else AspireFlow(names, bounds, rng=seed, dtype="float32", **FLOWCORE_MAF)
    found = Aspire(
        log_likelihood=log_l, log_prior=log_prior, dims=target.dim, parameters=names, xp=np,
        prior_bounds=bounds, seed=seed, dtype="float32", flow=flow,
    )  # fmt: skip
    if own:
        found.init_flow()
    clock.on(found.flow, "fit")
    x = rng.uniform(target.low, target.high, (200 if quick else 2000, target.dim))
    epochs = 2 if quick else 100
    options = (
        {"n_epochs": epochs}
        if own
        else {"epochs": epochs, "batch_size": 500, "validation_split": 0.2}
    )
    found.fit(Samples(x, parameters=names, xp=np), **options)
    result = found.sample_posterior(n_samples=100 if quick else 1000, sampler="smc")
    return float(result.log_evidence), float(result.log_evidence_error), calls


PROGRAMS = {f.__name__: f for f in (nessai, pocomc, aspire)}
IMPORTS = {  # before the clock starts; torch is among them all
    "nessai": ("nessai.flowsampler", "benchmarks.studies.samplers.nessai_flow"),
    "pocomc": ("pocomc", "benchmarks.studies.samplers.pocomc_flow"),
    "aspire": ("aspire.flows.torch.flows", "benchmarks.studies.samplers.aspire_flow"),
}


def run(program: str, target: str, own: bool, seed: int, quick: bool) -> dict:
    """One row of the table."""
    problem, clock = TARGETS[target](), Clock()
    for module in IMPORTS[program]:
        import_module(module)
    start = time.process_time()
    log_z, error, calls = PROGRAMS[program](problem, own, seed, quick, clock)
    return {
        "program": program, "target": target, "flow": "its own" if own else "flowcore",
        "seed": seed, "log Z": float(log_z), "error": float(error), "exact": problem.log_z,
        "calls": int(calls), "seconds": time.process_time() - start, "training": clock.seconds,
    }  # fmt: skip
