"""What a column can be: ten kinds, each of which reads as it is written: "bounded(0, 1)"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

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
    "gridded(step), gridded(step, low, high), categorical, boolean, aside"
)
_FORM = re.compile(r"([a-z]+)(?:\s*\(([^()]*)\))?")


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

    Examples
    --------
    >>> Kind.parse("gridded(0.5, 0, 10)")
    Kind(name='gridded', step=0.5, low=0.0, high=10.0)
    >>> str(Kind.parse("positive"))
    'positive'
    """

    name: str
    step: float = 0.0
    low: float | None = None
    high: float | None = None

    def __post_init__(self):
        if self.name not in ARGUMENTS:
            raise ValueError(f"there is no kind of column {self.name!r:.40}: take one of {FORMS}")
        ends = [end for end in (self.low, self.high) if end is not None]
        if not all(map(math.isfinite, (self.step, *ends))) or sorted(set(ends)) != ends:
            raise ValueError(f"{self}: needs finite numbers, low less than high")
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
            given = [float(part) for part in (found[2] or "").split(",") if part.strip()]
        except ValueError:
            raise ValueError(f"kind {text!r:.40} has an argument that is no number") from None
        if len(given) not in ARGUMENTS[name][0]:
            raise ValueError(f"kind {text!r:.40} has {len(given)} arguments: take one of {FORMS}")
        step = given.pop(0) if name == "gridded" else float(name == "integer")
        return cls(name, step, *given)

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
    def decimals(self) -> int:
        """Decimal places of the grid's values."""
        grid = (float(self.step), float(self.low or 0))
        return max(0, *(-Decimal(repr(v)).normalize().as_tuple().exponent for v in grid))

    def __str__(self):
        step = [self.step] if self.name == "gridded" else []
        numbers = [*step, *(end for end in (self.low, self.high) if end is not None)]
        inside = ", ".join(f"{number!r}".removesuffix(".0") for number in numbers)
        return f"{self.name}({inside})" if numbers else self.name
