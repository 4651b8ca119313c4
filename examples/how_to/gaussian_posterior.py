"""
A posterior whose answer is known
=================================

In linear regression with known noise and a normal prior, the posterior is a Gaussian, and the
evidence has a formula. So every number that `infer` prints can be checked.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from pathlib import Path

import autograd.numpy as anp
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer epochs, no window")
options, _ = parser.parse_known_args()

# %%
# The data are 30 rows of a line with an intercept. The noise has the standard deviation 0.5, and
# both coefficients have the prior N(0, 2^2). The years make intercept and slope strongly
# correlated.
NOISE, WIDTH = 0.5, 2.0
rng = np.random.default_rng(0)
years = rng.uniform(0, 10, 30)
x = np.column_stack([np.ones(30), years])
y = x @ [1.0, 0.3] + NOISE * rng.standard_normal(30)


def log_target(p):
    """log p(y | a, b) + log p(a, b) of each row, with constants, so that Z is the evidence."""
    miss = y - p["a"][:, None] - p["b"][:, None] * years
    data = -0.5 * anp.sum((miss / NOISE) ** 2, axis=1) - 30 * np.log(NOISE * np.sqrt(2 * np.pi))
    prior = -0.5 * (p["a"] ** 2 + p["b"] ** 2) / WIDTH**2 - 2 * np.log(WIDTH * np.sqrt(2 * np.pi))
    return data + prior


# %%
# The exact answer.
precision = x.T @ x / NOISE**2 + np.eye(2) / WIDTH**2
covariance = np.linalg.inv(precision)
mean = covariance @ x.T @ y / NOISE**2
exact = stats.multivariate_normal.logpdf(y, cov=NOISE**2 * np.eye(30) + WIDTH**2 * x @ x.T)
print(f"exact: a {mean[0]:.4f}, b {mean[1]:.4f}, correlation "
      f"{covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]):.3f}, "
      f"log evidence {exact:.3f}\n")  # fmt: skip

# %%
# Now the answer of a flow. The second number of each line is its standard error.
epochs = 5 if options.quick else 20
found = fc.infer(log_target, support={"a": "real", "b": "real"}, epochs=epochs)
print(found)
value, error = found.log_evidence
assert options.quick or abs(value - exact) < 0.01 + 5 * error

# %%
# The picture: draws of the flow, and two ellipses of the exact posterior, each with its share.
fig, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
ax.plot(
    found.draws["a"][:1000], found.draws["b"][:1000], ".", ms=2, label="1,000 draws of the flow"
)
angle = np.linspace(0, 2 * np.pi, 200)
circle = np.linalg.cholesky(covariance) @ np.array([np.cos(angle), np.sin(angle)])
for share in (0.5, 0.95):
    ring = mean[:, None] + np.sqrt(stats.chi2(2).ppf(share)) * circle
    ax.plot(*ring, color="black", lw=1.5, label=f"exact, {share:.0%}")
ax.set(xlabel="a", ylabel="b", title=f"log evidence {value:.3f}, exactly {exact:.3f}")
ax.legend()
if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    fig.savefig(Path(options.save) / "gaussian_posterior.png", dpi=80)
elif not options.quick:
    plt.show()
