"""Conditioners: networks that compute a transformer's parameters phi, and the walk by degree."""

from .activations import ACTIVATIONS
from .circular import CircularMLP, circular_indices
from .jacobian import SMOOTH, JacobianProducts
from .made import MADE, input_degrees
from .network import MLP, Network, hidden_widths
from .walk import bind_walk

__all__ = [
    "ACTIVATIONS",
    "MADE",
    "MLP",
    "SMOOTH",
    "CircularMLP",
    "JacobianProducts",
    "Network",
    "bind_walk",
    "circular_indices",
    "hidden_widths",
    "input_degrees",
]
