"""Densities that were drawn by hand, on a coarse grid over the frame of the data."""

from __future__ import annotations

import numpy as np
from flowcore.metrics import log_density_floor

from . import views

SIDE = 40  # cells along each side
NEAR = 0.999  # a truth's own: where it has this share of its mass, it "is"
EVEN = 1.6  # a drawing that is less than this many times denser on the heaps than between: a ring


def as_density(drawing) -> np.ndarray | None:
    """The shares of SIDE x SIDE cells, which sum to 1; None if nothing is drawn.

    Errors: ValueError for another number of cells, negative or not finite ones.
    """
    ink = np.asarray(drawing, float).ravel()
    if ink.shape != (SIDE * SIDE,):
        raise ValueError(f"a drawing has {SIDE} x {SIDE} cells, not {ink.size}")
    if not np.isfinite(ink).all() or (ink < 0).any():
        raise ValueError("a drawing's cells must be finite and not negative")
    total = ink.sum()
    return None if total <= 0 else ink / total


def shares(density, frame) -> np.ndarray:
    """The shares of the cells, of a density; they sum to 1."""
    mass = views.density(density, frame, SIDE)
    return mass / mass.sum()


def overlap(drawing, flow, frame) -> float:
    """How much of two densities is the same: sum of min(p, q) over the cells, from 0 to 1.

    It is one minus their total variation distance.
    """
    drawn = as_density(drawing)
    return 0.0 if drawn is None else float(np.minimum(drawn, shares(flow, frame)).sum())


def kind_of(drawing, heaps, frame) -> str:
    """What was drawn of eight heaps: "nothing", "islands", "ring", "bell", "elsewhere", or
    "bridges", the right one: most of the mass on the heaps, and some of it between them."""
    drawn = as_density(drawing)
    if drawn is None:
        return "nothing"
    points, _ = views.cells(frame, SIDE)
    radius = np.hypot(*points.T)
    on = heaps.log_prob(points) >= log_density_floor(heaps, NEAR)
    ring = (radius > 1.6) & (radius < 4.0)
    inside = drawn[on].sum()
    around = drawn[on | ring].sum()
    if drawn[radius < 1.2].sum() > 0.4 or (inside < 0.5 and around < 0.6 and radius @ drawn < 2.5):
        return "bell"
    if around < 0.6:
        return "elsewhere"
    if inside > 0.995:
        return "islands"
    between = ring & ~on
    if drawn[between].sum() / between.sum() > inside / on.sum() / EVEN:
        return "ring"
    return "bridges" if inside > 0.5 else "elsewhere"
