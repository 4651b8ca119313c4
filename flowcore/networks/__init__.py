"""Conditioners: networks that compute a transformer's parameters phi, and the walk by degree."""

from .activations import ACTIVATIONS, SMOOTH
from .by_degree import bind_walk
from .jacobian import JacobianProducts
from .made import MADE, input_degrees
from .network import MLP, Network, circular_indices, hidden_widths

__all__ = [
    "ACTIVATIONS",
    "MADE",
    "MLP",
    "SMOOTH",
    "JacobianProducts",
    "Network",
    "bind_walk",
    "circular_indices",
    "hidden_widths",
    "input_degrees",
]
