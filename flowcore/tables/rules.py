"""`Rule`: a category that follows from one other column, without an exception in the rows of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .frame import Frame, Name, is_missing

if TYPE_CHECKING:
    from .encoding import Encoding

LEAST = 30  # rows of every step of a number, and of every value of the category
LEAST_OF_SOURCE = 10  # rows of every value of the category from which another one follows
DIGITS = 15  # that a threshold may have


@dataclass(frozen=True)
class Rule:
    """A category c that is a function of one other column x.

        c = codes[k], where cuts[k - 1] <= x < cuts[k], or where x is the k-th value of a category

        p(c | x) = 1 - u for this value, u / (m - 1) for each of the others,    u = .5 / (n + 1)

    The m values include all unseen ones together as one, so that the sum over c is 1. If x is a
    value that no row of the fit had, p(c | x) = 1 / m.

    Parameters
    ----------
    source : str or int
        The name of x.
    codes : tuple of int
        Indices of values of c.
    n : int
        The number of rows of the fit.
    cuts : tuple of float
        Thresholds of a number, in order; empty for a category.

    Examples
    --------
    >>> rule = Rule("weeks", (1, 0), 800, (37.0,))
    >>> rule.described(("full term", "premie"))
    'premie where weeks < 37, else full term'
    >>> rule.interval(1)
    (-inf, 37.0)
    """

    source: Name
    codes: tuple[int, ...]
    n: int
    cuts: tuple[float, ...] = ()

    @property
    def u(self) -> float:
        """The probability of all other values together."""
        return 0.5 / (self.n + 1)

    def interval(self, code: int) -> tuple[float, float]:
        """The least interval of the number that includes all numbers with this code."""
        steps, ends = [k for k, own in enumerate(self.codes) if own == code], (-np.inf, *self.cuts)
        return ends[steps[0]], (*self.cuts, np.inf)[steps[-1]]

    def described(self, values: tuple) -> str:
        """The rule in words; values: of the category."""
        if not self.cuts:
            return f"it follows from {self.source}"
        ends = zip(self.codes, self.cuts, strict=False)  # the last step has no end
        steps = [f"{values[code]} where {self.source} {_below(cut)}" for code, cut in ends]
        return f"{', '.join(steps)}, else {values[self.codes[-1]]}"

    def to_dict(self) -> dict:
        """The rule as data for JSON."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in vars(self).items()}

    @classmethod
    def from_dict(cls, data: dict) -> Rule:
        """The rule that `to_dict` described."""
        return cls(data["source"], tuple(data["codes"]), data["n"], tuple(data["cuts"]))


def find_rules(frame: Frame, encoding: Encoding, codes: np.ndarray) -> dict[Name, Rule]:
    """name -> the rule of a category that follows from another column in all rows.

    codes: of the rows of the frame. Every step and every value of the category has 30 rows or more,
    and so has every value of a category from which it follows 10 or more. Columns with missing
    cells have no rules, and no rule refers to a column that has a rule itself. Cost: a sort of each
    number, and a comparison of each pair of columns.
    """
    numbers, categories, rows = {}, {}, {}
    for part, k, _ in encoding.places:
        name, kind = part.column.name, part.column.kind
        if is_missing(frame[name]).any() or kind.is_date:
            continue
        if kind.is_category:
            categories[name] = own = codes[:, k.start]
            rows[name] = np.bincount(own, minlength=part.sizes[0])
        else:
            numbers[name] = frame.as_floats(name)
    wanted = [name for name, n in rows.items() if len(n) > 1 and n.min() >= LEAST]
    rules: dict[Name, Rule] = {}
    for name, x in numbers.items():
        order = np.argsort(x, kind="stable")
        found = {own: _steps(x[order], categories[own][order], name) for own in wanted}
        rules = {own: rule for own, rule in found.items() if rule is not None} | rules
    # the finest first: a category follows from one of those before it, which follow from none
    finest = sorted((own for own in rows if own not in rules), key=lambda own: -len(rows[own]))
    for i, own in enumerate(finest):
        for name in finest[: i * (own in wanted)]:
            if rows[name].min() >= LEAST_OF_SOURCE and name not in rules and own not in rules:
                rule = _function(categories[name], categories[own], name)
                rules |= {} if rule is None else {own: rule}
    return rules


def _steps(x: np.ndarray, codes: np.ndarray, source: Name) -> Rule | None:
    """The rule of codes by a number x, which is in order."""
    at = np.flatnonzero(np.diff(codes)) + 1
    ends = np.concatenate([[0], at, [len(x)]])
    if np.diff(ends).min() < LEAST or not (x[at - 1] < x[at]).all():
        return None
    cuts = [_cut(low, high) for low, high in zip(x[at - 1], x[at], strict=True)]
    return Rule(source, tuple(codes[ends[:-1]].tolist()), len(x), tuple(cuts))


def _function(of: np.ndarray, codes: np.ndarray, source: Name) -> Rule | None:
    """The rule of codes by the codes of another category."""
    first = np.unique(of, return_index=True)[1]
    implied = codes[first]
    return Rule(source, tuple(implied.tolist()), len(of)) if (implied[of] == codes).all() else None


def _cut(low: float, high: float) -> float:
    """The roundest number from low to high, as the end of an interval without it.

    >>> _cut(36.0, 37.0), _cut(11.25, 38.0), _cut(5.5, 5.56) > 5.5
    (37.0, 20.0, True)
    """
    for digits in range(-DIGITS, DIGITS):
        for scale in (10.0**digits, 2 * 10.0**digits):
            cut = float(np.floor(high * scale) / scale)
            if low <= cut <= high:
                return cut if cut > low else float(np.nextafter(cut, np.inf))
    return float(high)


def _below(cut: float) -> str:
    text = f"{cut:.12g}"
    return f"< {text}" if float(text) == cut else f"<= {text}"
