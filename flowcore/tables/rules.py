"""`Rule`: a category that follows from one other column in all rows of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .frame import Frame, Name, is_missing

if TYPE_CHECKING:
    from .encoding import Encoding

LEAST, LEAST_OF_SOURCE = 30, 10  # rows of each value of c, and of a category in place of x
DIGITS = 15  # that a threshold may have


@dataclass(frozen=True)
class Rule:
    """A category c that is a step function of one other column x.

        c = codes[k]   where   cuts[k - 1] <= x < cuts[k]

        p(c | x) = 1 - u for this value, u / (m - 1) for each of the others,    u = .5 / (n + 1)

    If x is a category, too, it is the index of its value; p(c | x) = 1 / m for an unseen one. The m
    values of c include all unseen ones together as one, so that the sum over c is 1.

    Parameters
    ----------
    source : str or int
        The name of x.
    codes : tuple of int
        The indices of values of c, one for each step.
    cuts : tuple of float
        The ends of the steps but the last one, in order.
    n : int
        The number of rows of the fit.

    Examples
    --------
    >>> rule = Rule("weeks", (1, 0), (37.0,), 800)
    >>> rule.described(("full term", "premie"))
    'premie where weeks < 37, else full term'
    >>> rule.implied([36, 37]), rule.interval(1)
    (array([1, 0]), (-inf, 37.0))
    """

    source: Name
    codes: tuple[int, ...]
    cuts: tuple[float, ...]
    n: int

    @property
    def u(self) -> float:
        """The probability of all values that do not follow."""
        return 0.5 / (self.n + 1)

    def implied(self, x: np.ndarray) -> np.ndarray:
        """The index of the value of c that follows from each x."""
        return np.array(self.codes)[np.searchsorted(self.cuts, x, side="right")]

    def interval(self, code: int) -> tuple[float, float]:
        """The least interval that includes every x from which a value of c follows."""
        steps = np.flatnonzero(np.array(self.codes) == code)
        return (-np.inf, *self.cuts)[steps[0]], (*self.cuts, np.inf)[steps[-1]]

    def described(self, values: tuple) -> str:
        """The steps of a number in words; values: of c."""
        steps = zip(self.codes, self.cuts, strict=False)  # the last one has no end
        steps = [f"{values[code]} where {self.source} {_below(cut)}" for code, cut in steps]
        return f"{', '.join(steps)}, else {values[self.codes[-1]]}"


def find_rules(frame: Frame, encoding: Encoding, codes: np.ndarray) -> dict[Name, Rule]:
    """name -> the rule of a category that follows from another column in all rows of the frame.

    codes: of the rows. Each value of the category has 30 rows or more, and one step of a number.
    Each value of a category from which it follows has 10. Columns with missing cells have no rules,
    and no rule refers to a column that has one. Cost: a sort of each column, a comparison of each
    pair.
    """
    x, rows, rules = {}, {}, {}
    for part, k, _ in encoding.places:
        name = part.column.name
        if is_missing(frame[name]).any() or part.column.kind.is_date:
            continue
        if part.column.kind.is_category:
            x[name] = codes[:, k.start]
            rows[name] = np.bincount(x[name], minlength=part.sizes[0])
        else:
            x[name] = frame.as_floats(name)
    # numbers, then the finest category first: each follows only from those before it
    finest = sorted(x, key=lambda name: (name in rows, -len(rows.get(name, ()))))
    wanted = {name for name, n in rows.items() if len(n) > 1 and n.min() >= LEAST}
    for i, name in enumerate(finest):
        if name in rules or (name in rows and rows[name].min() < LEAST_OF_SOURCE):
            continue
        order = np.argsort(x[name], kind="stable")
        in_order = x[name][order]
        for own in finest[i + 1 :]:
            if own in wanted and own not in rules:
                most = len(rows[name] if name in rows else rows[own])
                steps = _steps(in_order, x[own][order], most)
                rules |= {own: Rule(name, *steps, len(order))} if steps else {}
    return rules


def _steps(x: np.ndarray, codes: np.ndarray, most: int) -> tuple[tuple, tuple] | None:
    """(the codes of the steps, their ends) of rows in the order of x; None if codes are no function
    of x, or if there are more than `most` steps."""
    at = np.flatnonzero(np.diff(codes)) + 1
    low, high = x[at - 1], x[at]
    if len(at) >= most or not (low < high).all():
        return None
    return tuple(codes[[0, *at]].tolist()), tuple(map(_cut, low.tolist(), high.tolist()))


def _cut(low: float, high: float) -> float:
    """The roundest number from low to high, as the end of a step that does not include it.

    >>> _cut(36.0, 37.0), _cut(11.25, 38.0), _cut(5.5, 5.56) > 5.5
    (37.0, 30.0, True)
    """
    for digits in range(-DIGITS, DIGITS):
        for scale in (10.0**digits, 2 * 10.0**digits):
            cut = float(np.floor(high * scale) / scale)
            if low <= cut <= high:
                return cut if cut > low else float(np.nextafter(cut, np.inf))
    return float(high)


def _below(cut: float) -> str:
    """The end of a step in words: of "< 5.500000000000001" and "<= 5.5" the shorter one."""
    before = float(np.nextafter(cut, -np.inf))
    return f"<= {before:.12g}" if len(repr(before)) < len(repr(cut)) else f"< {cut:.12g}"
