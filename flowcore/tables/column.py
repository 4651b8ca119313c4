"""One column of a table: its kind, and the facts from which it was found."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .frame import Name
from .kind import FORMS, Kind
from .rules import Rule

MOST_VALUES = 1000  # of a category; more are no categories
TYPES = {"number": (int, float), "boolean": bool, "text": str, "date": ()}  # of the values
Value = str | float | int | bool


@dataclass(frozen=True)
class Column:
    """The facts about a column.

    Parameters
    ----------
    name : str or int
        Its name, or its number in a table without names.
    kind : Kind
        The kind of the column.
    type : str
        The type of its values: "number", "boolean", "text" or "date".
    values : tuple or None
        The different values, in order, if they are few enough to be categories.
    low, high : float or None
        The least and the largest number.
    why : str
        The evidence for the kind.
    suggestion : Kind or None
        A kind that may fit better, but changes the meaning of log p.
    note : str
        The reason for the suggestion, or a problem.
    missing : bool
        Whether a missing cell is a value of the column, with a probability of its own.
    decimals : int or None
        Decimal places of all numbers, and of draws; None: more than 12.
    rounded : bool
        Whether numbers off the grid are rounded to it.
    rule : Rule or None
        How a category follows from another column.
    mark : str
        The form in which a file has its numbers, such as "${:,.2f}"; "" for plain ones.

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
    decimals: int | None = None
    rounded: bool = False
    rule: Rule | None = None
    mark: str = ""

    def __post_init__(self):
        named, kind, values = f"column {self.name!r:.40}", self.kind, self.values or ()
        is_name = isinstance(self.name, (str, int)) and not isinstance(self.name, bool)
        allowed = TYPES.get(self.type)
        for wrong, problem in (
            (not is_name, f"a column is called {self.name!r:.40}: names are text or integers"),
            (allowed is None, f"{named} is of type {self.type!r:.40}, not one of {list(TYPES)}"),
            (kind.is_number and self.type != "number" and not kind.is_date,
             f"{named} is {self.type} and cannot be {kind}: take categorical or aside"),
            (kind.is_category and self.values is None,
             f"{named} has too many different values for a category (over {MOST_VALUES}): take "
             "another kind, or aside"),
            (kind.is_category and len(set(values)) != max(1, len(values)),
             f"{named} needs different values: {values!r:.80}"),
            (kind.name == "boolean" and not set(values) <= {False, True},
             f"{named} is boolean, but has the values {values!r:.80}: take categorical"),
        ):  # fmt: skip
            if wrong:
                raise ValueError(problem)
        for value in values:
            if not isinstance(value, allowed):
                raise ValueError(f"{named} of type {self.type} has the value {value!r:.40}")

    def edited(self, kind: str | Kind) -> Column:
        """The same column as another kind: a `Kind`, or its text, such as "bounded(0, 1)".

        Errors: ValueError if numbers that were seen lie outside of its ends. A fit finds numbers
        off its grid, and names the row.
        """
        kind = kind if isinstance(kind, Kind) else Kind.parse(kind)
        named = f"column {self.name!r:.40}"
        if kind.name in ("constant", "text"):
            raise ValueError(f"{named}: {kind} is found, not chosen: take one of {FORMS}")
        ends = self.values or [end for end in (self.low, self.high) if end is not None]
        is_number = self.type == "number" and kind.is_number and not kind.is_date
        for number in sorted(set(ends) - set(kind.atoms)) if is_number else ():
            if not kind.contains(number):
                raise ValueError(
                    f"{named} has the value {number!r}, which is not inside of {kind}: "
                    "give other ends, or take another kind"
                )
        boolean = kind.name == "boolean" and set(self.values or ("?",)) <= {False, True}
        values = (False, True) if boolean else self.values
        rounded = self.rounded and kind == self.suggestion
        own = {"kind": kind, "values": values, "rounded": rounded}
        return replace(self, **own, suggestion=None, note="", rule=None)

    def to_dict(self) -> dict:
        """The column as data for JSON."""
        data = {name: getattr(self, name) for name in self.__dataclass_fields__}
        data |= {"kind": str(self.kind), "suggestion": str(self.suggestion or "")}
        data["values"] = None if self.values is None else list(self.values)
        data |= {"rule": self.rule and [*vars(self.rule).values()]}
        data |= {"missing": self.missing or None, "rounded": self.rounded or None}
        return {key: v for key, v in data.items() if key == "name" or v not in (None, "")}

    @classmethod
    def from_dict(cls, data: dict) -> Column:
        """The column that `to_dict` described."""
        kinds = {key: Kind.parse(data[key]) for key in ("kind", "suggestion") if key in data}
        values, rule = data.get("values"), data.get("rule")
        own = {"values": None if values is None else tuple(values)}
        own |= {"rule": rule and Rule(*(tuple(v) if isinstance(v, list) else v for v in rule))}
        return cls(**data | kinds | own)
