"""The exercises of lesson 6: couplings."""

from __future__ import annotations

from functools import partial

import numpy as np

from .exercise import but, decimals, exercise, given, numbers
from .lesson_5 import ROWS


@numbers(a=decimals(0.1, 0.9, 0.05), b=decimals(-0.9, -0.1, 0.05), c=decimals(0.1, 0.9, 0.01))
def _sum(a=0.1, b=-0.3, c=0.5):
    scales = (a, b, c)
    total = sum(scales)
    shown = f"{scales[0]:g}, {scales[1]:g} and {scales[2]:g}"
    return exercise(
        "6a",
        "A RealNVP coupling of five coordinates keeps the first two; at some z its log-scales are "
        f"{shown}. What is log |det dx/dz|?",
        total,
        "The sum of the log-scales; the two that stay add nothing.",
        "What is on the diagonal of the Jacobian? Take its logarithm.",
        (-total, "This is dz/dx, the way back."),
        (sum(map(abs, scales)), "Log-scales are added with their signs: a negative one squeezes."),
        (np.exp(scales).sum(), "Logarithms of the scales are added, not the scales."),
        (np.exp(scales).sum() + 2, "Logarithms of the scales are added, not the scales. "
         "Coordinates that stay have the log-scale 0."),
        (total + 2, "What stays has the slope 1, whose logarithm is 0."),
        (np.prod(scales), "Scales are multiplied, so log-scales are added."),
        ([total / 3, total / 5], "A sum, not a mean."),
        (0.0, "That is NICE, which only shifts. RealNVP scales, too."),
        (1.0, "What stays has the slope 1; what changes has exp(log-scale)."),
        (np.log(np.exp(scales).sum()), "The determinant multiplies the scales; it does not add "
         "them."),
        (scales[2], "All three coordinates that change count, not the last one alone."),
    )  # fmt: skip


_TURNS = exercise("6b",
    "A flow has four coordinates. Its couplings change two of them, then the other two, and so on. "
    "After how many couplings may every coordinate depend on every other?",
    3,
    "After two, the pair changed last depends on everything; after three, so does the other.",
    "Write down, after each coupling, which of z1..z4 each coordinate depends on.",
    (1, "One coupling leaves two coordinates as they were."),
    (2, "In the pair that was changed first, neither depends on the other one yet."),
    (4, "There is not one coupling for each coordinate: a coupling changes two of them."),
    (6, "This is the number of pairs. One coupling changes two coordinates at once."),
    (8, "It goes faster: a coupling makes two coordinates depend on two others at once."),
    (12, "This is the number of ordered pairs. One coupling serves four of them at once."),
    (5, "Fewer: write down which coordinates depend on which after each coupling."),
    (0, "Without a coupling no coordinate depends on another one."),
)  # fmt: skip

_BOARD = exercise("6c",
    "NICE learns the checkerboard, whose eight squares have an area of 32 in all. Its layers "
    "keep areas, up to one constant factor. How close can it come: what is the least KL(board "
    "|| NICE), whatever the depth?",
    1 - np.log(2),
    "1 - log 2: the best it can do is to lay a Gaussian bell, cut into pieces, over the board.",
    "Put the board's area into a disk: pi R^2 = 32, and the mean of r^2 is R^2 / 2. A bell of "
    "deviation s has the cross-entropy log(2 pi s^2) + E r^2 / (2 s^2): choose the best s.",
    (0.0, "The board has one density value; a Gaussian takes every value below its peak, also "
     "after a map that keeps areas."),
    (np.log(2), "log 2 is the KL of a uniform density on the whole frame. NICE may keep the empty "
     "squares almost empty."),
    (np.log(32) + 1 - np.log(2), "This is the cross-entropy. Take off the entropy, log 32."),
    (np.log(32), "This is the entropy of the board, the loss of the truth itself."),
    (1.0, "With the best constant factor the mean of r^2 / (2 s^2) is 1, but log(2 pi s^2) is log "
     "32 - log 2, not log 32."),
    (0.5, "It is less: NICE may keep the empty squares almost empty, and choose its factor.", 1e-6),
    (0.05, "It is more: half of the bell's heights do not occur on a flat board.", 0.05),
    (-np.log(2), "A KL is never negative."),
    (2.0, "It is less: NICE can move the mass of a bell to the squares.", 1.2),
    rough=(0.1, 0.5),
)  # fmt: skip


def _shift_scale(kept):
    """A conditioner: (n, k) -> mu and alpha, (n, 2) each."""
    s = kept.sum(axis=1, keepdims=True)
    return np.hstack([np.sin(s), s]), np.hstack([0.3 * s, np.cos(s) - 0.5])


_KEPT = np.array([False, True, False, True])


def coupling_inverse(x, kept, net):
    """One right answer to 6d."""
    mu, alpha = net(x[:, kept])
    z = x.copy()
    z[:, ~kept] = (x[:, ~kept] - mu) * np.exp(-alpha)
    return z, -alpha.sum(axis=1)


def _changed(change):
    """The z of a mistake of 6d: a function of the coordinates that change, mu and alpha."""

    def z(x, kept, net):
        z = x.copy()
        z[:, ~kept] = change(x[:, ~kept], *net(x[:, kept]))
        return z

    return z


_but = partial(but, coupling_inverse)
_alpha = given(lambda x, kept, net: net(x[:, kept])[1:])
_z = given(lambda x, kept, net: (coupling_inverse(x, kept, net)[0], kept))
_to_x = _changed(lambda v, mu, alpha: mu + np.exp(alpha) * v)
_COUPLING = exercise("6d",
    "Write a function coupling_inverse(x, kept, net). kept is a boolean array (D,), net(x[:, "
    "kept]) returns mu and alpha of the others, and x[:, ~kept] = mu + exp(alpha) z[:, ~kept]. The "
    "function returns z (n, D) and log |det dz/dx| (n,).",
    coupling_inverse,
    "The coordinates that stay feed the network, so the network is never inverted.",
    "z and x agree where kept is True. Elsewhere solve for z; the log-det has one summand for each "
    "coordinate that changes.",
    (_but(1, _alpha(lambda alpha: alpha.sum(axis=1))), "z is right. The log-det is that of dx/dz: "
     "turn its sign."),
    (_but(1, _alpha(lambda alpha: 0 * alpha.sum(axis=1))), "z is right. The log-det is 0 for NICE "
     "only: here x - mu is divided by scales."),
    (_but(1, _alpha(lambda alpha: -alpha.sum(axis=0))), "z is right. Sum over the coordinates, "
     "axis 1, not over the rows."),
    ([_but(0, _to_x), but(_but(0, _to_x), 1, _alpha(lambda alpha: alpha.sum(axis=1)))], "This is "
     "the way from z to x."),
    (_but(0, _changed(lambda v, mu, alpha: v * np.exp(-alpha) - mu)), "First subtract the shift, "
     "then divide by the scale."),
    (_but(0, _changed(lambda v, mu, alpha: (v - mu) * np.exp(alpha))), "The way back divides by "
     "exp(alpha)."),
    (_but(0, _changed(lambda v, mu, alpha: v - mu)), "This is NICE: the scale exp(alpha) is "
     "missing."),
    (_but(0, _z(lambda z, kept: np.hstack([z[:, kept], z[:, ~kept]]))), "The values are right, "
     "their places are not: put each coordinate back where it was, z[:, kept] and z[:, ~kept]."),
    (_but(0, _z(lambda z, kept: z[:, ~kept])), "These are the changed coordinates alone; z has all "
     "of them."),
    (lambda x, kept, net: coupling_inverse(x, ~kept, net), "The parts are exchanged: the kept one "
     "feeds the network."),
    inputs=[(ROWS, _KEPT, _shift_scale), (ROWS[:2], ~_KEPT, _shift_scale)],
)  # fmt: skip


def nice(z, nets):
    """One right answer to 6e."""
    half = z.shape[1] // 2
    x = z.copy()
    for k, net in enumerate(nets):
        if k % 2 == 0:
            x[:, half:] += net(x[:, :half])
        else:
            x[:, :half] += net(x[:, half:])
    return x


def _nice(z, nets, *, first=0, fresh=True, turns=True, sign=1):
    """A mistake of 6e: the halves in another order, networks that read z, no turns."""
    half, x = z.shape[1] // 2, z.copy()
    halves = slice(None, half), slice(half, None)
    for k, net in enumerate(nets):
        read = halves[(first + k) % 2 if turns else first]
        moved = halves[1 - (first + k) % 2 if turns else 1 - first]
        x[:, moved] += sign * net((x if fresh else z)[:, read])
    return x


def _places(z, nets):
    """A mistake of 6e: the halves change places in each layer, and stay so."""
    half = z.shape[1] // 2
    read, other = z[:, :half], z[:, half:]
    for net in nets:
        read, other = other + net(read), read
    return np.hstack([read, other])


_NETS = (np.sin, np.cos, np.tanh)

_ALTERNATE = exercise("6e",
    "Write a function nice(z, nets), a NICE flow with an even number D of coordinates. The first "
    "network reads the first half, and its output is added to the second half. The next one reads "
    "the second half, and its output is added to the first, and so on. The function returns x (n, "
    "D).",
    nice,
    "Every layer is a shear, so the log-det of the whole is 0.",
    "Keep one array x, and change one half of it in each step; networks read x as it is now.",
    (lambda z, nets: _nice(z, nets, first=1), "The halves are exchanged: the first network reads "
     "the first half."),
    (lambda z, nets: _nice(z, nets, fresh=False), "A network reads the half as the layers before "
     "left it, not that of z."),
    (lambda z, nets: _nice(z, nets, turns=False), "The halves take turns: otherwise the first one "
     "never changes."),
    (lambda z, nets: _nice(z, nets, sign=-1), "Add the output: subtracting it is part of the way "
     "back."),
    (lambda z, nets: _nice(z, nets[:1]), "This is one layer: `nets` holds several."),
    (lambda z, nets: _nice(z, nets[:2]), "These are two layers: `nets` may hold more."),
    (lambda z, nets: _nice(z, nets[::-1]), "The networks come in the order of the list."),
    (_places, "Your halves change places in each layer: put them back at the end."),
    (lambda z, nets: _nice(z, nets) - z, "This is only what was added; x is z plus that."),
    (lambda z, nets: z, "Nothing has changed. Does the function change a copy, and return it?"),
    inputs=[(ROWS, _NETS), (ROWS[:2], _NETS[:2]), (ROWS, _NETS[:1])],
)  # fmt: skip

COUPLINGS = (_sum, _TURNS, _BOARD, _COUPLING, _ALTERNATE)
