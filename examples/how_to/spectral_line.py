"""
A spectral line, for a paper
============================

A posterior in print needs a table, a corner plot, an evidence, and a file that gives all of them
again.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
import tempfile
from pathlib import Path

import autograd.numpy as anp
import matplotlib.pyplot as plt
import numpy as np
from autograd.scipy import stats

import flowcore as fc
from flowcore import plots

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the pictures there, do not show them")
parser.add_argument("--quick", action="store_true", help="fewer epochs, no window")
options, _ = parser.parse_known_args()

# %%
# The data are counts in 60 channels: a flat background, and perhaps a line.
channels = np.arange(60.0)
line = 12 * np.exp(-0.5 * ((channels - 27) / 2.5) ** 2)
counts = np.random.default_rng(1).poisson(8 + line)


def log_likelihood(rate):
    return anp.sum(stats.poisson.logpmf(counts, rate), axis=1)


# %%
# Both models have priors with an integral of 1, so that their evidences can be compared: the
# background is exponential with the mean 10, the height of the line with the mean 20, its centre is
# uniform, and the logarithm of its width is normal.
def background(p):
    return (
        log_likelihood(p["background"][:, None] + 0 * channels) - p["background"] / 10 - np.log(10)
    )


def with_line(p):
    away = (channels - p["centre"][:, None]) / p["width"][:, None]
    rate = p["background"][:, None] + p["height"][:, None] * anp.exp(-0.5 * away**2)
    prior = -p["background"] / 10 - np.log(10) - p["height"] / 20 - np.log(20) - np.log(60)
    return (
        log_likelihood(rate)
        + prior
        + stats.norm.logpdf(anp.log(p["width"]), 1, 0.5)
        - anp.log(p["width"])
    )


effort = {"epochs": 3, "batches": 20} if options.quick else {}
flat = fc.infer(background, support={"background": "positive"}, **effort)
support = {"background": "positive", "height": "positive", "centre": (0, 60), "width": "positive"}
found = fc.infer(with_line, support=support, **effort)
print(found)
ratio = found.log_evidence[0] - flat.log_evidence[0]
print(f"log of the Bayes factor: {ratio:.2f}")
assert options.quick or (found.trusted and ratio > 3)

# %%
# ``summary`` has the numbers of the table, for a program.
row = found.summary()["centre"]
print(f"centre {row['50%']:.2f}, from {row['5%']:.2f} to {row['95%']:.2f}")

# %%
# A file has the flow, its weighted draws and the history of the training. It lacks the target, so
# only corrections, such as ``hmc``, need ``with_target``.
with tempfile.TemporaryDirectory() as folder:
    fc.save(found, f"{folder}/line.npz")
    again = fc.load(f"{folder}/line.npz")
assert again.log_evidence == found.log_evidence
chain, taken = again.with_target(with_line).metropolis(1000, rng=0)

# %%
# The pictures: the posterior with the true values, and -ELBO, which ends where KL(q || p) is small.
truths = {"background": 8, "height": 12, "centre": 27, "width": 2.5}
pictures = {
    "corner": plots.corner(again, truths=truths)[0, 0].figure,
    "elbo": plots.losses(again.history, log_evidence=again.log_evidence).figure,
}
if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        picture.savefig(Path(options.save) / f"{name}.png", dpi=80)
elif not options.quick:
    plt.show()
