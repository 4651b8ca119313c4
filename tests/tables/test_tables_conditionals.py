"""Questions to a table's density: against sums over all values, quadrature, and draws."""

import itertools
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats
from sklearn.utils.estimator_checks import parametrize_with_checks

import flowcore as fc
from flowcore.conditionals.weights import trusted
from flowcore.tables import Column, Kind, Schema, TableDensity, fit_table, read_blocks
from flowcore.tables.categorical import CategoricalMixture
from flowcore.tables.chow_liu_tree import ChowLiuTree
from flowcore.tables.conditional import answers_of
from flowcore.tables.frame import as_frame
from flowcore.tables.frequencies import Frequencies
from flowcore.tables.latent_classes import LatentClasses
from flowcore.tables.proposal import Histogram, MixedMixture

pytestmark = pytest.mark.usefixtures("few_folds")
RNG = np.random.default_rng
CITIES = ("Bern", "Oslo", "Rome")


class Shifted:
    """Correlated Gaussians of the numbers that a row has, whose mean depends on the context: a
    density anybody can check."""

    def __init__(self, dim, width):
        self.dim, self.context_dim = dim, width + dim
        self.move = RNG(5).normal(0, 1.0, (width, dim))
        self.covariance = np.full((dim, dim), 0.6) + 0.4 * np.eye(dim)

    def log_prob(self, z, context=None):
        there = context[:, -self.dim :] > 0
        apart, log_p = z - context[:, : -self.dim] @ self.move, np.zeros(len(z))
        for own in np.unique(there, axis=0):
            rows, factor = (there == own).all(axis=1), self.covariance[np.ix_(own, own)]
            factor = np.linalg.cholesky(factor)
            each = stats.norm.logpdf(np.linalg.solve(factor, apart[rows][:, own].T)).sum(axis=0)
            log_p[rows] = each - np.log(np.diagonal(factor)).sum()
        return log_p

    def sample(self, n=1, rng=None, context=None):
        noise = RNG(rng) if not isinstance(rng, np.random.Generator) else rng
        noise = noise.standard_normal((n, len(context), self.dim))
        mean = context[:, : -self.dim] @ self.move
        return mean + noise @ np.linalg.cholesky(self.covariance).T


def rows(n=500, seed=0):
    rng = RNG(seed)
    city = rng.choice(CITIES, n, p=[0.5, 0.3, 0.2])
    return {
        "city": city,
        "age": np.clip(np.rint(rng.normal(3, 2, n)), 0, 9).astype(int),
        "income": np.exp(rng.normal(size=n)),
        "rain": np.where(rng.random(n) < 0.3, 0.0, np.exp(rng.normal(size=n))),
        "smokes": rng.random(n) < np.where(city == "Oslo", 0.8, 0.2),
    }


KINDS = {"age": "integer(0)", "income": "positive", "rain": "positive atoms(0)"}


def shifted(x, context=None, sample_weight=None, rng=0, present=None):
    return Shifted(x.shape[1], context.shape[1])


@pytest.fixture(scope="module")
def density():
    X = rows()
    learned = fit_table(X, Schema.from_data(X).edit(KINDS), learn=shifted)
    return TableDensity.of(learned.schema_, learned.density_, learned.categories_)


# ------------------------------------------------------------------------ p(c | known)


def categories(n=600):
    rng = RNG(0)
    a, d = rng.integers(0, 3, n), rng.integers(0, 2, n)
    b = np.where(rng.random(n) < 0.7, a, rng.integers(0, 3, n))
    c = np.where(rng.random(n) < 0.6, (b + 1) % 4, rng.integers(0, 4, n))
    return np.column_stack([a, b, c, d]), (3, 3, 4, 2), (False, False, False, True)


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.3, 0.4, 0.3)])
def test_categories_given_others_are_sums_over_all_values(weights):
    codes, sizes, closed = categories()
    counts = Frequencies.fit(codes, sizes, closed)
    tree = ChowLiuTree.fit(codes, sizes, counts.unseen, np.ones(len(codes)))
    classes = LatentClasses.fit(codes, sizes, counts.unseen, np.ones(len(codes)), 3, RNG(0))
    p = CategoricalMixture(weights, counts, tree, [classes])
    for known in ([-1, 1, -1, 0], [3, -1, -1, 1], [-1] * 4, [0, -1, 4, -1], [1, 2, 3, 0]):
        known = np.array(known)
        values = [[c] if c >= 0 else range(size) for c, size in zip(known, sizes, strict=True)]
        every = np.array([*itertools.product(*values)])
        expected = np.exp(p.log_prob(every))
        found, log_p = p.sample_given(np.array([known, [0, 0, 0, 0]] if (known >= 0).all() else
                                               [known, known]), 8000, RNG(1))  # fmt: skip
        among_the_seen = np.prod(1 - counts.unseen[known < 0])
        assert log_p[0] == pytest.approx(np.log(expected.sum() / among_the_seen), abs=1e-9)
        share = [(found[0] == row).all(axis=1).mean() for row in every]
        np.testing.assert_allclose(share, expected / expected.sum(), atol=0.025)


# ------------------------------------------------------------------------ one question


def test_draws_between_ends_are_of_the_density_they_have(density):
    """Of cells, ranges and half-lines, in the middle and far out."""
    mixed = MixedMixture.fitted(density, RNG(0))
    ends = np.array([[-0.1, 0.1], [0.5, np.inf], [-np.inf, -3.0], [60.0, 61.0], [300.0, np.inf]])
    ends = np.vstack([ends, [0.3, 0.3 + 1e-13]])
    histogram = Histogram(mixed, 1, ends)
    for low, high in ends:
        many = np.full(20_000, low), np.full(20_000, high)
        z = histogram.between(*many, (np.arange(20_000) + 0.5) / 20_000)
        log_g = histogram.log_prob(*many, z)
        assert (z >= low).all() and (z <= high).all()
        cut = np.quantile(z, 0.9)  # E 1/g over a part is its length
        part = z <= cut
        start = z[0] if np.isinf(low) else low
        assert np.mean(np.exp(-log_g) * part) == pytest.approx(cut - start, rel=0.01)


def test_quantiles_and_means_of_amounts_are_those_of_their_samples():
    """Of a lognormal column, whose draws lie beyond the rows of the table."""
    x = RNG(0).normal(size=(300, 2))
    X = {"x": x[:, 0], "amount": np.exp(8 + 0.8 * x[:, 0] + 1.5 * x[:, 1])}

    def with_tails(z, **_):
        return fc.MultivariateTMixture([z.mean(axis=0)], [np.linalg.cholesky(np.cov(z.T))], df=30.0)

    given = fit_table(X, Schema.from_data(X), learn=with_tails).given({"x": 0.5}, n_draws=4000)
    drawn, q = given.sample(4000, rng=0)["amount"], [0.1, 0.5, 0.9, 0.99]
    assert drawn.max() > 1.2 * X["amount"].max()
    found = np.log(given.quantiles(q)["amount"])
    np.testing.assert_allclose(found, np.log(np.quantile(drawn, q)), atol=0.3)
    assert given.mean()["amount"] == pytest.approx(drawn.mean(), rel=0.1)


def test_dates_are_asked_for():
    day = pd.date_range("2024-01-01", periods=400).strftime("%Y-%m-%d")
    X = pd.DataFrame({"day": day, "x": RNG(0).normal(size=400)})
    schema = Schema.from_data(X).suggested()
    learned = fit_table(X, schema, learn=lambda x, **_: fc.MultivariateNormalMixture.from_data(x))
    given = learned.given({"day": "2024-03-05"})
    assert given.columns == ["x"] and given.mean()["x"] == pytest.approx(0, abs=0.3)
    spring = learned.given({"day": ("2024-03-01", "2024-05-31")}).sample(50, rng=0)
    assert (
        isinstance(spring, pd.DataFrame) and spring["day"].between("2024-03-01", "2024-05-31").all()
    )


def heaped(learn) -> TableDensity:
    """A density of whole numbers from 20 to 59, many of them multiples of 5, and of a number."""
    rng = RNG(0)
    x = np.where(rng.random(300) < 0.7, 5 * rng.integers(4, 12, 300), rng.integers(20, 60, 300))
    X = {"heaped": x, "x": rng.normal(size=300)}
    return fit_table(X, Schema.from_data(X).edit(heaped="integer", x="continuous"), learn=learn)


def test_the_mean_of_a_heaped_column_is_finite():
    """Its tail had none, and some draws of it were infinite."""
    wide = fc.MultivariateTMixture(np.zeros((1, 2)), 3 * np.eye(2)[None], df=30.0)
    density = heaped(lambda x, **_: wide)
    assert 20 <= density.given({"x": 0.0}).mean()["heaped"] < 60
    assert np.abs(density.sample(20_000, rng=0)["heaped"]).max() < 1e5


def test_draws_beyond_the_rows_stay_near_them_and_far_rows_have_a_density():
    """One cell of 300 was thousands away."""
    learned = heaped(lambda x, **_: fc.MultivariateNormalMixture.from_data(x))
    rows = {"heaped": np.full(40, np.nan), "x": np.zeros(40)}
    drawn = np.concatenate([table["heaped"] for table in learned.impute(rows, n=500).tables])
    beyond = np.mean((drawn < 20) | (drawn > 59))
    assert 1e-4 < beyond < 0.03 and drawn.min() > 10 and drawn.max() < 70
    far = learned.log_prob({"heaped": [60, 61, 70, 1000, 10**6], "x": np.zeros(5)})
    assert np.isfinite(far).all() and (np.diff(far) < 0).all()


def test_annealed_draws_where_weights_fail(density):
    """A proposal that knows nothing of the numbers: what comes instead is right."""
    known = {"city": "Oslo", "income": 3.0}
    good = density.given(known, n_draws=4000)
    poor = TableDensity.of(density.schema_, density.density_, density.categories_)
    far = fc.MultivariateTMixture(np.full((1, 3), 5.0), np.eye(3)[None])
    poor.answering.mixed = MixedMixture(far, [p[:1] for p in density.answering.mixed.probabilities])
    found = poor.given(known, n_draws=1000)
    assert found.annealed and "annealed draws" in repr(found) and not good.annealed
    error = np.hypot(found.error, good.error)
    assert found.log_marginal == pytest.approx(good.log_marginal, abs=5 * error) and error < 0.3
    exact = dict(good.sample(2000, rng=0))
    for name, values in dict(found.sample(1000, rng=1)).items():
        if name in ("age", "rain"):
            assert stats.ks_2samp(values, exact[name]).statistic < 0.12, name
    assert found.shares()["smokes"][True] == pytest.approx(good.shares()["smokes"][True], abs=0.12)


def test_answers_are_trusted_up_to_a_k_hat_and_from_an_ess_on():
    ess, k_hat = np.array([30, 29.9, np.inf, 30]), np.array([0.7, 0.5, -np.inf, 0.71])
    assert trusted(ess, k_hat).tolist() == [True, False, True, False]


# ------------------------------------------------------------------------ rows with holes


def test_rows_of_nothing_and_of_everything(density):
    truth = density.sample(5, rng=0)
    answers = density.impute(truth, n=0)
    np.testing.assert_allclose(answers.log_p, density.log_prob(truth))
    assert answers.tables == [] and (answers.error == 0).all() and np.isinf(answers.ess).all()
    nothing = {name: [None, None] for name in density.schema_.names}
    answers = density.impute(nothing, n=300, rng=0)
    assert np.allclose(answers.log_p, 0, atol=0.05) and answers.trusted.all()
    ages = np.array([table["age"] for table in answers.tables]).ravel()
    expected = np.asarray(density.sample(5000, rng=1)["age"])
    assert abs(ages.mean() - expected.mean()) < 5 * expected.std() / np.sqrt(600)
    with pytest.raises(ValueError, match="all columns are known, so none is left"):
        density.given({"city": "Bern", "age": 1, "income": 1.0, "rain": 0.0, "smokes": True})


@pytest.mark.parametrize("library", ["pandas", "polars", "array"])
def test_tables_come_back_as_they_came(library):
    X = pd.DataFrame({"a": RNG(0).normal(size=200), "b": RNG(1).normal(size=200)})
    X["n"] = RNG(2).integers(0, 50, 200)
    X.index = X.index + 1000
    make = {"pandas": lambda t: t, "polars": pl.from_pandas, "array": lambda t: t.to_numpy()}[
        library
    ]
    schema = Schema.from_data(make(X)).edit({2 if library == "array" else "n": "integer"})
    learned = fit_table(
        make(X), schema, learn=lambda x, **_: fc.MultivariateNormalMixture.from_data(x)
    )
    holes = X.astype(float)
    holes.iloc[0, 0] = holes.iloc[1, 2] = np.nan
    table = learned.impute(make(holes), n=1).tables[0]
    assert type(table) is type(make(holes))
    values = np.asarray(table, float)
    assert np.isfinite(values).all() and values[1, 2] % 1 == 0
    np.testing.assert_array_equal(values[2:], X.to_numpy()[2:])
    if library == "pandas":
        assert (table.index == X.index).all() and table["n"].dtype == int


def test_missing_cells_that_are_values_are_filled_by_values(density):
    X = {"pay": np.where(RNG(0).random(300) < 0.5, np.nan, RNG(1).normal(9, 1, 300)),
         "city": np.where(RNG(2).random(300) < 0.4, None, "Bern").astype(object),
         "x": RNG(3).normal(size=300)}  # fmt: skip
    X["city"][:90] = "Rome"
    learned = fit_table(X, Schema.from_data(X, "atom"), missing="atom", learn=shifted)
    answers = learned.impute({"pay": [np.nan] * 50, "city": [None] * 50, "x": [0.5] * 50}, n=4)
    assert answers.trusted.all()
    for table in answers.tables:
        assert np.isfinite(table["pay"]).all() and set(table["city"]) <= {"Bern", "Rome"}
    given = learned.given({"city": None})  # known to be missing
    assert given.log_marginal == pytest.approx(
        np.log(np.mean([c is None for c in X["city"]])), abs=0.1
    )
    assert None in learned.given({"pay": np.nan}).shares()["city"]
    there = learned.given({"city": "Rome"}, n_draws=2000)  # the missing half does not count
    assert there.mean()["pay"] == pytest.approx(there.quantiles([0.5])["pay"][0], abs=0.2)


# ------------------------------------------------------------------------ bad questions


def test_bad_questions(density):
    for known, message in (
        ({"wealth": 1.0}, "no column is named 'wealth': the columns are 'city', 'age'"),
        ({"income": -2.0}, "column 'income' is -2.0, which is not inside of positive"),
        ({"age": "old"}, "column 'age' is 'old'"),
        ({"income": 1j}, "column 'income' is a complex"),
        ({"age": (4, 2)}, r"'age' is asked for \(4, 2\): low is above high"),
        ({"age": (2.2, 2.8)}, r"no value of it lies from 2.2 to 2.8"),
        ({"income": (-5.0, -1.0)}, "no value of it lies from -5 to -1"),
        ({"city": ("Bern", "Rome")}, "categorical has no ranges"),
        ({"age": (1, 2, 3)}, r"a range is \(low, high\)"),
        ({"age": None}, "a missing cell is no value of it. Leave the column out"),
        ({"smokes": "perhaps"}, "column 'smokes' is boolean: it cannot be 'perhaps'"),
    ):
        with pytest.raises(ValueError, match=message):
            density.given(known)
    rows_of_income = {n: [None] * 2 for n in density.schema_.names} | {"income": [1.0, -1.0]}
    given = density.given({"city": "Bern"})
    for ask, message in (
        (lambda: density.given([1.0]), "known is a mapping"),
        (lambda: density.impute(rows_of_income, strict=True),
         "row 1, column 'income' is -1.0, which is not inside"),
        (lambda: given.quantiles(2), r"probabilities in \[0, 1\]"),
        (lambda: given.log_prob({"age": [3]}),
         "it should have 'age', 'income', 'rain', 'smokes'"),
        (lambda: density.given({"city": "Bern"}, n_draws=3), "n_draws must be an integer >= 30"),
        (lambda: density.log_prob(rows(3), missing="drop"), 'missing is "nan" or "marginal"'),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=message):
            ask()


def test_a_category_that_was_never_seen_is_known_but_does_not_inform(density):
    with pytest.warns(UserWarning, match="'city' never was 'Paris' in fit: that carries no"):
        given = density.given({"city": "Paris"})
    unseen = density.categories_.counts.unseen[0]
    assert given.log_marginal == pytest.approx(np.log(unseen), abs=0.1)
    everyone = np.asarray(density.sample(20_000, rng=0)["age"]).mean()
    assert given.mean()["age"] == pytest.approx(everyone, abs=0.5)


def test_answers_without_mass_are_an_error_or_a_warning(density):
    class Nowhere(Shifted):
        def log_prob(self, z, context=None):
            return np.where(z[..., 1] < -9, -np.inf, super().log_prob(z, context))

    own = TableDensity.of(density.schema_, Nowhere(3, 5), density.categories_)
    with pytest.raises(ValueError, match="density of what is known is 0"):
        own.given({"income": (1e-9, 1e-7), "age": 3}, n_draws=400)
    with pytest.warns(UserWarning, match="few draws decide it: effective sample size .* annealed"):
        assert density.given({"income": 1e-300, "age": 3}, n_draws=400).ess < 100
    holes = {"city": [None], "age": [3], "income": [1e-300], "rain": [1.0], "smokes": [None]}
    assert density.impute(holes, n=1).trusted.all()  # all values of the categories are evaluated
    rows = {name: 9 * values for name, values in (holes | {"rain": [np.nan]}).items()}
    with pytest.warns(UserWarning, match="1 of 1 rows have answers that are not to be .*: row 7"):
        density.impute(as_frame(rows).take([7]), n=1, n_draws=30)  # a part of a table


# ------------------------------------------------------------------------ which cell


def test_components_without_a_block_are_marginals():
    """log_prob_without leaves out what NaN leaves out, for rows with holes, too."""
    rng = RNG(0)
    factors = np.tril(rng.normal(size=(4, 5, 5)), -1) + np.eye(5) * np.exp(rng.normal(size=5))
    p = fc.MultivariateTMixture(rng.normal(size=(4, 5)), factors, df=5.0)
    blocks = [(), (0,), (1, 2), (3,), (4, 0)]
    for hole in ([], [1], [0, 3], [0, 1, 2, 3], [0, 1, 2, 3, 4]):
        rows = rng.normal(size=(7, 5))
        rows[:, hole] = np.nan
        for block, found in zip(blocks, p.log_prob_without(rows, blocks), strict=True):
            rest = rows.copy()
            rest[:, block] = np.nan
            np.testing.assert_allclose(found, p.log_prob_of_components(rest), atol=1e-9)


def arrays(density, table):
    codes, x, _ = density.encoding.encode(density.schema_.select(table))
    return codes, x, np.zeros(x.shape, bool)


def test_surprises_are_joint_less_marginal(density):
    """-log g(cell | rest), by sums over all values of a category, and by quadrature."""
    g, surprises = density.answering.mixed, density.answering.surprises
    codes, x, hole = arrays(density, density.sample(6, rng=2))
    z, there, places = surprises.on_line(x, hole), ~np.isnan(x), surprises.places
    found = g.log_prob_given_rest(codes, z, there, places)
    np.testing.assert_allclose(found[:, -1], g.log_prob(codes, z))
    cities = np.repeat(codes, 3, axis=0)
    cities[:, 0] = np.tile(range(3), 6)
    joint = g.log_prob(cities, np.repeat(z, 3, axis=0)).reshape(6, 3)
    expected = joint[np.arange(6), codes[:, 0]] - np.logaddexp.reduce(joint, axis=1)
    np.testing.assert_allclose(found[:, 0], expected)
    line, step = np.linspace(-60, 60, 20_001, retstep=True)
    row = np.repeat(z[:1], len(line), axis=0)
    row[:, 1] = line
    mass = np.exp(g.log_prob(np.repeat(codes[:1], len(line), axis=0), row)).sum() * step
    assert found[0, 2] == pytest.approx(found[0, -1] - np.log(mass), abs=1e-3)


def test_surprises_of_draws_have_mean_0(density):
    found = density.answering.surprises(*arrays(density, density.sample(10_000, rng=5)))
    error = found.std(axis=0) * np.sqrt(1 / len(found) + 1 / 4000)
    assert (np.abs(found.mean(axis=0)) < 4 * error).all()


def test_the_cell_that_was_changed_is_found(density):
    table = {name: np.array(values) for name, values in dict(density.sample(4, rng=3)).items()}
    table["income"][1], table["rain"][2], table["age"][3] = 4000.0, 1e-5, 40
    found = density.explain(table)
    assert found.names == density.schema_.names
    assert found.worst[1:4] == ["income", "rain", "age"]
    np.testing.assert_allclose(found.log_p, density.log_prob(table))
    tried = np.sum(~np.isnan(found.gains), axis=1)
    assert (tried == 3).all() and (found.gains[~np.isnan(found.gains)] >= 0).all()
    better = {**table, "income": np.where(np.arange(4) == 1, found.values[2], table["income"])}
    gain = density.log_prob(better)[1] - found.log_p[1]
    assert found.gains[1, 2] == pytest.approx(gain, rel=0.02) and found.values[2][1] < 100
    assert found.values[1][3] in range(10) and found.values[3][0] == table["rain"][0]


def test_odd_and_missing_cells_are_explained_too(density):
    """An odd cell is infinitely surprising; the others of its row are explained without it."""
    row = {"city": "Bern", "age": 1, "income": 1.0, "rain": 0.0, "smokes": True}
    table = {name: [value] * 6 for name, value in row.items()}
    table["income"], table["city"] = (
        [-1.0, np.nan, 1.0, 1.0, 1.0, np.nan],
        ["Bern"] * 4 + ["x", None],
    )
    table["age"] = [1, 1, 1, -1, 1, np.nan]
    table["rain"], table["smokes"] = [0.0] * 5 + [np.nan], [True] * 5 + [None]
    found = density.explain(table)
    assert [found.worst[i] for i in (0, 3, 4, 5)] == ["income", "age", "city", None]
    assert np.isinf(found.gains[0, 2]) and np.isinf(found.surprise[3, 1])
    assert found.values[2][0] > 0 and found.values[1][3] in range(10)
    assert np.isneginf(found.log_p[[0, 3]]).all() and np.isnan(found.log_p[[1, 5]]).all()
    np.testing.assert_allclose(found.surprise[0, [0, 1, 3, 4]], found.surprise[1, [0, 1, 3, 4]])
    assert np.isnan(found.gains[1]).all() and np.isnan(found.surprise[[1, 5], 2]).all()
    score = density.outlier_score(table)
    assert np.isinf(score[[0, 3]]).all() and np.isnan(score[5])
    assert np.isfinite(score[[1, 2, 4]]).all() and score[4] > score[2] + 3  # never seen


def test_categories_alone_are_explained():
    """By a mixture of classes: near p(c_j | the others), exact by sums over all values."""
    codes, _, _ = categories()
    table = {
        name: column.astype(str).astype(object)
        for name, column in zip("abcd", codes.T, strict=True)
    }
    learned = fit_table(table)
    odd = {name: values[:200].copy() for name, values in table.items()}
    odd["b"][:100] = [str((int(value) + 1) % 3) for value in odd["a"][:100]]
    found, p = learned.explain(odd), learned.categories_
    own = learned.encoding.encode(learned.schema_.select(odd))[0]
    exact = np.empty(found.surprise.shape)
    for j, size in enumerate((3, 3, 4, 2)):
        every = np.repeat(own, size, axis=0)
        every[:, j] = np.tile(range(size), len(own))
        every = p.log_prob(every).reshape(len(own), size)
        exact[:, j] = np.logaddexp.reduce(every, axis=1) - p.log_prob(own)
    for j in range(3):
        assert np.corrcoef(found.surprise[:, j], exact[:, j])[0, 1] > 0.8
    assert np.isfinite(learned.outlier_score(odd)).all()


def test_dates_are_explained():
    rng = RNG(0)
    days = np.datetime64("2020-01-01") + rng.integers(0, 300, 400)
    table = pd.DataFrame({"day": days, "month": days.astype("datetime64[M]").astype(int) % 12})
    learned = fit_table(table, Schema.from_data(table), learn=normal)
    odd = table[:3].copy()
    odd.loc[1, "day"] = pd.Timestamp("2090-01-01")
    found = learned.explain(odd)
    assert found.worst[1] == "day" and found.gains[1, 0] > 3
    assert pd.Timestamp(found.values[0][1]).year in (2019, 2020, 2021)


def test_wrong_cells_and_clusters_have_high_outlier_scores():
    rng = RNG(0)
    a = rng.normal(size=600)
    x = np.column_stack([a, a + 0.3 * rng.normal(size=600), rng.normal(size=600)])
    x[:15, 1] -= 3 * np.sign(x[:15, 0])  # wrong cells
    x[15:30] = [3, 2, -3] + 0.03 * rng.normal(size=(15, 3))  # a narrow cluster
    density = fit_table(
        x, Schema.from_data(x), learn=fc.FlowDensity("modes", budget=2e-3, n_jobs=1)
    )
    scores, density_alone = density.outlier_score(x), -density.log_prob(x)
    limit = np.quantile(scores[30:], 0.95)
    assert (scores[:15] > limit).mean() > 0.7 and (scores[15:30] > limit).mean() > 0.9
    assert (density_alone[15:30] > np.quantile(density_alone[30:], 0.95)).mean() < 0.5


# ------------------------------------------------------------------------ FlowImputer

QUICK = fc.FlowDensity("affine", budget=1e-3, n_jobs=1, random_state=0)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_explanations_do_not_depend_on_units(unit):
    """A number with atoms: its density has a unit, which the probability of an atom has not."""
    X = rows(400)
    table = {"rain": X["rain"], "income": X["income"] * np.exp(X["rain"])}
    gains = []
    for scale in (1.0, unit):
        own = {**table, "rain": scale * table["rain"]}
        schema = Schema.from_data(own).edit(rain="positive atoms(0)", income="positive")
        learned = fit_table(own, schema, learn=normal)
        found = learned.explain({name: values[:80] for name, values in own.items()})
        gains.append(found.gains)
        assert ((np.array(found.values[0]) == 0) == (own["rain"][:80] == 0)).all()
    assert gains[1] == pytest.approx(gains[0], abs=0.05)


@pytest.mark.parametrize("names", [(1, 5, 3), ("a", 1, -2)])
def test_integer_names_come_back_as_integers(names, tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 3))
    table = pd.DataFrame(x, columns=names)
    gaussian = fc.MultivariateNormalDiag([0, 1, 2], 1.0)
    fc.save(fit_table(table, learn=lambda x, **_: gaussian), tmp_path / "m.npz")
    density = fc.load(tmp_path / "m.npz")
    draws = density.sample(7, rng=0)
    assert pd.concat([table, draws]).shape == (57, 3) and tuple(draws.columns) == names
    given = density.given({names[1]: 0.0})
    assert given.columns == [names[0], names[2]] and (given.sample(3, rng=0)[names[1]] == 0).all()
    holes = table.mask(table > 1)
    (filled,) = density.impute(holes, 1).tables
    assert filled.where(holes.notna()).equals(holes) and filled.notna().all(axis=None)
    reordered = table[[names[2], names[0], names[1]]]  # names are compared as text, as in old files
    for other in (reordered, reordered.rename(columns=str)):
        np.testing.assert_array_equal(density.log_prob(other), gaussian.log_prob(x))
    reordered.assign(b="x").rename(columns=str).to_parquet(tmp_path / "t.parquet")
    (frame,) = read_blocks(tmp_path / "t.parquet", schema=density.schema)
    np.testing.assert_array_equal(density.log_prob(frame), gaussian.log_prob(x))


def test_a_known_value_off_the_grid_is_refused_where_rows_are_rounded():
    rooms = Column("rooms", Kind("integer", 1.0, 0.0), rounded=True)
    density = TableDensity.of(Schema((rooms, Column("x", Kind("continuous")))), fc.Normal(2))
    with pytest.raises(ValueError, match=r"column 'rooms' is 1\.5, which is not on the grid"):
        density.given({"rooms": 1.5})


def test_an_array_is_asked_by_places():
    x = RNG(0).normal(size=(300, 3))
    x[:, 2] += x[:, 1]
    learned = fit_table(x, Schema.from_data(x), learn=normal)
    assert learned.given({1: 1.0}).mean()[2] == pytest.approx(1.0, abs=0.3)
    assert learned.given({1: (1.0, 2.0), 0: 0.0}).sample(50, rng=0)[:, 1].min() >= 1 - 1e-9
    report = fc.diagnose(learned, RNG(1).normal(size=(60, 3)), hide=0.3, rng=0)
    assert report.of("coverage")


def test_quantiles_and_gaps_of_ranges(density):
    answer = density.given({"rain": (-1.0, 2.0)}, n_draws=400)
    assert answer.quantiles([0.0])["rain"][0] >= 0 and answer.quantiles([1.0])["rain"][0] <= 2
    X = {name: values[:2] for name, values in rows().items()}
    X["age"], X["rain"] = [1.0, np.nan], [0.5, 0.5]
    ages = density.given({"age": (0, 3)}).log_prob(X)
    assert np.isfinite(ages[0]) and np.isnan(ages[1])
    assert density.given({"age": (2, 4)}).log_prob(X | {"age": [5, 5]}).tolist() == [-np.inf] * 2
    with pytest.raises(ValueError, match="an end is missing: write -inf or inf"):
        density.given({"income": (0.5, None)})


def test_samples_have_constants_whatever_is_known():
    table = {"k": ["x"] * 60, "a": RNG(0).normal(size=60), "b": RNG(1).normal(size=60)}
    schema = Schema.from_data(table).edit(k="aside", a="continuous", b="continuous")
    learned = fit_table(table, schema, learn=normal)
    assert list(learned.sample(2, 0)) == list(learned.given({"a": 0.1}).sample(2, 0)) == [*"kab"]


def normal(x, context=None, sample_weight=None, rng=0):
    """The Gaussian of the numbers, whatever the categories are."""
    factor = np.linalg.cholesky(np.atleast_2d(np.cov(x, rowvar=False, aweights=sample_weight)))
    return fc.MultivariateNormalMixture([np.average(x, axis=0, weights=sample_weight)], [factor])


def imputer(**options):
    options = {"bootstraps": 0} | options
    return fc.FlowImputer(TableDensity(learn=normal, missing="drop"), **options)


@pytest.mark.slow
@pytest.mark.usefixtures("few_epochs")
@parametrize_with_checks([fc.FlowImputer(QUICK, bootstraps=1, add_indicator=True)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def people(n=300, seed=0, share=0.1):
    rng = RNG(seed)
    X = pd.DataFrame({"height": rng.normal(170, 8, n), "sex": rng.choice(["f", "m"], n)})
    X["weight"] = X["height"] - 100 + rng.normal(0, 5, n)
    X["kids"] = rng.integers(0, 40, n)
    X.index = X.index + 7
    return X.mask(rng.random(X.shape) < share), X


def test_an_imputer_fills_cells_as_well_as_regression_does():
    holes, X = people()
    found = imputer().fit_transform(holes)
    assert isinstance(found, pd.DataFrame) and (found.index == X.index).all()
    assert not found.isna().any().any() and [*found.columns] == [*X.columns]
    pd.testing.assert_frame_equal(found.where(holes.notna()), holes, check_dtype=False)
    gone = holes["weight"].isna() & holes["height"].notna()
    error = (found["weight"] - X["weight"])[gone]
    assert error.abs().mean() < 1.3 * 5 * np.sqrt(2 / np.pi)  # of a normal with deviation 5
    assert (found["kids"] % 1 == 0).all() and set(found["sex"]) == {"f", "m"}
    again = imputer().fit(holes)
    pd.testing.assert_frame_equal(again.transform(holes[:60]), found[:60])


def test_a_cell_that_is_filled_once_is_the_middle_of_its_draws():
    """Of days that are text, too: the middle in time."""
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG(0).integers(0, 700, 200), "D")
    X = pd.DataFrame({"n": RNG(1).poisson(30, 200), "x": RNG(2).normal(size=200), "day": days})
    X["day"] = X["day"].dt.strftime("%d.%m.%Y")
    X = X.astype({"n": float}).mask(np.vstack([np.eye(3)] * 4 + [np.zeros((188, 3))]) > 0)
    fitted = imputer().fit(X)
    once, draws = fitted.transform(X), fitted.sample(200, X[:12])
    for i, name in enumerate([*X] * 4):
        cells = pd.Series([once.iloc[i][name], *(table.iloc[i][name] for table in draws)])
        cells = pd.to_datetime(cells, dayfirst=True) if name == "day" else cells
        assert abs((cells < cells[0]).mean() + (cells <= cells[0]).mean() - 1) < 0.35, name


def test_completed_tables_differ_where_cells_were_missing():
    holes, _ = people(100)
    fitted = imputer().fit(holes)
    tables = fitted.sample(4, holes, rng=0)
    assert len(tables) == 4 and all(type(table) is pd.DataFrame for table in tables)
    seen = holes.notna()
    for table in tables:
        pd.testing.assert_frame_equal(table.where(seen), holes, check_dtype=False)
    assert (tables[0]["height"] != tables[1]["height"])[~seen["height"]].all()
    pd.testing.assert_frame_equal(fitted.sample(2, holes)[0], fitted.sample(2)[0])  # of fit


def test_tables_are_drawn_from_bootstrapped_densities_in_turn(monkeypatch):
    holes, _ = people(100)
    fitted, used = imputer(bootstraps=2).fit(holes), []
    means = [own.density_.means for own in (fitted.density_, *fitted.bootstrapped_)]
    assert all((a != b).all() for a, b in itertools.combinations(means, 2))
    monkeypatch.setattr(
        "flowcore.tables.imputer.answers_of",
        lambda own, X, n, *rest: used.append((own, n)) or answers_of(own, X, n, *rest),
    )
    assert len(fitted.sample(5)) == 5
    assert used == [(own, n) for own, n in zip(fitted.bootstrapped_, (3, 2), strict=True)]


def rubin(seeds, n=150, m=10, amount=False):
    """Which 95% intervals cover the mean and the slope, as in `intervals`, for the Gaussian that
    the library fits; and the slopes of the completed tables less that of the complete rows.

    amount: the column is exp(y), and so is its mean; the slope is that of y.
    """
    covered, apart = [], []
    for seed in seeds:
        rng = RNG(seed)
        x = rng.normal(size=n)
        y = 0.8 * x + 0.6 * rng.normal(size=n)
        y[rng.random(n) < 1 / (1 + np.exp(-1.5 * x))] = np.nan
        learn = TableDensity(learn=its_gaussian, missing="drop")
        holes = np.column_stack([x, np.exp(y) if amount else y])
        tables = fc.FlowImputer(learn, random_state=seed).fit(holes).sample(m)
        own = np.array(tables)[:, :, 1]
        fits = [stats.linregress(x, np.log(t) if amount else t) for t in own]
        for truth, found, within in (
            (np.exp(0.5) if amount else 0, own.mean(axis=1), own.var(axis=1, ddof=1) / n),
            (0.8, [fit.slope for fit in fits], [fit.stderr**2 for fit in fits]),
        ):
            between = (1 + 1 / m) * np.var(found, ddof=1)
            total, df = np.mean(within) + between, (m - 1) * (1 + np.mean(within) / between) ** 2
            t = stats.t(df).ppf(0.975)
            covered.append(abs(np.mean(found) - truth) < t * np.sqrt(total))
        known = ~np.isnan(y)
        apart.append(np.mean(found) - stats.linregress(x[known], y[known]).slope)
    return np.reshape(covered, (-1, 2)).mean(axis=0), np.mean(apart)


def its_gaussian(x, context=None, sample_weight=None, rng=0):
    return fc.MultivariateNormalMixture.from_data(x, 1, sample_weight)


@pytest.mark.slow
@pytest.mark.parametrize(("amount", "least"), [(False, 0.87), (True, 0.75)])
def test_intervals_of_the_librarys_own_gaussian_cover(monkeypatch, amount, least):
    """With the proposal of a single component, which is enough for weights of a Gaussian.

    For amounts, of which the largest are missing, the mean of 150 is far from normal.
    """
    monkeypatch.setattr("flowcore.tables.proposal.DRAWS", (2000, 2000))
    monkeypatch.setattr("flowcore.tables.proposal.COMPONENTS", (1, 1))
    (mean, slope), apart = rubin(range(60), amount=amount)
    assert mean > least and slope > 0.85 and abs(apart) < 0.02


def test_indicators_and_words_for_missing_cells():
    holes, _ = people(100)
    coded = holes.fillna({"height": -1.0, "weight": -1.0, "kids": -1.0}).drop(columns="sex")
    fitted = imputer(missing_values=-1.0, add_indicator=True).fit(coded)
    found = fitted.transform(coded)
    names = ["height", "weight", "kids"]
    assert [*found.columns] == [*names, *(f"missingindicator_{name}" for name in names)]
    assert (found["missingindicator_kids"] == holes["kids"].isna()).all()
    assert (found[names] != -1).all().all()
    array = fitted.set_output(transform="pandas").transform(coded)
    assert [*array.columns] == [*fitted.get_feature_names_out()]
    bare = imputer(add_indicator=True).fit(holes[names].to_numpy())
    assert bare.transform(holes[names].to_numpy()).shape == (100, 6)
    assert bare.get_feature_names_out().tolist()[-1] == "missingindicator_x2"


def test_columns_of_one_value_are_filled_with_it():
    X = np.column_stack([np.full(50, 4.0), RNG(0).normal(size=(50, 2))])
    X[3, 0] = X[4, 1] = np.nan
    found = imputer().fit_transform(X)
    assert found[3, 0] == 4.0 and np.isfinite(found).all()
    assert fc.FlowImputer().fit_transform([[1.0], [np.nan], [1.0]]).tolist() == [[1.0]] * 3


def test_a_sign_for_missing_cells_may_be_one_of_a_library():
    table = pd.DataFrame({"a": [1.0, 2.5, None, 0.5] * 10, "b": RNG(0).normal(size=40)})
    filled = imputer(missing_values=pd.NA).fit_transform(table)
    assert not np.isnan(np.asarray(filled, float)).any()


def test_categories_that_were_never_seen_are_named(density):
    """In rows with holes, as `given` does."""
    X = pd.DataFrame(rows(3)).assign(city="Paris", income=np.nan)
    for ask in (density.impute, lambda X: density.log_prob(X, missing="marginal")):
        with pytest.warns(UserWarning, match="column 'city' never was 'Paris' in fit"):
            ask(X)


def test_bad_tables_for_an_imputer():
    holes, X = people()
    numbered = X.assign(id=np.arange(300.0))
    numbered.loc[9, "id"] = np.nan
    every = X.assign(height=X["height"].where(np.arange(300) % 2 == 0),
                     weight=X["weight"].where(np.arange(300) % 2 == 1))  # fmt: skip
    fitted = imputer(add_indicator=True).fit(holes.assign(sex=X["sex"]))
    for fit, table, message in (
        (imputer().fit, X.assign(weight=np.nan), "column 'weight' has no values: leave it out"),
        (imputer().fit, holes[["height", "weight", "height"]], "have the same name: .*'height'"),
        (imputer().fit, every, "every row misses a value: .* pass missing='learn'"),
        (imputer().fit, numbered, "column 'id' is set aside"),
        (fc.FlowImputer(7).fit, holes, "density is a TableDensity or a FlowDensity: got 7"),
        (imputer().fit, dict(holes), r"write pandas\.DataFrame"),
        (fitted.transform, holes.rename(columns={"kids": "children"}), "feature names"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            fit(table)
    with pytest.warns(UserWarning, match="column 'sex' had no missing cell in fit"):
        fitted.transform(holes)
    assert pickle.loads(pickle.dumps(fitted)).indicated_ == ["height", "weight", "kids"]
