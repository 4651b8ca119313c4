"""Adapters: flows in other programs. They can be imported without any of these programs.

backend.py   `Backend`, the methods that a sampler needs, and `FlowBackend`, a flow with them
aspire.py    `AspireFlow`, which aspire finds as `flow_backend="flowcore"`
emcee.py     `independence_move`: a move of emcee whose proposals are draws of a density
torch.py     `to_torch`: any function of flowcore as a part of torch's graph

docs/use/samplers.md has the same for nessai, pocoMC and sbi.
"""

from .aspire import AspireFlow
from .backend import Backend, FlowBackend
from .emcee import independence_move
from .torch import to_torch

__all__ = ["AspireFlow", "Backend", "FlowBackend", "independence_move", "to_torch"]
