"""
A table with holes
==================

A density learns from rows with holes and fills them several times. A test checks the result.
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
# The table has the wind, the power that a wind farm makes of it, and the price of power on that
# day. A fifth of the cells is lost. Where the power is high, some more prices are lost. These holes
# are allowed, because holes may depend on values that are seen. (If the power itself is lost, no
# further price is lost.)
NAMES = ["wind", "power", "price"]
rng = np.random.default_rng(0)
n = 200 if options.quick else 1000
wind = rng.gamma(6.0, 1.2, n)
power = 20 / (1 + np.exp(7 - wind)) + 0.5 * rng.standard_normal(n)
complete = np.column_stack([wind, power, 50 - power + 3 * rng.standard_normal(n)])

lost = rng.random(complete.shape) < 0.2
lost[:, 2] |= ~lost[:, 1] & (power > 12) & (rng.random(n) < 0.4)
rows = np.where(lost, np.nan, complete)
rows = rows[~np.isnan(rows).all(axis=1)]
print(f"{len(rows)} rows, {np.isnan(rows).mean():.0%} of the cells are lost, "
      f"{np.mean(~np.isnan(rows).any(axis=1)):.0%} of the rows are whole")  # fmt: skip

# %%
# Learn the density. Each row contributes the density of its known values.
budget = 0.002 if options.quick else 0.05
flow = "small" if options.quick else "auto"
model = fc.FlowDensity(flow, missing="learn", budget=budget, random_state=0).fit(rows)
print(model.summary_)

# %%
# Fill the holes. The answers are twenty completed tables, and two numbers show how far to trust
# them.
joint = fc.Conditionals(model.density_, names=NAMES)
answers = joint.impute(rows, n=20, n_draws=100, rng=0)
holes = np.isnan(rows)
ess = np.median(answers.ess[holes.any(axis=1)])
print(f"effective sample size of 100 draws: median {ess:.0f}, "
      f"trusted: {answers.trusted.mean():.1%} of the rows")  # fmt: skip

# %%
# Pool the twenty mean prices by Rubin's rules: the spread between the tables is part of the error.
# The mean of the seen prices is too high, because low prices are lost more often.
prices = answers.draws[:, :, 2]
means, within = prices.mean(axis=1), (prices.var(axis=1) / prices.shape[1]).mean()
error = np.sqrt(within + (1 + 1 / len(means)) * means.var(ddof=1))
print(f"mean price: {means.mean():.2f} +- {error:.2f}; of all days, known here, "
      f"{complete[:, 2].mean():.2f}; of what is seen {np.nanmean(rows[:, 2]):.2f}")  # fmt: skip
assert abs(means.mean() - complete[:, 2].mean()) < 5 * error
assert np.nanmean(rows[:, 2]) > complete[:, 2].mean() + 0.3

# %%
# Check the result. Hide cells that are known, and rank them among their draws: if density and draws
# are right, the ranks are uniform. (Hide the wind, not the power, because the loss of prices
# depends on the power.)
known = rows[~holes.any(axis=1)][:300]
hidden = known.copy()
hidden[:, 0] = np.nan
draws = joint.impute(hidden, n=99, rng=1).draws[:, :, 0]
place = (draws < known[:, 0]).mean(axis=0)
inside = np.mean((place > 0.05) & (place < 0.95))
print(f"hidden winds between the 5% and the 95% of their draws: {inside:.1%}")
assert 0.8 < inside < 0.99

# %%
# The picture shows bands of the power given the wind, slices at three winds, and the ranks.
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
winds = np.linspace(3, 13, 9 if options.quick else 25)
asked = np.column_stack([winds, np.full((len(winds), 2), np.nan)])
low, quarter, half, three, high = np.quantile(
    joint.impute(asked, n=200, n_draws=400, rng=2).draws[:, :, 1], [0.05, 0.25, 0.5, 0.75, 0.95],
    axis=0,
)  # fmt: skip
band = {"color": "#0072B2", "linewidth": 0}
left.scatter(rows[:, 0], rows[:, 1], s=4, color="black", linewidths=0, alpha=0.5, label="seen")
left.fill_between(winds, low, high, alpha=0.25, label="5% to 95%", **band)
left.fill_between(winds, quarter, three, alpha=0.35, label="25% to 75%", **band)
left.plot(winds, half, color="#0072B2", label="median")
left.set(xlabel="wind", ylabel="power", title="p(power | wind), the price unknown")
left.legend(loc="upper left")
line = np.linspace(-2, 23, 40 if options.quick else 150)[:, None]
for at, colour, style in ((5.0, "#0072B2", "-"), (6.0, "#D55E00", "--"), (7.0, "#009E73", "-.")):
    rows_at = np.column_stack([np.full(len(line), at), line, np.full(len(line), np.nan)])
    log_p = joint.log_prob(rows_at).log_p - joint.log_prob([[at, np.nan, np.nan]]).log_p
    middle.plot(line, np.exp(log_p), color=colour, ls=style, label=f"wind = {at:g}")
middle.set(xlabel="power", ylabel="density", title="slices of the joint density")
middle.legend()
right.hist(place, bins=10, range=(0, 1), color="0.7", edgecolor="black")
right.axhline(len(place) / 10, color="#D55E00")
right.set(xlabel="place among the draws", ylabel="cells", title="hidden winds: flat if right")

if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(options.save) / "holes.png", dpi=90)
elif not options.quick:
    plt.show()
