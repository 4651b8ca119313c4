"""The value of a network and products with its Jacobian, in one pass, and their gradients.

Each row has one column of units, and K more columns, its tangents. With E, the K directions of the
inputs, and T_0 = E,

    a_l = A_l [1; c; h_{l-1}],     h_l = act(a_l),     T_l = act'(a_l) * (A_l T_{l-1})

so that T of the last layer is J E, J the Jacobian by the inputs (forward differentiation: no tape).
Bias and context have the tangent 0: a layer is one product, A_l [1 0; c 0; h T]. The factor of an
activation, see SMOOTH, is multiplied into A_l once a run: b_l takes the place of a_l.
"""

from __future__ import annotations

import numpy as np

from .activations import SMOOTH
from .network import MLP


class JacobianProducts:
    """v(x) and J(x) E of an MLP with one of the activations in SMOOTH, bound to a workspace.

    x (I, N), e (I, K, N)   arrays to write the inputs and the directions to
    begin()   at the start of a run, or of a way back: theta and the context are read, and the
              gradient of theta is 0
    run()     (v (O, N), J E (O, K, N)); without directions, K = 0, no derivative is computed
    back(v_bar, je_bar)   x_bar (I, N), of the last run; adds to theta_bar and context_bar
    """

    def __init__(self, net: MLP, at, n_directions: int):
        theta, theta_bar = at.params(net)
        self.at, self.skips, self.theta_bar = at, net.skips, theta_bar
        self.lead = lead = 1 + net.context_dim
        factor, self.activation = SMOOTH[net.activation]
        self.factors = [factor] * net.n_hidden + [1.0]
        columns = 1 + n_directions, at.n_rows
        self.given, self.A, self.A_bar, self.read, self.b = [], [], [], [], []
        for l, (layer, own) in enumerate(zip(net.layers, net.slices, strict=True)):
            self.given.append(theta[own].reshape(layer.shape))  # all of one degree: one block
            self.A_bar.append(theta_bar[own].reshape(layer.shape))
            self.A.append(at.scratch(("b from units", l), *layer.shape))
            self.read.append(at.scratch(("read and tangents", l, lead), layer.shape[1], *columns))
            self.read[l][:lead], self.read[l][0, 0] = 0, 1
            self.b.append(at.scratch(("b and tangents", l), layer.shape[0], *columns))
        self.units = [read[lead:] for read in self.read]
        self.x, self.e = self.units[0][:, 0], self.units[0][:, 1:]

    def begin(self) -> None:
        self.theta_bar.fill(0)
        for l, read in enumerate(self.read):
            np.multiply(self.given[l], self.factors[l], self.A[l])
            if self.lead > 1:
                read[1 : self.lead, 0] = self.at.context

    def run(self):
        for l, (A, read, b) in enumerate(zip(self.A, self.read, self.b, strict=True)):
            np.dot(A, _flat(read), _flat(b))
            if l - 1 in self.skips:  # skips counts hidden layers from 1
                b += self.b[l - 2]
            if l + 1 < len(self.A):
                units = self.units[l + 1]
                more = b.shape[1] > 1
                derivatives = self.activation(b[:, 0], units[:, 0], None if more else units[:, 0])
                next(derivatives)
                if more:
                    np.multiply(next(derivatives)[:, None], b[:, 1:], units[:, 1:])
        return b[:, 0], b[:, 1:]

    def back(self, v_bar, je_bar):
        # bar: the gradient of a layer's units, values and tangents; and then of their b
        b_bar = {}
        bar = np.concatenate([v_bar[:, None], je_bar], axis=1)
        for l in reversed(range(len(self.A))):
            if l + 1 < len(self.A):
                b = self.b[l]
                _, slope, bend = self.activation(b[:, 0], None)
                above, bar = bar, slope[:, None] * bar
                bar[:, 0] += bend * np.sum(above[:, 1:] * b[:, 1:], axis=1)
                if l + 1 in self.skips:
                    bar += b_bar[l + 2]
            b_bar[l] = bar
            self.A_bar[l] += self.factors[l] * np.dot(_flat(bar), _flat(self.read[l]).T)
            read_bar = np.dot(self.A[l].T, _flat(bar)).reshape(self.read[l].shape)
            if self.lead > 1:
                self.at.context_bar += read_bar[1 : self.lead, 0]
            bar = read_bar[self.lead :]
        return bar[:, 0]


def _flat(a):
    """(units, 1 + K, N) as (units, (1 + K) N), a view."""
    return a.reshape(len(a), -1)
