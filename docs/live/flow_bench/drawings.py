"""Densities that were drawn by hand, on a coarse grid over the frame of the data."""

from __future__ import annotations

import numpy as np

from . import views

SIDE = 40  # cells along each side
INSIDE, OUTSIDE = 1.8, 3.9  # of the circle of heaps, whose middles lie at 2.83


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


def kind_of(drawing, frame) -> str:
    """What was drawn of eight heaps on a circle: "nothing", "bell", "elsewhere", "islands", "ring",
    or, the right one, "bridges": most of the mass around the heaps, and some of it between them.

    Of the truth, 1% lies between the heaps, of a trained flow about 10%, of an even ring 20%.
    """
    drawn = as_density(drawing)
    if drawn is None:
        return "nothing"
    x, y = views.cells(frame, SIDE)[0].T
    radius, degrees = np.hypot(x, y), np.degrees(np.arctan2(y, x))
    on_circle = (radius > INSIDE) & (radius < OUTSIDE)
    from_heap = np.abs((degrees + 22.5) % 45 - 22.5)  # the heaps stand at multiples of 45
    between = drawn[on_circle & (from_heap > 18)].sum()
    if drawn[radius <= INSIDE].sum() > 0.12:
        return "bell"
    if drawn[on_circle].sum() < 0.75:
        return "elsewhere"
    if between < 0.045:  # a brush has no sharp edge
        return "islands"
    return "ring" if between > 0.155 else "bridges"
