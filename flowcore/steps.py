"""A network and the transformer that it drives, as one step with a hand-written gradient.

`one_pass`    phi = network(features), then every coordinate at once: the density direction of MAF,
              both directions of a coupling
`by_degree`   x_1, then x_2 given x_1, ...: the sequential direction of an autoregressive flow, with
              every hidden unit computed exactly once, and its gradient by the same walk backwards

Both work on plain arrays and return (value, log_det, pullback). Their plain twins, to which tests
hold them equal, are `Network.plain` with a transformer and the textbook loop
(`MaskedAutoregressiveFlow(..., method="sequential")`).
"""

from __future__ import annotations

import numpy as np

from .layers import ACTIVATIONS, Structure
from .transformers import pullback_of, pulled


def one_pass(structure: Structure, matrices, transformer, direction, features, x, context):
    """value, log_det = t(x; phi), summed, with phi = network(features, context).

    features (N, F), x (N, D); direction "forward" or "inverse" is the transformer's.
    pullback(value_bar (N, D), l_bar (N,)) -> (theta_bar, features_bar, x_bar, context_bar)
    """
    read, out = structure.forward(matrices, features, context)
    phi = _as_phi(out[structure.unsorted_outputs], x.shape[1])
    value, log_det, pull = pulled(transformer, direction, x, phi)

    def pullback(value_bar, l_bar):
        x_bar, phi_bar = pull(value_bar, l_bar[:, None])
        rows = phi_bar.transpose(1, 2, 0).reshape(out.shape)[structure.sorted_outputs]
        theta_bar, features_bar, context_bar = structure.backward(matrices, read, rows)
        return theta_bar, features_bar, x_bar, context_bar

    return value, log_det.sum(axis=-1), pullback


class Walk:
    """Which units become final with which coordinate.

    With x_1..x_i known, the hidden units of degree i are final: units[i] holds their rows in every
    hidden layer, [(r0, r1), ...]; units[0] those that read nothing but the bias and the context,
    units[D] those of degree D and more, which no output reads.
    Output i reads units of degree < i, so it is ready before x_i is.
    """

    def __init__(self, degrees):
        self.dim = len(degrees[0])
        self.n_out = len(degrees[-1]) // self.dim
        hidden = [np.sort(d) for d in degrees[1:-1]]
        ends = [np.searchsorted(d, np.arange(self.dim), side="right").tolist() for d in hidden]
        bounds = [[0, *end, len(d)] for end, d in zip(ends, hidden, strict=True)]
        self.units = [[(b[i], b[i + 1]) for b in bounds] for i in range(self.dim + 1)]


def by_degree(structure: Structure, walk: Walk, matrices, transformer, z, context):
    """x, log_det from z (N, D): the work of one masked pass, in narrower products.

    for i = 1..D:  phi_i = A_out[i, <i] H_L[<i];  x_i = t(z_i; phi_i);
                   H_l[i] = act(A_l[i, <=i] H_{l-1}[<=i])   for l = 1..L          (H_0 = x)
    (a residual network: act of that sum and the pre-activations of layer l-2, the same rows)
    after the units of degree 0, which read only the bias and the context.

    pullback(x_bar (N, D), l_bar (N,)) -> (theta_bar, z_bar, context_bar)
    """
    apply = ACTIVATIONS[structure.activation].apply
    layers, n_rows, n_out = structure.layers, len(z), walk.n_out
    read = [structure.empty_read(i, n_rows, context, z.dtype) for i in range(len(layers))]
    z = z.T[structure.sorted_inputs]
    x = read[0][layers[0].lead :]
    out = np.empty((layers[-1].shape[0], n_rows), z.dtype)
    log_det = np.empty_like(x)
    carried = None
    for i in range(walk.dim + 1):
        if i > 0:
            rows, k = slice((i - 1) * n_out, i * n_out), layers[-1].reach[(i - 1) * n_out]
            np.matmul(matrices[-1][rows, :k], read[-1][:k], out=out[rows])
            phi_i = out[rows].T[:, None]
            x_i, log_det_i = transformer.forward_and_log_det(z[i - 1, :, None], phi_i)
            x[i - 1], log_det[i - 1] = x_i[:, 0], log_det_i[:, 0]
        for l, (r0, r1) in enumerate(walk.units[i]):
            if r0 < r1:
                k, lead = layers[l].reach[r1 - 1], layers[l + 1].lead
                units = read[l + 1][lead + r0 : lead + r1]
                np.matmul(matrices[l][r0:r1, :k], read[l][:k], out=units)
                if structure.skips:
                    carried = structure.add_skip(l + 1, units, carried)
                apply(units)

    def pullback(x_bar, l_bar):
        arrays = (z.T, _as_phi(out, walk.dim), x.T, log_det.T)
        return _walk_back(structure, walk, matrices, transformer, read, arrays, x_bar, l_bar)

    return x[structure.unsorted_inputs].T, log_det.sum(axis=0), pullback


def _walk_back(structure, walk, matrices, transformer, read, arrays, x_bar, l_bar):
    """The gradient of `by_degree`, by back-substitution.

    v_i, the full adjoint of x_i, is complete once all j > i are done. Hbar_l are the gradients of
    the pre-activations, obar_i is what phi_i receives:

    for i = D..1:  Hbar_L[i] = act'(H_L[i]) * (A_out[>i, i]^T obar[>i])
                   Hbar_l[i] = act'(H_l[i]) * (A_{l+1}[>=i, i]^T Hbar_{l+1}[>=i])  for l = L-1..1
                               + Hbar_{l+2}[i] where layer l + 2 adds layer l (residual networks)
                   v_i = x_bar_i + A_1[>=i, i]^T Hbar_1[>=i]
                   obar_i = v_i dx_i/dphi_i + l_bar d(log t')_i/dphi_i
    and once more for the units of degree 0, which no x_i reaches.
    """
    times_derivative = ACTIVATIONS[structure.activation].times_derivative
    layers, n_out = structure.layers, walk.n_out
    z, phi, x, log_det = arrays
    one, none = np.ones_like(x), np.zeros_like(x)
    pull = pullback_of(transformer, "forward")
    x_z, x_phi = pull(z, phi, x, log_det, one, none)
    l_z, l_phi = pull(z, phi, x, log_det, none, l_bar[:, None])
    x_phi, l_phi = (a.transpose(1, 2, 0) for a in (x_phi, l_phi))  # (D, n_out, N)

    v = np.array(x_bar.T[structure.sorted_inputs])
    bars = [np.empty((layer.shape[0], len(x)), x.dtype) for layer in layers]  # of pre-activations
    for i in reversed(range(walk.dim + 1)):
        # the first row of every layer that reads units of degree i
        starts = [r0 for r0, _ in walk.units[i]] + [i * n_out]
        for l in reversed(range(len(layers) - 1)):
            r0, r1 = walk.units[i][l]
            if r0 < r1:
                lead, start = layers[l + 1].lead, starts[l + 1]
                columns = matrices[l + 1][start:, lead + r0 : lead + r1]
                np.matmul(columns.T, bars[l + 1][start:], out=bars[l][r0:r1])
                times_derivative(bars[l][r0:r1], read[l + 1][lead + r0 : lead + r1])
                if l + 1 in structure.skips:
                    bars[l][r0:r1] += bars[l + 2][r0:r1]
        if i > 0:
            column = matrices[0][starts[0] :, layers[0].lead + i - 1]
            v[i - 1] += column @ bars[0][starts[0] :]
            received = bars[-1][(i - 1) * n_out : i * n_out]
            np.multiply(v[i - 1], x_phi[i - 1], out=received)
            received += l_phi[i - 1]
    z_bar = (v * x_z.T + l_z.T)[structure.unsorted_inputs].T
    theta_bar, context_bar = structure.parameter_gradient(matrices, read, bars)
    return theta_bar, z_bar, context_bar


def _as_phi(out, dim: int):
    """Outputs (D * n_out, N) as the (N, D, n_out) that transformers take; a view."""
    units, n_rows = out.shape
    return out.reshape(dim, units // dim, n_rows).transpose(2, 0, 1)
