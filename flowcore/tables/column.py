"""One column of a table: its kind, and the facts that this was found from."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

from .frame import Name
from .kind import FORMS, Kind

MOST_VALUES = 1000  # of a category; more are no categories
TYPES = {"number": (int, float), "boolean": bool, "text": str}  # of the values
Value = str | float | int | bool


@dataclass(frozen=True)
class Column:
    """What is known of a column.

    Parameters
    ----------
    name : str or int
        Its name; its number in a table without names.
    kind : Kind
        What it is taken for.
    type : str
        What its values are: "number", "boolean" or "text".
    values : tuple or None
        The different values, in order, if they are few enough to be categories.
    low, high : float or None
        The least and the largest number.
    why : str
        What the kind was found from.
    suggestion : Kind or None
        A kind that would fit better, but changes what log p means: adopted if you say so.
    note : str
        Why that is suggested, or what is wrong.
    missing : bool
        Whether a missing cell is a value of the column, with a probability of its own.

    Examples
    --------
    >>> age = Column("age", Kind("continuous"), low=18.0, high=90.0)
    >>> age.edited("integer").kind.counts_as
    'probability'
    """

    name: Name
    kind: Kind
    type: str = "number"
    values: tuple[Value, ...] | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""
    suggestion: Kind | None = None
    note: str = ""
    missing: bool = False

    def __post_init__(self):
        if self.type not in TYPES:
            raise ValueError(
                f"{self._named} is of type {self.type!r:.40}, not one of {list(TYPES)}"
            )
        fits = isinstance(self.name, (str, int)) and not isinstance(self.name, bool)
        if not fits or (isinstance(self.name, int) and self.name < 0):
            raise ValueError(f"a column is called {self.name!r:.40}: names are text, or 0, 1, ...")
        for value in self.values or ():
            if not isinstance(value, TYPES[self.type]):
                raise ValueError(f"{self._named} of type {self.type} has the value {value!r:.40}")
        if self.kind.is_category:
            self._check_values()
        if self.kind.is_number and self.type != "number":
            raise ValueError(
                f"{self._named} is {self.type} and cannot be {self.kind}: take categorical or aside"
            )

    @property
    def looks(self) -> str:
        """What it is suggested to be, in the sentence 'age looks ...'."""
        if self.suggestion is None:
            return "odd"
        return "like an identifier" if self.suggestion.name == "aside" else str(self.suggestion)

    @property
    def _named(self) -> str:
        return f"column {self.name!r:.40}"

    def _check_values(self) -> None:
        if self.values is None:
            raise ValueError(
                f"{self._named} has too many different values for a category (over {MOST_VALUES}): "
                "take another kind, or aside"
            )
        if not self.values or len(set(self.values)) != len(self.values):
            raise ValueError(f"{self._named} needs different values: {self.values!r:.80}")
        if self.kind.name == "boolean" and not set(self.values) <= {False, True}:
            raise ValueError(
                f"{self._named} is boolean, but has the values {self.values!r:.80}: take "
                "categorical"
            )

    def edited(self, kind: str | Kind) -> Column:
        """The same column as another kind: a `Kind`, or its text, such as "bounded(0, 1)"."""
        kind = kind if isinstance(kind, Kind) else Kind.parse(kind)
        if kind.name in ("constant", "text"):
            raise ValueError(f"{self._named}: {kind} is found, not chosen: take one of {FORMS}")
        self._check_support(kind)
        boolean = kind.name == "boolean" and set(self.values or ("?",)) <= {False, True}
        values = (False, True) if boolean else self.values
        return replace(self, kind=kind, values=values, suggestion=None, note="")

    def _check_support(self, kind: Kind) -> None:
        """A ValueError if the numbers that were seen do not fit."""
        if not kind.is_number or self.low is None:
            return
        low, high = kind.support
        low, high = low - kind.step / 2, high - kind.step / 2  # of a grid, both ends are inside
        numbers = self.values or (self.low, self.high)
        for number in set(numbers) - set(kind.atoms):
            if not low < number < high:
                raise ValueError(
                    f"{self._named} has the value {number!r}, which is not inside of {kind}: "
                    "give other ends, or take another kind"
                )

    def to_dict(self) -> dict:
        """The column as plain data, for JSON."""
        plain = asdict(self) | {"kind": str(self.kind)}
        plain["suggestion"] = None if self.suggestion is None else str(self.suggestion)
        plain["values"] = None if self.values is None else list(self.values)
        plain["missing"] = self.missing or None
        return {k: v for k, v in plain.items() if k == "name" or v not in (None, "")}

    @classmethod
    def from_dict(cls, plain: dict) -> Column:
        """What `to_dict` made; a ValueError for anything else."""
        if not isinstance(plain, dict) or not {"name", "kind"} <= set(plain):
            raise ValueError(f"{plain!r:.80} describes no column")
        unknown = set(plain) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"a column has no {sorted(map(str, unknown))[0]!r:.40}")
        given = dict(plain)
        for key in ("kind", "suggestion"):
            if key in given:
                given[key] = Kind.parse(given[key])
        if "values" in given:
            values = given["values"]
            good = isinstance(values, (list, tuple)) and all(map(_is_value, values))
            if not good or len(values) > MOST_VALUES:
                raise ValueError(f"column {given['name']!r:.40} has the values {values!r:.80}")
            given["values"] = tuple(values)
        for key in ("why", "note", "type"):
            if not isinstance(given.get(key, ""), str):
                raise ValueError(f"{key} of column {given['name']!r:.40} must be text")
        for key in ("low", "high"):
            if key in given and not _is_finite(given[key]):
                raise ValueError(f"{key} of column {given['name']!r:.40} must be a number")
        if type(given.get("missing", False)) is not bool:
            raise ValueError(f"missing of column {given['name']!r:.40} is true or false")
        return cls(**given)


def _is_value(value) -> bool:
    return isinstance(value, (str, bool)) or _is_finite(value)


def _is_finite(value) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64
