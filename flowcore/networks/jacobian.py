"""The value of a network and products with its Jacobian, in one pass, and their gradients.

Each row has one column of units, and K more columns, its tangents. With E, the K directions of the
inputs, and T_0 = E,

    a_l = A_l [1; c; h_{l-1}],     h_l = act(a_l),     T_l = act'(a_l) * (A_l T_{l-1})

so that T of the last layer is J E, with J the Jacobian with respect to the inputs. (This is forward
differentiation, and needs no tape.) Bias and context have the tangent 0: a layer is one product,
A_l [1 0; c 0; h T].
"""

from __future__ import annotations

import numpy as np

from .network import MLP


def _sigmoid(a):
    s = np.multiply(a, 0.5)
    np.tanh(s, s)
    s += 1
    s *= 0.5
    return s


def _tanh(a):
    h = np.tanh(a)
    yield h
    yield (slope := 1 - h * h)
    yield -2 * h * slope


def _logistic(a):
    h = _sigmoid(a)
    yield h
    yield (slope := h * (1 - h))
    yield (1 - 2 * h) * slope


def _softplus(a):
    yield np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))
    yield (slope := _sigmoid(a))
    yield slope * (1 - slope)


def _silu(a):
    s = _sigmoid(a)
    h = a * s
    yield h
    slope = np.subtract(a, h)
    slope += 1
    slope *= s
    yield slope
    yield s * (1 - s) * (2 + a * (1 - 2 * s))


# generators of act(a), act'(a), act''(a): each is computed when it is asked for
SMOOTH = {"tanh": _tanh, "sigmoid": _logistic, "softplus": _softplus, "silu": _silu}


class JacobianProducts:
    """v(x) and J(x) E of an MLP with one of the activations in SMOOTH, bound to a workspace.

    begin()          at the start of a run: the context is copied to where it is read
    forget()         at the start of a way back: the gradient of theta is 0
    run(x, e)        (v (O, N), J E (O, K, N)), at inputs x (I, N) for directions e (I, K, 1)
                     (without one, K = 0, the derivatives of the activation are not computed)
    back(v_bar, je_bar)   x_bar (I, N), of the last run; adds to theta_bar and context_bar
    """

    def __init__(self, net: MLP, at, n_directions: int):
        theta, theta_bar = at.params(net)
        self.at, self.skips, self.theta_bar = at, net.skips, theta_bar
        self.derivatives = SMOOTH[net.activation]
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
                derivatives = self.derivatives(a[:, 0])
                units[:, 0] = next(derivatives)
                if a.shape[1] > 1:
                    np.multiply(next(derivatives)[:, None], a[:, 1:], units[:, 1:])
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
            a = self.a[l - 1]
            _, slope, bend = self.derivatives(a[:, 0])
            a_bar[l - 1] = new = slope[:, None] * bar
            new[:, 0] += bend * np.sum(bar[:, 1:] * a[:, 1:], axis=1)
            if l in self.skips:
                new += a_bar[l + 1]


def _flat(a):
    """(units, 1 + K, N) as (units, (1 + K) N), a view."""
    return a.reshape(len(a), -1)
