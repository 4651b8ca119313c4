"""`FlowDensity`: an estimator as scikit-learn means it, which prefers what held-out rows prefer."""

import itertools
import re
import time
from contextlib import nullcontext
from functools import partial

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks
from support.rough import rough_plans

import flowcore as fc
from flowcore.estimator.density import fit_rows
from flowcore.estimator.workers import part_of_progress, run

QUICK = {"budget": 1e-3, "n_jobs": 1, "random_state": 0}


def gaussian_rows(n, seed=0, dim=3):
    rng = np.random.default_rng(seed)
    return 5 + rng.standard_normal((n, dim)) @ rng.standard_normal((dim, dim))


def moons(n, seed=0):
    return fc.targets.two_moons(0.05).sample(n, rng=seed)


@pytest.fixture(scope="module")
def fitted():
    with rough_plans():
        return fc.FlowDensity("small", **QUICK).fit(moons(300))


@pytest.fixture(autouse=True)
def rough(request):
    """Only slow tests ask how good a density is."""
    with nullcontext() if request.node.get_closest_marker("slow") else rough_plans():
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("few_folds_here", "few_epochs")
@pytest.mark.filterwarnings("ignore:X has few distinct values", "ignore:X has dependent columns")
@parametrize_with_checks([fc.FlowDensity(**QUICK), fc.FlowDensity("affine", **QUICK)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
def test_a_flow_wins_on_moons_and_a_gaussian_on_gaussian_rows():
    fresh, truth = moons(2000, 1), fc.targets.two_moons(0.05)
    fitted = fc.FlowDensity(budget=0.05, random_state=0).fit(moons(300))
    summary = fitted.summary_
    scores = {scored.name: scored.score for scored in summary.candidates}
    assert summary.winner.is_flow and summary.density.score > scores["Gaussian"] + 0.3
    assert fitted.score(fresh) > scores["Gaussian"] + 0.3
    assert fitted.score(fresh) < truth.log_prob(fresh).mean()  # nobody beats the truth
    # its estimate of its own score is that of fresh rows
    assert abs(fitted.score(fresh) - summary.density.score) < 4 * summary.density.error + 0.1

    plain = fc.FlowDensity(**QUICK).fit(gaussian_rows(100))
    tried = plain.summary_.candidates
    assert sum(scored.weight for scored in tried if not scored.is_flow) > 0.4
    assert plain.summary_.density.score > tried[0].score - 0.03 and tried[0].name == "Gaussian"


def test_summary_is_printed(fitted):
    text, line = str(fitted.summary_), fitted.summary_.line
    for scored in fitted.summary_.parts:
        assert f"  {scored.name}" in text and str(scored) in line
    assert "this density" in text and "(held out, +- " in line
    assert f"the largest part is: {fitted.summary_.winner.name}" in text
    assert abs(sum(s.weight for s in fitted.summary_.candidates) - 1) < 1e-9


def test_held_out_scores_are_those_of_the_summary(fitted):
    held_out = fitted.held_out_scores_
    assert len(held_out) == 300 and np.isfinite(held_out).all()
    assert abs(held_out.mean() - fitted.summary_.density.score) < 0.1
    assert held_out.mean() < fitted.score(moons(300)) + 0.05


def test_save_and_load_keep_all_of_it(fitted, tmp_path):
    x = moons(20, 5)
    fc.save(fitted, tmp_path / "moons.npz")
    again = fc.load(tmp_path / "moons.npz")
    for method in ("score_samples", "transform"):
        np.testing.assert_array_equal(getattr(again, method)(x), getattr(fitted, method)(x))
    np.testing.assert_array_equal(again.held_out_scores_, fitted.held_out_scores_)
    np.testing.assert_array_equal(again.sample(5, random_state=1), fitted.sample(5, random_state=1))
    assert str(again.summary_) == str(fitted.summary_) and again.get_params() == fitted.get_params()
    assert not hasattr(again, "feature_names_in_")
    fc.save(fitted.density_, tmp_path / "bare.npz")
    loaded = fc.load(tmp_path / "bare.npz")
    np.testing.assert_array_equal(loaded.log_prob(x), fitted.score_samples(x))
    with pytest.raises(NotFittedError, match="FlowDensity instance is not fitted"):
        fc.save(clone(fitted), tmp_path / "moons.npz")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_processes_change_nothing(backend, monkeypatch):
    monkeypatch.setattr("flowcore.estimator.workers.LIGHT", 0)  # a short fit has processes, too
    x, options = moons(60), {"budget": 0.01, "random_state": 0}
    one = fc.FlowDensity(n_jobs=1, **options).fit(x)
    with joblib.parallel_backend(backend):
        two = fc.FlowDensity(n_jobs=2, **options).fit(x)
    np.testing.assert_array_equal(one.score_samples(x), two.score_samples(x))


def test_a_joblib_backend_without_generators():
    with joblib.parallel_backend("multiprocessing"):
        assert run([partial(np.hypot, 3, k) for k in (4, 0)], [1, 1], 2) == [5, 3]


def test_a_log_has_few_lines_of_progress(monkeypatch, capsys):
    monkeypatch.setattr("tqdm.std.time", itertools.count().__next__)  # a second between any two
    with part_of_progress(wanted=True):
        for share in (0.25, 0.75):  # of a budget of which some is left
            with part_of_progress(share):
                found = run([partial(int, k) for k in range(60)], [1] * 60, 1, budget=80)
                assert found == list(range(60))
    shown = [int(n) for n in re.findall(r"(\d+)%", capsys.readouterr().err)]
    assert 2 <= len(shown) < 8 and shown == sorted(shown)
    assert shown[-1] == 100 and shown.count(100) == 1
    monkeypatch.undo()
    fc.fit(
        fc.flows.maf(2, layers=1, hidden=[4]), gaussian_rows(30)[:, :2], epochs=60, progress=True
    )
    assert not capsys.readouterr().err  # of less than five seconds


@pytest.mark.parametrize(
    "change", [lambda x: -x, lambda x: x[:, ::-1], lambda x: x[::-1], lambda x: 8 * x]
)
def test_folds_depend_neither_on_signs_nor_on_any_order(change):
    x = gaussian_rows(15)  # neither flows nor mixtures are tried
    other = change(x)
    found, again = (fc.FlowDensity(**QUICK).fit(rows).summary_ for rows in (x, other))
    units = 3 * np.log(np.ptp(x) / np.ptp(other))
    np.testing.assert_allclose(
        again.candidates[0].score, found.candidates[0].score + units, rtol=1e-9
    )


def test_a_metropolis_chain_is_learned_as_its_different_rows():
    """Copies among the held-out rows would make a spike on each row look right."""
    truth, rng = fc.Normal(2), np.random.default_rng(0)
    chain = [np.zeros(2)]
    for _ in range(1500):
        new = chain[-1] + 3 * rng.standard_normal(2)
        gain = truth.log_prob(new) - truth.log_prob(chain[-1])
        chain.append(new if np.log(rng.random()) < gain else chain[-1])
    found = fc.FlowDensity(**QUICK).fit(np.array(chain))
    assert found.summary_.n_rows == len(np.unique(chain, axis=0)) < 500
    fresh = truth.sample(4000, rng=1)
    assert (truth.log_prob(fresh) - found.score_samples(fresh)).mean() < 0.1
    assert abs(found.summary_.density.score - found.score(fresh)) < 0.2


def test_what_is_left_out_is_listed_and_saved(monkeypatch, tmp_path):
    monkeypatch.setattr("flowcore.estimator.plan.LEAST_SECONDS", 0.004)
    found = fc.FlowDensity(**QUICK | {"budget": 2e-5}).fit(moons(60))
    assert "left out: spline flow, which takes 0 s and 0.0 GB or more" in str(found.summary_)
    assert "spline flow" not in {scored.name for scored in found.summary_.candidates}
    fc.save(found, tmp_path / "moons.npz")
    assert str(fc.load(tmp_path / "moons.npz").summary_) == str(found.summary_)


@pytest.mark.slow
@pytest.mark.parametrize("far", [1e12, 1e29])
def test_a_far_row_costs_the_others_little(far):
    x, options = gaussian_rows(80), {**QUICK, "budget": 0.02}
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    plain = fc.FlowDensity(**options).fit(x).score(x)
    found = fc.FlowDensity(**options).fit(np.vstack([x, [far, 0, -far]]))
    assert found.score(x) > plain - 0.7
    assert np.isfinite(found.score_samples([[far, 0, -far]])).all()
    assert np.isfinite(found.sample(200, random_state=0)).all()
    assert max(map(len, str(found.summary_).splitlines())) < 80


def test_units_do_not_matter():
    x = gaussian_rows(40)
    plain = fc.FlowDensity("small", **QUICK).fit(x)
    for unit in (1e-300, 1e300):
        scaled = fc.FlowDensity("small", **QUICK).fit(x * unit)
        np.testing.assert_allclose(
            scaled.score_samples(x * unit), plain.score_samples(x) - 3 * np.log(unit), rtol=1e-6
        )
        shift = scaled.summary_.density.score - plain.summary_.density.score
        assert shift == pytest.approx(-3 * np.log(unit))


def test_context():
    rng = np.random.default_rng(0)
    c = rng.uniform(100, 300, (300, 1))
    x = np.column_stack([c[:, 0] / 50 + 0.1 * rng.standard_normal(300), rng.standard_normal(300)])
    density = fc.FlowDensity("affine", **QUICK).fit(x, context=c)
    plain = fc.FlowDensity(**QUICK).fit(x[:30])
    baseline = density.summary_.candidates[0]  # of residuals: the mean is linear in the context
    truth = -0.5 * np.log(2 * np.pi * np.e) * 2 - np.log(0.1)
    assert baseline.name == "Gaussian"
    assert abs(baseline.score - truth) < 0.2 and density.score(x, context=c) > truth - 0.2
    draws = density.sample(500, random_state=0, context=[[110.0], [290.0]])
    assert draws.shape == (500, 2, 2)
    np.testing.assert_allclose(np.median(draws[..., 0], axis=0), [2.2, 5.8], atol=0.3)
    np.testing.assert_array_equal(
        density.density_.log_prob(x, context=c), density.score_samples(x, context=c)
    )
    z = density.transform(x, context=c)
    np.testing.assert_allclose(density.inverse_transform(z, context=c), x, atol=1e-6)
    for own, given, message in (
        (density, None, "context= has 0 columns, but in fit it had 1; cross_val"),
        (plain, c, "1 columns, but in fit it had 0"),
        (density, np.column_stack([c, c]), "2 columns, but in fit it had 1"),
    ):
        with pytest.raises(ValueError, match=message):
            own.score_samples(x, context=given)


@pytest.mark.parametrize("where", ["density", "selection"])  # complete rows, rows with holes
def test_only_correlated_columns_get_a_white_spline_flow(where, monkeypatch):
    def plan_of(x):
        def stop(rows, plan, *how):
            raise RuntimeError([flow.name for flow in plan.seconds])

        monkeypatch.setattr(f"flowcore.estimator.{where}.select", stop)
        x = x.copy()
        x[:3, 0] = x[:3, 0] if where == "density" else np.nan
        missing = "error" if where == "density" else "learn"
        with pytest.raises(RuntimeError) as tried:
            fc.FlowDensity(**QUICK, missing=missing).fit(x)
        return str(tried.value)

    x = moons(300)
    assert "spline flow, white" not in plan_of(x)
    assert "spline flow, white" in plan_of(x @ [[1, 1], [0, 0.02]])


@pytest.mark.slow
def test_a_white_spline_flow_wins_where_columns_are_nearly_the_same(monkeypatch):
    x, options = moons(900) @ [[1, 1], [0, 0.01]], QUICK | {"budget": 0.03}
    found = fc.FlowDensity(**options).fit(x[:300])
    white, plain = (
        fc.FlowDensity(name, **options).fit(x[:300]).score(x[300:])
        for name in ("white_spline", "spline")
    )
    assert white > plain + 0.3 and found.score(x[300:]) > white - 0.05
    monkeypatch.setattr("flowcore.estimator.plan.SIZES", (2, 3))  # a mixture of 16 is as good
    few = fc.FlowDensity(**options).fit(x[:300])
    weights = {one.name: one.weight for one in few.summary_.candidates}
    assert weights["spline flow, white"] > 0.3 and few.score(x[300:]) > white - 0.2


def test_a_white_flow_reads_the_principal_axes_of_the_context(tmp_path):
    """Of two columns that are nearly the same, only the difference matters."""
    rng = np.random.default_rng(0)
    c, difference = rng.uniform(100, 300, 200), rng.standard_normal(200)
    context = np.column_stack([c, c + 0.1 * difference, np.full(200, 3.0), c])
    x = np.column_stack([difference + 0.1 * rng.standard_normal(200), rng.standard_normal(200)])
    found = fc.FlowDensity("white", **QUICK | {"budget": 0.005}).fit(x, context=context)
    assert found.score(x, context=context) > found.summary_.candidates[0].score + 0.7
    fc.save(found, tmp_path / "context.npz")
    again = fc.load(tmp_path / "context.npz").score_samples(x, context=context)
    np.testing.assert_array_equal(again, found.score_samples(x, context=context))


def test_latents_of_a_table_with_names_go_back_without_a_warning():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(gaussian_rows(30), columns=["a", "b", "c"])
    density = fc.FlowDensity(**QUICK).set_output(transform="pandas").fit(X)
    z = density.transform(X)
    assert list(z) == ["flowdensity0", "flowdensity1", "flowdensity2"]
    np.testing.assert_allclose(density.inverse_transform(z.to_numpy()), X, atol=1e-8)
    np.testing.assert_allclose(density.inverse_transform(z), X, atol=1e-8)
    with pytest.raises(ValueError, match=r"X has shape \(30, 2\), but the flow has dim 3"):
        density.inverse_transform(z.iloc[:, :2])


def test_a_context_of_numbered_columns_has_no_names():
    x, c = gaussian_rows(30), frame(age=np.arange(30.0), dose=np.arange(30.0) ** 2)
    density = fc.FlowDensity(**QUICK).fit(x, context=c)
    assert density.context_names_in_ == ["age", "dose"]
    numbered = c.set_axis([0, 1], axis=1)
    assert density.score(x, context=numbered) == density.score(x, context=c)
    with pytest.raises(ValueError, match=r"write context\.to_frame\(\)$"):
        density.score_samples(x, context=c["age"])
    assert density.fit(x, context=numbered).context_names_in_ is None


def test_simple_densities_have_means_that_are_linear_in_the_context():
    """Of so few rows no flow is tried; the residuals of the truth are N(0, 0.1^2)."""
    rng = np.random.default_rng(0)
    c = rng.normal(size=(38, 2))
    x = c @ [[2.0, 0.0, -1.0], [0.0, 1.0, 1.0]] + 0.1 * rng.normal(size=(38, 3))
    density = fc.FlowDensity(**QUICK).fit(x, context=c)
    new = rng.normal(size=(500, 2))
    drawn = density.sample(400, random_state=0, context=new[:2])
    means = new[:2] @ [[2.0, 0.0, -1.0], [0.0, 1.0, 1.0]]
    np.testing.assert_allclose(drawn.mean(axis=0), means, atol=0.15)
    fresh = new @ [[2.0, 0.0, -1.0], [0.0, 1.0, 1.0]] + 0.1 * rng.normal(size=(500, 3))
    truth = -3 * (0.5 * np.log(2 * np.pi * np.e) + np.log(0.1))
    assert density.score(fresh, context=new) > truth - 0.7


def test_an_interrupt_ends_all_fits(monkeypatch):
    calls = []

    def interrupted(flow, x, **options):
        calls.append(flow)
        return flow, fc.History(interrupted=True)

    monkeypatch.setattr("flowcore.estimator.candidates.fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fc.FlowDensity(**QUICK).fit(moons(60))
    assert len(calls) == 1


def test_a_limit_that_is_over_at_once_leaves_the_gaussian(tmp_path):
    for flow in ("auto", "spline"):
        with pytest.warns(
            UserWarning, match="was over before Gaussian of margins, spline flow.*: the result"
        ):
            found = fc.FlowDensity(flow, **QUICK, max_seconds=1e-9).fit(moons(60))
        assert [scored.name for scored in found.summary_.candidates] == ["Gaussian"]
        assert "left out: spline flow, as max_seconds was over" in str(found.summary_)
    fc.save(found, tmp_path / "moons.npz")
    assert fc.load(tmp_path / "moons.npz").max_seconds == 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_limit_by_the_clock(monkeypatch, n_jobs):
    """A machine that is thirty times slower than the costs in the plan."""
    monkeypatch.setattr("flowcore.estimator.plan.CORES", 60)
    monkeypatch.setattr("flowcore.estimator.plan.SIZES", (2, 3))  # larger mixtures may be better
    options = {"max_seconds": 12, "n_jobs": n_jobs, "random_state": 0}
    start = time.perf_counter()
    with pytest.warns(UserWarning, match="the end of spline flow") as warned:
        found = fc.FlowDensity(**options).fit(moons(20_000))
    assert time.perf_counter() - start < 1.2 * 12 + 2 and len(warned) == 1
    assert found.summary_.winner.is_flow
    assert found.score(moons(2000, 1)) > found.summary_.candidates[0].score + 0.3


def frame(**columns):
    return pytest.importorskip("pandas").DataFrame(columns)


def with_nulls(values):
    return pytest.importorskip("pandas").array(values, dtype="Int64")


HOLES = np.where(np.arange(9) == 7, np.nan, gaussian_rows(9)[:, 0])
BAD_ROWS = {
    "masked": (lambda: np.ma.masked_greater(gaussian_rows(9), 5.0), "X has masked values"),
    "dates": (lambda: np.full((9, 2), "2024-01-01", "M8[D]"), r"numbers, not datetime64\[D\]"),
    "text": (lambda: np.full((9, 2), "a"), r"a str 'a' in rows 0, 1, .*: could not convert"),
    "huge": (lambda: [[1.0, 2], [10**400, 3]], r"an? int '10+' in row 1 \(column 0\): int too"),
    "complex": (lambda: [[1.0, 2], [3, 1j]], r"a complex '1j' in row 1 .*not .complex.; leave"),
    "a dict": (lambda: {"age": [1.0]}, r"X is a dict, not a table: write pandas.DataFrame\(X\)"),
    "a city": (lambda: frame(city=["Bern", "Rome"]), r"'city'\): .*; leave the .*, or .*fit_table"),
    "days": (lambda: frame(day=np.full(9, "2024-01-01", "M8[s]")), r"datetime64.*'2024-.*; leave"),
    "missing": (lambda: frame(age=with_nulls([3, None])), r"in row 1 \(column 0 'age'\): drop or"),
    "NaN": (lambda: frame(a=HOLES), r"NaN or infinite values in row 7 \(column 0 'a'\)"),
    "twice": (lambda: frame(a=HOLES, b=HOLES)[["a", "b", "b"]], "X has 'b' more than once"),
    "constant": (lambda: np.c_[gaussian_rows(9), np.ones(9)], "constant in column 3"),
    "two rows": (lambda: gaussian_rows(3)[[0, 1, 1, 0]], "X has 2 different rows: at least 3 are"),
    "far": (lambda: np.c_[[*range(9), 1e301]], r"a value in row 9 \(column 0\) .*far .*1e\+301"),
}


@pytest.mark.parametrize("rows, message", BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows(rows, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fc.FlowDensity(**QUICK).fit(rows())


def test_rows_of_weight_0_have_no_held_out_score():
    weight = np.arange(20) % 3
    found = fc.FlowDensity("small", **QUICK).fit(gaussian_rows(20), sample_weight=weight)
    np.testing.assert_array_equal(np.isfinite(found.held_out_scores_), weight > 0)
    x = np.where(np.outer(weight, [1, 0, 0]), 4.0, gaussian_rows(20))
    with pytest.raises(ValueError, match="constant in column 0"):  # where the weights are
        found.fit(x, sample_weight=weight)


def test_dependent_columns_are_one_warning():
    x = gaussian_rows(30)
    with pytest.warns(UserWarning, match="dependent columns") as found:
        fc.FlowDensity(**QUICK).fit(np.column_stack([x, x.sum(axis=1)]))
    assert len(found) == 1  # not for every fold


BAD = {
    "no such flow": ({"flow": "naf"}, {}, "flow must be one of auto, spline.*'naf'"),
    "a flow of another dim": (
        {"flow": fc.flows.maf(2)},
        {},
        "dim=2 and context_dim=0, but the data have 3 and 0",
    ),
    "numbers of NumPy's": ({"budget": np.float32(1e-3), "n_jobs": np.int64(1)}, {}, None),
    "budget": ({"budget": 0}, {}, "budget is a number of minutes > 0.*0"),
    "max_seconds": ({"max_seconds": 0}, {}, "max_seconds is a number of seconds > 0.*got 0"),
    "n_jobs": ({"n_jobs": "x"}, {}, "n_jobs is a number of processes, .*: 'x'"),
    "weights": ({}, {"sample_weight": np.full(30, -1.0)}, "sample_weight must be finite and >= 0"),
    "context": ({}, {"context": np.zeros((7, 1))}, "X has 30 rows"),
}


@pytest.mark.parametrize("options, given, message", BAD.values(), ids=BAD)
def test_options(options, given, message):
    with pytest.raises(ValueError, match=message) if message else nullcontext():
        fc.FlowDensity(**QUICK | options).fit(gaussian_rows(30), **given)


def test_the_cell_that_makes_a_row_improbable():
    """Surprises of the truth, likely values and gains; names and contexts as the estimator has."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=300)
    X = np.column_stack([a, a + 0.2 * rng.normal(size=300), rng.normal(size=300)])
    fitted = fc.FlowDensity("affine", **QUICK).fit(X)
    odd = np.array([[0.5, 3.0, 0.0], [0.0, 0.0, 6.0], X[0]])
    found = fitted.explain(odd)
    assert found.names == (0, 1, 2) and found.worst[1] == 2 and found.worst[0] in (0, 1)
    np.testing.assert_allclose(found.log_p, fitted.score_samples(odd))
    apart = odd[:, 1] - odd[:, 0]  # given a, b is normal: -log p less its mean is (u^2 - 1) / 2
    assert found.surprise[2, 1] == pytest.approx(((apart[2] / 0.2) ** 2 - 1) / 2, abs=0.4)
    assert found.values[1][0] == pytest.approx(odd[0, 0], abs=0.1)
    better = odd[:1].copy()
    better[0, 1] = found.values[1][0]
    gain = fitted.score_samples(better)[0] - found.log_p[0]
    assert found.gains[0, 1] == pytest.approx(gain) and gain > 10
    alone = fitted.explain(odd[1:2])
    np.testing.assert_allclose(alone.surprise[0], found.surprise[1], rtol=1e-9)
    context = rng.normal(size=(300, 1))
    moved = fc.FlowDensity("affine", **QUICK).fit(X[:, ::2] + 3 * context, context=context)
    rows = np.array([[3.0, 3.0], [3.0, 3.0]])
    far = moved.explain(rows, context=[[1.0], [-1.0]])
    assert (far.surprise[1] > far.surprise[0] + 2).all() and (far.gains[1] > far.gains[0]).all()


# ---------------------------------------------------------------- rows that lack some numbers


def lacking(n=400, seed=0):
    """(x, present, context): a Gaussian whose mean depends on the context, with holes."""
    rng = np.random.default_rng(seed)
    context = rng.normal(size=(n, 1))
    x = rng.normal(size=(n, 2)) @ [[1.0, 0.8], [0, 0.6]] + context
    return x, rng.random((n, 2)) < 0.7, context


def of_present(x, present, context=None, **options):
    own = {"budget": 0.001, "n_jobs": 1, "random_state": 0, "flow": "small"} | options
    return fit_rows(fc.FlowDensity(**own), x, context=context, present=present)


@pytest.mark.parametrize("flow", [pytest.param("auto", marks=pytest.mark.slow), "spline", "modes"])
def test_the_density_of_present_numbers(flow):
    """Its mass is 1 for each pattern, 0 nats for none; absent entries are ignored in and after."""
    x, present, context = lacking()
    density = of_present(x, present, context, flow=flow)
    assert density.context_dim_ == 3 and np.isfinite(density.held_out_scores_).all()
    grid = np.linspace(-8, 8, 801)
    for pattern in ([1, 0], [0, 1]):
        own = np.where(pattern, grid[:, None], 55.0)
        log_p = density.score_samples(own, np.tile([0.5, *pattern], (len(grid), 1)))
        assert np.exp(log_p).sum() * 0.02 == pytest.approx(1, abs=2e-3)
    none = density.score_samples(x[:2], np.array([[0.5, 0, 0], [-1, 0, 0]]))
    np.testing.assert_allclose(none, 0, atol=1e-12)
    drawn = density.sample(3, 0, np.array([[0.5, 0, 1], [0.5, 1, 1]]))
    assert drawn.shape == (3, 2, 2) and not drawn[:, 0, 0].any() and drawn[:, 1].all()
    other = of_present(np.where(present, x, 1e3), present, context, flow=flow)
    np.testing.assert_array_equal(other.held_out_scores_, density.held_out_scores_)


def test_present_numbers_and_unknown_ones(tmp_path):
    """A NaN is unknown, and a number may be absent; saved and loaded."""
    x, present, _ = lacking()
    holes = np.where(np.random.default_rng(3).random(x.shape) < 0.2, np.nan, x)
    density = of_present(holes, present, missing="learn")
    columns = present.astype(float)
    fc.save(density, tmp_path / "d.npz")
    loaded = fc.load(tmp_path / "d.npz")
    log_p = density.score_samples(x, columns)
    np.testing.assert_array_equal(loaded.score_samples(x, columns), log_p)
    full = of_present(x, present).score_samples(x, columns)
    assert abs((log_p - full).mean()) < 0.2


GLOW = fc.flows.glow(2, context_dim=2, standardize=False, standardize_context=False)


@pytest.mark.parametrize(
    ("present", "flow", "message"),
    [
        (np.eye(400, 2, dtype=bool), "small", "constant in columns"),
        (np.ones((400, 2), bool), GLOW, "mixes coordinates"),
        (np.ones((400, 2), bool), "white", "mixes coordinates"),
    ],
)
def test_present_is_refused(present, flow, message):
    with pytest.raises(ValueError, match=message):
        of_present(lacking()[0], present, flow=flow)
