"""A fitted `TableDensity` as data, which `save` writes and `load` reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .coordinates import Coordinates
from .encoding import Encoding
from .schema import Schema

if TYPE_CHECKING:
    from ..core.typing import Base
    from .density import TableDensity


@dataclass(eq=False)
class TableRecord:
    """A fitted `TableDensity`, as data.

    Errors: ValueError for categories and a density that do not fit the schema.

    Parameters
    ----------
    schema : dict
        The columns, as `Schema.to_dict` returns them.
    categories : dict or None
        p(c), as `CategoricalMixture.to_dict` returns it; None without categories and atoms.
    density : Distribution or None
        The density of the numbers on the whole line; None without numbers.
    fillers, reach : ndarray or None
        Arguments of `Coordinates`, (2, D).
    margins : list of ndarray or None
        The sorted values of every column of numbers.
    notes : dict or None
        How it was fitted: plain data.
    scores : list or None
        The knots of the `NormalScores` or `SoftLog` of every column of numbers, or None.
    proposal, shares : Distribution and list, or None
        The mixture and the probabilities of its `MixedMixture`, if that has been fitted.
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
    categories: dict | None
    density: Base | None
    fillers: np.ndarray | None = None
    reach: np.ndarray | None = None
    margins: list | None = None
    notes: dict | None = None
    scores: list | None = None
    proposal: Base | None = None
    shares: list | None = None
    n_points: int | None = None

    def restored(self) -> TableDensity:
        """The density, fitted."""
        from .categorical import CategoricalMixture
        from .density import TableDensity
        from .normal_scores import NormalScores
        from .proposal import MixedMixture
        from .soft_log import SoftLog

        schema = Schema.from_dict(self.schema)
        schema.check_kinds()
        encoding = Encoding(schema)
        categories = self.categories
        if categories is not None:
            categories = CategoricalMixture.from_dict(categories, encoding.sizes)
        elif encoding.sizes:
            raise ValueError("there are no categories, but the schema has some")
        check_dim(self.density, len(encoding.kinds))
        scores = None
        if self.scores is not None:
            scores = [
                None if k is None else SoftLog(*np.ravel(k)) if np.size(k) == 1 else NormalScores(k)
                for k in self.scores
            ]
        coordinates = Coordinates(encoding.kinds, self.fillers, self.reach, scores, self.n_points)
        proposal = None
        if self.proposal is not None:
            proposal = MixedMixture(self.proposal, self.shares or [])
        return TableDensity(schema).with_parts(
            schema, categories, coordinates, self.density, self.margins, self.notes, proposal
        )

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        return dict(vars(self))


def check_dim(density: Base | None, n_numbers: int) -> None:
    """A ValueError unless the density has this number of coordinates."""
    dim = 0 if density is None else density.dim
    if dim != n_numbers:
        raise ValueError(f"density has dim {dim}, but the schema has {n_numbers} numbers")
