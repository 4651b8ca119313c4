"""Inference: a density known up to a constant, as a flow that can be sampled and checked.

infer.py      `infer`: fit, weight, judge
bounds.py     bounds beyond which a target is -inf, if there is no `support=`
modes.py      the modes of a target, found before training
start.py      the Gaussian from which `infer` starts
result.py     `Inference`: weights, evidence, a verdict; corrections: refit, Metropolis, HMC; ArviZ
space.py      parameters by name, and the maps to them from the free coordinates of a flow
supports.py   the maps of simplexes, ordered vectors, Cholesky factors of correlation matrices
hmc.py        Hamiltonian Monte Carlo, on a flow's z
evidence.py   `evidence`: log Z from existing draws, by bridge sampling over a flow
"""

from .evidence import evidence
from .infer import infer
from .result import Inference

__all__ = ["Inference", "evidence", "infer"]
