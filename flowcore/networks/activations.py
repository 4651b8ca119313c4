"""Activations of hidden units, h = act(a) in place, and their gradients.

Each is bound to two arrays. h holds a before the call and act(a) after it. g holds the gradient
with respect to h before and to a after: g * act'(a), written in terms of h, or kept from the value.
Each returns two lists of calls (see `Step` in `core/workspace.py`): for the value, the gradient.
"""

from __future__ import annotations

import numpy as np

from ..core import Step


def relu(at, h, g):
    """max(a, 0)"""
    # against an array of zeros: several times faster than against a single one in NumPy 2
    zeros, zero, mask = at.zeros(*h.shape), at.number(0), at.scratch("mask", *h.shape, dtype=bool)
    return [Step(np.maximum, h, zeros, out=h)], [
        Step(np.greater, h, zero, mask),
        Step(np.multiply, g, mask, g),
    ]


def tanh(at, h, g):
    """tanh(a)"""
    one, slope = at.number(1), at.scratch("slope", *h.shape)
    return [Step(np.tanh, h, h)], [
        Step(np.multiply, h, h, slope),
        Step(np.subtract, one, slope, slope),
        Step(np.multiply, g, slope, g),
    ]


def elu(at, h, g):
    """a for a > 0, exp(a) - 1 below"""
    one, zero, below = at.number(1), at.number(0), at.scratch("slope", *h.shape)
    minimum = Step(np.minimum, h, zero, out=below)
    return [minimum, Step(np.expm1, below, below), Step(np.maximum, h, below, out=h)], [
        minimum,
        Step(np.add, below, one, below),
        Step(np.multiply, g, below, g),
    ]


# ---------------------------------------------------------------- smooth ones, by their derivatives
#
# Generators of the value, which is written to h, and of its first and its second derivative by b:
# each is computed when it is asked for. b = a / 2, but a for tanh: all follows from tanh b. If no
# derivative will be asked for, `work` may be h: an array to compute in, which only `_silu` needs.


def _tanh(b, h, work=None):
    """tanh(a)"""
    t = np.tanh(b, h)
    yield t
    yield (slope := 1 - t * t)
    yield -2 * t * slope


def _sigmoid(b, h, work=None):
    """1 / (1 + exp(-a)) = (1 + tanh b) / 2: no overflow on either side"""
    t = np.tanh(b)
    yield np.multiply(t + 1, 0.5, h)
    yield (slope := (1 - t * t) / 2)
    yield -2 * t * slope


def _softplus(b, h, work=None):
    """log(1 + exp(a)) = max(a, 0) + log(1 + exp(-|a|))"""
    size = np.abs(b)
    yield np.add(b + size, np.log1p(np.exp(-2 * size)), h)
    yield (slope := 1 + np.tanh(b))
    yield slope * (2 - slope)


def _silu(b, h, work=None):
    """a / (1 + exp(-a)) = b s, s = 1 + tanh b"""
    s = np.tanh(b, work)
    s += 1
    h = np.multiply(b, s, h)
    yield h
    yield s + h * (2 - s)
    yield 2 * (2 - s) * (s + h - s * h)


# name: (b / a, generator)
SMOOTH = {
    "tanh": (1.0, _tanh), "sigmoid": (0.5, _sigmoid), "softplus": (0.5, _softplus),
    "silu": (0.5, _silu),
}  # fmt: skip


def smooth(name):
    """An activation of hidden units that follows from its generator."""
    factor, derivatives = SMOOTH[name]

    def activation(at, h, g):
        b, slope = at.scratch("b", *h.shape), at.array("slope", *h.shape) if at.tape else None

        def out():
            found = derivatives(np.multiply(h, factor, b), h)
            next(found)
            if at.tape:
                np.multiply(next(found), factor, slope)

        return [out], [Step(np.multiply, g, slope, g)] if at.tape else []

    return activation


ACTIVATIONS = {f.__name__: f for f in (relu, tanh, elu)}
ACTIVATIONS |= {name: smooth(name) for name in ("sigmoid", "softplus", "silu")}

# how steep units that read few inputs may start: from experiments, made with tanh only
STEEPNESS = {"tanh": 3.0}

# mean and standard deviation of act(a) for a ~ N(0, 1)
MOMENTS = {
    "relu": (0.398942, 0.583819),
    "tanh": (0.0, 0.627929),
    "sigmoid": (0.5, 0.208277),
    "elu": (0.160521, 0.786879),
    "softplus": (0.806059, 0.521071),
    "silu": (0.206621, 0.559538),
}
