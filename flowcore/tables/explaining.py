"""Which cell makes a row of a table improbable: cells of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..conditionals.explaining import CANDIDATES, DRAWS, Explanation, highest
from .encoding import Number, Ruled
from .frame import as_frame

if TYPE_CHECKING:
    from .density import TableDensity
    from .frame import Frame


def explanation_of(density: TableDensity, frame: Frame) -> Explanation:
    """The result of `TableDensity.explain`."""
    encoding = density.encoding
    codes, x, unknown = encoding.encode(frame)
    rows, n_codes = np.hstack([codes, x]), codes.shape[1]
    drawn = density.schema_.select(as_frame(density.sample(DRAWS, 0)))
    draws = np.hstack(encoding.encode(drawn)[:2])
    gridded, present = density.coordinates_.step > 0, encoding.is_there(codes)

    def log_prob(changed, index):
        new_codes, new_x = changed[:, :n_codes].astype(np.int64), changed[:, n_codes:]
        log_p = _log_prob(density, new_codes, new_x, unknown[index])
        # the density of a number and the probability of an atom have no common unit
        alike = (encoding.is_there(new_codes) == present[index]) | gridded
        return np.where(alike.all(axis=1), log_p, np.nan)

    log_p, gains, values = density.log_prob(frame), [], []
    learned = log_p - encoding.log_prob_of_ruled(frame)
    for part, k, d in encoding.places:
        if isinstance(part, Ruled):  # the value that follows is the most probable one
            implied, most = part.implied(frame), np.log1p(-part.column.rule.u)
            gain = np.where(implied < 0, 0.0, most - part.log_prob(frame))
            gains.append(np.where(unknown, np.nan, gain))
            values.append(part.values(np.maximum(implied, 0)))
            continue
        columns = np.r_[k, n_codes + d.start : n_codes + d.stop]
        is_fine = isinstance(part, Number) and not part.sizes and not part.column.kind.is_gridded
        grid = _distinct(draws[:, columns])
        gain, cells = highest(log_prob, rows, learned, columns, grid, is_fine)
        better, n = gain > 0, len(part.sizes)
        if not is_fine:  # a cell that stays may be of a value that no draw has
            cells = np.where(better[:, None], cells, grid[0])
        best = part.decode(cells[:, :n].astype(np.int64), cells[:, n:])
        gains.append(gain)
        values.append(best if is_fine else np.where(better, best, frame[part.column.name]))
    names = tuple(part.column.name for part in encoding.parts)
    return Explanation(names, log_p, np.stack(gains, axis=1), values)


def _distinct(cells: np.ndarray) -> np.ndarray:
    """The distinct cells (k, w) of draws (m, w), in order; of many some that are spread evenly."""
    keys = np.nan_to_num(cells, nan=0.0)
    first = np.unique(keys, axis=0, return_index=True)[1]
    if len(first) > CANDIDATES:
        first = np.lexsort(keys.T[::-1])[np.linspace(0, len(keys) - 1, CANDIDATES).astype(int)]
    return cells[first]


def _log_prob(density, codes, x, unknown) -> np.ndarray:
    """log p of arrays; -inf outside of a support, NaN where something is missing."""
    log_p, outside = np.full(len(codes), np.nan), density.coordinates_.outside(x).any(axis=1)
    rows = np.flatnonzero(~(unknown | outside))
    log_p[rows], log_p[outside & ~unknown] = density.log_prob_of(codes[rows], x[rows]), -np.inf
    return log_p
