"""One masked dense layer: which blocks of its matrix exist, and the products with them.

Every unit has a degree, and a unit may read only what its degree allows:

    hidden unit of degree d   reads units of degree <= d
    output unit of degree d   reads units of degree <  d

A MADE gives input i the degree i; an MLP gives all inputs and hidden units degree 0 and all outputs
degree 1, which allows every edge. Bias and context are units of degree 0 that always hold 1 and the
context, so a layer is one product:

    H_l = act(A_l [1; context; H_{l-1}])         H is (units, rows), A_l is (units out, units in)

Inside, the units of a layer are sorted by degree. What a unit reads is then a prefix of the layer
before: A is block triangular, its rows of one degree are one dense block, and `theta` holds exactly
these blocks, one after the other: masked weights do not exist. Outside (`weights`, `masks`),
matrices are (in, out) in the caller's order of units.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..core import Step, derived

MOST_BLOCKS = 2  # with more, neighbours are merged into panels: fewer and larger products
NARROW = 96  # a narrower layer is one panel, others are four: 62% of a dense matrix's products


class Layer:
    """The shape of one masked layer, units sorted by degree.

    blocks   [(r0, r1, k), ...]: rows r0:r1 of A (units of one degree) read columns 0:k
    panels   [(r0, r1, k, which blocks), ...]: the same, neighbours merged if there are many: what
             is multiplied
    lead     leading columns: the bias, then the context
    reach    how many columns each row reads
    """

    def __init__(self, degrees_in, degrees_out, n_context: int, strict: bool):
        d_in, d_out = np.sort(degrees_in), np.sort(degrees_out)
        self.lead = 1 + n_context
        self.shape = (len(d_out), self.lead + len(d_in))
        reach = self.lead + np.searchsorted(d_in, d_out, side="left" if strict else "right")
        self.reach = reach.tolist()
        edges = [0, *(np.flatnonzero(np.diff(reach)) + 1).tolist(), len(d_out)]
        self.blocks = [(r0, r1, self.reach[r0]) for r0, r1 in pairwise(edges)]
        ends = np.cumsum([(r1 - r0) * k for r0, r1, k in self.blocks]).tolist()
        self.size = ends[-1]
        self.spans = [slice(start, stop) for start, stop in pairwise([0, *ends])]  # of theta
        cuts = edges
        if len(self.blocks) > MOST_BLOCKS:
            parts = 1 if min(self.shape) < NARROW else 4
            wanted = [len(d_out) * i / parts for i in range(parts + 1)]
            cuts = sorted({min(e for e in edges if e >= row) for row in wanted})
        self.panels = [
            (r0, r1, self.reach[r1 - 1], range(edges.index(r0), edges.index(r1)))
            for r0, r1 in pairwise(cuts)
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

    def packed(self, a) -> np.ndarray:
        """The flat vector of the free entries of A."""
        return np.concatenate([a[r0:r1, :k].ravel() for r0, r1, k in self.blocks])

    def bind(self, at, theta, theta_bar) -> BlockTriangular:
        """A, bound to its part of theta and of the gradient of theta."""
        return BlockTriangular(self, at, theta, theta_bar)


class BlockTriangular:
    """The matrix A of a layer, bound: its products, each a list of NumPy calls with their arrays.

    Only what can be non-zero is multiplied. Where a panel is one block it is a view of theta; what
    goes across several takes `dense`, into which they are copied whenever theta changes.
    """

    def __init__(self, layer: Layer, at, theta, theta_bar):
        self.layer, self.at, self.theta_bar = layer, at, theta_bar
        self.blocks = layer.split(theta)

    @derived
    def blocks_bar(self) -> list[np.ndarray]:
        """The same blocks of the gradient of theta."""
        return self.layer.split(self.theta_bar)

    @derived
    def dense(self) -> np.ndarray:
        """A as one array."""
        dense = np.zeros(self.layer.shape, self.at.dtype)
        self.at.nbytes += dense.nbytes
        for (r0, r1, k), block in zip(self.layer.blocks, self.blocks, strict=True):
            self.at.whenever_theta_changes(Step(np.copyto, dense[r0:r1, :k], block))
        return dense

    def product(self, h, a) -> list[Step]:
        """a = A h"""
        steps = []
        for r0, r1, k, own in self.layer.panels:
            panel = self.blocks[own[0]] if len(own) == 1 else self.dense[r0:r1, :k]
            steps.append(Step(np.dot, panel, h[:k], a[r0:r1]))
        return steps

    def product_transposed(self, g, h_bar) -> list[Step]:
        """h_bar = A^T g without the leading columns: the gradient of the units that were read."""
        steps, lead, done, last = [], self.layer.lead, self.layer.lead, len(self.blocks) - 1
        for r0, _, k, own in self.layer.panels:
            if done < k:  # columns that no row above r0 reads
                rows = self.blocks[last] if own[0] == last else self.dense[r0:]
                to = h_bar[done - lead : k - lead]
                steps.append(Step(np.dot, rows[:, done:k].T, g[r0:], to))
                done = k
        if done < self.layer.shape[1]:
            steps.append(Step(h_bar[done - lead :].fill, 0))  # units that nothing reads
        return steps

    def outer(self, g, h) -> list[Step]:
        """theta_bar = the free entries of g h^T; what the context receives of A^T g is added up."""
        steps = []
        for r0, r1, k, own in self.layer.panels:
            if len(own) == 1:
                steps.append(Step(np.dot, g[r0:r1], h[:k].T, self.blocks_bar[own[0]]))
                continue
            panel = self.at.scratch("panel", r1 - r0, k)
            steps.append(Step(np.dot, g[r0:r1], h[:k].T, panel))
            for i in own:
                b0, b1, k_own = self.layer.blocks[i]
                block = panel[b0 - r0 : b1 - r0, :k_own]
                steps.append(Step(np.copyto, self.blocks_bar[i], block))
        if self.layer.lead > 1:
            whole = self.dense if len(self.blocks) > 1 else self.blocks[0]
            added, total = self.at.scratch("context", *self.at.context.shape), self.at.context_bar
            steps.append(Step(np.dot, whole[:, 1 : self.layer.lead].T, g, added))
            steps.append(Step(np.add, total, added, total))
        return steps
