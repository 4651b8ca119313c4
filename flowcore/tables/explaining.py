"""Which cell makes a row of a table improbable: cells of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..conditionals.explaining import DRAWS, Explanation, most_surprising
from ..distributions.columns import equal_rows
from .conditional import filled
from .encoding import Ruled
from .frame import is_missing
from .question import encoded_with_holes

if TYPE_CHECKING:
    from .density import TableDensity
    from .encoding import Part
    from .frame import Frame
    from .proposal import MixedMixture

POINTS = 4  # of a cell on a grid, for a gain
ROWS = 2**12  # whose components are in memory
FARTHEST = 1e100  # z whose squares, in units of a component, are floats


class Surprises:
    """How improbable each cell is, given the rest of its row, and the row, by a mixture g.

        s_j(x) = -log g(x_j | the other columns), less its mean over draws of the density

    A number counts by its density in units of the column's spread on the line; an atom, a missing
    cell that is a value, and a category by its probability.
    """

    def __init__(self, density: TableDensity, mixed: MixedMixture):
        self.density, self.mixed, rng = density, mixed, np.random.default_rng(0)
        self.places, categories = list(density.encoding.places), density.categories_
        self.mean, self.unseen = np.zeros(len(self.places) + 1), np.zeros(0)
        codes = np.zeros((DRAWS, 0), np.int64)
        if categories is not None:
            codes = categories.sample(DRAWS, rng)
            with np.errstate(divide="ignore"):  # a closed column has no unseen values
                self.unseen = np.log(categories.counts.unseen)
        x = density.sample_numbers(codes, rng)
        x[~density.encoding.is_there(codes)] = np.nan
        self.mean = self(codes, x, np.zeros(x.shape, bool)).mean(axis=0)

    def __call__(self, codes: np.ndarray, x: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """(n, P + 1) of the cells of rows as `encoded_with_holes` has them, and of the rows; NaN
        for unknown cells."""
        z, there, encoding = self.on_line(x, hole), ~np.isnan(x), self.density.encoding
        log_g = np.empty((len(codes), len(self.places) + 1))
        for rows in equal_rows(np.hstack([codes < 0, hole])):
            for block in np.split(rows, range(ROWS, len(rows), ROWS)):
                own = codes[block], z[block], there[block]
                log_g[block] = self.mixed.log_prob_given_rest(*own, self.places)
        scale = np.log(self.density.coordinates_.fillers[1])
        of_codes = np.where(codes == np.array(encoding.sizes, int), self.unseen, 0.0)
        of_numbers = np.where(there, scale, 0.0)
        for j, (_, k, d) in enumerate(self.places):
            log_g[:, j] += of_codes[:, k].sum(axis=1) + of_numbers[:, d].sum(axis=1)
            log_g[(codes[:, k] < 0).any(axis=1) | hole[:, d].any(axis=1), j] = np.nan
        log_g[:, -1] += of_codes.sum(axis=1) + np.where(hole, 0.0, scale).sum(axis=1)
        # cells that are unknown do not make a row more probable
        log_g[:, -1] -= np.where(np.isnan(log_g), self.mean, 0.0).sum(axis=1)
        return -log_g - self.mean

    def on_line(self, x: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """z of rows: NaN for unknown numbers, the middle of their column for absent ones."""
        u, coordinates = np.full(x.shape, 0.5), self.density.coordinates_
        z = np.clip(coordinates.to_line(x, u)[0], -FARTHEST, FARTHEST)
        return np.where(hole, np.nan, coordinates.filled(z, u))

    def likely(
        self, place: tuple[Part, slice, slice], codes: np.ndarray, x: np.ndarray, hole: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(codes, x) of rows in which the cell of one column has a likely value, given the rest.

        A number without a grid stays one, and an atom an atom: the density of the one and the
        probability of the other have no common unit.
        """
        (part, k, d), coordinates = place, self.density.coordinates_
        values = np.arange(sum(part.sizes))[:, None]
        free = (codes[:, k] < 0).any(axis=1) | (coordinates.step[d] > 0).all()
        allowed = (part.is_there(values) == part.is_there(codes[:, k])[:, None]) | free[:, None]
        z, new_codes, new_x = self.on_line(x, hole), codes.copy(), x.copy()
        new_codes[:, k], z[:, d] = -1, np.nan
        for rows in equal_rows(np.hstack([new_codes < 0, np.isnan(z)])):
            new_codes[rows], found = self.mixed.likely(new_codes[rows], z[rows], k, allowed[rows])
            if part.kinds:
                found = coordinates.from_line(found)[:, d]
                there = part.is_there(new_codes[rows][:, k])[:, None]
                new_x[rows, d] = np.where(there, found, np.nan)
        return new_codes, new_x


def explanation_of(density: TableDensity, frame: Frame) -> Explanation:
    """The result of `TableDensity.explain`."""
    surprises = density.answering.surprises
    possible, odd, (codes, x, hole) = encoded(density, frame)
    surprise = of_cells(surprises, possible, odd, (codes, x, hole))[:, :-1]
    log_p, whole = density.log_prob(possible), ~np.isnan(surprise).any(axis=1) & ~odd.any(axis=1)
    log_p[odd.any(axis=1)] = -np.inf
    near = np.full(len(codes), np.nan)
    near[whole] = density.log_prob_of(codes[whole], x[whole], POINTS)
    gains, values = np.where(odd, np.inf, np.full(surprise.shape, np.nan)), []
    for j, (place, rows) in enumerate(
        zip(surprises.places, most_surprising(surprise), strict=True)
    ):
        (part, k, d), tried = place, whole[rows]
        if isinstance(part, Ruled):  # the value that follows is the most probable one
            better, implied = part.breaks(possible)[rows], part.implied(possible)[rows]
            rise = np.where(better, surprise[rows, j] + np.log1p(-part.column.rule.u), 0.0)[tried]
            new = part.values(implied[better])
        else:
            new_codes, new_x = surprises.likely(place, codes[rows], x[rows], hole[rows])
            with np.errstate(invalid="ignore"):  # of densities 0
                rise = density.log_prob_of(new_codes[tried], new_x[tried], POINTS)
                rise = np.maximum(rise - near[rows[tried]], 0)
            better = np.ones(len(rows), bool)
            better[tried] = rise != 0
            new = part.decode(new_codes[better][:, k], new_x[better][:, d])
        gains[rows[tried], j] = rise
        changed = np.zeros(len(frame), bool)
        changed[rows[better]], drawn = True, np.empty(len(frame), new.dtype)
        drawn[changed] = new
        values.append(filled(frame[part.column.name], drawn, changed))
    names = tuple(part.column.name for part, _, _ in surprises.places)
    return Explanation(names, log_p, surprise, gains, values)


def outlier_scores(density: TableDensity, frame: Frame) -> np.ndarray:
    """The result of `TableDensity.outlier_score`."""
    surprise = of_cells(density.answering.robust, *encoded(density, frame))
    return np.fmax.reduce(surprise[:, :-1], axis=1) + surprise[:, -1]


def encoded(density: TableDensity, frame: Frame) -> tuple:
    """(the frame without odd cells, (n, P) where these are, (codes, x, hole))."""
    encoding = density.encoding
    possible, odd, _ = encoding.without_odd(frame)
    none = np.zeros(len(frame), bool)
    odd = np.stack([odd.get(part.column.name, none) for part in encoding.parts], axis=1)
    return possible, odd, encoded_with_holes(encoding, possible, values=True)[:3]


def of_cells(surprises: Surprises, frame: Frame, odd: np.ndarray, arrays: tuple) -> np.ndarray:
    """(n, P + 1): inf for odd cells; cells with a rule count by its probability."""
    found = surprises(*arrays)
    for j, (part, _, _) in enumerate(surprises.places):
        if isinstance(part, Ruled):
            gone = is_missing(frame[part.column.name])
            found[:, j] = np.where(gone, np.nan, -part.log_prob(frame))
    found[:, :-1][odd] = np.inf
    return found
