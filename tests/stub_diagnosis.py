"""What the tests of `diagnose` share: wrong densities, and reports made by hand."""

from dataclasses import replace

import numpy as np

import flowcore as fc
from flowcore.diagnosis.findings import (
    Association,
    Beside,
    Far,
    Learned,
    Row,
    TwoSamples,
    Uniformity,
)

QUICK = {"draws": 1000}
FLAT = (10,) * 20


class Plain:
    """No flow: nothing but `dim`, `log_prob` and `sample`, which may be those of two densities."""

    def __init__(self, density, sampler=None):
        self.density, self.sampler, self.dim = density, sampler or density, density.dim

    def log_prob(self, x):
        return self.density.log_prob(x)

    def sample(self, n, rng=None):
        return self.sampler.sample(n, rng)


def uniformity(name="age", ks=0.02, adjusted=1.0, shape="shape", given=None):
    return Uniformity(name, ks, adjusted, adjusted, shape, FLAT, 200, given)


def report(**changes):
    """A report that finds nothing, with some of its numbers changed."""
    names = ("age", "income", "height", "weight", "year")
    nothing = fc.Diagnosis(
        density="Flow",
        n=5000,
        names=names,
        mean=-2.0,
        standard_error=0.05,
        median=-1.9,
        baselines=(
            Beside("a Gaussian", -3.0, 1.0, 0.1),
            Beside("a mixture of 3 Gaussians", -2.5, 0.5, 0.1),
        ),
        baselines_by_halves=False,
        columns=tuple(uniformity(name) for name in names),
        latents=tuple(uniformity(f"z_{i}") for i in range(1, 6)),
        latents_of="coordinates",
        association=Association(0.02, 0.5, 1.0),
        own_level=uniformity("log p"),
        classifier=TwoSamples(0.501, 0.01, 0.4, 1.0, 500),
        far=Far(0.001, -9.0, (), 5.0, 1.0, 1.0, 0),
        worst=(Row(7, -8.0, 0.01, "age", 90.0, 0.999),),
        pull=0.001,
        learned=Learned(-1.95, 0.05, 0.07),
        gridded=(),
        draws=20_000,
        wild_draws=0,
        alpha=0.05,
        history=None,
        rows=np.zeros((3, 5)),
        drawn=np.zeros((3, 5)),
    )
    return replace(nothing, **changes)


def faults(found):
    """The kinds of the sentences that speak against a density."""
    return {sentence.kind for sentence in found.sentences if sentence.fault}


def text_of(found, kind):
    return " ".join(sentence.text for sentence in found.sentences if sentence.kind == kind)
