"""The walk by degree: the sequential direction of an autoregressive flow, in the work of one pass.

    for i = 1..D:  phi_i = A_out[i, <i] H_L[<i];   x_i = t(z_i; phi_i);
                   H_l[i] = act(A_l[i, <=i] H_{l-1}[<=i])   for l = 1..L

after the units of degree 0, which read only the bias and the context. H_0[i] is x_i, or of an angle
(cos x_i, sin x_i): two units of degree i. With x_1..x_i known, the hidden units of degree i are
final: so every hidden unit is computed exactly once, where the textbook loop runs the whole network
D times. Its gradient is the same walk backwards, by back-substitution. v_i, the full adjoint of
x_i, is complete once all j > i are done:

    for i = D..1:  bar_l[i] = act'(H_l[i]) * (A_{l+1}[>=i, i]^T bar_{l+1}[>=i])   for l = L..1
                   v_i = x_bar_i + H_0[i]'^T (A_1[>=i, i]^T bar_1[>=i])
                   z_bar_i, phi_bar_i = the way back of t at (v_i, l_bar)     (bar_{L+1} = phi_bar)

A[r, c] are the rows of degree r and the columns of degree c; outputs of degree i read hidden units
of degree < i, so there >= is >. At the end, the gradient of theta is one product a layer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core import Step
from .made import MADE
from .network import BoundNetwork


def bind_walk(made: MADE, bind_coordinate: Callable, at, shared: bool = True):
    """x = run(z, l) and z_bar = back(x_bar, l_bar), for arrays (D, N) in the caller's order.

    bind_coordinate(i)   (run, back) of the transformer of coordinate i, forward
    shared   all coordinates have the same one
    """
    net, dim, n_out = BoundNetwork(made, at), made.dim, made.n_out
    by_degree, original = made.input_selectors
    x, phi = net.x, net.units[-1].reshape(dim, n_out, at.n_rows)
    result = at.array("walked", *x.shape)

    degrees = [_Degree(net, n_out, i, [b[i : i + 2] for b in made.bounds]) for i in range(dim + 1)]
    if shared and not at.tape:  # one serves all coordinates
        transforms = [bind_coordinate(0)] * dim
    else:
        transforms = [bind_coordinate(i) for i in np.arange(dim)[by_degree].tolist()]
    coordinates = [
        (degree, slice(i, i + 1), *transform)
        for i, (degree, transform) in enumerate(zip(degrees[1:], transforms, strict=True))
    ]
    zeroth = degrees[0]

    def run(z, l):
        z = np.asarray(z, at.dtype)[by_degree]
        for step in (*net.begin, *zeroth.units):
            step()
        for degree, i, transform, _ in coordinates:
            for step in degree.outputs:
                step()
            x[i], log_det = transform(z[i], phi[i])
            np.add(l, log_det[0], l)
            for step in degree.units:
                step()
        result[...] = x[original]
        return result

    if not at.tape:
        return run, None
    phi_bar, z_bar = net.bars[-1].reshape(phi.shape), at.array("z_bar", *x.shape)
    v = at.scratch("v", 1, at.n_rows)
    outer = []
    for matrix, g, h in zip(net.matrices, net.bars[1:], net.read, strict=True):
        outer += matrix.outer(g, h)

    def back(x_bar, l_bar):
        x_bar = x_bar[by_degree]
        for degree, i, _, transform_back in reversed(coordinates):
            for step in degree.back:
                step()
            np.add(x_bar[i], net.x_bar[i], v)
            z_bar[i], phi_bar[i] = transform_back(v, l_bar)
        for step in (*zeroth.back, *outer):
            step()
        return z_bar[original]

    return run, back


class _Degree:
    """The computation at degree i, as NumPy calls with their arrays.

    outputs   phi_i, from the hidden units of lower degree
    units     the units that are final once x_i is known, layer by layer: its features, then the
              hidden units
    back      the gradients of these units, from the last layer to the first; then that of x_i
    """

    def __init__(self, net: BoundNetwork, n_out: int, i: int, rows: list[list[int]]):
        self.outputs, self.units, self.back = [], [], []
        # starts[l]: the first row of layer l + 1 that reads degree i
        starts = [r0 for r0, _ in rows[1:]] + [i * n_out]
        if i > 0:
            self.outputs = [_product(net, len(rows), (i - 1) * n_out, i * n_out)]
        for l, (r0, r1) in enumerate(rows):
            if r0 == r1:
                continue
            if l > 0:
                act, derivative = net.activation(l, slice(r0, r1))
                self.units += [_product(net, l, r0, r1), *act]
            else:
                self.units, derivative = net.embedding([i - 1])
            if net.at.tape:
                lead, start = net.matrices[l].layer.lead, starts[l]
                columns = net.matrices[l].dense[start:, lead + r0 : lead + r1]
                through = Step(np.dot, columns.T, net.bars[l + 1][start:], net.bars[l][r0:r1])
                self.back = [through, *derivative, *self.back]


def _product(net: BoundNetwork, l: int, r0: int, r1: int) -> Step:
    """Rows r0:r1 of A_l H_{l-1}, without the columns that they do not read."""
    matrix = net.matrices[l - 1]
    k = matrix.layer.n_read[r1 - 1]
    return Step(np.dot, matrix.dense[r0:r1, :k], net.read[l - 1][:k], net.units[l][r0:r1])
