"""`Schema`: the kinds of a table's columns. Found from data, printed, edited, saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..core import with_fix
from ..core.labels import is_numbered
from .column import Column
from .detection import find_columns
from .frame import NUMBERS, Frame, Name, as_frame, is_missing, listed
from .kind import DENSITY, PROBABILITY, Kind
from .rules import Rule

if TYPE_CHECKING:
    from ..core.typing import TableLike

FORMAT = 2  # 1: that of 0.3.0
MISSING = ("error", "drop", "atom", "learn")


@dataclass(frozen=True, repr=False)
class Schema:
    """The columns of a table, in order: the kind of each, and what it adds to log p.

    Numbers are continuous, text and booleans are categories, dates are dates. Anything else is a
    suggestion, because it changes what log p means or where it is -inf: print the schema, and adopt
    single suggestions by `edit`, or all by `suggested`. Constant columns and free text must be set
    aside.

    Parameters
    ----------
    columns : tuple of Column
        With different names.
    n_rows : int
        The number of rows from which it was found.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> schema = Schema.from_data({
    ...     "price": np.exp(rng.normal(size=200)),
    ...     "rooms": rng.poisson(3, size=200),
    ...     "city": rng.choice(["Bern", "Rome"], size=200),
    ... })
    >>> print(schema)
    column  kind         counts as    found from                                       better?
    price   continuous   density      200 different numbers from 0.0908784 to 7.40676  positive...
    """

    columns: tuple[Column, ...]
    n_rows: int = 0

    def __post_init__(self):
        object.__setattr__(self, "columns", tuple(self.columns))
        seen: set[str] = set()
        if not self.columns:
            raise ValueError("a schema needs at least one column")
        for column in self.columns:
            if f"{column.name}" in seen:
                raise ValueError(f"two columns are called {column.name!r:.40}: rename one of them")
            seen.add(f"{column.name}")

    # ------------------------------------------------------------ made

    @classmethod
    def from_data(cls, X: TableLike, missing: str = "error", *, auto: bool = False) -> Schema:
        """Find the columns of X: a table of pandas, polars or pyarrow, a mapping, an array (n, D).

        missing: a missing number is an error ("error"), or "missing" is a value ("atom"); with
        both, a missing category is a value. "drop": rows with any missing cell are ignored.
        "learn": no missing cell is a value. Errors: ValueError for infinite numbers, too, and for
        text among numbers, naming row, column and value. Cost: a sort of each column.

        auto: follow every proposal. The suggestions are adopted, columns without a density are set
        aside (their `note` has the reason), and missing cells are unknown: then pass
        `missing="learn"` to `fit_table`, too, if there are some.
        """
        frame = as_frame(X)
        if auto:
            from .proposing import proposed

            return proposed(frame, cls)
        complete = complete_rows(frame, missing)
        frame = frame if complete.all() else frame.take(complete)
        return cls(find_columns(frame, unknown=missing == "learn"), len(frame))

    def edit(self, changes: Mapping | None = None, **kinds: str | Kind) -> Schema:
        """The schema with other kinds for some columns, such as `edit(age="integer(0)")`.

        changes: the same as a mapping, for names that are not valid in Python. The kinds are texts
        as `Kind` lists them. Errors: ValueError for an unknown column or kind, and for a kind that
        does not fit the data.
        """
        wanted = {**(changes or {}), **kinds}
        unknown = [name for name in wanted if name not in self.names]
        if unknown:
            raise ValueError(f"there is no column {unknown[0]!r:.40}, but {listed(self.names)}")
        columns = (c.edited(wanted[c.name]) if c.name in wanted else c for c in self.columns)
        return replace(self, columns=tuple(columns))

    def suggested(self) -> Schema:
        """The schema with all its suggestions adopted."""
        return self.edit({c.name: c.suggestion for c in self.columns if c.suggestion})

    def with_rules(self, rules: Mapping[Name, Rule]) -> Schema:
        """The schema in which these columns have a rule, and no others."""
        return replace(
            self, columns=tuple(replace(c, rule=rules.get(c.name)) for c in self.columns)
        )

    @property
    def rules(self) -> dict[Name, str]:
        """name -> its rule in words, of each column that follows from another one."""
        numbers, found = {column.name for column in self.numbers}, {}
        for c in self.columns:
            if c.rule is not None:
                steps = f": {c.rule.described(c.values or ())}" * (c.rule.source in numbers)
                found[c.name] = f"follows from {c.rule.source!r:.40}{steps}"
        return found

    @property
    def suggestions(self) -> dict[Name, str]:
        """name -> kind: the changes that `suggested` would make."""
        return {c.name: str(c.suggestion) for c in self.columns if c.suggestion}

    # ------------------------------------------------------------ looked at

    @property
    def names(self) -> tuple[Name, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def is_named(self) -> bool:
        """Whether the table has names, and not 0, 1, ..."""
        return not is_numbered(self.names)

    @property
    def numbers(self) -> tuple[Column, ...]:
        """The columns that are coordinates of the continuous part, including gridded ones."""
        return tuple(c for c in self.columns if c.kind.is_number)

    @property
    def categories(self) -> tuple[Column, ...]:
        """The columns that are categories."""
        return tuple(c for c in self.columns if c.kind.is_category)

    @property
    def meaning(self) -> str:
        """The meaning of log p: which columns count as densities, which as probabilities."""
        parts = []
        for what in (DENSITY, PROBABILITY):
            names = [f"{c.name}" for c in self.columns if c.kind.counts_as == what]
            if names:
                parts.append(f"a {what} of {', '.join(names)}")
        aside = [f"{c.name}" for c in self.columns if not (c.kind.is_number or c.kind.is_category)]
        without = f"; {', '.join(aside)} left out" if aside else ""
        units = [f"1/[{c.name}]" for c in self.columns if c.kind.counts_as == DENSITY]
        unit = f", in units of {' '.join(units)}" if units else ", a pure number"
        for c in self.columns:  # values with probabilities, in a column that has a density
            atoms = [*map("{:g}".format, c.kind.atoms), *["missing"] * c.missing]
            if atoms and c.kind.counts_as == DENSITY:
                unit += f"; a probability of {c.name} where it is {' or '.join(atoms)}"
        for c in self.columns:
            unit += f"; {c.name} follows from {c.rule.source}" if c.rule else ""
        return f"p is {' times '.join(parts) or 'nothing'}{unit}{without}"

    def check_kinds(self, missing: str = "error") -> None:
        """A ValueError for columns that cannot be modelled; missing: for the line to be pasted."""
        bad = [c for c in self.columns if c.kind.name in ("constant", "text")]
        if all(c.kind.name == "aside" for c in self.columns):
            raise ValueError("all columns of the schema are aside: there is nothing to model")
        if not bad:
            return
        aside = {c.name: "aside" for c in bad}
        kinds = {c.name: "categorical" for c in bad if c.kind.name == "text" and c.values}
        each = "; ".join(f"{c.name!r:.40} is {c.kind} ({c.why}: {c.note})" for c in bad[:5])
        raise with_fix(
            ValueError, f"column {each}, and so cannot be modelled: ",
            *({"kind": edits} for edits in (aside, kinds) if edits),
            words="leave it out, or set it aside: schema = "
            f"Schema.from_data(X{argument('missing', missing)}).edit({aside!r:.300})",
        )  # fmt: skip

    def select(self, X: TableLike, ignore_extra: bool = False) -> Frame:
        """X as a frame with the columns of the schema, in its order; those aside are left out.

        Columns are matched by their names (1 is "1"), or by position if X or the schema has none.
        Those set aside may be present or not, with any content. Errors: ValueError that names the
        columns which are missing, or unknown and not to be ignored.
        """
        frame, wanted = self.named(X), [c.name for c in self.columns if c.kind.name != "aside"]
        if not frame.is_by_name(self.names):
            frame = self._by_position(frame, wanted)
        missing = [name for name in wanted if name not in frame.names]
        unknown = [n for n in frame.names if n not in self.names and not ignore_extra]
        if missing or unknown:
            found = [f"lacks {listed(missing)}"] * bool(missing)
            found += [f"has {listed(unknown)}, which was not there in fit"] * bool(unknown)
            raise ValueError(
                f"{frame.source or 'X'} {' and '.join(found)}: the columns are {listed(self.names)}"
            )
        return frame.select(wanted)

    def named(self, X: TableLike) -> Frame:
        """X as a frame, with the names of the schema where these have the same text: 1 and "1"."""
        frame = as_frame(X)
        if frame.library == "pandas" and {*frame.names} == {*self.names}:
            return frame.select(self.names)  # 2, 0, 1 are names there, and no places
        if not frame.is_by_name(self.names):
            return frame
        return frame.renamed(self.named_as(frame.names))

    def named_as(self, names: Iterable[Name]) -> list[Name]:
        """The names of the columns that have the same text; others as they are."""
        own = {f"{name}": name for name in self.names}
        return [own.get(f"{name}", name) for name in names]

    def _by_position(self, frame: Frame, wanted: list[Name]) -> Frame:
        """The frame with the names of the schema; columns aside may be left out."""
        names = wanted if len(frame.names) == len(wanted) else self.names
        if len(frame.names) != len(names):
            raise ValueError(
                f"X has {len(frame.names)} columns, but the schema has {len(names)}: "
                f"{listed(self.names)}"
            )
        return frame.renamed(names)

    # ------------------------------------------------------------ printed, saved

    def __str__(self):
        rows = [("column", "kind", "counts as", "found from", "better?")]
        for c in self.columns:
            better = f"{c.suggestion}: {c.note}" if c.suggestion else c.note
            rows.append((f"{c.name:}", f"{c.kind}", c.kind.counts_as, c.why, better))
        rows = [[cell if len(cell) <= 120 else f"{cell[:117]}..." for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        if self.suggestions:
            lines.append(f"to follow: schema.edit({self.suggestions!r}), or schema.suggested()")
        return "\n".join([*lines, self.meaning])

    def __repr__(self):
        return f"Schema({', '.join(f'{c.name}: {c.kind}' for c in self.columns)})"

    def to_dict(self) -> dict:
        """The schema as data for JSON: `from_dict` is the way back."""
        columns = [column.to_dict() for column in self.columns]
        return {"format": FORMAT, "n_rows": self.n_rows, "columns": columns}

    @classmethod
    def from_dict(cls, data: dict) -> Schema:
        """The schema that `to_dict` described; a ValueError for another format."""
        if data["format"] != FORMAT:
            raise ValueError(f"a schema of format {data['format']!r}: this flowcore reads {FORMAT}")
        return cls(tuple(map(Column.from_dict, data["columns"])), data["n_rows"])


def argument(name: str, value: str) -> str:
    """The argument for a line to be pasted, if the value is not "error", the default."""
    return "" if value == "error" else f', {name}="{value}"'


def complete_rows(frame: Frame, missing: str, schema: Schema | None = None) -> np.ndarray:
    """(n,): the rows without a forbidden missing cell.

    With missing="error" or "atom" a missing category is a value, as in `Schema.from_data`; with
    "atom" a missing number, too. With a schema, its columns decide. "learn": rows with a known
    value. Errors: ValueError if other cells are missing, with missing="error" or "atom", and for
    infinite numbers.
    """
    if missing not in MISSING:
        raise ValueError(f"missing is one of {', '.join(MISSING)}: got {missing!r:.40}")
    if len(frame) == 0:
        raise ValueError(f"{frame.source or 'X'} has no rows")
    gaps = {name: is_missing(frame[name]) for name in frame.names}
    for name, gone in gaps.items():
        values = frame[name]
        if gone.all():
            raise with_fix(
                ValueError, f"column {name!r:.40} has no values: ", {"kind": {name: "aside"}},
                words="leave it out",
            )  # fmt: skip
        if values.dtype.kind in NUMBERS:
            frame.check(name, np.isinf(values), "no number: make it one, or NaN")
    if missing == "learn":
        return ~np.logical_and.reduce([*gaps.values()])
    if schema is not None:
        allowed = {column.name for column in schema.columns if column.missing}
    elif missing == "error":
        allowed = {name for name in gaps if frame[name].dtype == object or name in frame.declared}
    else:
        allowed = set(gaps) if missing == "atom" else set()
    gaps = {name: gone for name, gone in gaps.items() if gone.any() and name not in allowed}
    complete = ~np.logical_or.reduce([np.zeros(len(frame), bool), *gaps.values()])
    if gaps and missing != "drop":
        raise _missing_cells(frame, gaps, int(complete.sum()), schema)
    if not complete.any():
        raise with_fix(
            ValueError, "every row misses a value: fill them, leave columns out, or ",
            {"missing": "learn"},
        )  # fmt: skip
    return complete


def _missing_cells(frame: Frame, gaps: dict, n_complete: int, schema: Schema | None):
    """A ValueError about all columns with missing cells, and the number of complete rows."""
    name = next(iter(gaps))
    each = ", ".join(f"{own!r:.40} {gone.sum():,}" for own, gone in [*gaps.items()][:10])
    return with_fix(
        ValueError,
        f"{frame.place(np.flatnonzero(gaps[name])[0], name)} is missing. Missing cells of each "
        f"column: {each}{', ...' * (len(gaps) > 10)}; {n_complete:,} of {len(frame):,} rows are "
        "complete. Fill them, leave columns out, or ",
        {"missing": "drop"},
        *([{"missing": "learn"}, {"missing": "atom"}] if schema is None else []),
    )
