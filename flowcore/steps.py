"""Whole steps as autograd primitives: a network and the transformer that it drives.

`one_pass`    phi = network(features), then every coordinate at once: the density direction of MAF,
              both directions of a coupling
`by_degree`   x_1, then x_2 given x_1, ...: the sequential direction of an autoregressive flow, with
              every hidden unit computed exactly once, and its gradient by the same walk backwards

Both return (value, log_det) and share one backward pass for all their gradients. Their
plain twins, to which tests hold them equal, are `Network.plain` with a transformer and the textbook
loop (`MaskedAutoregressiveFlow(..., method="sequential")`).
"""

from __future__ import annotations

import numpy as np
from autograd.extend import defvjp_argnums, primitive

from .layers import ACTIVATIONS, Structure


@primitive
def one_pass(theta, features, x, context, structure, transformer, direction, tape):
    """(t(x; phi), summed log-det) with phi = network(features); direction "forward" | "inverse".

    features (N, F), x (N, D), context (N, C) or None. `tape` is a fresh dict for every call: a VJP
    sees only the answer and the positional arguments, and needs the arrays in between.
    """
    matrices = tape.get("matrices") or structure.unpack(theta)
    read, out = structure.forward(matrices, features, context)
    phi = _as_phi(out[structure.unsorted_outputs], x.shape[1])
    value, log_det = getattr(transformer, f"{direction}_and_log_det")(x, phi)
    tape.update(matrices=matrices, read=read, phi=phi, log_det=log_det)
    return value, log_det.sum(axis=-1)


@primitive
def one_pass_backward(g_value, g_log_det, value, x, structure, transformer, direction, tape):
    """Gradients of theta, features, x and context. Without a VJP of its own: a second derivative
    raises NotImplementedError instead of being silently wrong."""
    pullback = getattr(transformer, f"{direction}_pullback")
    x_bar, phi_bar = pullback(
        x, tape["phi"], value, tape["log_det"], g_value, np.asarray(g_log_det)[:, None]
    )
    rows = phi_bar.transpose(1, 2, 0).reshape(-1, len(x))[structure.sorted_outputs]
    theta_bar, features_bar, context_bar = structure.backward(tape["matrices"], tape["read"], rows)
    return theta_bar, features_bar, x_bar, context_bar


def _one_pass_vjp(argnums, ans, args, kwargs):
    _, _, x, _, structure, transformer, direction, tape = args

    def vjp(g):
        grads = one_pass_backward(g[0], g[1], ans[0], x, structure, transformer, direction, tape)
        return [grads[argnum] for argnum in argnums]

    return vjp


defvjp_argnums(one_pass, _one_pass_vjp)


class Walk:
    """Which units become final with which coordinate.

    With x_1..x_i known, the hidden units of degree i are final: units[i] holds their rows in every
    hidden layer, [(r0, r1), ...]; units[0] those that read nothing but the bias and the context.
    Output i reads units of degree < i, so it is ready before x_i is.
    """

    def __init__(self, degrees):
        self.dim = len(degrees[0])
        self.n_out = len(degrees[-1]) // self.dim
        hidden = [np.sort(d) for d in degrees[1:-1]]
        ends = [np.searchsorted(d, np.arange(self.dim), side="right").tolist() for d in hidden]
        bounds = [[0, *end, len(d)] for end, d in zip(ends, hidden, strict=True)]
        self.units = [[(b[i], b[i + 1]) for b in bounds] for i in range(self.dim + 1)]


def walk_forward(structure: Structure, walk: Walk, matrices, z, context, transformer):
    """z (N, D) -> (x, summed log-det, tape): the work of one masked pass, in narrower products.

    for i = 1..D:  phi_i = A_out[i, <i] H_L[<i];  x_i = t(z_i; phi_i);
                   H_l[i] = act(A_l[i, <=i] H_{l-1}[<=i])   for l = 1..L          (H_0 = x)
    """
    apply = ACTIVATIONS[structure.activation].apply
    layers, n_rows, n_out = structure.layers, len(z), walk.n_out
    read = [structure.empty_read(i, n_rows, context, z.dtype) for i in range(len(layers))]
    z = z.T[structure.sorted_inputs]
    x = read[0][layers[0].lead :]
    out = np.empty((layers[-1].shape[0], n_rows), z.dtype)
    log_det = np.empty_like(x)
    for i in range(walk.dim + 1):
        if i > 0:
            phi, k = out[(i - 1) * n_out : i * n_out], layers[-1].reach[(i - 1) * n_out]
            np.matmul(matrices[-1][(i - 1) * n_out : i * n_out, :k], read[-1][:k], out=phi)
            x_i, log_det_i = transformer.forward_and_log_det(z[i - 1, :, None], phi.T[:, None])
            x[i - 1], log_det[i - 1] = x_i[:, 0], log_det_i[:, 0]
        for l, (r0, r1) in enumerate(walk.units[i]):
            if r0 < r1:
                k, lead = layers[l].reach[r1 - 1], layers[l + 1].lead
                units = read[l + 1][lead + r0 : lead + r1]
                np.matmul(matrices[l][r0:r1, :k], read[l][:k], out=units)
                apply(units)
    tape = {"read": read, "phi": out, "z": z, "x": x, "log_det": log_det}
    return x[structure.unsorted_inputs].T, log_det.sum(axis=0), tape


def walk_backward(structure: Structure, walk: Walk, matrices, tape, x_bar, l_bar, transformer):
    """Cotangents x_bar (N, D), l_bar (N,) -> gradients of theta, z (N, D), context.

    Back-substitution: v_i, the full adjoint of x_i, is complete once all j > i are done.

    for i = D..1:  Hbar_l[i] = act'(H_l[i]) * (A_{l+1}[>=i, i]^T Hbar_{l+1}[>=i])  for l = L..1
                   v_i = x_bar_i + A_1[>=i, i]^T Hbar_1[>=i]
                   obar_i = v_i dx_i/dphi_i + l_bar d(log t')_i/dphi_i      (what phi_i receives)
    """
    times_derivative = ACTIVATIONS[structure.activation].times_derivative
    layers, read, n_out = structure.layers, tape["read"], walk.n_out
    z, x, log_det = (tape[name].T for name in ("z", "x", "log_det"))
    phi, one, none = _as_phi(tape["phi"], walk.dim), np.ones_like(x), np.zeros_like(x)
    x_z, x_phi = transformer.forward_pullback(z, phi, x, log_det, one, none)
    l_z, l_phi = transformer.forward_pullback(z, phi, x, log_det, none, l_bar[:, None])
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
        if i > 0:
            column = matrices[0][starts[0] :, layers[0].lead + i - 1]
            v[i - 1] += column @ bars[0][starts[0] :]
            received = bars[-1][(i - 1) * n_out : i * n_out]
            np.multiply(v[i - 1], x_phi[i - 1], out=received)
            received += l_phi[i - 1]
    z_bar = (v * x_z.T + l_z.T)[structure.unsorted_inputs].T
    theta_bar, context_bar = structure.parameter_gradient(matrices, read, bars)
    return theta_bar, z_bar, context_bar


@primitive
def by_degree(theta, z, context, structure, walk, transformer, tape):
    """The sequential direction: z (N, D) -> (x, summed log-det)."""
    matrices = tape.get("matrices") or structure.unpack(theta)
    x, log_det, arrays = walk_forward(structure, walk, matrices, z, context, transformer)
    tape.update(arrays, matrices=matrices)
    return x, log_det


@primitive
def by_degree_backward(g_x, g_log_det, structure, walk, transformer, tape):
    """Gradients of theta, z and context; like `one_pass_backward`, of first order only."""
    return walk_backward(
        structure, walk, tape["matrices"], tape, g_x, np.asarray(g_log_det), transformer
    )


def _by_degree_vjp(argnums, ans, args, kwargs):
    *_, structure, walk, transformer, tape = args

    def vjp(g):
        grads = by_degree_backward(g[0], g[1], structure, walk, transformer, tape)
        return [grads[argnum] for argnum in argnums]

    return vjp


defvjp_argnums(by_degree, _by_degree_vjp)


def _as_phi(out, dim: int):
    """Outputs (D * n_out, N) as the (N, D, n_out) that transformers take; a view."""
    return out.reshape(dim, -1, out.shape[1]).transpose(2, 0, 1)
