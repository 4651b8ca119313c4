"""
A table with columns of every kind
==================================

Positive, bounded, integer and heavy-tailed columns; and outliers.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer rows and epochs, no window")
options, _ = parser.parse_known_args()

# %%
# The table has four columns: an income, which is positive; the saved part of this income, between 0
# and 1; the number of people in a household; and the return on the savings, which has heavy tails.
# Each column depends in a known way on the columns before it, so that the flow can be compared with
# the truth.
NAMES = ("income", "saved part", "people", "return")


def conditionals(income, saved, people):
    """Where the logit of `saved`, the number of people and the scale of `return` come from."""
    wealth = np.log(income / 40_000)
    return 1.5 * wealth - 1.5, 1 + 2 * (1 - saved), 0.02 * (1 + saved)


def draw(n, rng):
    income = 40_000 * np.exp(0.6 * rng.standard_normal(n))
    saved = 1 / (1 + np.exp(-conditionals(income, 0.5, 0)[0] - 0.5 * rng.standard_normal(n)))
    people = 1 + rng.poisson(conditionals(income, saved, 0)[1])
    returns = conditionals(income, saved, people)[2] * rng.standard_t(3, n)
    return np.column_stack([income, saved, people, returns])


def log_p_exact(x):
    """log p in nats: a probability of the number of people, a density of the others."""
    income, saved, people, returns = x.T
    mean_logit, mean_people, scale = conditionals(income, saved, people)
    logit = np.log(saved) - np.log1p(-saved)
    return (
        stats.lognorm(0.6, scale=40_000).logpdf(income)
        + stats.norm(mean_logit, 0.5).logpdf(logit) - np.log(saved * (1 - saved))
        + stats.poisson(mean_people).logpmf(people - 1)
        + stats.t(3, scale=scale).logpdf(returns)
    )  # fmt: skip


rng = np.random.default_rng(0)
x = draw(2000 if options.quick else 10_000, rng)

# %%
# To get from a flow on all of :math:`R^4` to this table, put a map for each kind of column at the
# data end. ``Permute([0, 1])`` leaves the last two columns unchanged. Splines alone bend only
# within 5 standard deviations. For heavy tails there are two remedies: a Student t base, whose
# degrees of freedom are trained with the rest, and ``affine=True``. Here both are used.
recipe = fc.flows.nsf(4, layers=3, hidden=[32, 32], affine=True, rng=0)
ends = fc.Blockwise([fc.Exp(1), fc.Sigmoid(1), fc.Permute([0, 1])])
base = fc.StudentT(4, df=5.0, trainable=True)
flow = fc.TransformedDistribution(base, fc.Chain([ends, recipe.bijector]))

# %%
# Integers have no density, so noise fills the cell [k, k + 1). Step 0 marks a continuous column.
dequantize = fc.Dequantize(step=[0, 0, 1, 0])
flow, history = fc.fit(
    flow,
    dequantize(x, rng=1),
    epochs=15,
    batch_size=128,
    learning_rate=3e-3,
    schedule="cosine",
    average=0.99,
    rng=0,
)
print(history)
print("degrees of freedom of the base, trained:", flow.base.df.round(1))

# %%
# How far from the truth? ``dequantize.log_prob`` is a lower bound of log p of the integers.
fresh = draw(10_000, rng)
gap = log_p_exact(fresh) - dequantize.log_prob(flow, fresh, draws=4)
print(f"KL to the truth at most {gap.mean():.3f} +- {gap.std() / len(gap) ** 0.5:.3f} nats")
assert -0.02 < gap.mean() < (0.5 if options.quick else 0.1)

# %%
# Samples are rows of such a table again.
samples = dequantize.quantize(flow.sample(len(x), rng=2))
assert (samples[:, 0] > 0).all() and ((samples[:, 1] > 0) & (samples[:, 1] < 1)).all()
assert (samples[:, 2] == samples[:, 2].round()).all()

# %%
# Outliers are rows with a low log-density. Some rows are strange only as a whole, although each of
# their numbers is usual.
strange = np.array([
    [150_000.0, 0.08, 3.0, 0.01],  # rich, and saves next to nothing
    [15_000.0, 0.55, 2.0, 0.0],  # poor, and saves half of it
    [40_000.0, 0.18, 13.0, -0.01],  # thirteen people
    [60_000.0, 0.3, 2.0, 0.9],  # a return of 90 %
])  # fmt: skip
scores = dequantize.log_prob(flow, np.vstack([fresh, strange]), draws=4)
rank = scores.argsort().argsort()[-len(strange) :]
print("of 10,004 rows, the strange ones are number", (rank + 1).tolist(), "from below")
assert (rank < 0.02 * len(scores)).all()

# %%
# The picture shows data and samples of every column, pairs of columns, and the scores.
BLUE, ORANGE = "#0072B2", "#D55E00"
figure, axes = plt.subplots(2, 3, figsize=(11, 6.4), layout="constrained")
edges = [
    np.linspace(0, 160_000, 41),
    np.linspace(0, 1, 41),
    np.arange(0.5, 12.5),
    np.linspace(-0.3, 0.3, 61),
]
for k, (ax, name) in enumerate(zip(axes.flat, NAMES, strict=False)):
    ax.hist(x[:, k], edges[k], density=True, color="0.8", label="data")
    ax.hist(samples[:, k], edges[k], density=True, histtype="step", color=BLUE, label="flow")
    ax.set(title=name, yscale="log" if name == "return" else "linear")
axes.flat[0].legend()
axes.flat[0].set_xticks([0, 80_000, 160_000])
axes.flat[3].set_title("return (log scale: the tails)")
together, histogram = axes.flat[4:]
for rows, colour, label in ((x, "0.7", "data"), (samples, BLUE, "flow")):
    together.scatter(*rows[:1500, :2].T, s=4, color=colour, linewidths=0, label=label)
together.scatter(*strange[:2, :2].T, color=ORANGE, marker="x", s=60, label="strange")
together.set(title="saved part over income", xlim=(0, 200_000), xticks=[0, 100_000, 200_000])
together.legend(loc="upper left", framealpha=0.9)
histogram.hist(scores, 60, color="0.8")
for score in scores[-len(strange) :]:
    histogram.axvline(score, color=ORANGE)
histogram.set(title="log p of every row; the strange ones", yscale="log", xlabel="nats")

if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(options.save) / "table.png", dpi=120)
elif not options.quick:
    plt.show()
