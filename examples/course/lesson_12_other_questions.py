r"""
12. The same density, other questions
=====================================

A flow assigns a density to whole rows, :math:`p(x_1, \dots, x_D)`. Other questions come up later.
What values of :math:`x_2` are likely, given :math:`x_1`? How probable is a row with a missing cell?
What could be in that cell? No network was trained for these questions, but the joint density
contains all the answers. You only have to compute them.

You need: lesson 3 (log-density, KL), and a flow from any lesson. The exact values in this lesson
come from Gaussians, mixtures, and integrals along a line.
"""

# %%
# A slice, divided by its mass
# ----------------------------
#
# .. math:: p(x_2 \mid x_1) = \frac{p(x_1, x_2)}{p(x_1)}, \qquad
#           p(x_1) = \int p(x_1, x_2) \, dx_2 .
#
# The numerator is the joint density along a line: a *slice*. The denominator is one number, the
# mass under the slice. This mass also answers another question: how probable is :math:`x_1`, if
# :math:`x_2` is missing?
#
# Predict
# -------
#
# Two normal columns have the correlation 0.8. Cut their density at :math:`x_1 = 1.5`. How wide is
# the slice? Put your number in the place of ``None``.

# %%
# **12a.** x1 and x2 are standard normal, with the correlation 0.8. What is the standard deviation
# of x2, once x1 = 1.5 is known?

from flowcore import teaching

guess = None
print(teaching.check("12a", guess))

# %%
# Now look. The slices of a Gaussian are Gaussians, and ``given`` returns their exact mean and
# width. The width is the same everywhere; only the mean moves.

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc
from flowcore.plots.drawing import BLACK, BLUE, ORANGE, VERMILLION

gauss = fc.MultivariateNormalMixture([[0.0, 0.0]], [[[1.0, 0.0], [0.8, 0.6]]])
line = np.linspace(-3, 3, 601)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
grid = np.stack(np.meshgrid(line, line), axis=-1)
left.contourf(line, line, gauss.prob(grid), cmap="Greys")
left.set(xlabel="$x_1$", ylabel="$x_2$", title="the joint density", aspect="equal")
for known, colour, style in ((-1.0, ORANGE, "--"), (1.5, BLUE, "-")):
    slice_ = gauss.given({0: known})
    left.axvline(known, color=colour, ls=style)
    right.plot(line, slice_.prob(line[:, None]), color=colour, ls=style, label=f"$x_1$ = {known}")
    print(f"x1 = {known}: mean {slice_.means[0, 0]:.2f}, width {slice_.scale_tril[0, 0, 0]:.2f}")
right.plot(line, fc.Normal(1).prob(line[:, None]), color=BLACK, lw=1, label="nothing known")
right.set(xlabel="$x_2$", title="slices, divided by their mass", ylim=(0, 0.9))
right.legend()

# %%
# Several heaps: the slice chooses among them
# -------------------------------------------
#
# The slice of a mixture is a mixture of the slices of its heaps. The weights of the heaps change: a
# heap that often produces the known value gets more weight. This is Bayes' rule.

# %%
# **12b.** Half of the rows are N((-2, -2), I), half N((2, 2), I). x1 = 1 is known. How probable is
# it that the row belongs to the right half?

guess = None
print(teaching.check("12b", guess))

# %%
# ``given`` computes these weights:

heaps = fc.MultivariateNormalMixture([[-2.0, -2.0], [2.0, 2.0]], [np.eye(2)] * 2)
for known in (0.0, 0.25, 1.0):
    given = heaps.given({0: known})
    print(f"x1 = {known}: weights of the heaps {given.weights.round(3)}")
assert abs(heaps.given({0: 1.0}).weights[1] - 1 / (1 + np.exp(-4))) < 1e-12

# %%
# Slices of a flow
# ----------------
#
# A flow has no formula for the mass under its slice. In the plane we can add up the density along
# the line. If ten columns are missing, no such sum is possible: a grid of 100 points per column has
# :math:`100^{10}` points. So we use a *proposal* :math:`q`, a density whose slices are known
# exactly, such as a mixture. Draw :math:`x_2` from the slice of :math:`q`, and give each draw a
# weight:
#
# .. math:: w = \frac{p(x_1, x_2)}{q(x_2 \mid x_1)}, \qquad E\,w = p(x_1) .
#
# The mean weight is the mass under the slice. If you choose among many draws in proportion to their
# weights, you get draws from :math:`p(x_2 \mid x_1)`. Where :math:`q` is far from the flow, the
# weights differ a lot, and only a few draws count. How many?

# %%
# **12c.** Four draws have the weights 4, 2, 1 and 1. How many draws of equal weight are they worth?
# Compute (sum of w)^2 / (sum of w^2).

guess = None
print(teaching.check("12c", guess))

# %%
# Now take a flow that has learned three columns: two moons, and a third column that follows
# :math:`x_2` with some noise. Only :math:`x_1` is known. ``flow.given`` draws and weights, as
# above; its proposal is a mixture that was fitted to draws from the flow. It prints how many draws
# of equal weight its draws are worth. Two unknown columns still allow a sum over a grid, so we can
# check the result. (If only one column is unknown, ``given`` does without weights: it integrates
# along the line.)

rng = np.random.default_rng(0)
truth = fc.targets.two_moons(noise=0.1)
moons = truth.sample(2000, rng=rng)
data = np.column_stack([moons, moons[:, 1] + 0.3 * rng.standard_normal(2000)])
flow, _ = fc.fit(fc.flows.nsf(3, layers=2, hidden=[32, 32]), data, epochs=40)
known = 0.5
given = flow.given({0: known}, rng=0)
print(given)

y, third = np.linspace(-2, 2.5, 451), np.linspace(-3, 3.5, 131)
step, step_3 = y[1] - y[0], third[1] - third[0]
grid = np.stack(np.meshgrid(y, third, indexing="ij"), axis=-1).reshape(-1, 2)
points = np.column_stack([np.full(len(grid), known), grid])
slice_ = flow.prob(points).reshape(len(y), len(third)).sum(axis=1) * step_3
mass = slice_.sum() * step
print(f"log p(x1 = {known}): {given.log_marginal:.3f} +- {given.error:.3f}, "
      f"by the sum over the grid {np.log(mass):.3f}")  # fmt: skip
assert abs(given.log_marginal - np.log(mass)) < 5 * given.error + 0.01
assert given.trusted

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
left.scatter(*moons.T, s=3, color=BLACK, linewidths=0, alpha=0.4)
left.axvline(known, color=BLUE)
left.set(xlabel="$x_1$", ylabel="$x_2$", title="two moons, cut", aspect="equal")
right.hist(given.sample(2000, rng=0)[:, 0], bins=60, density=True, color="0.8", label="draws")
right.plot(y, slice_ / mass, color=BLUE, label="the flow's slice")
exact = truth.prob(np.column_stack([np.full(len(y), known), y]))
right.plot(y, exact / (exact.sum() * step), color=BLACK, ls="--", label="the truth's")
mean = given.mean()[0]
right.axvline(mean, color=VERMILLION, label="the mean")
right.set(xlabel="$x_2$", title=f"$x_2$ at $x_1$ = {known}, whatever $x_3$")
right.legend()

# %%
# Look at the mean: it lies between the two moons, where there are no rows. The mean has the least
# squared error, so a regression would return it. A density returns draws and quantiles instead.

print(f"density of the slice at its mean: {np.interp(mean, y, slice_ / mass):.3f}, "
      f"its highest: {slice_.max() / mass:.2f}")  # fmt: skip
assert np.interp(mean, y, slice_ / mass) < 0.25 * slice_.max() / mass

# %%
# What belongs in a hole?
# -----------------------
#
# A table has holes (missing cells), and you fill each hole with its best guess. How do the guesses
# change the column?

# %%
# **12d.** x1 and x2 are as in 12a. Half of the x2 are lost, and filled with their best guess, 0.8
# x1. What is the variance of the filled column x2?

guess = None
print(teaching.check("12d", guess))

# %%
# Fill the same holes with draws of the slice instead:

x = gauss.sample(20_000, rng=0)
holes = x.copy()
holes[:10_000, 1] = np.nan
guessed = np.where(np.isnan(holes), 0.8 * holes[:, :1], holes)
drawn = fc.Conditionals(gauss).impute(holes, n=1, rng=0).draws[0]
for name, table in (("complete", x), ("best guesses", guessed), ("draws", drawn)):
    print(f"{name:13} variance of x2 {table[:, 1].var():.3f}, "
          f"correlation {np.corrcoef(table.T)[0, 1]:.3f}")  # fmt: skip
assert abs(guessed[:, 1].var() - 0.82) < 0.03
assert abs(drawn[:, 1].var() - 1) < 0.05 and abs(np.corrcoef(drawn.T)[0, 1] - 0.8) < 0.02

# %%
# Guesses make the table look more certain than it is: the variance falls and the correlation rises.
# Draws keep variance and correlation. But a single draw for each hole still hides that the values
# are not known. So fill the table several times, compute your result from each filled table, and
# count the spread between the results as uncertainty (*multiple imputation*).
#
# Learning from holes
# -------------------
#
# So far the density was known before there were holes. Often it has to be learned from rows with
# holes. If you drop these rows, you lose their known values. The likelihood can use these values: a
# row contributes :math:`\log p` of its known values, the logarithm of the mass under its slice. EM
# does this exactly for mixtures. (A cell may be missing because of known values, but not because of
# its own value: if high incomes are missing because they are high, no method notices it.)

few = gauss.sample(60, rng=3)
few[:50, 1] = np.nan
fit = fc.MultivariateNormalMixture.from_data
ways = {
    "rows without holes": fit(few[50:], n_components=1),
    "all rows": fit(few, n_components=1, missing="learn"),
}
kl = {name: fc.kl_to_truth(found, gauss).kl for name, found in ways.items()}
for name, value in kl.items():
    print(f"{name:19} KL {value:.3f} nats")
assert kl["all rows"] < kl["rows without holes"]

# %%
# For a flow, ``fc.FlowDensity(missing="learn")`` fills the holes with draws from the current
# density, and fits the flow again.
#
# Exercises
# ---------
#
# Write code for two slices: an exact one, and one by weighted draws. Your code takes the place of
# the dots.
#
# **12e.** Write a function conditional(mean, cov, x1) for two Gaussian columns with any mean (2,)
# and covariance (2, 2). It returns the mean and the variance of x2, once x1 is known.


def conditional(mean, cov, x1):
    """The mean and the variance of x2, given x1."""
    return ...


print(teaching.check("12e", conditional))

# %%
# **12f.** Write a function slice\_mean(x2, log\_p, log\_q). The arguments are draws x2 (n,) of a
# proposal, and log p(x1, x2) and log q(x2 \| x1) at these draws. It returns the mean of x2 given x1
# under p, by weights that add up to 1, also where all of p is as small as exp(-2000).


def slice_mean(x2, log_p, log_q):
    """The mean of x2 given x1, by weighted draws."""
    return ...


print(teaching.check("12f", slice_mean))

# %%
# What you know now
# -----------------
#
# * A conditional is a slice of the joint density, divided by the mass of the slice. This mass is
#   the density of the known values.
# * Mixtures have exact slices. Other densities are integrated along a line if one number is
#   unknown, and need weighted draws if several are. The effective sample size, the formula of 12c,
#   measures what these draws are worth. Do not trust their answer without it.
# * Draws keep the spread of a column; best guesses do not.
#
# ``docs/use/conditionals.md`` explains all of this for tables. `Rows with holes
# <../how_to/holes.html>`_ is a whole program.
#
# Where this comes from
# ---------------------
#
# Rubin (1976) studied when you may ignore why cells are missing. EM, by Dempster, Laird and Rubin
# (1977), learns from rows with holes. Kong, Liu and Wong (1994), who fill holes one after the
# other, count draws by the effective sample size.
#
# * Rubin: `Inference and Missing Data <https://doi.org/10.1093/biomet/63.3.581>`__
# * Dempster, Laird, Rubin: `Maximum Likelihood from Incomplete Data via the EM Algorithm
#   <https://doi.org/10.1111/j.2517-6161.1977.tb01600.x>`__
# * Kong, Liu, Wong: `Sequential Imputations and Bayesian Missing Data Problems
#   <https://doi.org/10.1080/01621459.1994.10476469>`__
#
# This was the last lesson.
