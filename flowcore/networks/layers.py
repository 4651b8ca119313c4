"""One masked dense layer: which blocks of its matrix exist, and the products with them.

Every unit has a degree, and a unit may read only what its degree allows:

    hidden unit of degree d   reads units of degree <= d
    output unit of degree d   reads units of degree <  d

A MADE gives input i the degree i; an MLP gives all inputs and hidden units degree 0 and all outputs
degree 1, which allows every edge. Bias and context are units of degree 0 that always hold 1 and the
context, so a layer is one product:

    H_l = act(A_l [1; context; H_{l-1}])         H is (units, rows), A_l is (units out, units in)

Inside, the units of a layer are sorted by degree. A unit then reads a prefix of the layer
before: A is block triangular, its rows of one degree are one dense block, and `theta` holds exactly
these blocks, one after the other: masked weights do not exist. Outside (`weights`, `masks`),
matrices are (in, out) in the caller's order of units.
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..core import Step, copied

MOST_BLOCKS = 2  # with more, neighbours are merged into tiles: fewer and larger products
TILES = 4  # at most: 62% of a dense matrix's products; one more for every 1000 entries
WIDE = 96  # columns from which on the gradient of A is made in tiles of whole columns


class Tile(NamedTuple):
    """Rows r0:r1 and columns c0:c1 of A, and the blocks that have entries there."""

    r0: int
    r1: int
    c0: int
    c1: int
    blocks: range


class Layer:
    """The shape of one masked layer, units sorted by degree.

    blocks   [(r0, r1, k), ...]: rows r0:r1 of A (units of one degree) read columns 0:k
    rows     tiles that hold all blocks, made of whole rows; neighbours are merged if there are many
    columns  the same with whole columns, down to the last row
    lead     number of leading columns: the bias, then the context
    n_read    number of columns that each row reads
    """

    def __init__(self, degrees_in, degrees_out, n_context: int, strict: bool):
        d_in, d_out = np.sort(degrees_in), np.sort(degrees_out)
        self.lead = 1 + n_context
        self.shape = (len(d_out), self.lead + len(d_in))
        n_read = self.lead + np.searchsorted(d_in, d_out, side="left" if strict else "right")
        self.n_read = n_read.tolist()
        edges = [0, *(np.flatnonzero(np.diff(n_read)) + 1).tolist(), len(d_out)]
        self.blocks = [(r0, r1, self.n_read[r0]) for r0, r1 in pairwise(edges)]
        ends = np.cumsum([(r1 - r0) * k for r0, r1, k in self.blocks]).tolist()
        self.size = ends[-1]
        self.spans = [slice(start, stop) for start, stop in pairwise([0, *ends])]  # of theta
        cuts = edges
        if len(self.blocks) > MOST_BLOCKS:
            parts = min(TILES, 1 + math.prod(self.shape) // 1000)
            wanted = [len(d_out) * i / parts for i in range(parts + 1)]
            cuts = sorted({min(e for e in edges if e >= row) for row in wanted})
        self.rows = [
            Tile(r0, r1, 0, self.n_read[r1 - 1], range(edges.index(r0), edges.index(r1)))
            for r0, r1 in pairwise(cuts)
        ]
        n_rows, n_blocks = len(d_out), len(self.blocks)
        self.columns = [
            Tile(tile.r0, n_rows, c0, tile.c1, range(tile.blocks.start, n_blocks))
            for tile, c0 in zip(self.rows, [0, *(tile.c1 for tile in self.rows[:-1])], strict=True)
        ]

    def split(self, theta) -> list[np.ndarray]:
        """The blocks of a flat `theta`, views (r1 - r0, k)."""
        return [
            theta[span].reshape(r1 - r0, k)
            for span, (r0, r1, k) in zip(self.spans, self.blocks, strict=True)
        ]

    def dense(self, theta) -> np.ndarray:
        """A, zero where masked."""
        a = np.zeros(self.shape, theta.dtype)
        for (r0, r1, k), block in zip(self.blocks, self.split(theta), strict=True):
            a[r0:r1, :k] = block
        return a


class BlockTriangular:
    """The matrix A of a layer, bound to theta and to its gradient: lists of NumPy calls.

    Only entries that can be non-zero are multiplied. A tile of one block is a view of theta. A tile
    of several is a view of `dense`, into which all blocks are copied whenever theta changes.
    """

    def __init__(self, layer: Layer, at, theta, theta_bar):
        self.layer, self.at, self.theta_bar = layer, at, theta_bar
        self.blocks = layer.split(theta)

    @cached_property
    def blocks_bar(self) -> list[np.ndarray]:
        """The same blocks of the gradient of theta."""
        return self.layer.split(self.theta_bar)

    @cached_property
    def dense(self) -> np.ndarray:
        """A as one array."""
        dense = np.zeros(self.layer.shape, self.at.dtype)
        self.at.nbytes += dense.nbytes
        for (r0, r1, k), block in zip(self.layer.blocks, self.blocks, strict=True):
            self.at.whenever_theta_changes(copied(dense[r0:r1, :k], block))
        return dense

    def entries(self, tile: Tile, c0: int) -> np.ndarray:
        """The entries of A in a tile, from column c0 on."""
        if len(tile.blocks) == 1:
            return self.blocks[tile.blocks[0]][:, c0 : tile.c1]
        return self.dense[tile.r0 : tile.r1, c0 : tile.c1]

    def product(self, h, a) -> list[Step]:
        """a = A h"""
        return [
            Step(np.dot, self.entries(tile, 0), h[: tile.c1], a[tile.r0 : tile.r1])
            for tile in self.layer.rows
        ]

    def product_transposed(self, g, h_bar) -> list[Step]:
        """h_bar = A^T g without the leading columns: the gradient of the units that were read."""
        steps, lead, done = [], self.layer.lead, self.layer.lead
        for tile in self.layer.columns:
            if tile.c1 > done:
                entries, to = self.entries(tile, done), h_bar[done - lead : tile.c1 - lead]
                steps.append(Step(np.dot, entries.T, g[tile.r0 :], to))
                done = tile.c1
        if done < self.layer.shape[1]:
            steps.append(Step(h_bar[done - lead :].fill, 0))  # units that nothing reads
        return steps

    def outer(self, g, h) -> list[Step]:
        """theta_bar = the free entries of g h^T; context_bar += the context's part of A^T g."""
        steps, layer = [], self.layer
        by_columns = layer.shape[1] >= WIDE and len(layer.blocks) > MOST_BLOCKS
        for r0, r1, c0, c1, own in layer.columns if by_columns else layer.rows:
            if len(own) == 1 and c0 == 0:  # the tile is that block
                steps.append(Step(np.dot, g[r0:r1], h[c0:c1].T, self.blocks_bar[own[0]]))
                continue
            entries = self.at.scratch("tile", r1 - r0, c1 - c0)
            steps.append(Step(np.dot, g[r0:r1], h[c0:c1].T, entries))
            for i in own:
                b0, b1, k = layer.blocks[i]
                k = min(k, c1)
                block = entries[b0 - r0 : b1 - r0, : k - c0]
                steps.append(copied(self.blocks_bar[i][:, c0:k], block))
        if layer.lead > 1 and self.at.inputs_bar:
            whole = self.dense if len(self.blocks) > 1 else self.blocks[0]
            added, total = self.at.scratch("context", *self.at.context.shape), self.at.context_bar
            steps.append(Step(np.dot, whole[:, 1 : layer.lead].T, g, added))
            steps.append(Step(np.add, total, added, total))
        return steps
