"""Categories that follow from one other column: what is found; p, draws and answers with them."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import flowcore as fc
from flowcore.cli import main
from flowcore.tables import Schema, TableDensity, fit_table
from flowcore.tables.fitting import training_rows
from flowcore.tables.rules import Rule

pytestmark = pytest.mark.usefixtures("few_folds")
RNG = np.random.default_rng
COUNTRIES = ("Chad", "Fiji", "Iran", "Mali", "Peru", "Togo")
CONTINENT = {"Chad": "Africa", "Fiji": "Oceania", "Iran": "Asia", "Mali": "Africa",
             "Peru": "America", "Togo": "Africa"}  # fmt: skip


class Shifted:
    """Correlated Gaussians whose mean depends on the context: of the numbers that a row has."""

    fitted = ("mean", "spread", "move")

    def __init__(self, dim, context_dim):
        self.dim, self.context_dim = dim, context_dim
        self.covariance = np.full((dim, dim), 0.6) + 0.4 * np.eye(dim)

    def config(self):
        return {"dim": self.dim, "context_dim": self.context_dim}

    def moved(self, context):
        return self.mean + np.einsum("mc,cd->md", context, self.move)

    def log_prob(self, z, context=None):
        there, u = context[:, -self.dim :] > 0, (z - self.moved(context)) / self.spread
        log_p = -(there * np.log(self.spread)).sum(axis=1)
        for own in np.unique(there, axis=0):
            rows, factor = (there == own).all(axis=1), self.covariance[np.ix_(own, own)]
            factor = np.linalg.cholesky(factor)
            each = np.einsum("ij,nj->ni", np.linalg.inv(factor), u[rows][:, own])
            log_p[rows] += stats.norm.logpdf(each).sum(axis=1)
            log_p[rows] -= np.log(np.diagonal(factor)).sum()
        return log_p

    def sample(self, n=1, rng=None, context=None):
        factor = np.linalg.cholesky(self.covariance)
        noise = RNG(rng).standard_normal((n, len(context), self.dim)) @ factor.T
        return self.moved(context) + self.spread * noise


def shifted(x, context=None, sample_weight=None, rng=0, present=None):
    density = Shifted(x.shape[1], context.shape[1] + x.shape[1])
    density.move = np.zeros((density.context_dim, density.dim))
    density.move[: -density.dim] = RNG(5).normal(0, 0.2, (context.shape[1], density.dim))
    density.mean, density.spread = x.mean(axis=0), x.std(axis=0)
    return density


def table(n=600, seed=0):
    rng = RNG(seed)
    weeks = np.rint(rng.normal(38.5, 2, n)).astype(int)
    weight = (0.6 * (weeks - 38.5) / 2 + 0.8 * rng.normal(size=n)) / 2 + 3.3
    country = rng.choice(COUNTRIES, n)
    continent = np.array([CONTINENT[own] for own in country])
    rain = np.where(rng.random(n) < 0.4, 0.0, np.exp(rng.normal(size=n)))
    return pd.DataFrame({
        "premie": np.where(weeks < 37, "premie", "full term"),
        "weeks": weeks,
        "weight": weight,
        "heavy": weight >= 3.5,
        "in_africa": np.where(continent == "Africa", 1, 0),  # follows from what follows
        "continent": continent,
        "country": country,
        "almost": np.where((weeks < 36) ^ (np.arange(n) == 7), "early", "late"),
        "rain": rain,
        "wet": rain > 0,
        "smokes": rng.random(n) < 0.3,
    })  # fmt: skip


KINDS = {"in_africa": "categorical", "rain": "positive atoms(0)", "weeks": "integer(0)",
         "weight": "continuous"}  # fmt: skip
SOURCES = {"premie": "weeks", "heavy": "weight", "in_africa": "country", "continent": "country",
           "wet": "rain"}  # fmt: skip


@pytest.fixture(scope="module")
def density():
    X = table()
    return fit_table(X, Schema.from_data(X).edit(KINDS), learn=shifted)


@pytest.fixture(scope="module")
def draws(density):
    return pd.DataFrame(dict(density.sample(100_000, RNG(1))))


def breaks(rows) -> int:
    """How many rows have a value that does not follow."""
    return (
        ((rows["premie"] == "premie") != (rows["weeks"] < 37))
        | (rows["heavy"] != (rows["weight"] >= 3.5))
        | ((rows["in_africa"] == 1) != (rows["continent"] == "Africa"))
        | (rows["continent"] != rows["country"].map(CONTINENT))
        | (rows["wet"] != (rows["rain"] > 0))
    ).sum()


# ------------------------------------------------------------------------ found


def test_rules_without_an_exception_are_found_and_refer_to_columns_without_one(density):
    rules = {c.name: c.rule for c in density.schema_.columns if c.rule}
    assert {name: rule.source for name, rule in rules.items()} == SOURCES
    assert rules["premie"].cuts == (37.0,) and rules["heavy"].cuts == (3.5,)
    assert density.schema_.rules["premie"] == (
        "follows from 'weeks': premie where weeks < 37, else full term"
    )
    assert density.schema_.rules["wet"] == "follows from 'rain': False where rain <= 0, else True"
    assert density.schema_.rules["continent"] == "follows from 'country'"
    assert "premie follows from weeks" in density.schema_.meaning
    names = [column.name for column in density.encoding.of_codes]
    assert names == ["country", "almost", "rain", "smokes"] and density.dim == 11


def test_few_rows_missing_cells_and_a_wish_leave_a_category_as_it_is():
    X = table(400)
    plain = Schema.from_data(X).edit(KINDS)
    assert fit_table(X, plain, learn=shifted, rules=False).schema_ == plain
    few = X.assign(early=np.where(X.weight < np.sort(X.weight)[29], "a", "b"))
    holes = X.assign(premie=np.where(np.arange(len(X)) == 3, None, X.premie))
    for rows, name in ((few, "early"), (holes, "premie")):
        schema = Schema.from_data(rows).edit(KINDS)
        found = fit_table(rows, schema, learn=shifted).schema_.rules
        assert name not in found and "heavy" in found
    for name in ("weeks", "premie"):  # where missing cells are unknown
        rows = X.astype({"weeks": float}).assign(**{name: X[name].where(np.arange(len(X)) != 3)})
        schema = Schema.from_data(rows, "learn").edit(KINDS)
        found = training_rows(rows, schema, "learn", None, False).schema.rules
        assert "premie" not in found and "heavy" in found
    again = fit_table(X, fit_table(X, plain, learn=shifted).schema_, learn=shifted, rules=False)
    assert not again.schema_.rules  # every fit decides


@pytest.mark.parametrize("rows", [9, 10])
def test_each_value_of_a_category_that_implies_another_has_ten_rows(rows):
    """So that chance makes no rules."""
    city = np.repeat(["Bern", "Oslo", "Rome"], [60, 40, rows])
    X = {"city": city, "north": city == "Oslo", "x": RNG(0).normal(size=len(city))}
    found = training_rows(X, Schema.from_data(X), "error", None, False).schema.rules
    assert found == ({"north": "follows from 'city'"} if rows == 10 else {})


def test_several_steps_a_copy_and_a_category_of_a_ruled_one():
    rng = RNG(1)
    age = rng.uniform(0, 90, 500)
    group = np.array(["child", "adult", "old"])[np.searchsorted([18, 65], age, side="right")]
    letter = rng.choice(["a", "b", "c"], 500)
    X = {"age": age, "group": group, "works": group == "adult", "letter": letter,
         "copy": np.char.upper(letter)}  # fmt: skip
    density = fit_table(X, learn=shifted)
    assert density.schema_.rules == {  # none of "works": two steps of age are False
        "group": "follows from 'age': child where age < 18, adult where age < 65, else old",
        "copy": "follows from 'letter'",
    }
    adults = density.given({"group": "adult", "copy": "B"}).sample(400, rng=0)
    assert 18 <= adults["age"].min() < 25 and 58 < adults["age"].max() < 65
    assert set(adults["letter"]) == {"b"}


# ------------------------------------------------------------------------ p


@pytest.mark.parametrize("name", SOURCES)
def test_the_mass_over_a_category_given_the_others_is_1(density, name):
    rows = table(5, seed=3)
    values = [*density.schema_.columns[density.schema_.names.index(name)].values]
    values += ["never seen"] if isinstance(values[0], str) else []
    values += [7] if name == "in_africa" else []
    every = [density.log_prob(rows.assign(**{name: value})) for value in values]
    without = density.log_prob(rows.assign(**{name: None}), missing="marginal")
    np.testing.assert_allclose(np.logaddexp.reduce(every), without, rtol=0, atol=1e-9)
    rule = next(c.rule for c in density.schema_.columns if c.name == name)
    assert max(np.exp(own - without)[0] for own in every) == pytest.approx(1 - 0.5 / 601)
    assert rule.n == 600


@pytest.mark.filterwarnings("ignore:column 'country' never")
def test_a_row_with_an_unseen_country_counts_each_continent_alike(density):
    """By 1 / m: the sum over the continents is the probability of the other cells."""
    rows = table(5, seed=3).assign(country="Nauru")
    every = [density.log_prob(rows.assign(continent=own)) for own in (*CONTINENT.values(), "new")]
    np.testing.assert_allclose(every[0], every[1], atol=1e-12)
    np.testing.assert_allclose(every[0], every[-1], atol=1e-12)
    own = ["Africa", "America", "Asia", "Oceania", "new"]
    every = [density.log_prob(rows.assign(continent=name)) for name in own]
    without = density.log_prob(rows.assign(continent=None), missing="marginal")
    np.testing.assert_allclose(np.logaddexp.reduce(every), without, rtol=0, atol=1e-9)


@pytest.mark.filterwarnings("ignore:column 'country' never")
def test_answers_about_an_unseen_country_have_each_continent(density):
    """Once all of them had the continent of the last country."""
    rows = table(100, seed=3).assign(country="Nauru", continent=None, in_africa=None)
    (drawn,) = density.impute(rows, n=1, rng=0).tables
    expected = dict.fromkeys(CONTINENT.values(), 1 / 4)
    for shares in (drawn["continent"].value_counts(normalize=True).to_dict(),
                   density.given({"country": "Nauru"}).shares()["continent"]):  # fmt: skip
        assert shares == pytest.approx(expected, abs=0.2)


def test_the_mass_over_a_category_whose_source_is_missing_is_1(density):
    """The values that were never seen count by u, not as if the country were new."""
    for name, source in (("premie", "weeks"), ("continent", "country")):
        rows = table(3, seed=3).drop(columns="in_africa").assign(in_africa=None)
        rows = rows.astype({source: object}).assign(**{source: None})
        values = [*dict.fromkeys(table()[name]), "never seen"]
        known = [density.log_prob(rows.assign(**{name: own}), "marginal") for own in values]
        nothing = density.log_prob(rows.assign(**{name: None}), "marginal")
        np.testing.assert_allclose(np.exp(known - nothing).sum(axis=0), 1, atol=0.05)
        assert (np.exp(known[-1] - nothing) < 0.01).all()


def test_held_out_rows_gain_and_the_category_costs_a_thousandth(density):
    rows = table(400, seed=8)[lambda own: own.rain > 0][:150]
    schema = Schema.from_data(table()).edit(KINDS)
    plain = fit_table(table(), schema, learn=shifted, rules=False)
    assert (density.log_prob(rows) - plain.log_prob(rows)).mean() > 0.2
    rows = rows[:30]
    loss = density.log_prob(rows.assign(premie=None), "marginal") - density.log_prob(rows)
    assert loss.mean() == pytest.approx(0.001, abs=0.0005)


def test_a_number_off_its_grid_implies_what_its_place_on_the_grid_implies():
    weeks = np.append(np.rint(RNG(0).normal(38.5, 6, 2000)), [40.4123] * 2)
    X = pd.DataFrame({"weeks": weeks, "premie": np.where(weeks < 37, "premie", "full term")})
    X["smokes"] = RNG(1).random(2002) < 0.3
    with pytest.warns(UserWarning, match="which is not on the grid of integer"):
        density = fit_table(X, Schema.from_data(X).suggested(), learn=shifted)
        off = density.log_prob(X[:2].assign(weeks=[36.4, 36.6], premie="premie"))
    assert density.schema_.rules and off[0] - off[1] > 5
    on = density.log_prob(X[:2].assign(weeks=[36.0, 37.0], premie="premie"))
    np.testing.assert_allclose(off[:2], on)


def test_log_prob_is_of_the_row_alone_and_nan_where_a_cell_is_missing(density):
    rows = table(20, seed=4)
    rows.loc[3, "premie"] = "premie" if rows.loc[3, "weeks"] >= 37 else "full term"
    log_p = density.log_prob(rows)
    alone = [density.log_prob(rows[i : i + 1])[0] for i in range(20)]
    np.testing.assert_allclose(alone, log_p, rtol=1e-14)  # the order of a sum over points differs
    assert np.isnan(density.log_prob(rows.assign(heavy=None))).all()
    assert np.isneginf(density.log_prob(rows.assign(heavy=[2] * 20))).all()
    with pytest.raises(ValueError, match="'premie' is 1, but the column was of texts"):
        density.log_prob(rows.assign(premie=1))


# ------------------------------------------------------------------------ draws, files


def test_draws_never_break_a_rule(density, draws):
    assert breaks(draws) == 0
    assert breaks(density.sample(1000, rng=2)) == 0
    assert breaks(density.sample(1000, rng=2, margins="table")) == 0
    assert draws["heavy"].dtype == bool and draws["in_africa"].dtype == int
    assert 0.15 < (draws["premie"] == "premie").mean() < 0.25


def test_a_file_has_the_same_numbers(density, tmp_path):
    rows = table(50, seed=5)
    fc.save(density, tmp_path / "m.npz")
    loaded = fc.load(tmp_path / "m.npz", classes=[Shifted])
    assert loaded.schema_ == density.schema_
    np.testing.assert_array_equal(loaded.log_prob(rows), density.log_prob(rows))
    pd.testing.assert_frame_equal(loaded.sample(20, rng=3), density.sample(20, rng=3))
    with pytest.raises(ValueError, match="a schema of format '1 with orders': this flowcore reads"):
        Schema.from_dict(density.schema_.to_dict() | {"format": "1 with orders"})


# ------------------------------------------------------------------------ questions

KNOWN = [{"premie": "premie"}, {"heavy": True, "smokes": True}, {"continent": "Oceania"},
         {"wet": False}, {"wet": True, "premie": "full term"},
         {"premie": "premie", "weeks": (35, 40)}, {"in_africa": 1, "weight": 3.0}]  # fmt: skip


@pytest.mark.parametrize("known", KNOWN, ids=str)
def test_a_known_category_conditions_as_rejection_of_draws(density, draws, known):
    given = density.given(known, n_draws=4000)
    kept = np.ones(len(draws), bool)
    for name, value in known.items():
        own = draws[name]
        if isinstance(value, tuple):
            kept &= (own >= value[0]) & (own <= value[1])
        else:
            kept &= (own - value).abs() < 0.03 if name == "weight" else own == value
    kept, width = draws[kept], 0.06 if "weight" in known else 1.0
    sampled = given.sample(1000, rng=0)
    assert breaks(sampled) == 0
    for name, value in known.items():
        assert isinstance(value, tuple) or (sampled[name] == value).all()
    assert given.log_marginal == pytest.approx(np.log(len(kept) / 1e5 / width), abs=0.06)
    for name, mean in given.mean().items():
        if name in ("weeks", "weight"):
            error = kept[name].std() * (len(kept) ** -0.5 + given.ess**-0.5)
            assert mean == pytest.approx(kept[name].mean(), abs=5 * error), name
    for name, shares in given.shares().items():
        for value, share in shares.items():
            assert share == pytest.approx((kept[name] == value).mean(), abs=0.06), (name, value)
    rows = kept.iloc[:20]
    if width == 1:
        columns = [name for name in rows if name in given.columns]
        ratio = density.log_prob(rows) - given.log_marginal
        np.testing.assert_allclose(given.log_prob(rows[columns]), ratio, atol=1e-9)


def test_values_that_contradict_each_other_are_improbable_or_an_error(density):
    with pytest.raises(ValueError, match="density of what is known is 0"):
        density.given({"premie": "premie", "weeks": (38, 40)})
    with pytest.raises(ValueError, match="categorical has no ranges"):
        density.given({"premie": ("a", "b")})
    with pytest.raises(ValueError, match="missing cell is no value"):
        density.given({"premie": None})
    odd, usual = (density.given({"premie": "premie", "weeks": w}).log_marginal for w in (38, 36))
    assert odd < usual - 5


def test_cells_are_imputed_by_the_rule_and_by_its_range(density):
    rows = table(100, seed=6)
    holes = rows.copy()
    holes = holes.astype({"weeks": float, "heavy": object, "wet": object})
    holes.loc[:69, "weeks"] = np.nan
    holes.loc[60:, "premie"] = None
    holes.loc[:29, "heavy"] = None
    holes.loc[20:39, "country"] = None
    holes.loc[85:, "rain"] = np.nan
    holes.loc[95:, "wet"] = None
    before = holes.copy()
    answers = density.impute(holes, n=20)
    pd.testing.assert_frame_equal(holes, before)
    for own in answers.tables:
        assert breaks(own.astype({"heavy": bool, "wet": bool})) == 0
        assert (own.eq(holes) | holes.isna()).all(axis=None)
    # the ranks of the hidden weeks among their draws, with a known premie, are uniform
    drawn, hidden = np.stack([own["weeks"][:60] for own in answers.tables]), rows["weeks"][:60]
    ties = (drawn == hidden.to_numpy()).sum(axis=0)
    rank = ((drawn < hidden.to_numpy()).sum(axis=0) + RNG(0).random(60) * (ties + 1)) / 21
    assert stats.kstest(rank, "uniform").pvalue > 0.01


def test_rows_that_differ_in_a_clue_alone_are_answered_alone(density):
    rows = table(1, seed=6).assign(weeks=np.nan).loc[[0, 0]].reset_index(drop=True)
    rows["premie"] = ["premie", "full term"]
    (both,), (alone,) = (density.impute(own, n=1).tables for own in (rows, rows[1:]))
    assert both["weeks"][1] == alone["weeks"][1] >= 37 > both["weeks"][0]


def test_log_p_of_the_known_cells_is_that_of_all_rows_that_they_leave(density):
    row = table(1, seed=9).assign(weeks=38, premie="full term")
    every = [density.log_prob(row.assign(weeks=w)) for w in range(37, 60)]
    known = density.impute(row.assign(weeks=np.nan), n=0, n_draws=2000)
    assert known.log_p[0] == pytest.approx(np.logaddexp.reduce(every)[0], abs=0.05)
    row = row.assign(country=None)
    lands = [own for own in COUNTRIES if CONTINENT[own] == row["continent"][0]]
    every = [density.log_prob(row.assign(country=own)) for own in lands]
    known = density.impute(row, n=0)
    follows = np.log1p(-0.5 / 601)  # twice: in_africa is known, too
    assert known.log_p[0] == pytest.approx(np.logaddexp.reduce(every)[0], abs=1e-6 - follows)


def test_a_cell_that_breaks_its_rule_is_the_improbable_one(density):
    rows = table(40, seed=7)
    rows.loc[2, "premie"] = "premie" if rows.loc[2, "weeks"] >= 37 else "full term"
    found = density.explain(rows)
    at = found.names.index("premie")
    assert found.worst[2] == "premie" and found.values[at][2] != rows.loc[2, "premie"]
    assert found.gains[2, at] == pytest.approx(np.log((1 - 0.5 / 601) / (0.5 / 601 / 2)))
    others = np.delete(found.gains[:, at], 2)
    others = others[~np.isnan(others)]  # of rows in which it is among the three most surprising
    assert len(others) > 10 and (others == 0).all()


def test_it_imputes_in_scikit_learn_and_is_diagnosed(density):
    X = table(300)[["premie", "weeks", "weight", "smokes"]]
    holes = X.assign(premie=np.where(np.arange(300) % 7, X.premie, None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        imputer = fc.FlowImputer(TableDensity(learn=shifted, missing="drop"), bootstraps=1)
        filled = imputer.fit(holes).transform(holes)
        report = fc.diagnose(density, table(300, seed=11), draws=1000)
    pd.testing.assert_series_equal(filled["premie"], X["premie"], check_dtype=False)
    assert report.given == ("country", "almost", "smokes")
    assert len(report.of("rules")) == 5 and max(own.effect for own in report.of("rules")) == 0
    odd = table(300, seed=11)
    odd["premie"] = np.where(np.arange(300) % 20, odd["premie"], "premie")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = fc.diagnose(density, odd, draws=1000)
    assert "`premie` does not follow from `weeks` in 1" in str(report) and not report.trusted
    assert any("rules=False" in advice for advice in report.advice)


# ------------------------------------------------------------------------ the command


def test_fit_prints_a_note_about_rules_and_can_leave_them_out(
    few_epochs, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    table(300)[["premie", "weeks", "smokes"]].to_csv("births.csv", index=False)
    fit = ("fit", "births.csv", "--quick", "--budget", "0.01", "--flow", "affine")
    assert main([*fit, "-o", "a.npz"]) == 0
    said = capsys.readouterr().err
    assert "'premie' follows from 'weeks': premie where weeks < 37, else full term" in said
    assert "--no-rules" in said
    assert main(["sample", "a.npz", "-n", "5", "--given", "premie=premie"]) == 0
    rows = [line.split(",") for line in capsys.readouterr().out.split()[1:]]
    assert all(own == "premie" and float(weeks) < 37 for own, weeks, _ in rows)
    assert main([*fit, "-o", "b.npz", "--no-rules"]) == 0
    assert "follows" not in capsys.readouterr().err
    assert not fc.load("b.npz").schema_.rules
    assert main(["diagnose", "a.npz", "births.csv"]) == 0
    assert "the very rows that the model learned from" in capsys.readouterr().err


def test_thresholds_are_the_roundest_numbers():
    from flowcore.tables.rules import _cut

    for (low, high), cut in {
        (36, 37): 37, (34, 35): 35, (17.97, 18.004): 18, (0.3, 0.4): 0.4, (-3.0, 5.0): 0,
        (1234, 1310): 1300, (2.4, 2.6): 2.5, (0.0008, 0.0013): 0.001,
    }.items():  # fmt: skip
        assert _cut(low, high) == pytest.approx(cut, abs=1e-12), (low, high)
    assert _cut(0.0, 7.0) == np.nextafter(0, 1) and _cut(5.5, 5.56) == np.nextafter(5.5, 6)
    for low, high in itertools.pairwise(np.sort(RNG(0).normal(size=200) ** 3)):
        assert low < _cut(low, high) <= high
    assert Rule("x", (0, 1, 0), (1.0, 2.0), 9).interval(0) == (-np.inf, np.inf)
