"""Adapters: flows in other programs, and likelihoods from them. They can be imported without any of
these programs.

backend.py       `Backend`, the methods that a sampler needs, and `FlowBackend`, a flow with them
emcee.py         `independence_move`: a move of emcee whose proposals are draws of a density
torch.py         `to_torch`: any function of flowcore as a part of torch's graph
likelihoods.py   `from_jax`, `from_torch`, `from_numpy`: log-densities as targets of `infer`

docs/use/samplers.md has classes to copy for aspire, nessai, pocoMC and sbi;
docs/use/likelihoods.md has likelihoods.
"""

from .backend import Backend, FlowBackend
from .emcee import independence_move
from .likelihoods import from_jax, from_numpy, from_torch
from .torch import to_torch

__all__ = [
    "Backend", "FlowBackend", "from_jax", "from_numpy", "from_torch", "independence_move",
    "to_torch",
]  # fmt: skip
