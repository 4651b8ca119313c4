r"""
Circles and tori
================

Why a flow of angles has a uniform base, and what its networks read.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer rows and epochs, no window")
options, _ = parser.parse_known_args()

# %%
# Lesson 10 shows that the ends of the map have to meet on a circle, and its slopes, too.
#
# Why do the ends meet after one turn? Let f be an increasing map of the circle to itself.
# :math:`-\pi` and :math:`\pi` are the same angle, so :math:`f(-\pi)` and :math:`f(\pi)` are the
# same angle, too: :math:`f(\pi) = f(-\pi) + 2 \pi k` with a whole number :math:`k`. Since f
# increases, :math:`k` is at least 1. Since f has an inverse, it takes each angle once, so :math:`k`
# is not 2 or more. Every such map is a map that keeps the ends, and then a turn. In flowcore these
# are the ``CircularSpline`` and the ``CircularShift``, whose log-det is 0.
#
# Which base has no seam? For a normal base with the mean :math:`m`, cut off at :math:`-\pi` and
# :math:`\pi`, log p jumps by :math:`2 \pi m` at the seam. With the mean 0 it has a corner there:
# the slope of log p is :math:`-z`. A density without a special place stays the same when the circle
# turns, :math:`p(z + a) = p(z)` for all :math:`a`. At :math:`z = 0` this is :math:`p(a) = p(0)`, so
# p is the constant :math:`1 / (2 \pi)`.
m, ends = 0.4, np.array([-np.pi, np.pi])
jump = np.diff(-0.5 * (ends - m) ** 2)[0]
print(f"the base N({m}, 1) jumps by {jump:.4f}, 2 pi m is {2 * np.pi * m:.4f}")
assert np.isclose(jump, 2 * np.pi * m)

# %%
# A network that reads an angle as a number has a seam, too, so networks read its cosine and its
# sine. Do these features change the log-det? A coupling keeps the angle :math:`x_1 = z_1` and moves
# a number, :math:`x_2 = \mu + e^{\alpha} z_2`, where :math:`\mu` and :math:`\alpha` depend on
# :math:`c = \cos x_1` and :math:`s = \sin x_1`. By the chain rule
#
# .. math::
#
#     \frac{\partial x}{\partial z} = \begin{pmatrix} 1 & 0 \\ \ast & e^{\alpha} \end{pmatrix} ,
#     \qquad
#     \ast = \frac{\partial x_2}{\partial c} (-s) + \frac{\partial x_2}{\partial s}\, c .
#
# The derivatives of cosine and sine stand below the diagonal only, so the log-det is
# :math:`\alpha`, as it would be without them. By brute force:


def coupling(z):
    """x (2,) of z (2,): alpha = 0.6 cos x_1, mu = 2 sin x_1."""
    return np.array([z[0], 2 * np.sin(z[0]) + np.exp(0.6 * np.cos(z[0])) * z[1]])


J = fc.reference.numerical_jacobian(coupling, np.array([2.0, 0.7]))
print(f"log |det| {fc.reference.log_abs_det(J):.6f}, alpha {0.6 * np.cos(2):.6f}")
assert np.isclose(fc.reference.log_abs_det(J), 0.6 * np.cos(2), atol=1e-6)

# %%
# Two angles are a point on a torus. Drawn as a square, a torus has two seams, which cross. Here the
# second angle has two modes for each value of the first.
torus = fc.targets.torus()
flow = fc.flows.nsf(2, circular=[0, 1], layers=2 if options.quick else 4)
rows = torus.sample(1000 if options.quick else 4000, rng=0)
flow, _ = fc.fit(flow, rows, epochs=10 if options.quick else 40)
kl = fc.kl_to_truth(flow, torus)
print(f"KL {kl.kl:.3f} +- {kl.standard_error:.3f} nats")
assert kl.kl < (1 if options.quick else 0.1)

x = np.linspace(-np.pi, np.pi, 101)
grid = np.stack(np.meshgrid(x, x), axis=-1)
figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), sharey=True, layout="compressed")
for ax, density, title in zip(axes, (torus, flow), ("truth", "flow"), strict=True):
    ax.pcolormesh(x, x, density.prob(grid), cmap="magma", shading="gouraud")
    ax.set(title=title, aspect="equal", xlabel="x1")
axes[0].set_ylabel("x2")

if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(options.save) / "circles.png", dpi=120)
elif not options.quick:
    plt.show()
