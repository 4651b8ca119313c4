"""What an answer has in common with the right one: hints for mistakes of any exercise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .constants import LOG_2, LOG_2_PI

# What people do to the right number r, and the hint. It names the mistake and hands over no number.
LOGARITHMS = (
    (lambda r: -r, "The size is right, the sign is not. Which direction is asked for?"),
    (np.exp, "This is the exponential of the answer: the logarithm is asked for."),
    (lambda r: np.log(np.abs(r)), "This is the logarithm of the answer."),
    (lambda r: r / LOG_2, "This is in bits, with logarithms to base 2; nats are asked for."),
    (lambda r: r / np.log(10), "Logarithms are natural ones here, not to base 10."),
)
POWERS = (  # between short numbers, such as 2 and 1/2, these are chance
    (lambda r: np.full_like(r, np.nan) if (r <= 0).any() else 1 / r, "Upside down: invert it."),
    (lambda r: r**2, "This is the square of the answer: take the root."),
    (lambda r: np.sqrt(np.abs(r)), "This is the root of the answer."),
    (lambda r: 2 * r, "A factor is off."),
    (lambda r: r / 2, "A factor is off."),
)
OFFSETS = (  # constants that are forgotten, or counted twice, and what they are
    (0.5 * LOG_2_PI, "1/2 log(2 pi), the constant of log N in one dimension"),
    (LOG_2_PI, "log(2 pi), the constant of log N in two dimensions"),
    (LOG_2, "log 2"),
)
SHAPES = (  # what people do to an array of the right shape, or have not done, and the hint
    (lambda a, r: a.T.shape == r.shape and _near(a.T, r), "Transposed: exchange rows and columns."),
    (lambda a, r: a.shape == () and _near(a, r.sum()), "Give every entry; this is their sum."),
    (lambda a, r: a.shape == () and _near(a, r.mean()), "Give every entry; this is their mean."),
    (lambda a, r: r.shape == () and _near(a.mean(), r), "One number is asked for: take the mean."),
)
ORDINALS = ("first", "second", "third")


def general_hint(
    found: Sequence[np.ndarray], right: Sequence[np.ndarray], n_parts: int
) -> tuple[str, bool]:
    """A hint that compares an answer with the right one, and whether it is enough by itself.

    found, right   the values on every input, those of the first input first
    n_parts        how many values a function returns
    """
    if len(found) != len(right):
        n_found = len(found) * n_parts // len(right)
        wanted = f"an array of shape {right[0].shape}" if n_parts == 1 else n_parts
        return f"It returns {n_found or 'other'} value(s), and should return {wanted}. ", False
    if n_parts == 2 and all(
        a.shape == right[k ^ 1].shape and _near(a, right[k ^ 1]) for k, a in enumerate(found)
    ):
        return "The two values are exchanged. ", False
    for value, wanted in zip(found, right, strict=True):
        if value.shape != wanted.shape:
            return _of_a_shape(value, wanted), False
    if len(right) == 1 and right[0].shape == ():
        return _of_a_number(float(found[0]), float(right[0]))
    if len(right) == 1 and right[0].ndim == 2 and np.isin(right[0], (0, 1)).all():
        return _of_a_mask(found[0] > 0.5, right[0] > 0.5), False
    if not all(np.isfinite(value).all() for value in found):
        return "Some values are not finite: is something divided by 0, or is exp too large? ", False
    fits = [_near(a, b) for a, b in zip(found, right, strict=True)]
    parts = [all(fits[k::n_parts]) for k in range(n_parts)]
    if n_parts > 1 and any(parts):
        good, bad = parts.index(True), parts.index(False)
        off = _relation(found[bad::n_parts], right[bad::n_parts])
        return f"The {ORDINALS[good]} value is right; look at the {ORDINALS[bad]} one. {off}", False
    if any(fits):
        return "It is right for some of the inputs that were tried, but not for all. ", False
    return _relation(found, right), False


def _near(a, b) -> bool:
    return bool(np.allclose(a, b, 0.001, 0.005))


def _of_a_shape(found: np.ndarray, right: np.ndarray) -> str:
    hints = (f"{hint} " for is_so, hint in SHAPES if is_so(found, right))
    return next(hints, "") + f"Its shape is {found.shape}, and should be {right.shape}. "


def _of_a_number(found: float, right: float) -> tuple[str, bool]:
    if right != round(right):
        short = (round(right, 1), np.trunc(10 * right) / 10)
        if any(np.isclose(found, value, rtol=0, atol=1e-9) for value in short):
            return "close: two decimals, please.", True
        if abs(found - right) <= min(0.05, 0.02 * max(1.0, abs(right))):
            return f"close, but off by more than rounding: {found:g}. ", False
    return _relation([np.array(found)], [np.array(right)]), False


def _of_a_mask(found: np.ndarray, right: np.ndarray) -> str:
    """How many cells differ, and the first of each kind: too many, missing."""
    kinds = ((found & ~right, "is a connection too many"), (right & ~found, "is missing"))
    cells = [
        f"row {row}, column {column} {what}"
        for wrong, what in kinds
        for row, column in np.argwhere(wrong)[:1] + 1
    ]
    return f"{np.sum(found != right)} of {right.size} cells differ: {'; '.join(cells)}. "


def _relation(found: Sequence, right: Sequence) -> str:
    """What was done to all of the right values, if it is one thing; or ""."""
    a, b = (np.concatenate([np.ravel(part) for part in values]) for values in (found, right))
    if len(a) > 1 and np.allclose(b, b[0]):
        return ""
    with np.errstate(all="ignore"):
        for change, hint in LOGARITHMS if _is_short(a) else LOGARITHMS + POWERS:
            made = change(b)
            if np.any(b) and np.any(abs(made) > 0.01) and _near(a, made):
                return hint + " "
    off = a - b
    if np.allclose(off, off[0], 0, 0.005):
        more = "large" if off[0] > 0 else "small"
        for size, name in OFFSETS:
            if abs(abs(off[0]) - size) < 0.005:
                return f"It is too {more} by {name}. "
    if len(a) > 1 and np.all(np.abs(b) > 1e-6) and np.allclose(a / b, a[0] / b[0], 0.001):
        return f"It is {a[0] / b[0]:.3g} times the right one everywhere. "
    return ""


def _is_short(values: np.ndarray) -> bool:
    """Whether all are multiples of 1/10 or 1/4, as guesses are."""
    steps = np.outer([10, 4], values)
    return bool(np.isclose(steps, np.round(steps)).any(axis=0).all())
