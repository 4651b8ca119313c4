"""What `fit` refuses, and what it warns about."""

import numpy as np
import pytest
from support.flows import EVERYTHING, Conditional, Gaussian, banana_data
from support.flows import textbook_fit as fit

import flowcore as fc
from flowcore.training import Adam, columns


@pytest.fixture
def X():
    return banana_data()


# ---------------------------------------------------------------- bad input

GOOD = np.random.default_rng(0).normal(size=(40, 2))


def spoiled(value, *rows):
    X = GOOD.copy()
    X[list(rows), 1] = value
    return X


BAD_TABLES = [
    (GOOD[:, 0], r"X has shape \(40,\), but the flow has dim 2 and takes \(n, 2\)"),
    (GOOD[0], r"X has shape \(2,\).*write X\[None, :\]"),
    (np.zeros((40, 3)), r"X has shape \(40, 3\), but the flow has dim 2 and takes \(n, 2\)"),
    (np.zeros((0, 2)), r"X is empty: shape \(0, 2\)"),
    (spoiled(np.nan, 3), r"X has NaN or infinite values in row 3 \(column 1\): "),
    (spoiled(np.nan, *range(9, 20)), r"in rows 9, 10, 11, 12, 13, \.\.\. \(column 1\): "),
    (spoiled(1.5, *range(40)), r"X is constant in column 1 .*always 1.5"),
    (GOOD[:1], "leaves none of 1 distinct rows to train on: use validation_split=0"),
]
BAD_WEIGHTS = [
    (np.ones(39), r"sample_weight has shape \(39,\), but X has 40 rows"),
    (np.zeros(40), "sample_weight is zero for all rows"),
    (np.where(np.arange(40) == 7, -1.0, 1.0), r">= 0: row 7 \(the first: -1.0\)"),
]
BAD_CONTEXTS = [
    (np.ones((39, 1)), r"context has shape \(39, 1\), but X has 40 rows"),
    (np.ones(40), r"context has shape \(40,\).*write context\[:, None\]"),
]
BAD_VALIDATION_DATA = [
    (GOOD[:, :1], r"validation_data has shape \(40, 1\), but the flow has dim 2"),
    (spoiled(np.nan, 4), "validation_data has NaN or infinite values in row 4"),
    ((GOOD, None, None, None), "validation_data must be X_val or .*, not 4 parts"),
    ((GOOD, None, np.ones(39)), r"weights of validation_data has shape \(39,\), .* needs \(40,\)"),
    ((GOOD, None, -np.ones(40)), "weights of validation_data must be finite and >= 0: rows 0"),
]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *[({"X": X}, message) for X, message in BAD_TABLES],
        *[({"sample_weight": w}, message) for w, message in BAD_WEIGHTS],
        *[({"X": GOOD[:, :1], "context": c}, message) for c, message in BAD_CONTEXTS],
        *[({"validation_data": X}, message) for X, message in BAD_VALIDATION_DATA],
    ],
)
def test_bad_data(options, message):
    flow = Conditional() if "context" in options else Gaussian()
    with pytest.raises(ValueError, match=message):
        fit(flow, **{"X": GOOD, "epochs": 1, **options})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, 'epochs must be an integer >= 1 or "auto": got 0'),
        ({"batch_size": 0}, ValueError, "batch_size must be .* or None .*: got 0"),
        ({"patience": 0}, ValueError, "patience must be an integer >= 1"),
        ({"patience": 3, "validation_split": 0}, ValueError, "patience=3 needs validation"),
        ({"validation_split": 1.0}, ValueError, r"in \[0, 1\): got 1.0"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be a positive number"),
        ({"clip_norm": 0.0}, ValueError, "clip_norm must be a positive number or None"),
        ({"optimizer": "sgdd"}, ValueError, r"unknown optimizer 'sgdd': choose .*\['adam'\]"),
        ({"optimizer": Adam}, TypeError, "optimizer must be a name or an object"),
        ({"optimizer": Adam(), "learning_rate": 0.1}, ValueError, "give the learning rate once"),
        ({"callbacks": print}, TypeError, "callbacks must be a list or tuple of functions"),
        ({"callbacks": [print, 3]}, TypeError, "callbacks"),
        ({"schedule": "linear"}, ValueError, "schedule must be one of .* 'cosine': got 'linear'"),
        ({"warm_up": -1}, ValueError, "warm_up must be an integer >= 0: got -1"),
        ({"schedule": "cosine", "warm_up": 2, "epochs": 2}, ValueError, "and < 2, the num"),
        ({"schedule": "cosine", "learning_rate": abs}, ValueError, "needs a number as learning_r"),
        ({"average": 1.0}, ValueError, r"average is a decay rate in \(0, 1\), or None: got 1.0"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        fit(Gaussian(), GOOD, **options)


def test_a_flow_without_parameters_cannot_be_fitted():
    flow = Gaussian()
    flow.params = np.zeros(0)
    with pytest.raises(ValueError, match="no free parameters"):
        fit(flow, GOOD)
    with pytest.raises(TypeError, match="TransformedDistribution"):
        fit(object(), GOOD)


def test_a_log_prob_of_the_wrong_shape_is_refused():
    class Column(Gaussian):
        def density(self, x, p, context):
            return super().density(x, p, context)[:, None]

    with pytest.raises(ValueError, match=r"has shape \(40, 1\)"):
        fit(Column(), GOOD, **EVERYTHING)


# ---------------------------------------------------------------- columns on a grid


@pytest.mark.parametrize("n", [2, 5, 100, 25_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_continuous_columns_are_never_taken_for_a_grid(n, dtype):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = np.stack(
            [rng.normal(size=n), rng.uniform(size=n), rng.standard_cauchy(n), rng.lognormal(size=n)]
        ).T.astype(dtype)
        assert columns.few_valued_columns(X, np.arange(n))[0].size == 0
        for copies in (1, 5, 20):  # neither are resampled rows
            again = X[rng.integers(0, n, copies * n)]
            assert columns.few_valued_columns(again, np.arange(copies * n))[0].size == 0


def test_columns_on_a_grid_are_warned_about_once_and_by_name(X):
    X = np.round(X * [1, 4])
    with pytest.warns(
        UserWarning,
        match=r"few distinct .* columns 0, 1 \(column 0: \d+ in 300"
        r" rows\).*dequantise",
    ) as caught:
        fit(Gaussian(), X, epochs=2)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_grid_is_found_behind_a_continuous_column():
    rng = np.random.default_rng(0)
    n = 30_000
    X = np.stack([rng.normal(size=n), np.round(rng.normal(size=n), 2), rng.normal(size=n)], axis=1)
    few, distinct, examined = columns.few_valued_columns(X, np.arange(n))
    assert few.tolist() == [1] and examined == 10_000
    assert distinct == len(np.unique(X[::3, 1]))


# ---------------------------------------------------------------- dependent columns


def five(n, seed=0, dtype=float):
    return np.random.default_rng(seed).standard_t(3, size=(n, 5)).astype(dtype)


def test_dependent_columns_are_warned_about_once_and_by_name():
    pandas = pytest.importorskip("pandas")
    X = five(300)
    X[:, 4] = 3 * X[:, 1] - 7  # in other units
    table = pandas.DataFrame(X, columns=list("abcde"))
    message = (
        r"of columns 1 'b', 4 'e', 1 can be computed from the others.* Drop 1 of these columns"
    )
    with pytest.warns(UserWarning, match=message) as caught:
        fit(fc.flows.maf(5, 1, [8]), table, epochs=1)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e30])
def test_what_follows_from_several_columns(dtype, unit):
    X = five(20_000, dtype=dtype)
    X[:, 0] = 100 - X[:, 2] - 1e3 * X[:, 3]
    X[:, 1] = X[:, 4]
    X = np.column_stack([np.ones(20_000, dtype), X * dtype(unit) + dtype(10 * unit)])
    found, too_many = columns.dependent_columns(X, np.arange(20_000))
    assert (found.tolist(), too_many) == ([1, 2, 3, 4, 5], 2)  # beside a constant


@pytest.mark.parametrize("n", [2, 5, 7, 100, 20_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_independent_columns_are_never_taken_for_dependent(n, dtype):
    for seed in range(5):
        X = five(n, seed, dtype)
        X[:, 4] = X[:, 0] + X[:, 4] * dtype(1e-4)  # nearly, and that is a density
        X[:, 2] = X[0, 2] if n > 10 else X[:, 2]
        X[-2, 2] += 1  # a constant in what is looked at
        with np.errstate(all="raise"):
            found, too_many = columns.dependent_columns(X, np.arange(n))
        assert (found.size, too_many) == (0, 0)


def test_what_is_left_beside_an_outlier_may_be_tiny():
    """Its squares were 0, and their correlation no number."""
    X = five(200)
    X[:150, 4], X[150:, 4], X[0, :2] = 0, 1e-200 * X[150:, 4], 1e300
    X[0, 4] = 1.0
    found, too_many = columns.dependent_columns(X, np.arange(200))
    assert (found.size, too_many) == (0, 0)


def test_a_large_context_is_pointed_out():
    rng = np.random.default_rng(0)
    y, income = rng.standard_normal((40, 1)), rng.uniform(2e4, 9e4, (40, 1))
    income[::2] = -income[1::2]  # debts: the mean is 0
    with pytest.warns(UserWarning, match=r"context is large in column 0 .*: up to \d{5}"):
        fit(Conditional(), y, context=income, epochs=1, validation_split=0, learning_rate=1e-9)


# ---------------------------------------------------------------- what a dtype can separate


def near(mean, n=300, scale=1.0):
    return mean + scale * np.random.default_rng(0).normal(size=(n, 2))


def standardized(dtype):
    return fc.flows.maf(2, 1, [8], dtype=dtype)


@pytest.mark.parametrize(
    ("dtype", "mean", "scale"),
    [(np.float32, 1e8, 1.0), (float, 0, 1e-308)],
)
def test_a_dtype_that_cannot_separate_rows_is_refused(dtype, mean, scale):
    X, flow = near(mean, scale=scale), standardized(dtype)
    for train in (lambda: fc.fit(flow, X), lambda: flow.initialize(X)):
        with pytest.raises(ValueError, match=r"too coarse for columns 0, 1 of the data: around"):
            train()
    by_hand = fc.Chain([fc.Standardize.from_data(X), fc.ActNorm(2, dtype)])
    with pytest.raises(ValueError, match=r"float(32|64) is too coarse"):
        fc.fit(fc.TransformedDistribution(fc.Normal(2), by_hand), X)


def test_a_dtype_that_can_only_just_separate_rows_is_warned_about():
    X = near(1e5)
    with pytest.warns(UserWarning, match="float32 is too coarse .* dtype=float") as caught:
        fc.fit(standardized(np.float32), X, epochs=1)
    assert [w.filename for w in caught] == [__file__]
    fc.fit(standardized(float), X, epochs=1)  # no warning
    with pytest.raises(ValueError, match=r"validation_data has NaN .* \(in float32\)"):
        fc.fit(standardized(np.float32), near(0), validation_data=near(1e39), epochs=1)


# ---------------------------------------------------------------- constants of other data


def test_a_second_fit_on_rows_of_another_scale_is_warned_about():
    """And the way that the warning names: parameters stay, constants are those of the new rows."""
    X = fc.targets.two_moons().sample(500, 0)
    options = {"epochs": 10, "batch_size": 64}

    def recipe():
        return fc.flows.maf(2, layers=2, hidden=[16])

    old, history = fc.fit(recipe(), X, **options)
    fc.fit(old, 1.5 * X + 1, **options)  # near enough
    for again in (1e-3 * X, 1e3 * X, X + 20):
        with pytest.warns(
            UserWarning, match=r"column 0 now has the mean .*, not 0 and 1"
        ) as caught:
            fc.fit(old, again, epochs=1)
        assert caught[0].filename == __file__
    anew, second = fc.fit(recipe().with_params(old.params), 1e-3 * X, **options)
    scale = anew.bijector.steps("inverse")[0][0].scale
    np.testing.assert_allclose(scale, 1e-3 * old.bijector.steps("inverse")[0][0].scale, rtol=0.05)
    assert second.val_nll[0] < history.val_nll[-1] + 2 * np.log(1e-3) + 0.1  # where the first ended


@pytest.mark.parametrize("size", [1e308, 1e-300])
def test_only_ratios_of_weights_matter_and_no_sum_overflows(size):
    weight = np.linspace(0.25, 1.0, 40)
    found, expected = (
        fc.fit(fc.flows.maf(2, layers=1, hidden=[4]), GOOD, sample_weight=w, epochs=2)
        for w in (size * weight, weight)
    )
    np.testing.assert_allclose(found[0].params, expected[0].params, rtol=1e-6)
    np.testing.assert_allclose(found[1].val_nll, expected[1].val_nll, rtol=1e-6)
