"""The kinds of columns: a class for each, written like "bounded(0, 1)"."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar

import numpy as np

from ..bijectors import Bijector, Chain, ElementwiseAffine, Exp, Permute, Sigmoid, Softplus
from ..discrete import OFF_GRID
from .dates import DAY, UNITS

DENSITY, PROBABILITY, NOTHING = "density", "probability", "nothing"
_FORM = re.compile(r"([a-z]+)(?:\s*\(([^()]*)\))?(?:\s+atoms\s*\(([^()]*)\))?")


@dataclass(frozen=True, repr=False)
class Kind:
    """The kind of a column, which decides what the column adds to log p.

        continuous            any real number                                  a density
        positive(low)         numbers > low (0 by default)                     a density
        bounded(low, high)    numbers strictly between                         a density
        integer(low, high)    whole numbers; either end may be left out        a probability
        gridded(step, ...)    low + k step with an integer k                   a probability
        date(unit, ...)       months, days, hours, minutes, seconds            a probability
        time(unit, format)    times of day                                     a probability
        categorical           one of some values, of any type                  a probability
        boolean               False or True                                    a probability
        constant, text        found, not modelled: `fit_table` refuses them    nothing
        aside                 left out                                         nothing

    Numbers may have atoms, values with probabilities of their own: `positive atoms(0)` is 0, or a
    number > 0 with a density; `integer(0) atoms(40)` is 40, or another whole number. Dates that are
    text or numbers have a format: `date(day, %d.%m.%Y)`. With `date(day, week, ...)` the weekday is
    a category, with `date(day, year, ...)` the month.

    `str(kind)` is what `Kind.parse` reads.

    Parameters
    ----------
    name : str
        The name before the brackets.
    step : float
        The distance of neighbouring values of a gridded or integer column; else 0.
    low, high : float or None
        The ends of the support, if the kind has ends.
    atoms : tuple of float
        Values of a number that have probabilities, the smallest first.
    form : str
        The format of a date or time, in the notation of `strptime`.
    repeats : str
        "week" or "year", for a date.

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
    atoms: tuple[float, ...] = ()
    form: str = ""
    repeats: str = ""

    counts_as: ClassVar[str] = NOTHING  # what the column adds to log p
    forms: ClassVar[tuple[str, ...]] = ()  # how it is written, if it may be chosen
    is_number: ClassVar[bool] = False  # a coordinate of the continuous part
    is_gridded: ClassVar[bool] = False  # a number on a grid, which gets noise
    is_category: ClassVar[bool] = False
    is_date: ClassVar[bool] = False  # days or times of day

    def __new__(
        cls, name: str = "", step: float = 0.0, low: float | None = None,
        high: float | None = None, atoms: tuple[float, ...] = (), form: str = "",
        repeats: str = "",
    ):  # fmt: skip
        """An object of the kind's own class; pickle passes no arguments."""
        if cls is Kind and name not in KINDS:
            raise ValueError(f"there is no kind of column {name!r:.40}: take one of {FORMS}")
        return super().__new__(KINDS[name] if cls is Kind else cls)

    def __post_init__(self):
        ends = self._ends
        if not all(map(math.isfinite, (self.step, *ends))) or sorted(set(ends)) != ends:
            raise ValueError(f"{self!s:.60}: needs finite numbers, low less than high")
        if self.atoms and not self.is_number:
            raise ValueError(f"{self!s:.60}: only numbers have atoms")
        step = self.step == 1 if self.name == "integer" else bool(self.step) == self.is_gridded
        above = self.low is None and self.high is not None
        if not self.is_date and (not step or above or len(self._written) not in self._lengths()):
            raise ValueError(
                f"no kind {self.name} has step {self.step}, low {self.low}, high {self.high}: take "
                f"one of {FORMS}"
            )
        if not all(map(math.isfinite, self.atoms)) or sorted(set(self.atoms)) != [*self.atoms]:
            raise ValueError(f"{self!s:.60}: atoms are different numbers, the smallest first")

    @staticmethod
    def parse(text: str) -> Kind:
        """The kind that `text` names; a ValueError that lists the forms for anything else."""
        found = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
        if not found or found[1] not in KINDS:
            raise ValueError(f"there is no kind of column {text!r:.40}: take one of {FORMS}")
        kind = KINDS[found[1]]
        if kind.is_date:
            return kind.parse_date(found[2] or "")
        try:
            numbers, atoms = (
                [float(part) for part in (inside or "").split(",") if part.strip()]
                for inside in found.groups()[1:]
            )
        except ValueError:
            raise ValueError(f"kind {text!r:.40} has an argument that is no number") from None
        if len(numbers) not in kind._lengths():
            raise ValueError(f"kind {text!r:.40} has {len(numbers)} arguments: take one of {FORMS}")
        step = numbers.pop(0) if kind is Gridded else float(kind is Integer)
        low, high = (*numbers, None, None)[:2]
        return kind(found[1], step, low, high, tuple(sorted(atoms)))

    @property
    def _ends(self) -> list[float]:
        return [end for end in (self.low, self.high) if end is not None]

    @property
    def _written(self) -> list[float]:
        """The numbers in the brackets."""
        return [self.step] * (self.name == "gridded") + self._ends

    @classmethod
    def _lengths(cls) -> set[int]:
        """How many there may be."""
        return {form.count(",") + ("(" in form) for form in cls.forms or ("",)}

    def __str__(self):
        kind = f"{self.name}({_listed(self._written)})" if self._written else self.name
        return f"{kind} atoms({_listed(self.atoms)})" if self.atoms else kind

    def __repr__(self):
        return f"Kind.parse({str(self)!r})"


class Continuous(Kind):
    """Any real number: x = z. The base of all kinds of numbers."""

    counts_as = DENSITY
    is_number = True
    forms = ("continuous",)

    @property
    def support(self) -> tuple[float, float]:
        """(low, high), open: the support of the numbers, including their noise."""
        return -math.inf, math.inf

    def contains(self, x: np.ndarray) -> np.ndarray:
        """A mask of the x inside of the support; an infinite number is not."""
        low, high = self.support
        with np.errstate(all="ignore"):
            return (x > low - self.step / 2) & (x < high - self.step / 2)

    def line(self, n: int) -> Bijector:
        """The map from the whole line to the support, for n columns of this kind."""
        return Permute(range(n))

    @property
    def rest(self) -> Kind:
        """The kind of the numbers that are not atoms, as coordinates: see `without_atoms`."""
        return replace(self, atoms=())

    def atom_of(self, x: np.ndarray) -> np.ndarray:
        """1, 2, ... where x is the first atom, the second, ...; else 0."""
        found = np.zeros(np.shape(x), np.int64)
        for i, atom in enumerate(self.atoms):
            found[np.abs(x - atom) <= OFF_GRID * self.step] = 1 + i
        return found

    def off_grid(self, x: np.ndarray) -> np.ndarray:
        """A mask of the x that are not values of a grid; without a grid, none."""
        return np.zeros(np.shape(x), bool)

    def nearest(self, x: np.ndarray) -> np.ndarray:
        """The values of a grid next to x; without a grid, x."""
        return x

    def without_atoms(self, x: np.ndarray) -> np.ndarray:
        """The coordinates of numbers that are not atoms: the numbers themselves."""
        return x

    def with_atoms(self, x: np.ndarray) -> np.ndarray:
        """The way back."""
        return x

    def restored(self, x: np.ndarray) -> np.ndarray:
        """Draws as numbers of the column.

        A number that rounding puts on the edge of its support is moved inside by the smallest
        possible amount.
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
            raise ValueError(f"{self!s:.60}: step must be positive")
        cells = 0.0 if self.high is None else (self.high - self.low) / self.step
        if not cells < 2**53:
            raise ValueError(f"{self!s:.60}: has more cells than floats distinguish")
        if abs(cells - round(cells)) > 0.01:
            raise ValueError(f"{self!s:.60}: low and high must be whole steps apart")
        if self.high is not None and round(cells) <= len(self._cut):
            raise ValueError(
                f"{self!s:.60}: at least two values must not be atoms; else take categorical"
            )

    @property
    def support(self):
        low = -math.inf if self.low is None else self.low
        return low, math.inf if self.high is None else self.high + self.step

    def line(self, n):
        if self.high is not None:
            return Sigmoid(n, *self.support)
        return super().line(n) if self.low is None else Softplus(n, self.step, self.low)

    def off_grid(self, x: np.ndarray) -> np.ndarray:
        """A mask of the x that are not values low + k step."""
        with np.errstate(all="ignore"):  # far out, steps are finer than floats
            place = self._place(x)
            return np.abs(place - np.rint(place)) > OFF_GRID

    def nearest(self, x: np.ndarray) -> np.ndarray:
        """The values low + k step next to x."""
        return (self.low or 0) + self.step * np.rint(self._place(x))

    def _place(self, x):
        """k, of x = low + k step."""
        return (x - (self.low or 0)) / self.step

    @property
    def _cut(self) -> np.ndarray:
        """k of the atoms that are on the grid, inside of the ends."""
        atoms = np.array(self.atoms, float)
        return np.rint(self._place(atoms[~self.off_grid(atoms) & self.contains(atoms)]))

    @property
    def rest(self):
        high = None if self.high is None else self.high - self.step * len(self._cut)
        return replace(self, high=high, atoms=())

    def without_atoms(self, x):
        """The cells of atoms are cut out of the grid, and those above them move down."""
        if not len(self._cut):
            return x
        return x - self.step * np.searchsorted(self._cut, np.rint(self._place(x)))

    def with_atoms(self, x):
        place = np.rint(self._place(x))  # infinite ones stay
        for atom in self._cut:
            place += place >= atom
        return (self.low or 0) + self.step * place

    def restored(self, x):
        x = np.clip(x, self.support[0], np.inf if self.high is None else self.high)
        grid = (float(self.step), float(self.low or 0))
        decimals = max(0, *(-Decimal(repr(v)).normalize().as_tuple().exponent for v in grid))
        return np.round(x, decimals) if decimals <= 15 else x


class Integer(Gridded):
    """Whole numbers: a grid of step 1."""

    forms = ("integer", "integer(low)", "integer(low, high)")


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{float(number)!r}".removesuffix(".0") for number in numbers)


class Date(Gridded):
    """Dates, as seconds since 1970-01-01 on a grid of months, days, hours, minutes or seconds."""

    is_date = True
    forms = ("date(unit)", "date(unit, format)", "date(unit, week or year, format)")

    def __post_init__(self):
        super().__post_init__()
        if self.form and not ("%" in self.form.replace("%%", "") and len(self.form) <= 100):
            raise ValueError(f"a date has a format such as %d.%m.%Y: got {self.form!r:.40}")

    @classmethod
    def parse_date(cls, inside: str) -> Kind:
        """The kind with these arguments: a unit, what repeats if something does, a format."""
        unit, *others = (part.strip() for part in inside.split(",", 1))
        repeats, *form = (part.strip() for part in others[0].split(",", 1)) if others else ("",)
        if repeats not in ("", "week", "year"):
            repeats, form = "", others
        return cls.of(unit or "day", form[0] if form else "", repeats)

    @classmethod
    def of(cls, unit: str, form: str = "", repeats: str = "") -> Kind:
        """The kind of a unit: month, day, hour, minute, second."""
        if unit not in UNITS:
            raise ValueError(f"a unit of dates is one of {', '.join(UNITS)}: got {unit!r:.40}")
        if unit == "month" and repeats == "week":
            raise ValueError("months have no weekdays: take date(month) or date(month, year)")
        return cls(cls.__name__.lower(), float(UNITS[unit]), form=form, repeats=repeats)

    @property
    def unit(self) -> str:
        """month, day, hour, minute or second."""
        return next(unit for unit, step in UNITS.items() if step == self.step)

    def __str__(self):
        return f"{self.name}({', '.join(filter(None, (self.unit, self.repeats, self.form)))})"


class Time(Date):
    """Times of day, as seconds since midnight on a grid of hours, minutes or seconds."""

    forms = ("time(unit, format)",)

    @classmethod
    def of(cls, unit, form="", repeats=""):
        found = super().of(unit, form)
        return replace(found, low=0.0, high=DAY - found.step)


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
    """Free text, durations, days of no format: found, and refused by `fit_table`."""


class Aside(Kind):
    """Left out."""

    forms = ("aside",)


KINDS = {
    kind.__name__.lower(): kind
    for kind in (
        Continuous, Positive, Bounded, Gridded, Integer, Date, Time, Categorical, Boolean, Constant,
        Text, Aside,
    )
}  # fmt: skip
FORMS = (
    ", ".join(form for kind in KINDS.values() for form in kind.forms)
    + "; behind a number's kind: atoms(0, ...)"
)
