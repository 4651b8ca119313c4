"""What a column can be: a class for each kind, which reads as it is written: "bounded(0, 1)"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

import numpy as np

from ..bijectors import Bijector, Chain, ElementwiseAffine, Exp, Permute, Sigmoid, Softplus
from ..discrete import OFF_GRID

DENSITY, PROBABILITY, NOTHING = "density", "probability", "nothing"
_FORM = re.compile(r"([a-z]+)(?:\s*\(([^()]*)\))?")


@dataclass(frozen=True, repr=False)
class Kind:
    """What a column is, and so what it adds to log p.

        continuous            any real number                                  a density
        positive(low)         numbers > low (0 by default)                     a density
        bounded(low, high)    numbers strictly between                         a density
        integer(low, high)    whole numbers; either end may be left out        a probability
        gridded(step, ...)    low + k step with an integer k                   a probability
        categorical           one of some values, of any type                  a probability
        boolean               False or True                                    a probability
        constant, text        found, not modelled: `fit_table` refuses them    nothing
        aside                 left out                                         nothing

    `Kind("integer", 1)` is an `Integer`: each kind is a class, named like it. `str(kind)` is what
    `Kind.parse` reads.

    Parameters
    ----------
    name : str
        The name before the brackets.
    step : float
        Of a gridded or integer column, the distance of neighbouring values; else 0.
    low, high : float or None
        The ends of the support, where the kind has some; of a gridded column both are values that
        occur.

    Examples
    --------
    >>> Kind.parse("gridded(0.5, 0, 10)")
    Kind.parse('gridded(0.5, 0, 10)')
    >>> Kind.parse("positive").support
    (0.0, inf)
    """

    name: str
    step: float = 0.0
    low: float | None = None
    high: float | None = None

    counts_as: ClassVar[str] = NOTHING  # what the column adds to log p
    forms: ClassVar[tuple[str, ...]] = ()  # how it is written, if it may be chosen
    is_number: ClassVar[bool] = False  # a coordinate of the continuous part
    is_gridded: ClassVar[bool] = False  # a number on a grid, which gets noise
    is_category: ClassVar[bool] = False

    def __new__(
        cls, name: str = "", step: float = 0.0, low: float | None = None, high: float | None = None
    ):
        """An object of the kind's own class; pickle passes no arguments."""
        if cls is Kind and name not in KINDS:
            raise ValueError(f"there is no kind of column {name!r:.40}: take one of {FORMS}")
        return super().__new__(KINDS[name] if cls is Kind else cls)

    def __post_init__(self):
        ends = self._ends
        if not all(map(math.isfinite, (self.step, *ends))) or sorted(set(ends)) != ends:
            raise ValueError(f"{self}: needs finite numbers, low less than high")

    @staticmethod
    def parse(text: str) -> Kind:
        """The kind that `text` names; a ValueError that lists the forms for anything else."""
        found = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
        if not found or found[1] not in KINDS:
            raise ValueError(f"there is no kind of column {text!r:.40}: take one of {FORMS}")
        kind = KINDS[found[1]]
        try:
            numbers = [float(part) for part in (found[2] or "").split(",") if part.strip()]
        except ValueError:
            raise ValueError(f"kind {text!r:.40} has an argument that is no number") from None
        if len(numbers) not in {form.count(",") + ("(" in form) for form in kind.forms or ("",)}:
            raise ValueError(f"kind {text!r:.40} has {len(numbers)} arguments: take one of {FORMS}")
        step = numbers.pop(0) if kind is Gridded else float(kind is Integer)
        return kind(found[1], step, *numbers)

    @property
    def _ends(self) -> list[float]:
        return [end for end in (self.low, self.high) if end is not None]

    def __str__(self):
        numbers = [self.step] * (self.name == "gridded") + self._ends
        inside = ", ".join(f"{number!r}".removesuffix(".0") for number in numbers)
        return f"{self.name}({inside})" if numbers else self.name

    def __repr__(self):
        return f"Kind.parse({str(self)!r})"


class Continuous(Kind):
    """Any real number: x = z. The base of all kinds of numbers."""

    counts_as = DENSITY
    is_number = True
    forms = ("continuous",)

    @property
    def support(self) -> tuple[float, float]:
        """(low, high), open: where a number of this column lives, noise included."""
        return -math.inf, math.inf

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Where x is inside of the support, as a value that occurs; an infinite number is not."""
        low, high = self.support
        with np.errstate(all="ignore"):
            return (x > low - self.step / 2) & (x < high - self.step / 2)

    def line(self, n: int) -> Bijector:
        """The map from the whole line to the support, for n columns of this kind."""
        return Permute(range(n))

    def restored(self, x: np.ndarray) -> np.ndarray:
        """Draws as values of the column.

        A number that floats put on the edge of its support is moved inside by as little as they
        can.
        """
        low, high = self.support
        return np.clip(x, np.nextafter(low, np.inf), np.nextafter(high, -np.inf))


class Positive(Continuous):
    """Numbers > low: x = low + exp(z)."""

    forms = ("positive", "positive(low)")

    @property
    def support(self):
        return self.low or 0.0, math.inf

    def line(self, n):
        return Chain([ElementwiseAffine(np.full(n, self.low)), Exp(n)]) if self.low else Exp(n)


class Bounded(Continuous):
    """Numbers strictly between: x = low + (high - low) sigmoid(z)."""

    forms = ("bounded(low, high)",)

    @property
    def support(self):
        return self.low, self.high

    def line(self, n):
        return Sigmoid(n, *self.support)


class Gridded(Continuous):
    """Values low + k step, spread over their cells by noise: y in [x, x + step).

    With both ends y is mapped as bounded, to high + step; with a lower one y = low + softplus(z).
    """

    counts_as = PROBABILITY
    forms = ("gridded(step)", "gridded(step, low)", "gridded(step, low, high)")
    is_gridded = True

    def __post_init__(self):
        super().__post_init__()
        if not self.step > 0:
            raise ValueError(f"{self}: step must be positive")
        if self.low is None and self.high is not None:
            raise ValueError(f"{self}: an upper end needs a lower one")
        cells = 0.0 if self.high is None else (self.high - self.low) / self.step
        if not cells < 2**53:
            raise ValueError(f"{self}: has more cells than floats distinguish")
        if abs(cells - round(cells)) > 0.01:
            raise ValueError(f"{self}: low and high must be whole steps apart")

    @property
    def support(self):
        low = -math.inf if self.low is None else self.low
        return low, math.inf if self.high is None else self.high + self.step

    def line(self, n):
        if self.high is not None:
            return Sigmoid(n, *self.support)
        return super().line(n) if self.low is None else Softplus(n, self.step, self.low)

    def off_grid(self, x: np.ndarray) -> np.ndarray:
        """Where x is no value low + k step."""
        with np.errstate(all="ignore"):  # far out, steps are finer than floats
            place = (x - (self.low or 0)) / self.step
            return np.abs(place - np.rint(place)) > OFF_GRID

    def restored(self, x):
        x = np.clip(x, self.support[0], np.inf if self.high is None else self.high)
        grid = (float(self.step), float(self.low or 0))
        decimals = max(0, *(-Decimal(repr(v)).normalize().as_tuple().exponent for v in grid))
        x = np.round(x, decimals) if decimals <= 15 else x
        return x.astype(np.int64) if decimals == 0 and (np.abs(x) < 2**53).all() else x


class Integer(Gridded):
    """Whole numbers: a grid of step 1."""

    forms = ("integer", "integer(low)", "integer(low, high)")


class Categorical(Kind):
    """One of some values, of any type."""

    counts_as = PROBABILITY
    is_category = True
    forms = ("categorical",)
    has_unseen: ClassVar[bool] = True  # values that were never seen


class Boolean(Categorical):
    """False or True, which may be written as text."""

    forms = ("boolean",)
    has_unseen = False
    texts: ClassVar[dict[str, int]] = {
        "true": 1, "True": 1, "TRUE": 1, "false": 0, "False": 0, "FALSE": 0,
    }  # fmt: skip


class Constant(Kind):
    """Always the same value: found, and refused by `fit_table`."""


class Text(Kind):
    """Free text, or dates: found, and refused by `fit_table`."""


class Aside(Kind):
    """Left out."""

    forms = ("aside",)


KINDS = {
    kind.__name__.lower(): kind
    for kind in (
        Continuous, Positive, Bounded, Gridded, Integer, Categorical, Boolean, Constant, Text, Aside
    )
}  # fmt: skip
FORMS = ", ".join(form for kind in KINDS.values() for form in kind.forms)
