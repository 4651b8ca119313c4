"""Which cell makes a row of a table improbable: cells of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..conditionals.explaining import CANDIDATES, DRAWS, Explanation, highest
from .encoding import Number
from .frame import as_frame

if TYPE_CHECKING:
    from .density import TableDensity
    from .frame import Frame


def explanation_of(density: TableDensity, frame: Frame) -> Explanation:
    """The result of `TableDensity.explain`."""
    encoding = density.encoding
    codes, x, unknown = encoding.encode(frame)
    log_p = density.log_prob(frame)
    drawn = density.schema_.select(as_frame(density.sample(DRAWS, 0)))
    others = encoding.encode(drawn)[:2]
    gains, values, k, d = [], [], 0, 0
    for part in encoding.parts:
        own = slice(k, k + len(part.sizes)), slice(d, d + len(part.kinds))
        k, d = own[0].stop, own[1].stop
        candidates = _candidates(*(a[:, s] for a, s in zip(others, own, strict=True)))
        is_fine = isinstance(part, Number) and not part.sizes and not part.column.kind.is_gridded

        def changed(index, which, part=part, own=own, candidates=candidates, is_fine=is_fine):
            new_codes, new_x = codes[index], x[index]
            if is_fine:
                new_x[:, own[1].start] = which
            else:
                place = which.astype(int)
                new_codes[:, own[0]], new_x[:, own[1]] = (c[place] for c in candidates)
            found = _log_prob(density, new_codes, new_x, unknown[index])
            if isinstance(part, Number) and not part.column.kind.is_gridded:
                # the density of a number and the probability of an atom have no common unit
                same = part.is_there(new_codes[:, own[0]]) == part.is_there(codes[index][:, own[0]])
                found[~same] = np.nan
            return found

        if is_fine:
            column = x[:, own[1].start]
            gain, best = highest(changed, log_p, column, candidates[1][:, 0], True)
            best = part.decode(np.zeros((len(best), 0), int), best[:, None])
        else:
            grid = np.arange(len(candidates[0]), dtype=float)
            gain, place = highest(changed, log_p, np.full(len(x), -1.0), grid, False)
            likely = part.decode(*(c[np.maximum(place, 0).astype(int)] for c in candidates))
            best = np.where(place < 0, frame[part.column.name], likely)
        gains.append(gain)
        values.append(best)
    names = tuple(part.column.name for part in encoding.parts)
    return Explanation(names, log_p, np.stack(gains, axis=1), values)


def _candidates(codes: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct cells of draws, in order; of many some that are spread evenly over the draws."""
    both = np.hstack([codes, np.nan_to_num(x, nan=0.0)])
    order = np.lexsort(both.T[::-1])
    first = np.unique(both, axis=0, return_index=True)[1]
    if len(first) > CANDIDATES:
        first = order[np.linspace(0, len(order) - 1, CANDIDATES).astype(int)]
    return codes[first], x[first]


def _log_prob(density, codes, x, unknown) -> np.ndarray:
    """log p of arrays; -inf outside of a support, NaN where something is missing."""
    log_p, outside = np.full(len(codes), np.nan), density.coordinates_.outside(x).any(axis=1)
    rows = np.flatnonzero(~(unknown | outside))
    log_p[rows], log_p[outside & ~unknown] = density.log_prob_of(codes[rows], x[rows]), -np.inf
    return log_p
