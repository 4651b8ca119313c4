"""Files of densities of tables, and of densities given a context, still load with their numbers.

`data/tables/write.py` wrote them before tables and contexts were rebuilt.
"""

import inspect
import json

import numpy as np
import pandas as pd
import pytest
from support.places import DATA

from flowcore import load
from flowcore.tables import TableDensity

HERE = DATA / "tables"
PATH = HERE / "expected.json"
EXPECTED = json.loads(PATH.read_text()) if PATH.exists() else {}
DRAWS = 200  # of noise, where `log_prob` takes some; the expected numbers are of 2,000
QUADRATURE = 1e-3  # nats that a rule for a cell may be off, beside the error of the expected one


def as_table(rows):
    """Columns by name as a DataFrame, rows of numbers as an array; a null is a missing value."""
    return pd.DataFrame(rows) if isinstance(rows, dict) else np.array(rows, float)


def numbers(model, rows, context=None) -> dict:
    """What a density or an estimator computes exactly, in float64."""
    options = {} if context is None else {"context": as_table(context)}
    x = as_table(rows)
    if not hasattr(model, "transform"):
        return {"log_prob": np.asarray(model.log_prob(x, **options), float)}
    found = {"log_prob": model.score_samples(x, **options), "latent": model.transform(x, **options)}
    scores = model.held_out_scores_
    found |= {"offset": np.array(model.offset_), "held_out_scores": scores}
    return found | {"summary": np.array([c.score for c in model.summary_.candidates])}


def draws(model, context, n=5):
    """n rows for each row of the context, as one array."""
    options = {} if context is None else {"context": as_table(context)}
    seed = {"random_state": 3} if hasattr(model, "transform") else {"rng": 3}
    return model.sample(n, **seed, **options)


def test_every_file_is_tested():
    assert sorted(path.stem for path in HERE.glob("*.npz")) == sorted(EXPECTED)
    assert len(EXPECTED) >= 17


@pytest.mark.parametrize("name", EXPECTED)
def test_the_same_numbers_as_when_it_was_saved(name):
    model, expected = load(HERE / f"{name}.npz"), dict(EXPECTED[name])
    rows, context = expected.pop("rows"), expected.pop("context", None)
    context = context if getattr(model, "context_dim", True) else None
    if "error" in expected:
        options = (
            {"draws": DRAWS} if "draws" in inspect.signature(model.log_prob).parameters else {}
        )
        found, log_p = model.log_prob(as_table(rows), **options), np.array(expected["log_prob"])
        more = np.sqrt(1 + 2000 / DRAWS) if options else 1.0
        allowed = 5 * more * np.array(expected["error"]) + QUADRATURE
        there = np.isfinite(log_p)
        np.testing.assert_array_equal(found[~there], log_p[~there])
        off = np.abs(found[there] - log_p[there]) / allowed[there]
        assert len(off) >= 3 and (off < 1).all(), off
        return
    found = numbers(model, rows, context)
    assert found.keys() == expected.keys()
    rtol = 1e-5 if getattr(getattr(model, "params", None), "dtype", None) == np.float32 else 1e-12
    for what, value in expected.items():
        value = np.array(value, float)
        size = np.abs(value[np.isfinite(value)]).max(initial=1.0)
        np.testing.assert_allclose(found[what], value, rtol, rtol * size, err_msg=what)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_still_samples(name):
    model = load(HERE / f"{name}.npz")
    context = EXPECTED[name].get("context") if getattr(model, "context_dim", True) else None
    drawn = draws(model, context)
    if isinstance(model, TableDensity):
        log_p = model.log_prob(drawn)
        assert len(drawn) == 5 and np.isfinite(log_p).all()
        return
    shape = (5,) if context is None else (5, len(as_table(context)))
    dim = getattr(model, "dim", None) or model.n_features_in_
    assert drawn.shape == (*shape, dim) and np.isfinite(drawn).all()
