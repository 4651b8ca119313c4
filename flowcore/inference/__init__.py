"""Inference: a density known up to a constant, as a flow that can be sampled and checked.

infer.py      `infer`: fit, weight, judge
modes.py      the modes of a target, found before training
start.py      the Gaussian from which `infer` starts, and a flow around it
reverse_kl.py `fit_reverse_kl`; nearest_gaussian.py; unnormalised.py: a target and its gradient
parts.py      the flow of several modes: a mixture, one flow a mode
result.py     `Inference`: weights, evidence; corrections: refit, Metropolis, HMC
verdict.py    the verdict on an `Inference`, in words; the printed table
space.py      parameters by name, and the maps to them from the free coordinates of a flow
supports.py   the maps of intervals, angles, simplexes, ordered vectors, Cholesky factors
priors.py     distributions of scipy.stats as priors: support, log-density, draws
circles.py    where the circle of an angle is cut
hmc.py        Hamiltonian Monte Carlo, on a flow's z
evidence.py   `evidence`: log Z from existing draws, by bridge sampling over a flow
"""

from .evidence import evidence
from .infer import infer
from .modes import Modes as Modes
from .priors import Dirichlet, HalfCauchy, LogUniform, Prior
from .result import Inference
from .reverse_kl import fit_reverse_kl
from .space import Space as Space

__all__ = [
    "Dirichlet",
    "HalfCauchy",
    "Inference",
    "LogUniform",
    "Prior",
    "evidence",
    "fit_reverse_kl",
    "infer",
]
