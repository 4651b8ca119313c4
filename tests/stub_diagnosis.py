"""What the tests of `diagnose` share: wrong densities, and reports made by hand."""

from dataclasses import replace

import numpy as np

import flowcore as fc
from flowcore.diagnosis.findings import KINDS, Finding, adjusted
from flowcore.diagnosis.tests import Row

QUICK = {"draws": 1000}
FLAT = (10,) * 20
NAMES = ("age", "income", "height", "weight", "year")


class Plain:
    """No flow: nothing but `dim`, `log_prob` and `sample`, which may be those of two densities."""

    def __init__(self, density, sampler=None):
        self.density, self.sampler, self.dim = density, sampler or density, density.dim

    def log_prob(self, x):
        return self.density.log_prob(x)

    def sample(self, n, rng=None):
        return self.sampler.sample(n, rng)


def ks(kind, name, effect=0.02, p=0.5, **changes):
    return Finding(kind, f"KS of {name}", effect, p=p, sentence=f"`{name}` is wrong.",
                   remedy="flexible", counts=FLAT, **changes)  # fmt: skip


def report(*findings, density="Flow", **changes):
    """A report without faults, but for the findings: each takes the place of one of its kind."""
    usual = [
        Finding("baselines", "gain over a Gaussian", 1.0, 0.1, sentence="The density is better."),
        *(ks("columns", name) for name in NAMES),
        Finding("classifier", "AUC of a classifier", 0.501, p=0.4, sentence="It separates."),
        *(ks("latents", f"z_{i}") for i in range(1, 6)),
        ks("level", "log p"),
        Finding("tails", "rows in the tails", 2, p=1.0, sentence="2 rows are far out."),
    ]
    for new in findings:
        same = [k for k, old in enumerate(usual) if old.kind == new.kind and old not in findings]
        place = same[0] if same else len(usual)
        usual[place : place + 1] = [new]
    usual.sort(key=lambda found: list(KINDS).index(found.kind))
    made = fc.Diagnosis(
        density=density, n=5000, names=NAMES, given=(), mean=-2.0, standard_error=0.05,
        median=-1.9, draws=20_000, alpha=0.05, findings=tuple(adjusted(usual, 0.05)),
        worst=(Row(7, -8.0, 0.01, "age", 90.0),), rows=np.zeros((3, 5)), drawn=np.zeros((3, 5)),
        history=None,
    )  # fmt: skip
    return replace(made, **changes)


def faults(found):
    """The kinds of the findings that speak against a density."""
    return {one.kind for one in found.findings if one.fault}
