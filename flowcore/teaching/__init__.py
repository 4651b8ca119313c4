"""The course: exercises, marks, the story of the moons, and what lessons use: floors, pictures.

exercises/   questions, answers that are checked, and hints that name the mistake: start here
marks.py     a CSV of marks, from the files that students save in the browser
exams.py     two exams with points, from a seed
pictures/    what lessons draw: grids, Jacobians, log-dets, networks, bridges
moons/       the story of the command `flowcore moons`

Everything is imported at its first use: the exercises compute their answers, which takes a moment.
"""

from .._imports import lazy_names

_ROOMS = {
    ".exercises": ("EXERCISES", "Exercise", "Mistake", "Verdict", "check", "question", "solution"),
    ".exercises.reading": ("read_number",),
    ".marks": ("Mark", "mark"),
    "flowcore.targets": ("affine_floor", "volume_preserving_floor"),
    ".pictures.bridges": ("bridges",),
    ".pictures.grids": ("grid", "grid_animation"),
    ".pictures.jacobian": ("jacobian",),
    ".pictures.log_dets": ("log_dets",),
    ".pictures.network": ("network",),
}
__all__ = [name for names in _ROOMS.values() for name in names]
__getattr__, __dir__ = lazy_names(__name__, _ROOMS)
