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
    "log_prob, threads": (lambda x: FLOW.log_prob(x, threads=2), "x"),
    "log_prob of a base": (fc.Normal(D).log_prob, "x"),
    "log_prob of a mixture": (fc.GaussianMixture.spread(2, D).log_prob, "x"),
    "forward": (FLOW.bijector.forward, "z"),
    "inverse of an inverted map": (fc.Invert(fc.Exp(D)).inverse, "x"),
    "forward's context": (lambda c: GIVEN.bijector.forward(GOOD, context=c), "context"),
    "a MADE": (MADE, "x"),
    "a MADE's context": (lambda c: fc.MADE(D, [8], context_dim=D)(GOOD, context=c), "context"),
    "an MLP": (MLP, "x"),
    "a transformer, forward": (
        lambda z: SPLINE.forward_and_log_det(z, np.zeros((N, D, SPLINE.n_out))),
        "z",
    ),
    "a transformer, inverse": (
        lambda x: SPLINE.inverse_and_log_det(x, np.zeros((N, D, SPLINE.n_out))),
        "x",
    ),
    "a transformer's phi": (lambda phi: fc.Affine().forward_and_log_det(GOOD[:, 0], phi), "phi"),
    "initialize": (WAITING.initialize, "x"),
    "initialize, inverted": (fc.Invert(fc.ActNorm(D)).initialize, "x"),
    "initialize of blocks": (
        fc.Blockwise([fc.Standardize(1), fc.Standardize(1)]).initialize,
        "x",
    ),
    "initialize of a flow": (fc.flows.maf(D, 1, [8]).initialize, "x"),
    "Standardize.from_data": (fc.Standardize.from_data, "x"),
    "GaussianMixture.from_data": (lambda X: fc.GaussianMixture.from_data(X, 2), "x"),
    "means of a mixture": (fc.GaussianMixture, "means"),
    "MultivariateNormalMixture.from_data": (
        lambda X: fc.MultivariateNormalMixture.from_data(X, 2),
        "X",
    ),
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
    "quantise": (fc.Dequantize().quantize, "x"),
    "bits_per_dim": (lambda nats: fc.bits_per_dim(nats, D), "log_prob"),
}

# where a table of the same shape is no good argument, either
CONSTANTS = {
    "covariance of a target": (fc.targets.CorrelatedGaussian, "covariance"),
    "points of a plot": (fc.plots.scatter, "x"),
    "loc of a base": (fc.MultivariateNormalDiag, "loc"),
    "loc of a bijector": (lambda loc: fc.ElementwiseAffine(loc, 1.0), "loc"),
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
    "bytes": lambda: GOOD.astype(bytes),
    "text in a list": lambda: GOOD.astype(str).tolist(),
    "one word": lambda: "data.csv",
    "objects": lambda: np.full((N, D), Thing()),
    "one object": lambda: with_one(Thing()),
    "one None": lambda: with_one(None),
    "a None in a list": lambda: [[1.0, None]] * N,
    "a number in quotes": lambda: with_one("1.0"),
    "a list of dicts": lambda: [{"a": 1.0, "b": 2.0}] * N,
    "complex numbers": lambda: GOOD + 1j,
    "datetimes": lambda: np.full((N, D), np.datetime64("2020-01-01")),
    "differences of times": lambda: np.full((N, D), np.timedelta64(1, "s")),
    "dates": lambda: [[datetime.date(2020, 1, 1)] * D] * N,
    "ragged lists": ragged,
    "records": lambda: np.zeros((N, D), [("a", float), ("b", float)]),
    "a number that no float holds": lambda: [[10**400, 1.0]] * N,
    "masked cells": lambda: np.ma.masked_array(GOOD, np.arange(N * D).reshape(N, D) == 3),
    "masked integers": lambda: np.ma.masked_equal(np.arange(N * D).reshape(N, D), 3),
    "a difference of times": lambda: with_one(np.timedelta64(1, "s")),  # for NumPy an integer
    "masked rows in a list": lambda: list(
        np.ma.masked_array(GOOD, np.arange(N * D).reshape(N, D) == 7)
    ),
    "all masked": lambda: np.ma.masked_all((N, D)),
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
    "a masked array without a mask": np.ma.masked_array,
    "a list": lambda a: a.tolist(),
    "objects that are numbers": lambda a: a.astype(object),
    "Fortran's order": np.asfortranarray,
    "every second row": lambda a: np.repeat(a, 2, axis=0)[::2],
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


def test_places_in_vectors_and_cubes():
    with pytest.raises(ValueError, match=r"a str 'b' in row 1$"):
        FLOW.log_prob(np.array([1.0, "b"], object))
    cube = np.ones((2, 3, D), object)
    cube[1, 0, 1] = "b"  # the fourth row of all
    with pytest.raises(ValueError, match=r"a str 'b' in row 3 \(column 1\)$"):
        FLOW.log_prob(cube)


@pytest.mark.parametrize("bad", [np.ma.masked_equal([1, 0], 0), [1.0, 0.0], ["1", "0"], [None, 0]])
def test_a_permutation_holds_integers(bad):
    with pytest.raises(ValueError, match=r"^Permute's permutation (must hold|has masked)"):
        fc.Permute(bad)
    with pytest.raises(ValueError, match=r"^degrees (must hold|has masked)"):
        fc.MADE(D, [2], degrees=[bad])


def test_long_doubles_that_overflow_are_infinite():
    far = np.array([[1.0, 2.0], [0.0, 0.0]], np.longdouble)
    far[1, 0] = np.longdouble("1e400")
    if not np.isfinite(far).all():
        pytest.skip("a long double is a double here")
    assert FLOW.log_prob(far)[1] == -np.inf
    with pytest.raises(ValueError, match=r"X has NaN or infinite values in row 1 \(column 0\)"):
        fc.fit(FLOW, far, epochs=1)


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


def test_dates_and_durations_of_any_table_are_no_numbers():
    days = [datetime.date(2020, 1, 1 + i) for i in range(N)]
    spans = [datetime.timedelta(i) for i in range(N)]
    for bad, kind in ((days, "datetime64|a date"), (spans, "timedelta64")):
        for table in tables_of({"a": GOOD[:, 0], "when": bad}):
            with pytest.raises(ValueError, match=rf"^X must hold .*({kind}).*column 1 'when'"):
                fc.fit(FLOW, table, epochs=1)


def test_what_a_density_returns_are_numbers():
    class Masked(fc.Distribution):
        dim, sample = 2, fc.Normal(2).sample

        def log_prob(self, x, params=None, context=None, threads=None):
            return np.ma.masked_greater(np.zeros(len(x)), -1.0)

    with pytest.raises(ValueError, match=r"the flow's log_prob has masked values"):
        fc.kl_to_truth(Masked(), fc.targets.two_moons(), 50)


def test_a_table_whose_columns_are_something_else():
    class Odd:
        columns = 3

        def __array__(self, dtype=None, copy=None):
            return GOOD

    np.testing.assert_array_equal(FLOW.log_prob(Odd()), FLOW.log_prob(GOOD))


def test_a_missing_value_of_pandas_is_no_number():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1.0, 2.0], "b": pandas.array([1, pandas.NA], dtype="Int64")})
    with pytest.raises(ValueError, match=r"^x must hold .* a NAType .* in row 1 \(column 1 'b'\)"):
        FLOW.log_prob(table)
    dates = pandas.DataFrame({"a": [1.0, 2.0], "b": pandas.to_datetime(["2020-01-01", None])})
    with pytest.raises(
        ValueError, match=r"^x must hold .*datetime64.* in column 1 'b', such as '2020"
    ):
        FLOW.log_prob(dates)
    np.testing.assert_array_equal(FLOW.log_prob(table.fillna(3)), FLOW.log_prob([[1, 1], [2, 3]]))


def test_no_argument_at_all():
    for run in (FLOW.log_prob, FLOW.to_latent, MADE, fc.Standardize(D).initialize):
        with pytest.raises(ValueError, match=r"^x must hold real numbers"):
            run(None)
    with pytest.raises(ValueError, match="needs context="):
        GIVEN.log_prob(GOOD, context=None)
