"""
A conditional flow, p(y | x)
============================

Regression that estimates its noise, and may give two answers.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer rows and epochs, no window")
options, _ = parser.parse_known_args()

# %%
# The truth: for negative x, y has one broad hump around sin(x). For positive x the hump splits into
# two narrow branches, equally likely. Least squares would predict values between the branches,
# where there is no y.


def branches(x):
    """The means of both branches and their common standard deviation, at x (...)."""
    right = 1 / (1 + np.exp(-2.5 * x))
    return np.sin(x) - 1.5 * right, np.sin(x) + 1.5 * right, 0.6 - 0.45 * right


def sample_y(x, rng):
    lower, upper, sd = branches(x)
    return np.where(rng.random(len(x)) < 0.5, lower, upper) + sd * rng.normal(size=len(x))


def log_p_exact(y, x):
    """log p(y | x) in nats, y and x (...)."""
    lower, upper, sd = branches(x)
    halves = [-0.5 * ((y - mean) / sd) ** 2 - np.log(2 * sd) for mean in (lower, upper)]
    return np.logaddexp(*halves) - 0.5 * np.log(2 * np.pi)


rng = np.random.default_rng(0)
n = 1500 if options.quick else 5000
x = rng.uniform(-3, 3, size=n)
y = sample_y(x, rng)

# %%
# The flow has one coordinate, y. Its splines depend on a context of one number, x. `fit`
# standardises x and y by the training rows. (``flows.made`` with the transformer
# ``MixtureOfGaussians`` contains this truth and comes closer. Splines do not assume a mixture.)
flow = fc.flows.nsf(1, layers=2, hidden=[32, 32], context_dim=1, activation="tanh", rng=0)
flow, history = fc.fit(
    flow,
    y[:, None],
    context=x[:, None],
    epochs=40 if options.quick else 100,
    learning_rate=5e-3,
    schedule="cosine",
    average=0.99,
    rng=0,
)
print(flow)
print(history)

# %%
# How far from the truth? The mean of :math:`\log p_{exact} - \log p_{flow}` over fresh pairs is the
# KL divergence from truth to flow, averaged over x, in nats.
fresh_x = rng.uniform(-3, 3, size=20_000)
fresh_y = sample_y(fresh_x, rng)
exact = log_p_exact(fresh_y, fresh_x)
gap = exact - flow.log_prob(fresh_y[:, None], context=fresh_x[:, None])
error = gap.std() / np.sqrt(len(gap))
print(f"mean log p(y | x): exact {exact.mean():.3f}, flow {exact.mean() - gap.mean():.3f} nats")
print(f"KL to the truth {gap.mean():.3f} +- {error:.3f} nats")
assert -0.01 < gap.mean() < (0.25 if options.quick else 0.04)

# %%
# ``sample(n)`` draws n values for every row of the context: (n, rows, 1).
grid = np.linspace(-3, 3, 241)
samples = flow.sample(10, rng=1, context=grid[:, None])
print("samples", samples.shape)
assert samples.shape == (10, 241, 1)

# %%
# Quantiles: with one coordinate every layer is increasing, so the flow maps quantiles of the base
# to quantiles of p(y | x), without samples.
levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
base_quantiles = norm.ppf(levels)
quantiles = flow.from_latent(
    base_quantiles[:, None, None], context=np.tile(grid[None, :, None], (len(levels), 1, 1))
)[..., 0]
inside = np.mean(
    (fresh_y > np.interp(fresh_x, grid, quantiles[0]))
    & (fresh_y < np.interp(fresh_x, grid, quantiles[-1]))
)
print(f"fresh y between the 5% and the 95% quantile: {inside:.1%}")

# %%
# The picture shows bands over the data, samples, and p(y | x), as a map and at three values of x.
figure, ((top_left, top_right), (left, right)) = plt.subplots(
    2, 2, figsize=(11, 8), layout="constrained"
)
dots = {"s": 4, "linewidths": 0, "alpha": 0.6}
top_left.scatter(x[:2000], y[:2000], color="black", label="data", **dots)
band = {"color": "#0072B2", "alpha": 0.25, "linewidth": 0, "label": "5% to 95%"}
top_left.fill_between(grid, quantiles[0], quantiles[4], **band)
for k, label in ((1, "quartiles"), (3, None)):
    top_left.plot(grid, quantiles[k], color="#0072B2", lw=1, ls="--", label=label)
top_left.plot(grid, quantiles[2], color="#0072B2", label="median")
top_left.set(title="data and quantiles of the flow", xlabel="x", ylabel="y")
top_left.legend(framealpha=0.9, markerscale=3)
frame = top_left.get_ylim()

top_right.scatter(np.tile(grid, 10), samples[..., 0], color="#D55E00", **dots)
top_right.set(title="samples of the flow", xlabel="x", ylabel="y", ylim=frame)

line = np.linspace(*frame, 300)
mesh_y, mesh_x = np.meshgrid(line, grid, indexing="ij")
density = flow.prob(mesh_y[..., None], context=mesh_x[..., None])
image = left.pcolormesh(grid, line, density, cmap="Greys", shading="gouraud", rasterized=True)
figure.colorbar(image, ax=left, label="density")
left.set(title="p(y | x) of the flow", xlabel="x", ylabel="y")

for at, colour in ((-2.0, "#0072B2"), (0.0, "#D55E00"), (1.5, "#009E73")):
    column = flow.prob(line[:, None], context=np.array([at]))
    right.plot(line, column, color=colour, label=f"flow, x = {at:g}")
    right.plot(line, np.exp(log_p_exact(line, at)), color="black", ls="--", lw=0.8)
    left.axvline(at, color=colour, lw=1)
right.plot([], [], color="black", ls="--", lw=0.8, label="exact")
right.set(title="p(y | x) at three x", xlabel="y", ylabel="density", ylim=(0, None))
right.legend(framealpha=0.9)

if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(options.save) / "conditional.png", dpi=120)
elif not options.quick:
    plt.show()
