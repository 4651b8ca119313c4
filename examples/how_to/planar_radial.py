"""
Planar and radial layers
========================

These layers stretch or squeeze space across a plane, or around a point.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer rows and epochs, no window")
options, _ = parser.parse_known_args()

# %%
# A planar layer, :math:`x = z + u \tanh(w \cdot z + b)`, shifts every point along :math:`u`: by
# :math:`-u` on one side of the plane :math:`w \cdot z + b = 0`, by :math:`+u` on the other, with a
# smooth change near the plane. Near it volumes change by up to the factor :math:`1 + w \cdot u`:
# the two sides move apart if :math:`w \cdot u > 0`, and are pressed together if :math:`w \cdot u <
# 0`.
w = np.array([1.2, 0.9])
planar = fc.Planar(2)  # params: w, u, b
apart = planar.with_params([*w, 2.0, 2 / 3, 0.0])
together = planar.with_params([*w, -2.0, -2 / 3, 0.0])

# %%
# The layer needs :math:`w \cdot u \ge -1`. Across the plane, the layer turns :math:`v = w \cdot z +
# b` into :math:`y = w \cdot x + b = v + w \cdot u \tanh(v)`, a curve whose slope on the plane is
# :math:`1 + w \cdot u`. If :math:`w \cdot u < -1`, the curve falls there: space is folded, and
# three different z land on the same x. Then the map has no inverse. The change of variables, which
# counts one z for every x, would give a wrong density. The layer accepts any u: if :math:`a = w
# \cdot u` is negative, it adds a multiple of w to u, which turns a into :math:`a / (1 - a) > -1`.


def kept_product(layer):
    """w.u as the layer uses it: read from the log-det at the origin, which is on the plane here."""
    return np.expm1(layer.forward_log_det(np.zeros(2)))


for name, layer in (("apart", apart), ("together", together)):
    print(f"{name:8s} w.u = {w @ layer.params[2:4]:+.2f}, in use {kept_product(layer):+.2f}")
assert np.isclose(kept_product(apart), 3.0)  # nothing to repair
assert np.isclose(kept_product(together), -0.75)  # was -3

# Without the repair the same u would send three values of v to y = 0.5
brackets = ((-6, -1.2), (-1.2, 1.2), (1.2, 6))
folded = np.array([brentq(lambda v: v - 3 * np.tanh(v) - 0.5, *ends) for ends in brackets])
print("v - 3 tanh(v) = 0.5 at v =", folded.round(3))
assert np.allclose(folded - 3 * np.tanh(folded), 0.5) and np.all(np.diff(folded) > 0.5)

# %%
# The inverse needs a root search, because :math:`y = v + w \cdot u \tanh(v)` cannot be solved for v
# in closed form. But it is one equation with one unknown in any dimension, and its right side is
# increasing, so it has one root. Then :math:`z = x - u \tanh(v)`. The layer finds the root by
# Newton's method, for all rows at once. Here is one row, by hand.
m = kept_product(together)
x = np.array([1.0, -0.4])
y = w @ x
v = brentq(lambda v: v + m * np.tanh(v) - y, y - abs(m), y + abs(m), xtol=1e-14)
z = together.inverse(x)
print(f"w.z by a root search {v:.12f}, of the layer's own inverse {w @ z:.12f}")
assert np.isclose(w @ z, v, atol=1e-12)
assert np.allclose(together.forward(z), x, atol=1e-12)

# %%
# A radial layer, :math:`x = z + \beta (z - z_0) / (\alpha + |z - z_0|)`, moves points away from
# :math:`z_0` if :math:`\beta > 0`, and towards it if :math:`-\alpha < \beta < 0`. The layer maps
# any parameter into :math:`\beta > -\alpha`. Its inverse is the root of a quadratic equation and
# needs no search.
z0 = np.array([0.6, 0.4])
radial = fc.Radial(2)  # params: z0, log alpha, beta
outwards = radial.with_params([*z0, 0.0, 3.0])
inwards = radial.with_params([*z0, np.log(2), -1.5])

# %%
# Here is what these four layers do to a normal density: :math:`p(x) = N(z)\, |\det dz/dx|`.
layers = {
    "planar, apart": apart,
    "planar, together": together,
    "radial, outwards": outwards,
    "radial, inwards": inwards,
}
line = np.linspace(-4, 4, 241)
grid = np.stack(np.meshgrid(line, line), axis=-1)
wide = np.stack(np.meshgrid(np.linspace(-11, 11, 661), np.linspace(-11, 11, 661)), axis=-1)
normal = fc.Normal(2)
densities = {}
for name, layer in layers.items():
    density = fc.TransformedDistribution(normal, layer)
    densities[name] = density.prob(grid)
    mass = density.prob(wide).sum() * (22 / 660) ** 2
    points = normal.sample(1000, rng=0)
    round_trip = np.abs(layer.inverse(layer.forward(points)) - points).max()
    print(f"{name:18s} total mass {mass:.4f}, round trip error {round_trip:.1e}")
    assert abs(mass - 1) < 2e-3 and round_trip < 1e-12

# %%
# One layer does little, ten do more. The target is known exactly, and has two modes. Fitting by
# maximum likelihood runs the inverse, so every step solves ten equations per row. Sampling is one
# cheap pass. With ``fc.Invert(fc.Planar(2))`` fitting is cheap and sampling slow.
target = fc.GaussianMixture([[-1.5, -1.0], [1.5, 1.0]], scales=0.6)
data = target.sample(1500 if options.quick else 4000, rng=0)
parts = [fc.Planar(2, rng=k) for k in range(10)]
flow = fc.TransformedDistribution(normal, fc.Chain([fc.Standardize(2), *parts]))
start = flow.initialize(data)  # all layers are the identity yet: a normal density
flow, history = fc.fit(
    flow,
    data,
    epochs=25 if options.quick else 40,
    batch_size=128,
    learning_rate=2e-2,
    schedule="cosine",
    average=0.98,
    rng=0,
)
print(history)

# %%
# How far from the truth? :math:`KL(truth \,\|\, flow)`, in nats, on fresh draws; 0 would be
# perfect.
before, after = (fc.kl_to_truth(density, target, rng=1) for density in (start, flow))
print(f"KL before training {before.kl:.3f} +- {before.standard_error:.3f} nats")
print(f"KL after training  {after.kl:.3f} +- {after.standard_error:.3f} nats")
assert -0.005 < after.kl < (0.1 if options.quick else 0.03)
assert before.kl > 5 * after.kl
share = np.mean(flow.sample(20_000, rng=2) @ [1.5, 1.0] > 0)
print(f"samples on the upper right: {share:.1%}")
assert abs(share - 0.5) < 0.04

# %%
# The picture shows densities as shades, and a square grid of lines before and after.


def draw_density(ax, values, title, top=None):
    ax.pcolormesh(line, line, values, cmap="Blues", vmin=0, vmax=top, rasterized=True)
    ax.set(title=title, xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    ax.set(xlim=(-4, 4), ylim=(-4, 4), xticks=range(-4, 5, 2), yticks=range(-4, 5, 2))


def draw_lines(ax, layer=None):
    """The images of the lines z_1 = const and z_2 = const, half a unit apart."""
    along = np.linspace(-8, 8, 801)
    for at in np.arange(-8, 8.1, 0.5):
        for z in ((np.full(801, at), along), (along, np.full(801, at))):
            z = np.stack(z, axis=-1)
            ax.plot(*(z if layer is None else layer.forward(z)).T, color="0.35", lw=0.4)


BLUE, ORANGE = "#0072B2", "#D55E00"
figure, axes = plt.subplots(2, 4, figsize=(13, 6.9), layout="constrained")
before_panel, *four, fold, truth_panel, flow_panel = axes.flat[[0, 1, 2, 4, 5, 3, 6, 7]]
draw_density(before_panel, np.exp(normal.log_prob(grid)), "before: a normal density")
draw_lines(before_panel)
for ax, (name, values) in zip(four, densities.items(), strict=True):
    peak = values.max() * 2 * np.pi  # in units of the normal's; every panel has shades of its own
    draw_density(ax, values, rf"{name}: peak $\times$ {peak:.1f}")
    draw_lines(ax, layers[name])
    if "planar" in name:  # the plane or the point, both stay in place
        ax.axline((0, 0), slope=-w[0] / w[1], color=ORANGE, lw=1, ls="--")
    else:
        ax.plot(*z0, "o", color=ORANGE, ms=8, mfc="none")

v = np.linspace(-4, 4, 401)
for m, colour, style in ((3, BLUE, "-"), (-0.75, BLUE, "--"), (-3, ORANGE, "-")):
    fold.plot(v, v + m * np.tanh(v), color=colour, ls=style, label=f"$w.u = {m:g}$")
fold.plot(folded, np.full(3, 0.5), "o", color=ORANGE, ms=5, label="three $z$, one $x$")
fold.axhline(0.5, color="0.5", lw=0.8, zorder=0)
fold.set(title="$w.u < -1$ would fold space", xlabel="$v = w.z + b$", ylabel="$y = w.x + b$")
fold.set(xlim=(-4, 4), ylim=(-4, 4), xticks=range(-4, 5, 2), yticks=range(-4, 5, 2))
fold.set(aspect="equal")
fold.legend(loc="upper left", fontsize=8)

truth = np.exp(target.log_prob(grid))
top = truth.max()
draw_density(truth_panel, truth, "two modes: the truth", top)
draw_density(flow_panel, flow.prob(grid), f"ten planar layers: KL {after.kl:.2f} nats", top)

if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(options.save) / "planar_radial.png", dpi=100)
elif not options.quick:
    plt.show()
