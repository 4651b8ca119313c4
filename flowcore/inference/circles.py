"""Where the circle of an angle is cut, so that no mode is torn in two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .space import Space
from .unnormalised import LogTarget

STARTS, STEPS = 40, 80  # ascents, and the calls of the target in each
FIRST, FASTER, SLOWER = 0.1, 1.3, 0.5  # step of an ascent, and its factors
NEAR, FAR_SHARE = 10.0, 0.1  # nats below the best end; what ends further below count
WIDTH, GRID = 2.0, 360  # concentration of the kernel around an end; angles that may be the cut


def centred(space: Space, log_target: Callable, start: Any, rng: np.random.Generator) -> Space:
    """The space with its angles cut where modes are fewest.

    Ascents start at all angles, in coordinates where log p~ is periodic. The cut of each angle is
    where a kernel estimate of their ends is least. Ends more than 10 nats below the best one count
    a tenth. Cost: 80 calls of the target with 40 rows; none without angles.
    """
    angles = space.places_of_angles
    if not angles:
        return space
    target = LogTarget(space.on_line(log_target), space.free)
    ends, value = ascents(target, _rows(space, start, rng))
    share = np.where(value > value.max() - NEAR, 1.0, FAR_SHARE)
    centres = np.zeros(space.free)
    for own in angles:
        centres[own] = _centre(ends[:, own], share)
    return Space(space.support, space.dim, centres)


def _rows(space: Space, start: Any, rng: np.random.Generator) -> np.ndarray:
    """Free coordinates where ascents start: from `start`, draws of the prior, or N(0, 1); but the
    angles are uniform."""
    if start is not None:
        given = space.to_line(start)
    elif (given := space.prior_draws(STARTS, rng)) is None or not len(given):
        given = rng.standard_normal((STARTS, space.free))
    rows = np.resize(given, (STARTS, space.free))  # cyclic
    for own in space.places_of_angles:
        rows[:, own] = rng.uniform(0, 2 * np.pi, rows[:, own].shape)
    return rows


def ascents(target: LogTarget, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(ends (n, d), log p~ (n,)) of ascents from rows, all at once.

    Each coordinate of each row has its own step, which grows while its slope keeps its sign
    (iRprop-; Igel and Huesken, "Improving the Rprop learning algorithm", 2000). It needs no scales
    of the coordinates. The best row of each ascent is its end.
    """
    step, before = np.full(rows.shape, FIRST), np.zeros(rows.shape)
    ends, best = rows, np.full(len(rows), -np.inf)
    for _ in range(STEPS):
        value, slope = target.avoiding(rows)
        better = value > best
        ends, best = np.where(better[:, None], rows, ends), np.where(better, value, best)
        turned = slope * before < 0
        step = step * np.where(turned, SLOWER, np.where(slope * before > 0, FASTER, 1.0))
        before = np.where(turned, 0.0, slope)
        rows = rows + step * np.sign(before)
    return ends, best


def _centre(angle: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(size,): the angle opposite of the cut, for ends (n, size) with their shares (n,)."""
    grid = np.linspace(0, 2 * np.pi, GRID, endpoint=False)
    near = np.exp(WIDTH * np.cos(grid[:, None, None] - angle))  # (grid, n, size)
    cut = np.argmin(np.einsum("gns,n->gs", near, share), axis=0)
    return grid[cut] + np.pi
