"""
Photometric redshifts
=====================

p(redshift | six magnitudes): a frame of galaxies in, a frame of point estimates, intervals and PIT
values out.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer galaxies and epochs, no window")
options, _ = parser.parse_known_args()

# %%
# The galaxies are made: a spectrum with a break at 400 nm, seen through six filters. Redshift moves
# the break through the filters. Put a catalogue of your own here, such as the 100,000 galaxies of
# ``pzflow.examples.get_galaxy_data()``.
bands = [*"ugrizy"]
nanometers = np.array([370, 480, 620, 750, 870, 1000])


def made_galaxies(n, seed):
    """Redshifts and magnitudes of n galaxies, each with its brightness, break and dust."""
    rng = np.random.default_rng(seed)
    redshift = rng.gamma(4, 0.2, size=n)
    brightness, height, dust = rng.normal([24, 1.5, 0.3], [1.2, 0.5, 0.2], size=(n, 3)).T[..., None]
    at_rest = nanometers / (1 + redshift[:, None])
    spectrum = height / (1 + np.exp((at_rest - 400) / 30)) + dust * (400 / at_rest)
    magnitudes = brightness + spectrum + rng.normal(0, 0.02, size=(n, 6))
    return pd.DataFrame(np.column_stack([redshift, magnitudes]), columns=["redshift", *bands])


galaxies = made_galaxies(1000 if options.quick else 20_000, seed=0)
fresh = made_galaxies(200 if options.quick else 5000, seed=1)


# %%
# An estimator for a pipeline of frames. ``fit`` keeps the names of the columns in the flow, so a
# later frame may have its columns in another order, and others beside them.
class RedshiftEstimator:
    """p(redshift | bands): `fit(frame)`, then `predict(frame)`, a frame with the same index."""

    def __init__(self, bands, redshift="redshift", **options):
        self.bands, self.redshift, self.options = list(bands), redshift, options

    def fit(self, frame):
        dim = len(self.bands)
        flow = fc.flows.nsf(1, context_dim=dim, standardize_context="whiten")  # colours matter
        self.flow, self.history = fc.fit(
            flow, frame[[self.redshift]], context=frame[self.bands], **self.options
        )
        return self

    def predict(self, frame):
        """Mode, mean, median and the ends of the central 68%; the PIT if redshifts are there."""
        context = frame[self.bands]
        curves = self.flow.posterior(context=context)
        low, median, high = self.flow.quantiles([0.16, 0.5, 0.84], context=context)
        highest = curves.density.argmax(axis=1)[:, None]
        found = {
            "mode": np.take_along_axis(curves.grid, highest, axis=1)[:, 0],
            "mean": curves.mean(),
            "low": low,
            "median": median,
            "high": high,
        }
        if self.redshift in frame:
            found["pit"] = self.flow.pit(frame[[self.redshift]], context=context)
        return pd.DataFrame(found, index=frame.index)


estimator = RedshiftEstimator(bands, **({"epochs": 10} if options.quick else {})).fit(galaxies)
print(estimator.history)

# %%
# The answers for galaxies that the flow has not seen. The normalised error of the median has the
# usual robust spread and share of outliers.
found = estimator.predict(fresh)
print(found.head().round(3))
error = (found["median"] - fresh["redshift"]) / (1 + fresh["redshift"])
spread = 1.4826 * np.median(np.abs(error - np.median(error)))
inside = fresh["redshift"].between(found["low"], found["high"]).mean()
print(f"sigma_NMAD {spread:.4f}, outliers beyond .06: {np.mean(np.abs(error) > 0.06):.1%}")
print(f"inside the central 68%: {inside:.1%}")
assert spread < 0.1 and abs(inside - 0.68) < (0.3 if options.quick else 0.03)

# %%
# A file keeps the names, so tomorrow's frame is read by name, too.
with tempfile.TemporaryDirectory() as folder:
    fc.save(estimator.flow, f"{folder}/redshifts.npz")
    flow = fc.load(f"{folder}/redshifts.npz")
turned = fresh[bands[::-1]]
assert np.allclose(flow.quantiles([0.5], context=turned)[0], found["median"])

# %%
# The picture shows four curves with the true redshifts, and the PIT values, which are uniform for
# a calibrated density.
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
few = fresh[:4]
fc.plots.posterior(flow.posterior(context=few[bands]), truth=few["redshift"], ax=left)
fc.plots.pit(found["pit"], ax=right)

if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(options.save) / "redshifts.png", dpi=120)
elif not options.quick:
    plt.show()
