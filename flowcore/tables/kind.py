"""What a column can be: ten kinds, each of which reads as it is written: "bounded(0, 1)"."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from ..discrete import OFF_GRID

# kind -> (how many arguments it may have, what it counts as in log p)
DENSITY, PROBABILITY, NOTHING = "density", "probability", "nothing"
ARGUMENTS = {
    "continuous": ((0,), DENSITY),
    "positive": ((0, 1), DENSITY),
    "bounded": ((2,), DENSITY),
    "gridded": ((1, 2, 3), PROBABILITY),
    "integer": ((0, 1, 2), PROBABILITY),
    "categorical": ((0,), PROBABILITY),
    "boolean": ((0,), PROBABILITY),
    "constant": ((0,), NOTHING),
    "text": ((0,), NOTHING),
    "aside": ((0,), NOTHING),
}
FORMS = (
    "continuous, positive, positive(low), bounded(low, high), integer, integer(low, high), "
    "gridded(step), gridded(step, low, high), categorical, boolean, aside; behind a number's kind: "
    "atoms(0, ...)"
)
_FORM = re.compile(r"([a-z]+)(?:\s*\(([^()]*)\))?(?:\s+atoms\s*\(([^()]*)\))?")


@dataclass(frozen=True)
class Kind:
    """What a column is, and so what it adds to log p.

        continuous            any real number                                  a density
        positive(low)         numbers > low (0 unless given)                   a density
        bounded(low, high)    numbers strictly between                         a density
        integer(low, high)    whole numbers; either end may be left out        a probability
        gridded(step, ...)    low + k step with an integer k                   a probability
        categorical           one of some values, of any type                  a probability
        boolean               False or True                                    a probability
        constant, text        found, not modelled: `fit_table` refuses them    nothing
        aside                 left out                                         nothing

    A number may have atoms, values that have probabilities of their own: `positive atoms(0)` is 0,
    or a number > 0 with a density; `integer(0) atoms(40)` is 40, or another whole number.
    `str(kind)` is what `Kind.parse` reads.

    Parameters
    ----------
    name : str
        The word before the brackets.
    step : float
        Of a gridded or integer column, the distance of neighbouring values; else 0.
    low, high : float or None
        The ends of the support, where the kind has some; of a gridded column both are values that
        occur.
    atoms : tuple of float
        Values of a number, each with a probability of its own.

    Examples
    --------
    >>> Kind.parse("gridded(0.5, 0, 10)")
    Kind(name='gridded', step=0.5, low=0.0, high=10.0, atoms=())
    >>> str(Kind.parse("positive"))
    'positive'
    """

    name: str
    step: float = 0.0
    low: float | None = None
    high: float | None = None
    atoms: tuple[float, ...] = ()

    def __post_init__(self):
        if self.name not in ARGUMENTS:
            raise ValueError(f"there is no kind of column {self.name!r:.40}: take one of {FORMS}")
        ends = [end for end in (self.low, self.high) if end is not None]
        if not all(map(math.isfinite, (self.step, *ends))) or sorted(set(ends)) != ends:
            raise ValueError(f"{self}: needs finite numbers, low less than high")
        if self.atoms and not self.is_number:
            raise ValueError(f"{self}: only numbers have atoms")
        if not all(map(math.isfinite, self.atoms)) or sorted(set(self.atoms)) != [*self.atoms]:
            raise ValueError(f"{self}: atoms are different numbers, the smallest first")
        if self.is_gridded and not self.step > 0:
            raise ValueError(f"{self}: step must be positive")
        if self.is_gridded and self.low is None and self.high is not None:
            raise ValueError(f"{self}: an upper end needs a lower one")
        if self.is_gridded and len(ends) == 2:
            cells = (self.high - self.low) / self.step
            if not cells < 2**53:
                raise ValueError(f"{self}: has more cells than floats tell apart")
            if abs(cells - round(cells)) > 0.01:
                raise ValueError(f"{self}: low and high must be whole steps apart")

    @classmethod
    def parse(cls, text: str) -> Kind:
        """The kind that `text` names; a ValueError that lists the forms for anything else."""
        found = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
        name = found[1] if found else None
        if name not in ARGUMENTS:
            raise ValueError(f"there is no kind of column {text!r:.40}: take one of {FORMS}")
        try:
            given, atoms = (
                [float(part) for part in (inside or "").split(",") if part.strip()]
                for inside in found.groups()[1:]
            )
        except ValueError:
            raise ValueError(f"kind {text!r:.40} has an argument that is no number") from None
        if len(given) not in ARGUMENTS[name][0]:
            raise ValueError(f"kind {text!r:.40} has {len(given)} arguments: take one of {FORMS}")
        step = given.pop(0) if name == "gridded" else float(name == "integer")
        low, high = (*given, None, None)[:2]
        return cls(name, step, low, high, tuple(sorted(atoms)))

    @property
    def counts_as(self) -> str:
        """What the column adds to log p: "density", "probability" or "nothing"."""
        return ARGUMENTS[self.name][1]

    @property
    def is_gridded(self) -> bool:
        """Whether it is a number on a grid, which gets noise: gridded or integer."""
        return self.name in ("gridded", "integer")

    @property
    def is_number(self) -> bool:
        """Whether it is a coordinate of the continuous part."""
        return self.counts_as == DENSITY or self.is_gridded

    @property
    def is_category(self) -> bool:
        """Whether it is one of some values: categorical or boolean."""
        return self.name in ("categorical", "boolean")

    @property
    def support(self) -> tuple[float, float]:
        """(low, high), open: where a number of this column lives, noise included."""
        low = 0.0 if self.name == "positive" and self.low is None else self.low
        high = self.high if self.high is None or not self.is_gridded else self.high + self.step
        return -math.inf if low is None else low, math.inf if high is None else high

    @property
    def rest(self) -> Kind:
        """What is left without the atoms: those on the grid are cut out of it, and the cells above
        move down."""
        if not self.atoms:
            return self
        inside = len(self.places) if self.high is not None else 0
        high = None if self.high is None else self.high - inside * self.step
        return replace(self, high=high, atoms=())

    @property
    def places(self) -> np.ndarray:
        """k of the atoms low + k step that are on the grid, and inside of it."""
        if not self.is_gridded:
            return np.zeros(0)
        place = (np.array(self.atoms, float) - (self.low or 0)) / self.step
        on_grid = np.abs(place - np.rint(place)) <= OFF_GRID
        low, high = self.support
        atoms = np.array(self.atoms) + self.step / 2
        return np.rint(place[on_grid & (atoms > low) & (atoms < high)])

    @property
    def decimals(self) -> int:
        """Decimal places of the grid's values."""
        grid = (float(self.step), float(self.low or 0))
        return max(0, *(-Decimal(repr(v)).normalize().as_tuple().exponent for v in grid))

    def __str__(self):
        step = [self.step] if self.name == "gridded" else []
        numbers = [*step, *(end for end in (self.low, self.high) if end is not None)]
        kind = f"{self.name}({_listed(numbers)})" if numbers else self.name
        return f"{kind} atoms({_listed(self.atoms)})" if self.atoms else kind


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{float(number)!r}".removesuffix(".0") for number in numbers)
