"""`diagnose`: silent about densities that are right, and not about wrong ones."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.axes import Axes
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.flows import Opaque

import flowcore as fc
from flowcore import diagnose
from flowcore.diagnosis.density import AnyDensity, Draws, GivenRows, draws_of
from flowcore.diagnosis.findings import Finding, adjusted, holm, nats
from flowcore.diagnosis.hidden import _coverage, _findings
from flowcore.diagnosis.likelihood import _baselines, baselines, worst_row
from flowcore.diagnosis.shares import _compared, _together
from flowcore.diagnosis.tests import (
    Row,
    classifier,
    correlation,
    ranks,
    tails,
    uniformity,
    worst_rows,
)
from flowcore.diagnosis.uniforms import conditionals, uniforms
from flowcore.tables import Column, Kind, Schema, TableDensity, fit_table
from flowcore.tables.categorical import CategoricalMixture
from flowcore.testing import randomize

pytestmark = pytest.mark.usefixtures("few_folds")

RNG = np.random.default_rng
QUICK = {"draws": 1000}


def faults(found):
    """The kinds of the findings that speak against a density."""
    return {one.kind for one in found.findings if one.fault}


def flow(dim=3, layers=2, rng=0, **options):
    recipe = fc.flows.maf(dim, layers=layers, hidden=[16], rng=rng, **options)
    return randomize(recipe, scale=0.5, rng=rng)


def normal(n=250, dim=2, rng=0):
    return RNG(rng).standard_normal((n, dim))


# ---------------------------------------------------------------------------- end to end


def test_bartletts_test_needs_two_coordinates_and_some_rows():
    """2 D + 20 rows, for its approximation."""
    u = np.random.default_rng(0).random((24, 2))
    found = [len(correlation(own)) for own in (u, u[:23], u[:, :1])]
    assert found == [1, 0, 0]


def test_nothing_speaks_against_the_truth():
    truth = flow()
    x, train = truth.sample(500, rng=1), truth.sample(500, rng=2)
    found = diagnose(truth, x, train, names=["a", "b", "c"], **QUICK)
    assert found.trusted and "on half of the rows" not in str(found)
    assert found.mean == pytest.approx(truth.log_prob(x).mean())
    (gap,) = found.of("overfitting")
    assert gap.effect == pytest.approx(truth.log_prob(train).mean() - found.mean)
    assert {one.kind for one in found.findings if not one.held_out} == {"overfitting"}
    assert [one.name for one in found.of("latents")] == ["KS of z_1", "KS of z_2", "KS of z_3"]
    assert [sum(one.counts) for one in found.of("columns")] == [500] * 3


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda x: x + np.array([0.5, 0]), "columns"),
        (lambda x: x * [1, 1.6], "columns"),
        (lambda x: np.c_[x[:, 0], 0.8 * x[:, 0] + 0.6 * x[:, 1]], "classifier"),
        (lambda x: np.c_[x[:, 0], 0.8 * x[:, 0] + 0.6 * x[:, 1]], "correlation"),
        (lambda x: 1.5 * x, "level"),
        (lambda x: np.vstack([x[:-5], x[-5:] * 10]), "tails"),
        (lambda x: np.vstack([x[:-1], [[0, 200]]]), "worst row"),
        (lambda x: x.round(), "gridded"),
    ],
)
def test_wrong_densities_are_found_out(change, kind):
    found = diagnose(fc.Normal(2), change(normal()), **QUICK)
    assert kind in faults(found) and found.advice


def test_the_column_that_is_wrong_is_named():
    heavy = normal(1500, dim=2)
    heavy[:, 1] = 1e-3 * RNG(5).standard_t(2, 1500)  # whatever its unit is
    found = diagnose(fc.MultivariateNormalDiag([0, 0], [1, 1.5e-3]), heavy, names=["age", "pay"],
                     draws=5000)  # fmt: skip
    (sentence,) = (one.sentence for one in found.of("columns") if one.fault)
    assert sentence.startswith("The density puts too little mass in the tails of `pay` (KS 0.")
    assert {row.column for row in found.worst[:5]} == {"pay"}
    absent, log_p = np.array([[np.nan, 1.0]]), np.zeros(1)
    (row,) = worst_rows(np.array([[9.0, 1.0]]), absent, log_p, normal(), log_p, "ab", [0])
    assert row.value == 1  # never a number that is not there
    assert 'base="student_t"' in " ".join(found.advice)


def test_a_density_that_learned_its_rows_by_heart():
    train, x = normal(40, rng=1), normal(200, rng=2)
    spikes = fc.GaussianMixture(train, 0.05)
    found = diagnose(spikes, x, train, **QUICK)
    assert {"overfitting", "baselines"} <= faults(found) and found.of("overfitting")[0].effect > 10


@pytest.mark.parametrize("unit", [1e-200, 1e300])
def test_units_do_not_matter(unit):
    """Squares of such numbers are no floats, or 0."""
    x, train = normal(rng=1), normal(rng=2)
    for learn in (None, train):
        plain, scaled = (
            diagnose(fc.MultivariateNormalDiag([0, 0], u), u * x,
                     None if learn is None else u * learn, **QUICK)
            for u in (1.0, unit)
        )  # fmt: skip
        assert faults(scaled) == faults(plain)
        for one, other in zip(plain.of("baselines"), scaled.of("baselines"), strict=True):
            assert other.effect == pytest.approx(one.effect, abs=1e-6)


COPIES = r"X_held_out has 300 rows, but only \d+ different ones, .*bootstrap"


def test_rows_that_repeat_count_once_and_are_a_warning():
    """Copies in both halves of the classifier, and in every rank, spoke against the truth."""
    x = normal(100)
    x[4] *= 30
    with pytest.warns(UserWarning, match=COPIES):
        found = diagnose(fc.Normal(2), np.repeat(x, 3, axis=0), **QUICK)
    assert found.n == 100 and found.mean == pytest.approx(fc.Normal(2).log_prob(x).mean())
    assert found.worst[0].index == 12 and found.of("tails")[0].rows == (12,)  # as they are numbered
    assert "Row 12 alone" in str(found)
    x = np.vstack([normal(270), normal(30)])
    with pytest.warns(UserWarning, match=COPIES):
        assert diagnose(fc.Normal(2), x, **QUICK).n == 270
    x = np.vstack([normal(295), normal(5)])  # a few copies: no word
    assert diagnose(fc.Normal(2), x, **QUICK).n == 295
    given, c = flow(2, context_dim=1), normal(300, 1)
    assert diagnose(given, np.repeat(x[:150], 2, axis=0), context=c, **QUICK).n == 300


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_copies_because_of_a_grid_are_rows(digits):
    """One column, rounded: draws that are rounded repeat as well."""
    x = normal(3000, dim=1).round(digits)
    found = diagnose(fc.Normal(1), x, **QUICK)
    assert found.n == 3000 and found.trusted == (digits > 1)


def test_rows_outside_of_the_support_are_named():
    box = fc.Uniform(2, -1.0, 1.0)
    inside = RNG(0).uniform(-1, 1, (200, 2))
    x = np.vstack([inside, inside[:3], [[3.0, 0.0]]])  # copies count once, and rows keep numbers
    found = diagnose(box, x, **QUICK)
    assert found.mean == -np.inf and np.isnan(found.standard_error)
    assert found.of("support")[0].rows == (203,) and found.worst[0].index == 203
    assert "+ Training" not in str(found) and "fc.Exp" in " ".join(found.advice)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["mean"] is None


def test_samples_of_another_density_than_log_prob():
    found = diagnose(Opaque(fc.Normal(2), fc.Laplace(2)), normal(1000), **QUICK)
    assert not found.of("latents") and not found.trusted


def test_contexts():
    """x = c + noise: right given its own context; of another row's it is not."""
    made = fc.MADE(2, [8], context_dim=1, rng=0)
    truth = randomize(fc.TransformedDistribution(fc.Normal(2), fc.MaskedAutoregressiveFlow(made)))
    context = 2 * normal(300, dim=1)
    x = truth.sample(1, rng=1, context=context)[0]
    found = diagnose(truth, x, context=context, **QUICK)
    assert found.trusted and found.draws >= 19 * 300
    assert [one.name for one in found.of("latents")] == ["KS of x_2 given others"]
    train = GivenRows(truth.sample(1, rng=2, context=context)[0], context)
    wrong = diagnose(truth, x, train.x, context=context[::-1], context_train=context, **QUICK)
    assert not wrong.trusted and "given `x_1`" in wrong.of("latents")[0].sentence


def test_draws_are_given_the_context_of_their_own_row(monkeypatch):
    """Of every fourth row, if only 50 may have draws; and of none that has draws at infinity."""
    monkeypatch.setitem(draws_of.__globals__, "MOST_ROWS", 50)
    c = np.linspace(1.2, -1.0, 200)[:, None]
    copied = SimpleNamespace(
        sample=lambda n, rng, context: np.where(context > 1, np.inf, context)[None]
    )
    found = draws_of(AnyDensity(copied, 1), GivenRows(c, c), 1000, RNG(0))
    assert found.index.tolist() == [k for k in range(0, 200, 4) if c[k] <= 1]
    assert (found.x == c[found.index, None]).all()


def test_estimators_of_scikit_learn():
    from sklearn.mixture import GaussianMixture
    from sklearn.neighbors import KernelDensity

    x = normal(600)
    for estimator in (GaussianMixture(1, random_state=0), KernelDensity(bandwidth=0.3)):
        found = diagnose(estimator.fit(x[:300]), x[300:], x[:300], **QUICK)
        assert found.density == type(estimator).__name__ and "columns" not in faults(found)
    mixture = GaussianMixture(2, random_state=0).fit(np.vstack([x, x + 9]))
    drawn = AnyDensity.of(mixture, x).sample(400, RNG(0))  # it returns one component, then another
    assert abs(drawn[:200].mean() - drawn[200:].mean()) < 3


class NotFinite(Opaque):
    def __init__(self, wild):
        super().__init__(fc.Normal(2))
        self.wild = wild

    def sample(self, n, rng=None):
        x = self.density.sample(n, rng)
        x[: round(self.wild * n)] = np.inf
        return x


def weather(n=600, seed=0):
    """Rain, 57% of it 0, wind, and two categories that go together."""
    rng = RNG(seed)
    wet, coast = rng.random(n) > 0.57, rng.random(n) < 0.4
    return {
        "rain": np.where(wet, np.exp(rng.normal(1, 0.5, n)), 0.0),
        "wind": rng.normal(5, 1, n),
        "place": np.where(coast, "coast", "hill"),
        "boat": np.where(coast ^ (rng.random(n) < 0.05), "yes", "no"),
    }


def normal_given(x, context=None, sample_weight=None, rng=0):
    """Each number normal, and independent of all else."""
    return fc.GaussianMixture([x.mean(axis=0)], [x.std(axis=0)])


def of_weather(table=None, **kinds):
    table = weather(seed=1) if table is None else table
    schema = Schema.from_data(table).edit(**kinds)
    density = TableDensity(schema, normal_given).fit(table)
    density.categories_ = CategoricalMixture([1.0], density.categories_.counts)  # nearly as counted
    return density


def shares_of(found):
    return {one.name: one for one in found.of("shares")}


def test_the_shares_of_a_table_that_is_right():
    """Where rain is not there its place is filled by any z: none of that has density 0."""
    density = of_weather(rain="positive atoms(0)")
    found = diagnose(density, weather(seed=2), weather(seed=1), **QUICK)
    assert not faults(found) & {"shares", "range", "support"} and np.isfinite(found.mean)
    assert found.of("range")[0].name == "draws out of range: rain"
    *each, pair = (one.name for one in found.of("shares"))
    assert [name.split(":")[0] for name in each] == [f"share of {own}" for own in (
        "rain", "place", "boat")] and ", " in pair  # fmt: skip
    (value, rows, draws), (other, *_) = shares_of(found)["share of rain: 0"].levels
    assert (value, other) == ("0", "other") and abs(rows - 0.57) < 0.05 > abs(draws - 0.57)
    assert "No share of a value differs" in str(found) and "Draws do not leave" in str(found)
    assert np.isnan(found.rows[:, 0]).mean() > 0.4 and np.isnan(found.drawn[:, 0]).mean() > 0.4
    assert np.nanmin(found.rows[:, 0]) > 0 and np.nanmin(found.drawn[:, 0]) > 0


@pytest.mark.parametrize("kind", ["positive atoms(0)", "continuous", "integer(0)", "categorical"])
def test_log_p_is_that_of_log_prob(kind):
    """A table's was that of its numbers, on the line, noise in place of zeros included."""
    tables = [weather(n, seed) for n, seed in ((300, 2), (400, 1))]
    if kind in ("integer(0)", "categorical"):
        tables = [table | {"rain": np.ceil(table["rain"])} for table in tables]
    if kind == "categorical":
        tables = [{name: table[name].astype(str) for name in ("rain", "boat")} for table in tables]
    density = of_weather(tables[1], rain=kind)
    found = diagnose(density, *tables, **QUICK)
    log_p, of_train = map(density.log_prob, tables)
    assert (found.mean, found.median) == (log_p.mean(), np.median(log_p))
    mean = nats(log_p.mean(), log_p.std(ddof=1) / np.sqrt(300))
    where = f"300 held-out rows of {len(tables[0])} columns"
    assert found.headline.startswith(f"Mean log p {mean} nats on {where}")
    for row in found.worst:
        assert row.log_p == log_p[row.index]
    for gap in found.of("overfitting"):
        assert gap.effect == pytest.approx(of_train.mean() - log_p.mean())
    assert len(found.worst) == 8 * (kind != "categorical")


@pytest.mark.parametrize("kind", [
    "positive atoms(0)", pytest.param("positive", marks=pytest.mark.slow)])  # fmt: skip
def test_the_gain_over_a_gaussian_is_the_one_that_a_fit_prints(kind):
    """With zeros it was a tenth of it: another Gaussian, which had learned their noise, too."""
    train, held_out = (weather(600, seed) for seed in (1, 2))
    if kind == "positive":
        for table in (train, held_out):
            table["rain"] = np.exp(table["wind"] * RNG(3).normal(size=600) / 4)
    learn = fc.FlowDensity("small", budget=1e-3, n_jobs=1, random_state=0)
    density = fit_table(train, Schema.from_data(train).edit(rain=kind), learn=learn)
    gaussian, total = density.summary.candidates[0], density.summary.density
    (gain, *_) = diagnose(density, held_out, train, **QUICK).of("baselines")
    assert gain.name == "gain over a Gaussian"
    error = np.sqrt(gain.error**2 + total.error**2)
    assert gain.effect == pytest.approx(total.score - gaussian.score, abs=3 * error)
    (half, *_) = diagnose(density, held_out, **QUICK).of("baselines")
    assert half.name == "gain over a Gaussian (half)"  # of other rows: another number


def test_a_commonest_value_that_is_not_drawn_and_draws_out_of_range():
    found = diagnose(of_weather(), weather(), **QUICK)
    zeros = shares_of(found)["share of rain: 0"]
    assert (
        zeros.fault
        and "`rain` is 0 in 5" in zeros.sentence
        and "in 0.0% of the draws" in str(found)
    )
    assert "pass schema.edit({'rain': 'positive atoms(0)'})" in str(found)
    wide = Column("wind", Kind("continuous"), low=0.01)
    wide = TableDensity.of(Schema((wide,)), fc.StudentT(1, 2.0))
    found = diagnose(wide, {"wind": np.abs(normal(200)[:, 0])}, **QUICK)
    (wind,) = found.of("range")
    assert wind.fault and 0.5 < wind.effect < 0.6 and "% below" in wind.sentence
    assert "pass schema.edit({'wind': 'positive'})" in str(found)


def test_columns_that_are_large_together():
    """Rows whose four columns are large together, and a density that does not know it."""
    schema = Schema(tuple(Column(name, Kind("continuous")) for name in "abcd"))
    alike = fc.MultivariateNormalMixture([np.zeros(4)], [np.linalg.cholesky(
        0.8 + 0.2 * np.eye(4))])  # fmt: skip
    rows = dict(zip("abcd", alike.sample(1500, rng=0).T, strict=True))
    found = diagnose(TableDensity.of(schema, fc.Normal(4)), rows, **QUICK).of("together")
    assert [(one.fault, one.name.split(", ")[1]) for one in found] == [(True, "90%"), (True, "97%")]


@pytest.mark.parametrize("many", [10, 2])
def test_those_large_together_are_counted(many):
    """Of 500 rows and 500 draws 100 are high in each of three columns, 12 of them in all."""
    x = RNG(0).random((1000, 3)) / 2
    x[500 - many : 512 - many] += 1
    for j in range(3):
        x[100 * j : 100 * j + 88, j] += 1
    assert _together(x[:, :1], 500, 0.9) is None
    found = _together(x, 500, 0.9)
    law = stats.hypergeom(1000, 12, 500)
    assert found.p == pytest.approx(2 * min(law.cdf(many), law.sf(many - 1)))
    where = f"{many / 500:.2%} of the rows ({many}), and in {(12 - many) / 500:.2%} of the draws."
    assert found.sentence == (
        f"3 of 3 columns of numbers are above their 90% quantiles together in {where}"
    )


def test_categories_that_are_drawn_apart_or_have_other_shares():
    table = weather(seed=1)
    apart = table | {"boat": RNG(0).permutation(table["boat"])}
    found = diagnose(of_weather(apart, rain="positive atoms(0)"), weather(), **QUICK)
    (pair,) = (one for one in found.of("shares") if one.fault)
    assert "`place` is" in pair.sentence and " and `boat` is" in pair.sentence
    others = weather()
    others["place"][:60], others["boat"][60:120] = "island", "no"
    found = diagnose(of_weather(rain="positive atoms(0)"), others, **QUICK)
    assert "`place` is a new value in 10.0% of the rows" in str(found)
    assert {one.name for one in found.findings if one.fault} > {"share of place: a new value"}


@pytest.mark.parametrize(("n_values", "tests"), [(2, 1), (3, 3)])
def test_each_value_is_a_test_but_for_two_which_are_one(n_values, tests):
    codes = RNG(0).choice(n_values, size=300)
    codes[:12] = 0  # of 40 rows
    k, i = (np.bincount(own, minlength=n_values) for own in (codes, codes[:40]))
    each = [stats.hypergeom(300, own, 40) for own in k]
    p = min(2 * min(law.cdf(n), law.sf(n - 1)) for law, n in zip(each, i, strict=True))
    found = _compared({"a": (np.array(["a", "b", "c"][:n_values]), codes)}, ["a"], 40)
    assert found.p == pytest.approx(tests * p) and found.p < 1


@pytest.mark.parametrize("count, looked_at", [(9, False), (10, True)])
def test_a_value_of_fewer_than_ten_is_not_looked_at(count, looked_at):
    """Among 1,000 rows and 1,000 draws; only rows have the value c."""
    own = np.tile(["a", "b"], 1000)
    own[:count] = "c"
    found = _compared({"x": np.unique(own, return_inverse=True)}, ["x"], 1000)
    assert (found.name == "share of x: c") == looked_at
    assert _compared({"a": (np.array(["", "b"]), np.zeros(30, int))}, ["a"], 10) is None


def test_draws_that_are_not_finite():
    found = diagnose(NotFinite(0.01), normal(), **QUICK)
    assert found.of("draws")[0].effect == 10 and faults(found) == {"draws"}
    with pytest.raises(ValueError, match=r"500 of 1,000 draws of the density are not finite"):
        diagnose(NotFinite(0.5), normal(), **QUICK)


BAD = {
    "few rows": ((normal(9),), {}, "9 rows: at least 10 are needed"),
    "dim": ((normal(dim=3),), {}, r"X_held_out has shape \(250, 3\), but the flow has dim 2"),
    "dim of X_train": ((normal(), normal(dim=3)), {}, r"X_train has shape \(250, 3\)"),
    "names": ((normal(),), {"names": ["a"]}, "1 names, but X_held_out has shape"),
    "draws": ((normal(),), {"draws": 10}, "draws must be an integer >= 1000"),
    "alpha": ((normal(),), {"alpha": 5}, "alpha is a chance between 0 and 1"),
    "context": ((normal(),), {"context": normal(3)}, "250 rows and needs as many"),
    "no context_train": ((normal(), normal()), {"context": normal()}, "context_train, or neither"),
}


@pytest.mark.parametrize("rows, options, message", BAD.values(), ids=BAD)
def test_bad_input(rows, options, message):
    with pytest.raises(ValueError, match=message):
        diagnose(fc.Normal(2), *rows, **options)


def test_what_is_no_density():
    def nan(x):
        return np.where(np.arange(len(x)) == 7, np.nan, 0.0)

    own = fc.Normal(2)
    for density, error, message in (
        (3, TypeError, r"needs a density with log_prob\(x\), or score_samples"),
        (make_pipeline(StandardScaler(), fc.FlowDensity()), TypeError,
         r"Pipeline has not; write diagnose\(pipe\[-1\], "),
        (SimpleNamespace(dim=2, log_prob=nan, sample=own.sample), ValueError,
         r"NaN or \+inf in row 7 of X_held_out"),
        (SimpleNamespace(dim=2, log_prob=lambda x: x, sample=own.sample), ValueError,
         "not one a row"),
        (SimpleNamespace(dim=2, log_prob=own.log_prob, sample=fc.Normal(1).sample), ValueError,
         r"sample\(1000, ...\) has shape \(1000, 1\)"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            diagnose(density, normal(), **QUICK)


# ---------------------------------------------------------------------------- the parts, exactly


BASES = {
    "normal": fc.Normal(2),
    "diagonal": fc.MultivariateNormalDiag([1.0, -2.0], [0.5, 3.0]),
    "laplace": fc.Laplace(2, 1.0, [0.5, 2.0]),
    "student": fc.StudentT(2, df=[1.5, 4.0]),
    "uniform": fc.Uniform(2, -1.0, [1.0, 3.0]),
    "mixture": fc.GaussianMixture([[-2.0, 0.0], [2.0, 3.0]], [[0.5, 1.0], [1.0, 0.3]], [3, 1]),
    "normal mixture": fc.MultivariateNormalMixture(
        [[0.0, 0.0], [0.0, 3.0]], [[[0.3, 0], [0.9, 0.4]], [[2.0, 0], [-0.3, 0.3]]], [3, 1]
    ),
    "flow on a flow": fc.TransformedDistribution(flow(2), fc.Permute([1, 0])),
    "of densities": SimpleNamespace(
        dim=2,
        weights=[0.25, 0.75],
        densities=[fc.Normal(2), fc.MultivariateNormalDiag([1, 1], 2.0)],
    ),
}


def draw(density, n):
    if not hasattr(density, "densities"):
        return density.sample(n, rng=3)
    one, other = (part.sample(n, rng=k) for k, part in enumerate(density.densities))
    return np.where(RNG(2).random((n, 1)) < density.weights[0], one, other)


@pytest.mark.parametrize("name", BASES)
def test_uniforms_are_uniform_and_independent(name):
    density = BASES[name]
    u = uniforms(density, draw(density, 4000), RNG(0))
    for i in range(2):
        assert stats.kstest(u[:, i], "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u.T)[0, 1]) < 0.06
    away = uniforms(density, draw(density, 4000) + 0.3, RNG(0))
    assert min(stats.kstest(away[:, i], "uniform").pvalue for i in range(2)) < 1e-6


def test_of_somebodys_density_there_are_none():
    assert uniforms(Opaque(fc.Normal(2)), normal(), RNG(0)) is None
    over = fc.TransformedDistribution(Opaque(fc.Normal(2)), fc.Permute([1, 0]))
    assert uniforms(over, normal(), RNG(0)) is None
    part = SimpleNamespace(densities=[Opaque(fc.Normal(2))], weights=[1.0])
    assert uniforms(part, normal(), RNG(0)) is None


def maf(order, context_dim=0):
    return fc.MaskedAutoregressiveFlow(fc.MADE(3, [8], order=order, context_dim=context_dim))


@pytest.mark.parametrize(
    ("bijector", "wanted"),
    [
        (maf([1, 2, 3]), [(0, []), (1, [0]), (2, [0, 1])]),
        (maf([3, 1, 2]), [(0, [1, 2]), (1, []), (2, [1])]),
        (fc.Chain([fc.Permute([2, 0, 1]), maf([1, 2, 3])]), [(1, []), (2, [1]), (0, [1, 2])]),
        (fc.Chain([fc.Standardize(3), maf([1, 2, 3])]), [(0, []), (1, [0]), (2, [0, 1])]),
        (fc.Invert(maf([2, 1, 3])), [(0, [1]), (1, []), (2, [0, 1])]),
        (fc.Chain([maf([1, 2, 3]), maf([1, 2, 3])]), [(0, []), (1, [0]), (2, [0, 1])]),
        (fc.Chain([maf([1, 2, 3]), maf([3, 2, 1])]), None),
        (fc.RealNVP(3, num_masked=2, hidden=[4]), [(0, []), (1, []), (2, [0, 1])]),
        (fc.Blockwise([fc.Exp(1), fc.RealNVP(2, hidden=[4])]), [(0, []), (1, []), (2, [1])]),
        (fc.StandardizeContext(maf([1, 2, 3], 1)), [(0, []), (1, [0]), (2, [0, 1])]),
        (fc.LULinear(3), None),
    ],
)
def test_which_flows_are_triangular(bijector, wanted):
    """And which column each latent coordinate is the conditional of."""
    flow = randomize(fc.TransformedDistribution(fc.Normal(3), bijector), scale=1.0)
    context = np.ones((50, 1)) if flow.context_dim else None
    x = flow.sample(50, rng=0) if context is None else flow.sample(1, rng=0, context=context)[0]
    assert conditionals(lambda rows: uniforms(flow, rows.x, RNG(0), rows.context),
                        GivenRows(x, context)) == wanted  # fmt: skip


def test_ks_is_that_of_scipy():
    x, y = normal(80)[:, 0], 1.1 * normal(300, rng=1)[:, 0]
    for values, drawn in ((x, y), (RNG(3).integers(0, 4, 100), RNG(4).integers(0, 5, 120))):
        u, test = ranks(values, drawn, RNG(0))
        assert test == stats.ks_2samp(values, drawn, method="asymp")
        assert stats.kstest(u, "uniform").statistic == pytest.approx(test.statistic, abs=0.15)


@pytest.mark.parametrize(
    ("u", "sentence", "remedy"),
    [
        (lambda u: u**0.7, "It's values of `age` are too low", "flexible"),
        (lambda u: u**1.4, "It's values of `age` are too high", "flexible"),
        (lambda u: stats.norm.cdf(1.5 * stats.norm.ppf(u)),
         "It puts too little mass in the tails of `age`", "tails"),
        (lambda u: stats.norm.cdf(0.6 * stats.norm.ppf(u)),
         "It puts too much mass in the tails of `age`", "thin"),
        (lambda u: np.where(u > 0.9, 0.97 + 0.03 * u, u),
         "It puts too little mass at the upper end of `age`", "flexible"),
        (lambda u: np.where(u < 0.1, 0.03 * u, u),
         "It puts too little mass at the lower end of `age`", "flexible"),
        (lambda u: np.where(np.abs(u - 0.5) < 0.3, np.where(u < 0.5, 0.22, 0.78), u),
         "It's distribution of `age` has the wrong shape", "flexible"),
    ],
)  # fmt: skip
def test_the_shape_of_what_is_wrong(u, sentence, remedy):
    test = SimpleNamespace(statistic=0.2, pvalue=1e-9)
    u = u((np.arange(2000) + 0.5) / 2000)
    found = uniformity("columns", "KS of age", "It", "`age`", u, test)
    assert (found.sentence, found.remedy) == (f"{sentence} (KS 0.200).", remedy)
    assert (found.effect, found.p, sum(found.counts)) == (0.2, 1e-9, 2000)


def test_holm():
    """By hand: 0.01 * 4, 0.02 * 3, ...; a group of two has the weight of one."""
    assert_allclose(holm([0.02, 0.01, 0.5, 0.03], [1] * 4), [0.06, 0.04, 0.5, 0.06])
    assert_allclose(holm([0.01, 0.04, 0.02], [0.5, 0.5, 1]), [0.04, 0.04 * 1, 0.04])
    assert max(holm([0.9, 0.9], [1, 1])) == 1


def test_a_hundred_columns_weigh_as_much_as_one_test():
    findings = [Finding("columns", f"{k}", 0.0, p=1.0) for k in range(100)]
    *_, level = adjusted([*findings, Finding("level", "", 0.2, p=0.004)], 0.05)
    assert level.adjusted == pytest.approx(0.008) and level.fault


def test_far_rows_have_their_exact_chance():
    """Of 1999 draws r = 2 are at the floor or below; P(a row is) = 2/2000 on average."""
    drawn, x = RNG(0).random(1999), RNG(1).random(100)
    x[[7, 30]] = -1.0, -2.0
    found = tails(x, drawn, np.arange(100))
    assert found.rows == (30, 7) and "(expected: 0.1; rows 30, 7)" in found.sentence
    assert found.p == pytest.approx(1 - stats.betabinom.cdf(1, 100, 2, 1998)) and found.p < 0.02
    assert tails(x[8:29], drawn, np.arange(21)).p == 1.0


def test_what_the_worst_row_costs():
    """A fault only if it is further below all draws than these are below their median, 0."""
    x = np.array([1.0, 2.0, 3.0, -94.0])
    for least, fault in ((-46.0, True), (-48.0, False)):
        found = worst_row(x, Row(3, -94.0, 0.0, "age", 9.0), np.array([least, 0.0, 1.0]))
        assert found.effect == pytest.approx(2.0 - -22.0) and found.fault == fault
    assert found.sentence == (
        "Row 3 alone (log p -94.00) lowers the mean by 24.00 nats; the median row has 1.50."
    )
    nothing = worst_row(np.array([1.0, -np.inf]), Row(1, -np.inf, 0.0, "age", 9.0), x)
    assert not nothing.fault and nothing.sentence == ""


def gains(log_p, x, train, context=None, context_train=None):
    """(name, log p of each baseline's mean) on all rows x, by training rows."""
    found = baselines(log_p, GivenRows(x, context), GivenRows(train, context_train), RNG(0))
    return {one.name.removeprefix("gain over "): log_p.mean() - one.effect for one in found}


@pytest.mark.parametrize(("dim", "rho", "n"), [(10, 0.99, 200), (2, 0.95, 100), (10, 0.95, 200)])
def test_the_gaussian_of_maximum_likelihood_gains_nothing(dim, rho, n):
    """The Gaussian beside the density was shrunken, and .79 nats worse in the first case."""
    root = np.linalg.cholesky((1 - rho) * np.eye(dim) + rho)
    train, x = np.split(normal(n + 1000, dim) @ root.T, [n])
    exact = stats.multivariate_normal(train.mean(0), np.cov(train.T, bias=True)).logpdf(x)
    assert gains(exact, x, train)["a Gaussian"] == pytest.approx(exact.mean(), abs=0.01)


def test_a_baseline_is_better_by_the_law_of_t():
    """Of 10 rows five are all there are: a normal law finds a better Gaussian too often."""
    x, learn = normal(12, dim=1), normal(40, dim=1, rng=1)
    log_p = stats.norm(0, 1.3).logpdf(x)[:, 0]
    (gain,) = baselines(log_p, GivenRows(x, None), GivenRows(learn, None), RNG(0))
    exact = stats.norm(learn.mean(), learn.std()).logpdf(x)[:, 0]
    assert gain.effect == pytest.approx((log_p - exact).mean(), abs=0.05)
    t = stats.ttest_1samp(log_p - exact, 0.0, alternative="less")
    assert gain.p == pytest.approx(stats.t(11).cdf(gain.effect / gain.error), rel=1e-9)
    assert gain.p == pytest.approx(t.pvalue, abs=0.1)
    found = diagnose(fc.MultivariateNormalDiag([0], [3.0]), normal(80, 1), learn, **QUICK)
    (gain,) = (one for one in found.of("baselines") if one.name == "gain over a Gaussian")
    assert gain.p < gain.adjusted < 0.05 and gain.fault  # within Holm
    assert "- The density is no better than a Gaussian: -0." in str(found)


def test_a_baseline_is_compared_on_rows_that_it_has_not_learned():
    assert diagnose(fc.Normal(8), normal(60, 8), **QUICK).of("baselines")[0].effect > 0


def test_a_baseline_learns_from_rows_of_the_whole_table(monkeypatch):
    """Of a table in some order 50 are enough, if they are not the first."""
    monkeypatch.setitem(_baselines.__globals__, "MOST_ROWS", 50)
    x = GivenRows(np.sort(normal(1000, 1), axis=0), None)
    (gain,) = baselines(fc.Normal(1).log_prob(x.x), x, x, RNG(0))
    assert abs(gain.effect) < 0.2


def test_a_mixture_is_chosen_where_there_are_groups():
    groups = fc.GaussianMixture([[-4.0, 0.0], [4.0, 0.0], [0.0, 6.0]])
    fresh = groups.sample(2000, rng=1)
    log_p = groups.log_prob(fresh)
    found = gains(log_p, fresh, groups.sample(600, rng=0))
    assert log_p.mean() - found["a mixture of 3 Gaussians"] < 0.05
    assert len(gains(np.zeros(9), normal(9), normal(600))) == 1
    assert len(gains(np.zeros(9), normal(9, 5), normal(3, dim=5))) == 1  # fewer rows than columns


def test_with_a_context_the_gaussian_is_linear_regression():
    c = normal(2000, dim=1, rng=1)
    x = 3 * c + 0.5 * normal(2000, dim=1, rng=2) + 7
    exact = stats.norm(7 + 3 * c, 0.5).logpdf(x)[:, 0]
    assert_allclose(gains(exact, x, x, c, c)["a Gaussian"], exact.mean(), atol=0.02)


def separated(x, drawn):
    found = classifier(GivenRows(x, None), Draws(np.arange(len(x)), drawn, len(x), 0),
                       ["a", "b", "c"][: x.shape[1]], RNG(0))  # fmt: skip
    return found[0] if found else None


def test_the_classifier_names_the_column_that_helps():
    x, drawn = normal(600, dim=3, rng=2), normal(600, dim=3, rng=3)
    drawn[:, 2] += 1.5
    found = separated(x, drawn)
    assert "mostly by `c` (AUC" in found.sentence and found.p < 1e-9
    assert found.effect == pytest.approx(0.855, abs=0.06)
    assert separated(x[:39], drawn[:39]) is None


def test_rows_of_the_same_seed_are_not_the_draws():
    """Rows sampled with rng=0 once met the very same draws: all tests passed too well."""
    truth = fc.targets.two_moons()
    found = diagnose(truth, truth.sample(1000, rng=0), rng=0, **QUICK)
    assert all(one.effect > 1e-3 for one in found.of("columns"))


def test_training_rows_among_the_held_out_are_a_warning():
    x, c = normal(60), normal(60, 1)
    with pytest.warns(UserWarning, match=r"31 of 60 different rows of X_held_out are in X_train"):
        diagnose(fc.Normal(2), x, x[29:], **QUICK)
    diagnose(fc.Normal(2), x, np.r_[x[30:], normal(30, rng=9)], **QUICK)  # half of them: no word
    given = flow(2, context_dim=1)
    diagnose(given, x, x, context=c, context_train=c + 1, **QUICK)  # other rows: no word
    with pytest.warns(UserWarning, match="60 of 60 different rows"):
        diagnose(given, x, x, context=c, context_train=c, **QUICK)


def test_training_rows_of_a_grid_among_the_held_out():
    """Noise is drawn apart; and counts that all tables have are no rows that it has seen."""
    schema = Schema((Column("x", Kind("continuous")), Column("n", Kind.parse("integer"))))
    density = TableDensity.of(schema, fc.Normal(2))
    x = np.c_[normal(60)[:, 0], np.arange(60) % 5]
    X = {"x": x[:, 0], "n": x[:, 1]}
    with pytest.warns(UserWarning, match="60 of 60 different rows") as found:
        diagnose(density, X, X, **QUICK)
    assert len(found) == 1
    counts = TableDensity.of(Schema((Column("n", Kind.parse("integer")),)), fc.Normal(1))
    for few in (x[:, 1], np.arange(60) % 40.0):
        diagnose(counts, {"n": few}, {"n": few}, **QUICK)


def test_a_table_without_numbers_is_judged_by_its_shares():
    def table(n, seed):
        rng = np.random.default_rng(seed)
        a = rng.integers(0, 3, n)
        b = np.where(rng.random(n) < 0.7, a, rng.integers(0, 3, n))
        return {"a": np.array(list("xyz"), object)[a], "b": np.array(list("uvw"), object)[b]}

    density = TableDensity().fit(table(3000, 0))
    report = fc.diagnose(density, table(400, 1), hide=0.3, rng=0)
    assert len(report.of("hidden")) == 2
    assert report.trusted and report.n == 400 and report.names == ("a", "b")
    assert report.mean == pytest.approx(density.score(table(400, 1)))
    apart = table(400, 1)
    apart["b"] = apart["b"][::-1]
    report = fc.diagnose(density, apart, rng=0)
    assert not report.trusted and "`a` is" in str(report) and "learn=" not in str(report)
    panels = {axes.get_title() for axes in report.figure().findobj(Axes)}
    assert any(title.startswith("a: ") for title in panels)
    with pytest.raises(ValueError, match="7 complete rows: at least 10"):
        fc.diagnose(density, table(7, 2))
    gaps = table(2000, 3)
    gaps["a"][:300] = None
    with pytest.warns(UserWarning, match="300 rows left out for missing values"):
        report = fc.diagnose(density, gaps, rng=0)
    assert report.trusted and report.n == 1700


# ---------------------------------------------------------------------------- conditionals


DAYS = TableDensity.of(  # nearly all different: the hidden one is not the first among equals
    Schema((Column("day", Kind.parse("date(day)")), Column("x", Kind("continuous")))),
    fc.MultivariateNormalMixture([[11_000, 0]], [[[1500, 0], [0.7, 0.7]]]),
)


@pytest.mark.parametrize("density", [fc.targets.ring(), Opaque(fc.targets.banana()), DAYS])
def test_hidden_cells_of_the_truth(density):
    report = diagnose(density, density.sample(500, 1), hide=0.3, **QUICK)
    assert report.trusted and len(report.of("hidden")) == 2 and len(report.of("coverage")) == 3
    assert max(found.effect for found in report.of("coverage")) < 0.1
    assert any("hold as many hidden values as they should" in text for text in report.sentences)
    assert sum(report.of("hidden")[0].counts) > 100


def test_hidden_cells_of_a_density_whose_conditionals_are_wrong():
    """Its columns are right, each by itself, but they know nothing of each other."""
    truth = fc.MultivariateNormalMixture([[0.0, 0.0]], [[[1, 0], [0.9, np.sqrt(0.19)]]])
    wide = diagnose(fc.Normal(2), truth.sample(600, 1), hide=0.3, **QUICK)
    assert not any(found.fault for found in wide.of("columns"))
    narrow = fc.MultivariateNormalMixture([[0.0, 0.0]], [[[1, 0], [0.99, np.sqrt(1 - 0.99**2)]]])
    report = diagnose(narrow, truth.sample(600, 1), hide=0.3, **QUICK)
    assert {"hidden", "coverage"} <= faults(report)
    assert any("90% intervals of hidden cells hold" in text for text in report.sentences)
    assert "hidden" in {found.kind for found in report.findings if found.adjusted < 0.01}


def test_hidden_cells_of_contexts_and_tables():
    conditional = flow(context_dim=1)
    contexts = RNG(0).normal(size=(100, 1))
    rows = conditional.sample((), 1, context=contexts)
    report = diagnose(conditional, rows, context=contexts, hide=0.3, **QUICK)
    assert len(report.of("hidden")) == 3 and not {"hidden", "coverage"} & faults(report)
    schema = Schema((Column("a", Kind("continuous")), Column("b", Kind("integer", 1.0))))
    table = TableDensity.of(schema, fc.MultivariateNormalMixture([[0, 3]], [[[1, 0], [1.5, 1]]]))
    report = diagnose(table, table.sample(300, 1), hide=0.3, **QUICK)
    assert [found.name for found in report.of("hidden")] == [
        "KS of a given seen cells", "KS of b given seen cells",
    ]  # fmt: skip
    assert report.trusted
    json.dumps(report.to_dict())
    few = diagnose(table, table.sample(60, 1), hide=0.3, **QUICK).of("hidden")
    assert [found.name for found in few] == ["KS of all columns given seen cells"]


def test_cells_of_a_row_that_are_alike_count_less():
    """Of 20 rows with 50 cells each, 14 have all of theirs in their 50% intervals, 6 have none."""
    rows = np.repeat(np.arange(20), 50)
    found = _coverage(0.5, rows, np.where(rows < 14, 0.1, 0.9))
    assert found.effect == pytest.approx(0.2) and found.error == pytest.approx(0.5 / np.sqrt(20))
    apart = _coverage(0.5, np.arange(1000), np.where(rows < 14, 0.1, 0.9))
    assert apart.p < 1e-9 < 0.05 < found.p


@pytest.mark.parametrize("bad, fault", [(8, False), (12, True)])
def test_more_than_a_tenth_of_conditionals_that_cannot_be_trusted_are_a_fault(bad, fault):
    (found,) = _findings([], np.arange(100) >= bad, RNG(0))
    assert found.fault == fault and f"Conditionals of {bad} of 100 rows" in found.sentence


def test_columns_of_few_hidden_cells_count_together_one_cell_of_a_row():
    cells = []
    for name, first in (("a", 0), ("b", 10)):  # rows 10 to 14 have both hidden
        own = (np.arange(40) >= first) & (np.arange(40) < first + 15)
        cells.append((name, own, np.zeros(15), RNG(1).normal(size=(99, 15)), False))
    together, _ = _findings(cells, np.ones(40, bool), RNG(0))
    assert together.name == "KS of all columns given seen cells" and sum(together.counts) == 25


def test_the_share_of_hidden_cells():
    with pytest.raises(ValueError, match=r"hide is a share of the cells in \[0, 1\): got 1"):
        diagnose(fc.Normal(2), normal(), hide=1)
    assert not diagnose(fc.Normal(2), normal(), **QUICK).of("hidden")
