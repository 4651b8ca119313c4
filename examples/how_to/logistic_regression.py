"""
Bayesian logistic regression
============================

Scikit-learn's breast-cancer table has 569 rows and 30 strongly correlated columns. This program
computes the posterior of the coefficients, averages predictions over it, and tests whether the
result can be trusted.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from pathlib import Path

import autograd.numpy as anp
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer columns and epochs, no window")
options, _ = parser.parse_known_args()

# %%
# The table, standardised by its training rows.
x, y = load_breast_cancer(return_X_y=True)
x = x[:, :5] if options.quick else x
x, x_new, y, y_new = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
scaler = StandardScaler().fit(x)
x, x_new = scaler.transform(x), scaler.transform(x_new)
dim = x.shape[1]

# %%
# In the model the coefficients are N(0, tau^2). Their unknown width tau has a half-normal prior.
# The coefficients are written as tau times a standard normal z, so that tau and z are independent
# in the prior.


def coefficients(p):
    return p["tau"][:, None] * p["z"]


def log_target(p):
    """log p(y, parameters), one value a row."""
    logit = p["intercept"][:, None] + anp.dot(coefficients(p), x.T)
    data = -anp.sum(anp.logaddexp(0.0, (1 - 2 * y) * logit), axis=1)
    prior = -0.5 * (anp.sum(p["z"] ** 2, axis=1) + p["tau"] ** 2 + (p["intercept"] / 5) ** 2)
    return data + prior


support = {"intercept": "real", "tau": "positive", "z": ("real", (dim,))}
effort = {"epochs": 3, "batches": 20} if options.quick else {"epochs": 30}
found = fc.infer(log_target, support=support, **effort)
print(found.verdict)

# %%
# The prediction is the mean of the probability over the posterior, with the weights of the draws.
# Compare this mean with scikit-learn's estimate, a single vector of coefficients with the default
# penalty.


def probability(p):
    return 1 / (1 + np.exp(-p["intercept"][:, None] - coefficients(p) @ x_new.T))


mean, _ = found.expectation(probability)
square, _ = found.expectation(lambda p: probability(p) ** 2)
spread = np.sqrt(np.maximum(square - mean**2, 0))
point = LogisticRegression(max_iter=5000).fit(x, y).predict_proba(x_new)[:, 1]
print(f"held-out log-loss: posterior {log_loss(y_new, mean):.4f}, one vector "
      f"{log_loss(y_new, point):.4f}")  # fmt: skip
(tau,), (error,) = found.expectation(lambda p: p["tau"][:, None])
print(f"tau {tau:.2f} +- {error:.2f}; log of the evidence, up to a constant, "
      f"{found.log_evidence[0]:.2f}")  # fmt: skip
assert options.quick or log_loss(y_new, mean) < 0.15

# %%
# The picture: how sure the posterior is of each held-out row.
fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
order = np.argsort(mean)
colours = np.where(y_new[order] == 1, "C0", "C1")
ax.errorbar(np.arange(len(order)), mean[order], spread[order], fmt="none", ecolor="0.75")
ax.scatter(np.arange(len(order)), mean[order], c=colours, s=8, zorder=3)
ax.set(
    xlabel="held-out rows, in order", ylabel="p(benign)", title="blue: benign, orange: malignant"
)
if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    fig.savefig(Path(options.save) / "logistic_regression.png", dpi=80)
elif not options.quick:
    plt.show()
