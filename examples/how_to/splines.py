"""
Rational-quadratic splines
==========================

What a spline is, and what a flow made of splines can do.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc
from flowcore.transformers.splines import TEMPERATURE

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer rows and epochs, no window")
options, _ = parser.parse_known_args()

# %%
# A spline is an increasing curve :math:`x = g(z)`, here on [-3, 3] in :math:`K = 5` pieces. Each
# piece is the quotient of two parabolas. The pieces meet at the knots. :math:`3 K - 1` free numbers
# phi set the places of the knots, and how steep g is at the knots. Any numbers will do; here they
# are random.
spline = fc.RationalQuadratic(bins=5, tail=3.0)
phi = 2 * np.random.default_rng(24).normal(size=spline.n_out)


def g(z, phi):
    """x and log dx/dz of one spline at z (n,): every point gets the same phi."""
    return spline.forward_and_log_det(z, np.broadcast_to(phi, (*z.shape, phi.size)))


def g_inverse(x, phi):
    """z and log dz/dx at x (n,)."""
    return spline.inverse_and_log_det(x, np.broadcast_to(phi, (*x.shape, phi.size)))


z = np.linspace(-4.5, 4.5, 1801)
x, log_slope = g(z, phi)
print(spline, "with", spline.n_out, "parameters")

# %%
# The knots come from phi. A softmax makes K positive sizes that add up to the whole interval; a
# softplus makes positive slopes. So g is increasing for every phi, and has an inverse.


def edges(raw, least):
    """[-B, B] cut into K pieces, none smaller than the fraction `least` of it: K + 1 edges."""
    share = np.exp(raw / TEMPERATURE) / np.exp(raw / TEMPERATURE).sum()
    sizes = least + (1 - least * spline.bins) * share
    return spline.tail * (2 * np.append(0, np.cumsum(sizes)) - 1)


def slopes_at_knots(raw):
    """K - 1 slopes, 1 where raw = 0; the outer two are 1, to go on smoothly as the identity."""
    shift = np.log(np.expm1(1 - spline.min_slope))
    return np.concatenate([[1.0], spline.min_slope + np.logaddexp(0, raw + shift), [1.0]])


K = spline.bins
z_knots, x_knots = edges(phi[:K], spline.min_width), edges(phi[K : 2 * K], spline.min_height)
knot_slopes = slopes_at_knots(phi[2 * K :])
for name, values in (("z", z_knots), ("x", x_knots), ("dx/dz", knot_slopes)):
    print(f"knots, {name:5s}", values.round(3))

# The paper's formulas through these knots give the same curve and the same slope
by_formula = [fc.reference.spline_forward(point, z_knots, x_knots, knot_slopes) for point in z]
assert np.allclose(by_formula, np.stack([x, log_slope], axis=-1), atol=1e-9)
assert np.all(np.diff(x) > 0)

# %%
# In each piece the inverse is the root of a quadratic equation. So it needs no search, and costs
# the same as g.
back, inverse_log_slope = g_inverse(x, phi)
print(f"round trip error {np.abs(back - z).max():.1e}")
assert np.allclose(back, z, atol=1e-9) and np.allclose(inverse_log_slope, -log_slope, atol=1e-9)

# %%
# The tails are linear: outside of [-3, 3] nothing changes. (A flow standardises first, so few data
# are outside.) Training starts from phi = 0, which is the identity everywhere.
outside = np.abs(z) > spline.tail
assert np.array_equal(x[outside], z[outside]) and np.all(log_slope[outside] == 0)
assert np.allclose(g(z, np.zeros(spline.n_out)), (z, 0 * z), atol=1e-12)

# %%
# Here is what the spline does to a density: :math:`p(x) = N(z)\, dz/dx` at :math:`z = g^{-1}(x)`.
# Mass gathers where g is flat. A line :math:`a z + b` would give one hump again; a spline gives
# several.


def normal_density(z):
    return np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)


at, log_dz = g_inverse(z, phi)  # z serves as a grid of x here
bent_density = normal_density(at) * np.exp(log_dz)
mass = np.sum(bent_density) * (z[1] - z[0])
print(f"the bent density integrates to {mass:.4f} over [-4.5, 4.5]")
assert abs(mass - 1) < 1e-3

# %%
# In every layer of a flow of splines, one spline bends one coordinate. Another spline, whose phi a
# network computes from the first coordinate, bends the other. The target has eight modes and is
# known exactly. Compare a MAF, which shifts and scales each coordinate (x = a z + b) instead of
# bending it. The MAF has the same networks and one layer more, so it has about as many parameters.
target = fc.targets.eight_gaussians()
data = target.sample(2500 if options.quick else 10_000, rng=0)
hidden = [32, 32] if options.quick else [64, 64]
recipes = {
    "neural spline flow": fc.flows.nsf(2, layers=3, hidden=hidden, rng=0),
    "affine MAF": fc.flows.maf(2, layers=4, hidden=hidden, rng=0),
}
training = {
    "epochs": 16 if options.quick else 60,
    "batch_size": 128,
    "learning_rate": 1e-2 if options.quick else 5e-3,
    "schedule": "cosine",
    "average": 0.98 if options.quick else 0.995,
    "rng": 0,
}
flows = {name: fc.fit(flow, data, **training)[0] for name, flow in recipes.items()}

# %%
# How far from the truth? :math:`KL(truth \,\|\, flow)`, in nats, on fresh draws; 0 would be
# perfect.
distances = {name: fc.kl_to_truth(flow, target, rng=1) for name, flow in flows.items()}
for name, (kl, error) in distances.items():
    print(f"{name:18s} {flows[name].n_params:6d} parameters, KL {kl:.3f} +- {error:.3f} nats")
spline_kl, maf_kl = (distances[name].kl for name in flows)
assert -0.01 < spline_kl < (0.4 if options.quick else 0.1)
assert maf_kl > (1.5 if options.quick else 3) * spline_kl

# %%
# The picture shows one spline above, and the flows below.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "0.45"
figure, ((curve, slope, bent), below) = plt.subplots(2, 3, figsize=(11, 7.4), layout="constrained")
frame = (-4.5, 4.5)
for ax in (curve, slope, bent):
    ax.axvspan(-spline.tail, spline.tail, color="0.95", zorder=0)
    ax.set(xlim=frame, xlabel="z", box_aspect=1)

curve.plot(z, z, color=GREY, ls="--", lw=1, label=r"$\varphi = 0$: identity")
curve.plot(z, x, color=BLUE, label="spline $g$")
curve.plot(x, z, color=ORANGE, lw=1, label="inverse: its mirror image")
curve.plot(z_knots, x_knots, "o", color=BLUE, ms=5, label="knots")
curve.set(title="one spline, x = g(z)", ylabel="x", ylim=frame)
curve.legend(loc="upper left", fontsize=8)

slope.axhline(1, color=GREY, ls="--", lw=1)
slope.plot(z, np.exp(log_slope), color=BLUE)
slope.plot(z_knots, knot_slopes, "o", color=BLUE, ms=5)
slope.set(title="its slope: positive, 1 in the tails", ylabel="dx/dz", ylim=(0, None))

bent.plot(z, normal_density(z), color=GREY, ls="--", lw=1, label="z ~ N(0, 1)")
bent.plot(z, bent_density, color=BLUE, label="x = g(z)")
bent.set(title="what it does to a density", xlabel="z, x", ylabel="density", ylim=(0, None))
bent.legend(loc="upper right", fontsize=8)

line = np.linspace(-4.3, 4.3, 260)
grid = np.stack(np.meshgrid(line, line), axis=-1)
titles = ["the truth", *(f"{name}: KL {distances[name].kl:.2f} nats" for name in flows)]
for ax, density, title in zip(below, (target, *flows.values()), titles, strict=True):
    image = ax.pcolormesh(
        line, line, density.prob(grid), cmap="Blues", vmin=0, vmax=0.16, rasterized=True
    )
    ax.set(title=title, xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
bar = below[-1].inset_axes([1.05, 0, 0.05, 1])
figure.colorbar(image, cax=bar, label="density", extend="max")

if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(options.save) / "splines.png", dpi=120)
elif not options.quick:
    plt.show()
