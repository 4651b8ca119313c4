"""Pictures of the lessons; with the same `ax=` and the same rules as `flowcore.plots`."""

from .bridges import bridges
from .grids import grid, grid_animation
from .jacobian import jacobian
from .log_dets import log_dets
from .network import network

__all__ = ["bridges", "grid", "grid_animation", "jacobian", "log_dets", "network"]
