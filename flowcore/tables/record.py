"""A fitted `TableDensity` as data, which `save` writes and `load` reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..files import Record
from .coordinates import Coordinates
from .encoding import Encoding
from .schema import Schema

if TYPE_CHECKING:
    from ..core.typing import Base
    from .categorical import CategoricalMixture
    from .density import TableDensity
    from .proposal import MixedMixture


@dataclass(eq=False)
class TableRecord(Record):
    """A fitted `TableDensity`, as data.

    Errors: ValueError for categories and a density that do not fit the schema.

    Parameters
    ----------
    schema : dict
        The columns, as `Schema.to_dict` returns them.
    categories : CategoricalMixture or None
        p(c); None without categories and atoms.
    density : Distribution or None
        The density of the numbers on the whole line; None without numbers.
    fillers : ndarray or None
        An argument of `Coordinates`, (2, D).
    margins : list of ndarray or None
        The sorted values of every column of numbers.
    notes : dict or None
        How it was fitted: plain data, and a `Summary`.
    scores : sequence or None
        The map of every column of numbers, or None.
    proposal : MixedMixture or None
        Where weighted draws start, if that has been fitted.
    n_points : int or None
        An argument of `Coordinates`.

    Examples
    --------
    >>> from flowcore import Normal
    >>> from flowcore.tables import Column, Kind
    >>> schema = Schema((Column("age", Kind("positive")),))
    >>> density = TableRecord(schema.to_dict(), None, Normal(1)).restored()
    >>> density.log_prob({"age": [-1.0]})
    array([-inf])
    """

    schema: dict
    categories: CategoricalMixture | None
    density: Base | None
    fillers: np.ndarray | None = None
    margins: list | None = None
    notes: dict | None = None
    scores: Sequence | None = None
    proposal: MixedMixture | None = None
    n_points: int | None = None

    def restored(self) -> TableDensity:
        """The density, fitted."""
        from .density import TableDensity

        schema = Schema.from_dict(self.schema)
        schema.check_kinds()
        encoding = Encoding(schema)
        sizes, wanted = getattr(self.categories, "sizes", ()), tuple(encoding.sizes)
        if sizes != wanted:
            raise ValueError(f"categories has sizes {sizes!s:.80}, but the schema {wanted!s:.80}")
        check_dim(self.density, len(encoding.kinds))
        coordinates = Coordinates(encoding.kinds, self.fillers, self.scores, self.n_points)
        return TableDensity(schema).with_parts(
            schema, self.categories, coordinates, self.density, self.margins, self.notes,
            self.proposal,
        )  # fmt: skip


def check_dim(density: Base | None, n_numbers: int) -> None:
    """A ValueError unless the density has this number of coordinates."""
    dim = 0 if density is None else density.dim
    if dim != n_numbers:
        raise ValueError(f"density has dim {dim}, but the schema has {n_numbers} numbers")
