"""A fitted `TableDensity` as data, which `save` writes and `load` reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..conditionals.proposal import is_proposal
from .categorical import CategoricalMixture
from .coordinates import Coordinates
from .encoding import Encoding
from .frame import LIBRARIES
from .frequencies import check_probabilities
from .normal_scores import NormalScores
from .proposal import MixedMixture
from .schema import Schema

if TYPE_CHECKING:
    from ..core.typing import Base
    from .density import TableDensity


@dataclass(eq=False)
class TableRecord:
    """A fitted `TableDensity`, as data.

    Errors: ValueError for parts that do not fit together, as in a forged file.

    Parameters
    ----------
    schema : dict
        The columns, as `Schema.to_dict` returns them.
    categories : dict or None
        p(c), as `CategoricalMixture.to_dict` returns it; None without categories and atoms.
    density : Distribution or None
        The density of the numbers on the whole line; None without numbers.
    fillers, reach : ndarray or None
        Those of the `Coordinates`, (2, D).
    margins : list of ndarray or None
        Sorted values of every number of the table.
    notes : dict or None
        How it was fitted: plain data.
    scores : list or None
        For every number the knots of its `NormalScores`, or None.
    proposal, shares : Distribution and list, or None
        The mixture and the probabilities of its `MixedMixture`, if that has been fitted.
    n_points : int or None
        That of the `Coordinates`.

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
    n_points: int | None = 32  # of older files

    def restored(self) -> TableDensity:
        """The density, fitted."""
        from .density import TableDensity

        schema = Schema.from_dict(self.schema)
        schema.check_kinds()
        encoding = Encoding(schema)
        categories = self.categories
        if categories is not None:
            categories = CategoricalMixture.from_dict(categories, encoding.sizes)
        elif encoding.sizes:
            raise ValueError("there are no categories, but the schema has some")
        check_dim(self.density, dim := len(encoding.kinds))
        for name, value in (("fillers", self.fillers), ("reach", self.reach)):
            good = value is None or (np.shape(value) == (2, dim) and not np.isnan(value).any())
            if not good:
                raise ValueError(f"{name} has shape {np.shape(value)}, not (2, {dim}), or a NaN")
        if self.reach is not None and (self.reach[0] > self.reach[1]).any():
            raise ValueError("reach has a low end above the high one")
        if self.fillers is not None and not (self.fillers[1] > 0).all():
            raise ValueError("fillers has a scale that is not positive")
        _check_margins(self.margins, encoding.kinds)
        _check_notes(self.notes)
        scores = _scores(self.scores, encoding.kinds)
        coordinates = Coordinates(encoding.kinds, self.fillers, self.reach, scores, self.n_points)
        found = TableDensity(schema)
        return found.with_parts(
            schema, categories, coordinates, self.density, self.margins, self.notes,
            _proposal(self.proposal, self.shares, dim, encoding.sizes),
        )  # fmt: skip

    def config(self) -> dict:
        """The constructor's arguments, for `save`."""
        return dict(vars(self))


def from_frequencies(
    schema: dict, frequencies: dict | None, density: Base | None, notes: dict | None = None
) -> TableRecord:
    """The record of a `TableDensity` in an older file, whose p(c) was counts alone."""
    categories = None
    if frequencies is not None:
        categories = {"weights": np.ones(1), "counts": frequencies, "tree": None, "classes": []}
    return TableRecord(schema, categories, density, notes=notes)


def check_dim(density: Base | None, n_numbers: int) -> None:
    """A ValueError unless the density has this number of coordinates."""
    dim = 0 if density is None else density.dim
    if dim != n_numbers:
        raise ValueError(f"density has dim {dim}, but the schema has {n_numbers} numbers")


def _check_margins(margins, kinds) -> None:
    if margins is None:
        return
    if not isinstance(margins, list) or len(margins) != len(kinds) or not all(
        isinstance(own, np.ndarray) and own.dtype == float and own.ndim == 1 and own.size
        and (np.diff(own) >= 0).all() and (kind.contains(own).all() or not own.any())
        for own, kind in zip(margins, kinds, strict=True)
    ):  # fmt: skip
        raise ValueError(f"margins are {len(kinds)} vectors of rising numbers of their columns")


def _scores(knots, kinds) -> list:
    """The maps of numbers with heaps; a ValueError for knots that are not of the kind's support."""
    knots = [None] * len(kinds) if knots is None else knots
    if not isinstance(knots, list) or len(knots) != len(kinds):
        raise ValueError(f"scores are {len(kinds)} arrays of knots, or None in their places")
    scores = [None if own is None else NormalScores(own) for own in knots]
    for kind, own in zip(kinds, scores, strict=True):
        if own is not None and not (kind.is_gridded and (*own.codomain,) == kind.support):
            raise ValueError(f"scores: the knots are not on the support of {kind}")
    return scores


def _proposal(mixture, shares, dim: int, sizes: Sequence[int]) -> MixedMixture | None:
    """The proposal of a file; a ValueError for one of another table."""
    if mixture is None:
        return None
    shares = [] if shares is None else shares
    arrays = all(isinstance(p, np.ndarray) for p in shares)
    if not is_proposal(mixture, dim) or len(shares) != len(sizes) or not arrays:
        raise ValueError(f"the proposal is no mixture of {dim} numbers and {len(sizes)} categories")
    for p, size in zip(shares, sizes, strict=True):
        check_probabilities("those of the proposal", p, (len(mixture.weights), size))
    return MixedMixture(mixture, shares)


def _check_notes(notes) -> None:
    """A ValueError for notes of a wrong kind, as in a forged file."""
    from ..estimator.record import as_summary

    if not isinstance(notes, (dict, type(None))):
        raise ValueError(f"notes are a dict or None: got {notes!r:.40}")
    for name in ("rows", "dropped"):
        count = (notes or {}).get(name, 0)
        if not (isinstance(count, int) and count >= 0):
            raise ValueError(f"notes[{name!r}] is a number of rows: got {count!r:.40}")
    if (notes or {}).get("library") not in (None, *LIBRARIES):
        raise ValueError(f"notes['library'] is one of {LIBRARIES}")
    if (notes or {}).get("summary") is not None:
        try:
            as_summary(notes["summary"])
        except (ValueError, LookupError) as problem:
            raise ValueError(f"notes['summary']: {problem}") from None
