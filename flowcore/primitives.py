"""Two small autograd primitives where autograd's own are slow or overflow."""

from __future__ import annotations

import numpy as np
from autograd.extend import SparseObject, defvjp, primitive, vspace


@primitive
def segment(theta, start: int, stop: int):
    """theta[start:stop] whose gradient is added in place into the one flat gradient vector.

    autograd's own indexing pads the gradient of every slice to full length and sums the dense
    vectors: 15 of the 36 ms of a training step with five layers of 330,000 parameters each.
    """
    return theta[start:stop]


def _segment_vjp(ans, theta, start, stop):
    space = vspace(theta)

    def vjp(g):
        def add(total):
            total[start:stop] += g
            return total

        return SparseObject(space, add)

    return vjp


defvjp(segment, _segment_vjp)


@primitive
def tanh(a):
    """tanh with the derivative 1 - tanh^2; autograd's 1/cosh^2 overflows beyond |a| of about 89."""
    return np.tanh(a)


defvjp(tanh, lambda ans, a: lambda g: g * (1 - ans * ans))
