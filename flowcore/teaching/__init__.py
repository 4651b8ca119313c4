"""The course: its exercises, exact floors, the pictures of its lessons, and the moons' story.

exercises/   questions, answers that are checked, and hints that name the mistake: start here
floors.py    how close a family of flows can come to a target, at best
pictures/    what only lessons draw: grids, networks, Jacobians, log-determinants, bridges
moons/       the story of the command `flowcore moons`

Everything is imported at its first use: the exercises compute their answers, which takes a moment.
"""

from .._imports import door

_ROOMS = {
    ".exercises": ("EXERCISES", "Exercise", "Mistake", "Verdict", "check", "question", "solution"),
    ".floors": ("affine_floor", "volume_preserving_floor"),
    ".pictures": ("bridges", "grid", "grid_animation", "jacobian", "log_dets", "network"),
}
__all__ = [name for names in _ROOMS.values() for name in names]
__getattr__, __dir__ = door(__name__, _ROOMS)
