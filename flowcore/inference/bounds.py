"""Bounds beyond which a target is -inf or NaN: found, and written as `support=`.

Reverse KL does not push draws back into a box, so `infer` refuses such a target before training.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from .space import Space
from .unnormalised import LogTarget

ROWS, FEW = 1000, 0.01  # where a target is tried; a share of them
SHOWN = 6  # faces in a message
LADDER = 4.0 ** np.arange(-40, 41)  # distances at which a face is looked for
HALVINGS, NICE = 60, 1e-9  # of a distance; the share of it by which a face is rounded
OVERFLOW = 1e100  # nats: a log-density that falls so far has no end, but overflows


def rows_around(start: np.ndarray | None, dim: int) -> np.ndarray:
    """Rows near the first row of `start`, or 0, at many distances; in half of them no coordinate is
    smaller."""
    rows = np.random.default_rng(0).standard_normal((ROWS, dim))
    rows[::2] = np.abs(rows[::2])
    rows *= np.resize([1.0, 1.0, 0.1, 0.1, 0.01, 0.01], (ROWS, 1))
    return rows if start is None else start[0] + rows


def rows_beyond(flow) -> np.ndarray:
    """Draws of a flow, and the same twice as far from their mean."""
    rows = flow.sample(ROWS, rng=0)
    return np.concatenate([rows, 2 * rows - rows.mean(axis=0)])


def check_bounds(
    target: LogTarget, space: Space, support: Any, rows: np.ndarray, fall: float = math.inf
) -> None:
    """A ValueError with the support to write, if the target is finite in a box alone.

    Faces of the box are looked for in coordinates whose support is "real". 99% of the rows (n, d)
    must be finite inside of them and not finite outside, and so must 99% of rows that mix the
    coordinates of the finite ones. Cost: twice the rows, and 300 rows for each coordinate; none if
    the target was finite at all rows so far.

    support   the argument of `infer`
    fall      nats: without an error, if log p~ falls by more from the middle to every face
    """
    good = np.isfinite(target.anywhere(rows)[0]) if target.n_bad else np.ones(len(rows), bool)
    if not good.any() or good.mean() > 1 - FEW:
        return
    middle, parts = rows[good].mean(axis=0), _parts(space, support)
    real = np.concatenate([np.full(size, _is_real(given)) for _, given, size in parts])
    (low, at_low), (high, at_high) = (_faces(target, middle, side, real) for side in (-1.0, 1.0))
    if max(at_low, at_high) < -fall:
        return
    inside = ((low < rows) & (rows < high)).all(axis=1)
    mixed = np.random.default_rng(0).permuted(np.resize(rows[good], rows.shape), axis=0)
    wrong = np.mean(inside != good), np.mean(~np.isfinite(target.anywhere(mixed)[0]))
    stops = np.cumsum([size for *_, size in parts])
    ends = [(low[stop - size : stop].min(), high[stop - size : stop].max())
            for (*_, size), stop in zip(parts, stops, strict=True)]  # fmt: skip
    if max(wrong) < FEW and np.isfinite(ends).any():
        raise ValueError(_advice(space, parts, ends))


def _faces(target: LogTarget, middle: np.ndarray, side: float, real: np.ndarray):
    """(d,): where the ray from the middle along each coordinate leaves the box, or else +-inf; and
    the largest log p~ inside of these faces, less that of the middle."""

    def log_p(distance):  # (d, k) -> (d, k)
        x = middle + side * distance[:, :, None] * np.eye(len(middle))[:, None, :]
        return target.anywhere(x.reshape(-1, len(middle)))[0].reshape(distance.shape)

    finite = np.isfinite(log_p(np.tile(LADDER, (len(middle), 1))))
    n = finite.sum(axis=1, keepdims=True)
    near, far = LADDER[n - 1], LADDER[n % len(LADDER)]
    for _ in range(HALVINGS):
        half = (near + far) / 2
        within = np.isfinite(log_p(half))
        near, far = np.where(within, half, near), np.where(within, far, half)
    ends = (finite == (np.arange(len(LADDER)) < n)).all(axis=1) & (n[:, 0] < len(LADDER)) & real
    at_face = log_p(near)[:, 0] - target.anywhere(middle[None])[0]
    ends &= at_face > -OVERFLOW
    faces = [_nice(m + side * t, t) for m, t in zip(middle, near[:, 0], strict=True)]
    return np.where(ends, faces, side * math.inf), max(at_face[ends], default=-math.inf)


def _nice(face: float, distance: float) -> float:
    """The shortest decimal number that is the face, but for rounding."""
    shorter = [0.0, *(float(f"{face:.{digits}e}") for digits in range(8))]
    return next((x for x in shorter if abs(x - face) <= NICE * distance), float(face))


def _parts(space: Space, support: Any) -> list[tuple[str, Any, int]]:
    """(name, its support, its number of free coordinates) of every parameter, or coordinate."""
    if space.named:
        return [(p.name, support[p.name], p.free) for p in space.parameters]
    every = support if isinstance(support, list) else [support] * space.free
    return [(name, one, 1) for name, one in zip(space.labels(), every, strict=True)]


def _is_real(given: Any) -> bool:
    return given is None or given == "real" or (isinstance(given, tuple) and given[0] == "real")


def _advice(space: Space, parts: list[tuple[str, Any, int]], ends: list[tuple]) -> str:
    faces, entries = [], {}
    for (name, given, _), (low, high) in zip(parts, ends, strict=True):
        faces += [f"{name} = {end:g}" for end in (low, high) if math.isfinite(end)]
        entry = "real" if given is None else given
        if math.isfinite(low) or math.isfinite(high):
            entry = "positive" if (low, high) == (0, math.inf) else (float(low), float(high))
        entries[name] = (entry, given[1]) if entry != given and isinstance(given, tuple) else entry
    every = [*entries.values()]
    support = entries if space.named else every[0] if every.count(every[0]) == len(every) else every
    text = re.sub(r"\binf\b", "np.inf", repr(support))
    faces = [*faces[:SHOWN], "..."] if len(faces) > SHOWN else faces
    return f"log_target is -inf, NaN or an error beyond {', '.join(faces)}: pass support={text}"
