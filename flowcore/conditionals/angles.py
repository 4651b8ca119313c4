"""Angles: their density repeats after every turn, so it is integrated over a single one.

No density on the line does that: every repetition would have as much mass as the first. So log p
itself shows which columns are angles.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.inputs import named

if TYPE_CHECKING:
    from ..core.typing import Context

TURN = 2 * pi
DRAWS, FAR = 64, 100  # that are moved, and by how many turns, or widths of a column
DRAWN = 2000  # rows, among which curves find those near a row
SAME, MOST = 0.1, 0.9  # nats: more than float32 loses, at a share of the draws


class OneTurn(NamedTuple):
    """angle (D,) marks the angles of a density, middle (D,) are the circular means of its draws
    (S, D)."""

    angle: np.ndarray
    middle: np.ndarray
    draws: np.ndarray

    @classmethod
    def of(cls, density: Any, context: Context = None) -> OneTurn:
        """Those of a density, given contexts (n, C)."""
        rng, n, given = np.random.default_rng(0), DRAWN, {}
        if context is not None:
            n, given = (), {"context": np.resize(context, (DRAWS, np.shape(context)[-1]))}
        x = np.asarray(density.sample(n, rng, **given), float)
        angle = angles_of(lambda x: density.log_prob(x, **given), x[:DRAWS])
        return cls(angle, circular_mean(x, np.full(len(x), 1 / len(x))), x)


@np.errstate(all="ignore")
def angles_of(log_prob: Callable, x: np.ndarray) -> np.ndarray:
    """Which columns are angles, (D,): log_prob does not fall off far from draws x (n, D), and is
    the same after a turn.

    Cost: n evaluations a column. Errors: ValueError for a column in which it does not fall off for
    another reason, such as an angle in degrees, or a number that rows lack.
    """
    rng, log_p, angle = np.random.default_rng(0), log_prob(x), np.zeros(x.shape[1], bool)

    def rise(j, turns):
        moved = x.copy()
        moved[:, j] += TURN * turns
        return log_prob(moved) - log_p

    for j, width in enumerate(np.nan_to_num(np.ptp(x, axis=0), posinf=1e300) / TURN):
        far = np.round(FAR * (1 + width) * (1 + rng.random(len(x))))
        if (rise(j, far) > -1).any():
            # draws of a number that the context marks as absent, see `Clamped`, are all equal
            angle[j] = width > 0 and (np.abs(rise(j, 1)) < SAME).mean() > MOST
            if not angle[j]:
                raise ValueError(
                    f"the density does not fall off in {named('column', [j])}, so it has no "
                    "integral: an angle needs the period 2 pi (radians), in every part of a "
                    "mixture. A number that rows lack has no integral, either"
                )
    return angle


def window(u: np.ndarray) -> np.ndarray:
    """w(u): 1 up to a quarter of a turn from 0, then falling to 0 at three quarters.

    Windows a turn apart add up to 1: so an integral of p(x) w(x - middle) over the line is one over
    a turn. They overlap by half a turn, so that no mode is cut.
    """
    return np.cos(np.clip(np.abs(u) / 2 - pi / 4, 0, pi / 2)) ** 2


def turned(x: np.ndarray, angle: np.ndarray, middle: np.ndarray | float = 0.0) -> np.ndarray:
    """Rows x (..., D) with the columns that angle (D,) marks within half a turn of the middle,
    a number or (D,)."""
    x = np.array(x, float)
    x[..., angle] -= TURN * np.round((x - middle)[..., angle] / TURN)
    return x


def circular_mean(x: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The directions (D,) of the means of the points exp(i x) of the circle, in [-pi, pi].

    Columns x (n, D) are in radians; share (n,) are weights of the sum 1.
    """
    return np.angle(share @ np.exp(1j * x))
