"""Write one file of each format, and what they compute: `python tests/support/kept_files.py`.

A file that exists is left alone, because later versions have to load those of 0.4.0.
"""

import json
from pathlib import Path

import autograd.numpy as anp
import numpy as np

import flowcore as fc
from flowcore.bijectors import Clamped
from flowcore.distributions import ClampedBase
from flowcore.tables import Schema, fit_table
from flowcore.testing import randomize

FOLDER = Path(__file__).parents[1] / "data/files"
CONTEXT = np.linspace(-1, 1, 60)[:, None]


def rows(n=60):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(n, 3))
    return np.column_stack([x[:, 0], x[:, 1] + 0.5 * x[:, 0] ** 2, x[:, 2] + x[:, 1]])


def flow():
    """Autoregressive, coupling and elementwise layers, with a context and a heavy-tailed base."""
    options = {"layers": 2, "context_dim": 1, "standardize": False, "standardize_context": False}
    maf = fc.flows.maf(3, hidden=(8,), **options).bijector
    nsf = fc.flows.nsf(3, hidden=(6,), **options).bijector
    parts = [fc.Standardize.from_data(rows()), maf, nsf, fc.LULinear(3)]
    return randomize(fc.TransformedDistribution(fc.StudentT(3), fc.Chain(parts)), 0.3)


def table():
    """Columns of every kind, some cells missing."""
    x, rng = rows(), np.random.default_rng(7)
    return {
        "height": np.where(rng.random(len(x)) < 0.1, np.nan, x[:, 0]).round(3),
        "rain": np.where(x[:, 1] < 0, 0.0, np.exp(x[:, 1])).round(3),
        "visits": rng.poisson(3, len(x)),
        "share": rng.beta(2, 3, len(x)).round(3),
        "day": (np.datetime64("2024-01-01") + rng.integers(0, 300, len(x)))
        .astype(object)
        .astype(str),
        "town": np.where(x[:, 2] > 0, "Bonn", "Köln"),
    }


KINDS = {"rain": "positive atoms(0)", "share": "bounded(0, 1)", "visits": "integer(0)"}


def schema():
    return Schema.from_data(table(), missing="drop").edit(KINDS)


def learn(x, context=None, sample_weight=None, rng=0, present=None):
    """A small flow that knows which numbers are present: the size of a file matters."""
    context_dim = x.shape[1] + (0 if context is None else context.shape[1])
    made = fc.flows.made(
        x.shape[1],
        hidden=(6,),
        context_dim=context_dim,
        standardize=False,
        standardize_context=False,
    )
    base = ClampedBase(fc.Normal(x.shape[1]), context_dim)
    own = randomize(made.bijector, 0.1)
    return fc.TransformedDistribution(base, Clamped(fc.Chain([fc.Standardize.from_data(x), own])))


def density():
    return fit_table(table(), schema(), learn=learn, missing="drop")


def estimator():
    flow = fc.flows.made(3, hidden=(4,))
    return fc.FlowDensity(flow, budget=1e-4, random_state=0).fit(rows())


def found():
    """An `Inference` of a rate and shares."""
    return fc.infer(log_p, support=SUPPORT, epochs=3, draws=300, rng=0)


SUPPORT = {"rate": (0, np.inf), "share": ("simplex", (3,))}


def log_p(p):
    shares = anp.sum(anp.log(p["share"]), axis=1)
    return 2 * anp.log(p["rate"]) - p["rate"] + shares


def computed(folder):
    """What the files in a folder compute, as arrays."""
    with open(folder / "schema.json", encoding="utf-8") as file:
        kinds = Schema.from_dict(json.load(file))
    inference, density = fc.load(folder / "found.npz"), fc.load(folder / "table.npz")
    return {
        "flow": fc.load(folder / "flow.npz").log_prob(rows(), context=CONTEXT),
        "estimator": fc.load(folder / "estimator.npz").score_samples(rows()),
        "table": density.log_prob(table()),
        "found": np.append(inference.weights, inference.log_evidence[0]),
        "schema": np.array([f"{column.kind}" for column in kinds.columns]),
    }


def write(folder):
    fc.save(flow(), folder / "flow.npz")
    fc.save(density(), folder / "table.npz")
    fc.save(estimator(), folder / "estimator.npz")
    fc.save(found(), folder / "found.npz")
    with open(folder / "schema.json", "w", encoding="utf-8") as file:
        json.dump(schema().to_dict(), file, indent=1)
    np.savez_compressed(folder / "expected.npz", **computed(folder))


if __name__ == "__main__":
    if (FOLDER / "expected.npz").exists():
        raise SystemExit("the files of 0.4.0 are there, and later versions have to load these")
    write(FOLDER)
