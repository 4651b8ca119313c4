"""Write small model files of tables and of contexts, and what they compute.

    python tests/data/tables/write.py

One of every kind of column and of every part of a table. They were written before tables and
contexts were rebuilt. As in `../models`, the script only adds what is missing: a file that cannot
be read any more is a broken promise. Those called given-* hold a class that is gone; they were
written by version 0.1.0.

`expected.json` holds for each model the rows, the context where there is one, and what
`test_old_tables.numbers` computes from them. A gridded column is spread over its cell at random, so
its log-probability stands there with an error: see `cell_average`.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

import flowcore as fc
from flowcore import flows
from flowcore.tables import Schema, fit_table
from flowcore.testing import randomize

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tables.test_old_tables import as_table, numbers  # noqa: E402

RNG = np.random.default_rng(11)
N = 60
YEARS = np.column_stack([RNG.uniform(1950, 2020, N), RNG.normal(3e5, 8e4, N)]).round(1)  # a context
POINTS = np.column_stack([RNG.normal(5, 2, N), RNG.gamma(2.0, 30.0, N)]).round(3)
COLUMNS = {
    "height": RNG.normal(1.7, 0.1, N).round(3),
    "price": np.exp(RNG.normal(5, 0.5, N)).round(2),
    "share": RNG.beta(2, 5, N).round(3),
    "rooms": RNG.poisson(3, N),
    "stars": RNG.integers(1, 6, N),
    "half": 0.5 * RNG.integers(-4, 9, N),
    "city": RNG.choice(["Bern", "Oslo", "Rome"], N, p=[0.6, 0.3, 0.1]),
    "zone": RNG.choice([1, 2, 5], N),
    "new": RNG.random(N) < 0.3,
}
KINDS = {
    "price": "positive",
    "share": "bounded(0, 1)",
    "rooms": "integer(0)",
    "stars": "integer(1, 5)",
    "half": "gridded(0.5)",
    "zone": "categorical",
}


# ---------------------------------------------------------------- flows, mixtures, contexts


def small(make, dim=2, context_dim=2, **options):
    """A recipe with random parameters and its constants set, as after a `fit`."""
    flow = make(dim, layers=2, hidden=[6], context_dim=context_dim, **options)
    flow = flow.initialize(POINTS[:, :dim], context=YEARS[:, :context_dim] if context_dim else None)
    return randomize(flow, 0.5, rng=1)


def over(*bijectors):
    return fc.TransformedDistribution(fc.Normal(2), fc.Chain(bijectors))


def in_units(context_dim=2):
    """A layer that sees the context standardised."""
    layer = randomize(fc.RealNVP(2, hidden=[5], context_dim=context_dim), 0.3, rng=3)
    return fc.StandardizeContext(layer, fc.Standardize.from_data(YEARS[:, :context_dim]))


def gaussians():
    return fc.GaussianMixture([[4.0, 50.0], [6.0, 90.0]], [[1, 20], [2, 9]], [0.3, 0.7])


def tied():
    part = in_units()
    return over(part, fc.Permute([1, 0]), fc.Invert(part), part)


# ---------------------------------------------------------------- tables


def own_nsf(x, context=None, sample_weight=None, rng=0):
    """`learn_flow` with a small network."""
    flow = flows.nsf(x.shape[1], layers=1, hidden=[5], bins=4, standardize_context=False,
                     context_dim=0 if context is None else context.shape[1])  # fmt: skip
    return fc.fit(flow, x, context=context, sample_weight=sample_weight, epochs=20, rng=rng)[0]


def table(*names, learn=None, missing=None, **options):
    """The density of some of the columns, learned from 60 rows."""
    columns = {name: COLUMNS[name].tolist() for name in names}
    if missing:
        columns[missing][3], options["missing"] = None, "drop"
    schema = Schema.from_data(columns, missing=options.get("missing", "error"))
    schema = schema.edit({name: KINDS[name] for name in names if name in KINDS})
    return fit_table(columns, schema, learn=learn, rng=0, **options)


def estimator(dim=2, context_dim=0, **options):
    """A FlowDensity of a tiny flow and the baselines."""
    flow = flows.maf(dim, layers=1, hidden=[4], context_dim=context_dim, standardize=False)
    flow = randomize(flow, 0.3, rng=0)
    return fc.FlowDensity(flow, budget=1e-5, n_jobs=1, random_state=0, **options)


def rare():
    """A category with values so rare that they share a slot of the context."""
    columns = {
        "city": ["Bern"] * 30 + ["Oslo"] * 21 + [f"village {i}" for i in range(3)] * 3,
        "height": COLUMNS["height"],
    }
    return fit_table(columns, Schema.from_data(columns), learn=own_nsf, rng=0)


def aside():
    columns = {name: COLUMNS[name] for name in ("height", "price")}
    columns |= {"id": np.arange(N), "country": np.array(["CH"] * N)}
    schema = Schema.from_data(columns).edit(id="aside", country="aside", price="positive(-3)")
    return fit_table(columns, schema, learn=own_nsf, rng=0)


def nameless():
    x = np.column_stack([POINTS, COLUMNS["stars"]])
    schema = Schema.from_data(x).edit({1: "positive", 2: "categorical"})
    return fit_table(x, schema, learn=own_nsf, rng=0)


NAMED = as_table({name: POINTS[:, j].tolist() for j, name in enumerate(["wide", "tall"])})
YEARS_NAMED = as_table({name: YEARS[:, j].tolist() for j, name in enumerate(["year", "income"])})

MODELS = {
    # a standardised context, both ways in which it is written
    "context-coupling": lambda: small(flows.nsf, bins=4, kind="coupling"),
    "context-float32": lambda: small(flows.realnvp, dtype=np.float32),
    "context-tied": tied,
    # mixtures
    "mixture-nested": lambda: fc.Mixture(
        [fc.Mixture([small(flows.maf), gaussians()], [2, 1]), gaussians()], [0.2, 0.8]
    ),
    # tables
    "one-category": lambda: table("city"),
    "mixed": lambda: table("height", "city", "new", "share", learn=estimator(2, 4)),
    "rare": rare,
    "aside": aside,
    "nameless": nameless,
    "missing": lambda: table("height", "city", "price", learn=own_nsf, missing="price"),
    "gridded": lambda: table("rooms", "stars", "half", "height", learn=own_nsf),
    "gridded-mixed": lambda: table("rooms", "price", "city", "zone", learn=own_nsf),
    # estimators
    "estimator-names": lambda: estimator(contamination=0.2).fit(NAMED),
    "estimator-context-names": lambda: estimator(2, 2).fit(NAMED, context=YEARS_NAMED),
    "estimator-few-rows-context": lambda: fc.FlowDensity(random_state=0).fit(
        POINTS[:14], context=YEARS[:14]
    ),
}  # fmt: skip

# ---------------------------------------------------------------- rows


def rows_for(model):
    """Six rows near the data, as plain lists; of a table also some of the odd ones."""
    schema = getattr(model, "schema", None)
    if schema is None:
        names = getattr(model, "feature_names_in_", None)
        dim = getattr(model, "dim", None) or model.n_features_in_
        x = POINTS[:6, :dim] + 0.1
        return x.tolist() if names is None else dict(zip(names, x.T.tolist(), strict=True))
    columns = {}
    for j, column in enumerate(schema.columns):
        if isinstance(column.name, int):
            values = np.column_stack([POINTS, COLUMNS["stars"]])[:7, j].tolist()
        elif column.kind.name == "aside":
            continue
        else:
            values = COLUMNS[column.name][:7].tolist()
        if column.kind.is_category and not isinstance(column.name, int):
            values[5] = {"text": "Paris", "number": 77, "boolean": True}[column.type]
        if j == 0:
            values[6] = None
        if column.kind.name in ("positive", "bounded"):
            values[4] = -30.0
        columns[column.name] = values
    return np.array(list(columns.values()), float).T.tolist() if 0 in columns else columns


def context_for(model):
    names = getattr(model, "context_names_in_", None)
    widths = [getattr(model, "context_dim", 0), getattr(model, "context_scaling_", None)]
    width = widths[0] or (widths[1].dim if widths[1] else 0)
    context = YEARS[:6, :width]
    if not width:
        return None
    return context.tolist() if names is None else dict(zip(names, context.T.tolist(), strict=True))


def cell_average(model, rows, batches=40, draws=50):
    """(log P, its error) of rows with gridded columns: `batches` times `draws` draws of noise.

    An error is one standard deviation of the mean: the spread of the batches' P over their mean.
    """
    log_p = np.array([model.log_prob(rows, draws=draws, rng=i) for i in range(batches)])
    log_p = log_p.astype(float)
    top = np.where(np.isfinite(log_p[0]), log_p.max(axis=0), 0.0)
    p = np.exp(log_p - top)
    mean = p.mean(axis=0)
    with np.errstate(all="ignore"):
        error = p.std(axis=0, ddof=1) / np.sqrt(batches) / mean
        return np.log(mean) + top, np.where(mean > 0, error, 0.0)


def main():
    path = HERE / "expected.json"
    expected = json.loads(path.read_text()) if path.exists() else {}
    for name, make in MODELS.items():
        if (HERE / f"{name}.npz").exists():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = make()
        fc.save(model, HERE / f"{name}.npz")
        model = fc.load(HERE / f"{name}.npz")
        rows, context = rows_for(model), context_for(model)
        found = {"rows": rows} if context is None else {"rows": rows, "context": context}
        schema = getattr(model, "schema", None)
        if schema is not None and any(c.kind.is_gridded for c in schema.numbers):
            log_p, error = cell_average(model, as_table(rows))
            found |= {"log_prob": log_p.tolist(), "error": error.tolist()}
        else:
            found |= {k: v.tolist() for k, v in numbers(model, rows, context).items()}
        expected[name] = found
        print(f"{name}.npz", (HERE / f"{name}.npz").stat().st_size, "bytes")
    text = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(found)}" for name, found in expected.items()
    )
    path.write_text("{\n" + text + "\n}\n")


if __name__ == "__main__":
    main()
