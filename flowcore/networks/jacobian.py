"""The value of a network and products with its Jacobian, in one pass, and their way back.

To the one column of units that a row fills, K more are added, its tangents. With E, the K
directions of the inputs, and T_0 = E,

    a_l = A_l [1; c; h_{l-1}],     h_l = act(a_l),     T_l = act'(a_l) * (A_l T_{l-1})

so that T of the last layer is J E, J the Jacobian by the inputs (forward differentiation: no tape).
Bias and context have the tangent 0: a layer is one product, A_l [1 0; c 0; h T].
"""

from __future__ import annotations

import numpy as np

from .network import MLP


def _sigmoid(a):
    return (np.tanh(a / 2) + 1) / 2


# act(a); act'(a) by a and h = act(a); act''(a) by a, h and s = act'(a)
SMOOTH = {
    "tanh": (np.tanh, lambda a, h: 1 - h * h, lambda a, h, s: -2 * h * s),
    "sigmoid": (_sigmoid, lambda a, h: h * (1 - h), lambda a, h, s: (1 - 2 * h) * s),
    "softplus": (
        lambda a: np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a))),
        lambda a, h: -np.expm1(-h),
        lambda a, h, s: s * (1 - s),
    ),
    "silu": (
        lambda a: a * _sigmoid(a),
        lambda a, h: _quotient(h, a) * (1 + a - h),
        lambda a, h, s: _bend_of_silu(a, _quotient(h, a)),
    ),
}


def _quotient(h, a):
    """silu(a) / a, the sigmoid: a division costs less than another tanh."""
    return np.divide(h, a, np.full_like(a, 0.5), where=a != 0)


def _bend_of_silu(a, s):
    return s * (1 - s) * (2 + a * (1 - 2 * s))


class JacobianProducts:
    """v(x) and J(x) E of an MLP with one of the activations in SMOOTH, bound to a workspace.

    begin()          at the start of a run: the context is copied to where it is read
    forget()         at the start of a way back: the gradient of theta is 0
    run(x, e)        (v (O, N), J E (O, K, N)), at inputs x (I, N) for directions e (I, K, 1)
    back(v_bar, je_bar)   x_bar (I, N), of the last run; adds to theta_bar and context_bar
    """

    def __init__(self, net: MLP, at, n_directions: int):
        theta, theta_bar = at.params(net)
        self.at, self.skips, self.theta_bar = at, net.skips, theta_bar
        self.act, self.slope, self.bend = SMOOTH[net.activation]
        columns = 1 + n_directions, at.n_rows
        self.leads, self.A, self.A_bar, self.read, self.a = [], [], [], [], []
        for l, (layer, own) in enumerate(zip(net.layers, net.slices, strict=True)):
            self.leads.append(layer.lead)
            self.A.append(theta[own].reshape(layer.shape))  # all units of a degree: one block
            self.A_bar.append(theta_bar[own].reshape(layer.shape))
            read = at.scratch(("read and tangents", l, layer.lead), layer.shape[1], *columns)
            read[: layer.lead], read[0, 0] = 0, 1
            self.read.append(read)
            self.a.append(at.scratch(("a and tangents", l), layer.shape[0], *columns))

    def begin(self) -> None:
        for lead, read in zip(self.leads, self.read, strict=True):
            if lead > 1:
                read[1:lead, 0] = self.at.context

    def forget(self) -> None:
        self.theta_bar.fill(0)

    def run(self, x, e):
        inputs, last = self.read[0][self.leads[0] :], len(self.A) - 1
        inputs[:, 0], inputs[:, 1:] = x, e
        for l, (A, read, a) in enumerate(zip(self.A, self.read, self.a, strict=True)):
            np.dot(A, _flat(read), _flat(a))
            if l - 1 in self.skips:  # skips counts hidden layers from 1
                a += self.a[l - 2]
            if l < last:
                units = self.read[l + 1][self.leads[l + 1] :]
                h = units[:, 0] = self.act(a[:, 0])
                np.multiply(self.slope(a[:, 0], h)[:, None], a[:, 1:], units[:, 1:])
        return a[:, 0], a[:, 1:]

    def back(self, v_bar, je_bar):
        a_bar = [None] * len(self.a)
        a_bar[-1] = np.empty_like(self.a[-1])
        a_bar[-1][:, 0], a_bar[-1][:, 1:] = v_bar, je_bar
        for l in reversed(range(len(self.A))):
            self.A_bar[l] += np.dot(_flat(a_bar[l]), _flat(self.read[l]).T)
            read_bar = np.dot(self.A[l].T, _flat(a_bar[l])).reshape(self.read[l].shape)
            lead = self.leads[l]
            if lead > 1:
                self.at.context_bar += read_bar[1:lead, 0]
            bar = read_bar[lead:]
            if l == 0:
                return bar[:, 0]
            a, h = self.a[l - 1], self.read[l][lead:, 0]
            s = self.slope(a[:, 0], h)
            a_bar[l - 1] = new = s[:, None] * bar
            new[:, 0] += self.bend(a[:, 0], h, s) * np.sum(bar[:, 1:] * a[:, 1:], axis=1)
            if l in self.skips:
                new += a_bar[l + 1]


def _flat(a):
    """(units, 1 + K, N) as (units, (1 + K) N), a view."""
    return a.reshape(len(a), -1)
