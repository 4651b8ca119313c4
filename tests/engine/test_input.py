"""The gate: what a call takes holds real numbers, or a ValueError names the argument."""

import datetime
import re

import numpy as np
import pytest

import flowcore as fc
from flowcore.testing import randomize

D, N = 2, 5
FLOW = randomize(fc.flows.maf(D, 2, [8], standardize=False), 0.5)
GIVEN = randomize(fc.flows.maf(D, 2, [8], context_dim=D, standardize=False), 0.5)
GOOD = np.random.default_rng(0).normal(size=(N, D))
MADE, MLP = fc.MADE(D, [8]), fc.MLP(D, (1,), [8])
SPLINE = fc.RationalQuadratic(bins=2)
WAITING = fc.Chain([fc.Standardize(D), fc.ActNorm(D)])

# what is called, with the bad rows in one place, and what the error must call them
CALLS = {
    **{name: (getattr(FLOW, name), "x") for name in ("log_prob", "prob", "to_latent")},
    **{name: (getattr(FLOW, name), "z") for name in ("from_latent", "stages")},
    **{
        f"{name}'s context": (lambda c, name=name: getattr(GIVEN, name)(GOOD, context=c), "context")
        for name in ("log_prob", "to_latent", "from_latent", "stages")
    },
    **{
        f"{name}'s context": (lambda c, name=name: getattr(GIVEN, name)(2, 0, c), "context")
        for name in ("sample", "sample_and_log_prob")
    },
    "log_prob of a base": (fc.Normal(D).log_prob, "x"),
    "log_prob of a mixture": (fc.GaussianMixture.spread(2, D).log_prob, "x"),
    "forward": (FLOW.bijector.forward, "z"),
    "a MADE": (MADE, "x"),
    "a MADE's context": (lambda c: fc.MADE(D, [8], context_dim=D)(GOOD, context=c), "context"),
    "an MLP": (MLP, "x"),
    "a transformer, inverse": (
        lambda x: SPLINE.inverse_and_log_det(x, np.zeros((N, D, SPLINE.n_out))),
        "x",
    ),
    "a transformer's phi": (lambda phi: fc.Affine().forward_and_log_det(GOOD[:, 0], phi), "phi"),
    "initialize": (WAITING.initialize, "x"),
    "initialize of a flow": (fc.flows.maf(D, 1, [8]).initialize, "x"),
    "Standardize.from_data": (fc.Standardize.from_data, "x"),
    "GaussianMixture.from_data": (lambda X: fc.GaussianMixture.from_data(X, 2), "X"),
    "dequantise": (lambda x: fc.Dequantize()(x, rng=0), "x"),
    "weights of a network": (
        lambda w: fc.MLP(N, (D,), []).with_weights([(w, np.zeros(D))]),
        "layer 0: W",
    ),
    "fit": (lambda X: fc.fit(FLOW, X, epochs=1), "X"),
    "fit's context": (lambda c: fc.fit(GIVEN, GOOD, context=c, epochs=1), "context"),
    "fit's validation data": (
        lambda X: fc.fit(FLOW, GOOD, validation_data=X, epochs=1),
        "validation_data",
    ),
    "params": (lambda theta: fc.Normal(D).log_prob(GOOD, params=theta), "params"),
    "with_params": (FLOW.with_params, "params"),
    "a target": (fc.targets.two_moons().log_prob, "x"),
    "bits_per_dim": (lambda nats: fc.bits_per_dim(nats, D), "log_prob"),
}

# where a table of the same shape is no good argument, either
CONSTANTS = {
    "covariance of a target": (fc.targets.CorrelatedGaussian, "covariance"),
    "loc of a base": (fc.MultivariateNormalDiag, "loc"),
    "fit's weights": (lambda w: fc.fit(FLOW, GOOD, sample_weight=w, epochs=1), "sample_weight"),
    "signs": (lambda signs: fc.LULinear(D, signs=signs), "signs"),
    "log P of grid values": (lambda x: fc.Dequantize().log_prob(fc.Normal(D), x), "x"),
}  # fmt: skip


class Thing:
    """No number."""


def ragged():
    return [[1.0, 2.0]] * (N - 1) + [[1.0]]


def with_one(value):
    """A table of objects, of which one is no number."""
    table = GOOD.astype(object)
    table[1, 1] = value
    return table


BAD = {
    "text": lambda: GOOD.astype(str),
    "one word": lambda: "data.csv",
    "one object": lambda: with_one(Thing()),
    "one None": lambda: with_one(None),
    "a number in quotes": lambda: with_one("1.0"),
    "a list of dicts": lambda: [{"a": 1.0, "b": 2.0}] * N,
    "complex numbers": lambda: GOOD + 1j,
    "datetimes": lambda: np.full((N, D), np.datetime64("2020-01-01")),
    "dates": lambda: [[datetime.date(2020, 1, 1)] * D] * N,
    "ragged lists": ragged,
    "records": lambda: np.zeros((N, D), [("a", float), ("b", float)]),
    "a number that no float holds": lambda: [[10**400, 1.0]] * N,
    "masked cells": lambda: np.ma.masked_array(GOOD, np.arange(N * D).reshape(N, D) == 3),
    "a difference of times": lambda: with_one(np.timedelta64(1, "s")),  # for NumPy an integer
    "masked rows in a list": lambda: list(
        np.ma.masked_array(GOOD, np.arange(N * D).reshape(N, D) == 7)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS | CONSTANTS)
def test_what_is_no_number_is_refused_by_name(name):
    run, argument = (CALLS | CONSTANTS)[name]
    for bad, make in BAD.items():
        with pytest.raises(ValueError) as refused:
            run(make())
        assert re.match(f"{argument} (must hold real numbers|has masked)", str(refused.value)), bad


NUMBERS = [name for name in CALLS if CALLS[name][1] != "params" and "fit" not in name]
GOOD_ONES = {
    "a masked array without masked cells": lambda a: np.ma.masked_array(a, np.zeros(a.shape, bool)),
    "a list": lambda a: a.tolist(),
    "objects that are numbers": lambda a: a.astype(object),
    "Fortran's order": np.asfortranarray,
    "read-only": lambda a: np.frombuffer(a.tobytes()).reshape(a.shape),
    "the other byte order": lambda a: a.astype(a.dtype.newbyteorder()),
    "long doubles": lambda a: a.astype(np.longdouble),
}  # fmt: skip


def numbers_of(result):
    """All arrays in what a call returned."""
    if isinstance(result, np.ndarray):
        return [result]
    if isinstance(result, (tuple, list)):
        return [a for part in result for a in numbers_of(part)]
    return [result.params] if hasattr(result, "params") else []


CAST = {f"{dtype.__name__}s": dtype for dtype in (bool, np.int8, np.uint64, np.float16)}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_in_any_form_are_the_same_numbers(name):
    run, _ = CALLS[name]
    for form in GOOD_ONES | CAST:
        rows = np.arange(1.0, N * D + 1).reshape(N, D) / (1 if "dequantise" in name else 4)
        if form in CAST:
            rows = (np.arange(N * D).reshape(N, D) % 3 == 0).astype(float)
        rows = rows[:, :2] if "phi" in name else rows
        passed = rows.astype(CAST[form]) if form in CAST else GOOD_ONES[form](rows)
        for found, expected in zip(numbers_of(run(passed)), numbers_of(run(rows)), strict=True):
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected, err_msg=form)


PLACES = {
    "text": r"not <U\d+, such as '0.1257",
    "one object": r"there is a Thing .* in row 1 \(column 1\)",
    "one None": r"there is a NoneType in row 1 \(column 1\)",
    "a number in quotes": r"there is a str '1.0' in row 1 \(column 1\)",
    "a difference of times": r"there is a timedelta64 .* in row 1 \(column 1\)",
    "dates": r"there is a date '2020-01-01' in rows 0, 1, 2, 3, 4 \(columns 0, 1\)",
    "datetimes": r"not datetime64\[D\], such as '2020-01-01'",
    "masked cells": r"has masked values.* in row 1 \(column 1\): fill or drop them",
    "masked rows in a list": r"has masked values.* in row 3: fill or drop them",
}


@pytest.mark.parametrize("bad", PLACES)
def test_the_error_names_the_place(bad):
    with pytest.raises(ValueError, match=rf"^x .*{PLACES[bad]}"):
        FLOW.log_prob(BAD[bad]())


@pytest.mark.parametrize("bad", [np.ma.masked_equal([1, 0], 0), [1.0, 0.0], ["1", "0"], [None, 0]])
def test_a_permutation_holds_integers(bad):
    with pytest.raises(ValueError, match=r"^Permute's permutation (must hold|has masked)"):
        fc.Permute(bad)
    with pytest.raises(ValueError, match=r"^degrees (must hold|has masked)"):
        fc.MADE(D, [2], degrees=[bad])


# ---------------------------------------------------------------- tables with names


def tables_of(columns):
    """The same columns in the libraries that people keep tables in."""
    pandas, polars, pyarrow = map(pytest.importorskip, ("pandas", "polars", "pyarrow"))
    return pandas.DataFrame(columns), polars.DataFrame(columns), pyarrow.table(columns)


def test_tables_of_other_libraries_are_the_same_numbers():
    for table in tables_of({"a": GOOD[:, 0], "b": GOOD[:, 1]}):
        np.testing.assert_array_equal(FLOW.log_prob(table), FLOW.log_prob(GOOD))


def test_columns_are_called_by_their_names():
    for table in tables_of({"age": [1.0, 2.0, 3.0], "name": ["x", "y", "z"]}):
        with pytest.raises(ValueError, match=r"a str 'x' in rows 0, 1, 2 \(column 1 'name'\)"):
            fc.fit(FLOW, table, epochs=1)
    for table in tables_of({"age": [1.0, 2.0, np.nan], "height": [1.0, np.inf, 3.0]}):
        place = r"in rows 1, 2 \(columns 0 'age', 1 'height'\): drop or fill"
        with pytest.raises(ValueError, match=f"X has NaN or infinite values {place}"):
            fc.fit(FLOW, table, epochs=1)


def test_a_missing_value_of_pandas_is_no_number():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1.0, 2.0], "b": pandas.array([1, pandas.NA], dtype="Int64")})
    with pytest.raises(ValueError, match=r"^x must hold .* a NAType .* in row 1 \(column 1 'b'\)"):
        FLOW.log_prob(table)
    np.testing.assert_array_equal(FLOW.log_prob(table.fillna(3)), FLOW.log_prob([[1, 1], [2, 3]]))
