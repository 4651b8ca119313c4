"""Activations of hidden units, h = act(a) in place, and their gradients.

Each is bound to two arrays. h holds a before the call and act(a) after it. g holds the gradient
with respect to h before and to a after: g * act'(a), written in terms of h. It returns two lists of
NumPy calls (see `Step` in `core/workspace.py`): for the value, and for the gradient.
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


def sigmoid(at, h, g):
    """1 / (1 + exp(-a)), as (tanh(a/2) + 1) / 2: no overflow on either side"""
    one, half, slope = at.number(1), at.number(0.5), at.scratch("slope", *h.shape)
    out = [
        Step(np.multiply, h, half, h),
        Step(np.tanh, h, h),
        Step(np.add, h, one, h),
        Step(np.multiply, h, half, h),
    ]
    return out, [
        Step(np.subtract, one, h, slope),
        Step(np.multiply, h, slope, slope),
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


def softplus(at, h, g):
    """log(1 + exp(a)) = max(a, 0) + log(1 + exp(-|a|))"""
    zero, tail = at.number(0), at.scratch("slope", *h.shape)
    out = [
        Step(np.abs, h, tail),
        Step(np.negative, tail, tail),
        Step(np.exp, tail, tail),
        Step(np.log1p, tail, tail),
        Step(np.maximum, h, zero, out=h),
        Step(np.add, h, tail, h),
    ]
    return out, [  # act'(a) = 1 - exp(-h)
        Step(np.negative, h, tail),
        Step(np.expm1, tail, tail),
        Step(np.negative, tail, tail),
        Step(np.multiply, g, tail, g),
    ]


def silu(at, h, g):
    """a s with s = 1 / (1 + exp(-a)), which is kept for the way back"""
    one, half = at.number(1), at.number(0.5)
    s, slope = at.array("sigmoid", *h.shape), at.scratch("slope", *h.shape)
    out = [
        Step(np.multiply, h, half, s),
        Step(np.tanh, s, s),
        Step(np.add, s, one, s),
        Step(np.multiply, s, half, s),
        Step(np.multiply, h, s, h),
    ]
    return out, [  # act'(a) = s + h (1 - s)
        Step(np.subtract, one, s, slope),
        Step(np.multiply, slope, h, slope),
        Step(np.add, slope, s, slope),
        Step(np.multiply, g, slope, g),
    ]


ACTIVATIONS = {f.__name__: f for f in (relu, tanh, sigmoid, elu, softplus, silu)}

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
