"""Adapters: flows in the programs that people have. The room can be imported without any of them.

backend.py   `Backend`, what a sampler needs of a flow, and `FlowBackend`, a flow that offers it
aspire.py    `AspireFlow`, which aspire finds as `flow_backend="flowcore"`
emcee.py     `independence_move`: draws of a density as the proposals of a move of emcee
torch.py     `to_torch`: any function of flowcore in a graph of torch

docs/samplers.md has the same for nessai, pocoMC and sbi.
"""

from .aspire import AspireFlow
from .backend import Backend, FlowBackend
from .emcee import independence_move
from .torch import to_torch

__all__ = ["AspireFlow", "Backend", "FlowBackend", "independence_move", "to_torch"]
