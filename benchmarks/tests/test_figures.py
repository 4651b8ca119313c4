"""What the printed figures are: each metric by hand, or beside another definition."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gaussian_kde, kstest, linregress, norm

from benchmarks.studies import flow_matching, outlier_tables
from benchmarks.studies import simulation_based as sbi
from benchmarks.studies.conditionals import figures, published, uci, wrong_cells
from benchmarks.studies.estimator import __main__ as run
from benchmarks.studies.estimator import truth
from benchmarks.studies.estimator.results import compared, mean_weights
from benchmarks.studies.redshift.metrics import judged, ks_to_uniform, metrics
from benchmarks.studies.synthetic import figures as likeness
from benchmarks.studies.synthetic.contestants import independent
from benchmarks.studies.tables import quality
from benchmarks.support.cost_picture import slope

RNG = np.random.default_rng


def test_crps_is_the_mean_over_pairs_and_coverage_is_exact():
    draws, y = RNG(0).normal(size=(7, 3)), np.array([0.0, 1.0, -2.0])
    pairs = np.abs(draws[:, None] - draws[None]).sum(axis=(0, 1)) / (7 * 6)
    assert np.allclose(figures.crps(draws, y), np.abs(draws - y).mean(axis=0) - pairs / 2)
    assert np.allclose(figures.crps(draws[:1], y), np.abs(draws[0] - y))
    cells = RNG(1).normal(size=(40, 20_000))  # the last one is the truth
    assert abs(figures.covered_cells(cells[:39], cells[39]).mean() - 0.95) < 0.01
    assert np.isnan(figures.covered_cells(draws[:1], y)).all()
    assert figures.share_of_loss(0.3, 0.5, 0.1) == pytest.approx(0.5)
    assert np.isnan(figures.share_of_loss(0.3, 0.1, 0.1))


def test_scores_of_categories_are_those_of_numbers_that_differ_by_0_or_1():
    draws, y = RNG(0).integers(0, 2, size=(9, 30)), RNG(1).integers(0, 2, size=30)
    assert np.allclose(figures.category_score(draws, y), figures.crps(draws, y))
    assert np.array_equal(figures.category_score(draws[:1], y), draws[0] != y)
    assert np.array_equal(figures.category_error(draws, y), (np.median(draws, axis=0) != y))


def test_errors_of_means_count_rows_not_cells():
    of_rows = RNG(0).normal(size=400)
    mean, error = figures.mean_and_error(np.repeat(of_rows, 5), np.repeat(np.arange(400), 5))
    assert mean == pytest.approx(of_rows.mean()) and error == pytest.approx(of_rows.std() / 20)


def test_a_regression_is_that_of_the_definition():
    x = RNG(0).normal(size=(30, 2))
    (constant, slope), half = published.least_squares(x)
    found = linregress(x[:, 0], x[:, 1])
    assert slope == pytest.approx(found.slope) and constant == pytest.approx(found.intercept)
    assert half[1] == pytest.approx(found.stderr * 2.048407, rel=1e-6)  # t of 28 degrees, .975
    other = x + np.array([0, 1])  # another constant, the same slope
    bias, coverage = published.regression_errors(x, np.stack([other, other]))
    assert coverage == 0.5 and bias == pytest.approx(abs(1 / constant) / 2)


def test_the_slope_of_a_cost_is_its_power_at_the_larger_sizes():
    rows = [{"column": "a", "units": n, "seconds": {"median": max(2e-3, 3e-6 * n**1.5)}}
            for n in (1000, 10, 100, 10_000)]  # fmt: skip
    assert slope(rows, "a", "seconds", "units") == pytest.approx(1.5)


def test_absolute_errors_by_hand():
    x = np.array([[0.0, 1, 5], [2, 0, 5], [4, 1, 6]])  # the range of the first is 4
    hole = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0]], bool)
    a = np.array([[2.0, 0, 5], [2, 0, 5], [4, 1, 6]])  # off by 1/2, and another category
    b = np.array([[1.0, 1, 5], [2, 0, 5], [2, 1, 6]])  # off by 1/4, right, 1/2
    kinds = ("number", "category", "number")
    minimum, average = published.absolute_errors(x, hole, np.stack([a, b]), kinds)
    assert average == pytest.approx((1.5 + 0.75) / 2 / 3)
    assert minimum == pytest.approx(0.25 / 3)


def test_published_figures_are_those_of_the_paper():
    figures_ = json.loads(published.PUBLISHED.read_text("utf-8"))["tables"]
    assert set(uci.LOADERS) == set(figures_) and len(figures_) == 27
    rows = {row["who"]: row for row in published.means(figures_, dict.fromkeys(figures_, [0] * 4))}
    best, trees = rows["MissForest"], rows["UnmaskingTrees"]
    assert f"{best['AvgMAE']:.2f} {best['CoverageRate']:.2f}" == "0.12 0.79"
    assert f"{trees['AvgMAE']:.2f} {trees['PercentBias']:.2f}" == "0.14 0.55"
    assert best["tables of AvgMAE"] == 26 and best["tables of PercentBias"] == 6


def test_a_row_has_one_wrong_cell_and_it_is_distant():
    x = RNG(0).normal(size=(60, 3))
    x[:, 2] = 5.0  # has no distant value
    wrong, columns = wrong_cells.with_wrong_cells(x, RNG(1))
    assert 20 < len(wrong) < 60 and set(columns) == {0, 1}
    for row, j in zip(wrong, columns, strict=True):
        same = [np.delete(row, j).tolist() == np.delete(other, j).tolist() for other in x]
        (k,) = np.flatnonzero(same)
        assert abs(row[j] - x[k, j]) > x[:, j].std() and row[j] in x[:, j]


def made(n, seed, correlation=0.8):
    """Two numbers, one with zeros, and two categories that depend on them."""
    rng = np.random.default_rng(seed)
    x, e = rng.normal(size=(2, n))
    y = np.where(rng.random(n) < 0.4, 0.0, correlation * x + (1 - correlation) * e)
    city = np.where(x + 0.5 * e > 0, "Rome", np.where(e > 0.5, "Oslo", "Bern")).astype(object)
    old = np.where(y > 0, "yes", "no").astype(object)
    return pd.DataFrame({"x": x, "y": y, "city": city, "old": old})


REAL, ALIKE, OTHER = made(600, 0), made(600, 1), made(600, 2, correlation=0.1)


def test_shapes_and_pairs_by_hand():
    real = pd.DataFrame({"a": [0.0, 1, 2, 3], "c": ["u", "u", "v", "v"]})
    drawn = pd.DataFrame({"a": [0.0, 1, 2, 9], "c": ["u", "v", "v", "w"]})
    assert likeness.column_shapes(real, real) == likeness.pair_trends(real, real) == 1
    assert likeness.column_shapes(real, drawn) == pytest.approx((0.75 + 0.75) / 2)
    assert likeness.overlap(real[["c"]], drawn[["c"]]) == 0.75
    assert likeness.overlap(real, drawn) == 0.5  # (0, u) and (2, v) are in both


def test_a_detector_finds_what_differs_and_guesses_where_nothing_does():
    assert abs(likeness.detector_auc(REAL, ALIKE) - 0.5) < 0.08
    assert likeness.detector_auc(REAL, OTHER) > 0.7


def test_a_classifier_learns_from_draws_what_they_keep():
    shuffled = independent(REAL, RNG(0))
    for target in ("city", "y"):
        assert likeness.transfer_auc(ALIKE, REAL, target) > 0.9
        assert likeness.transfer_auc(shuffled, REAL, target) < 0.65
    assert likeness.transfer_auc(ALIKE.assign(old="no"), REAL, "old") == 0.5


def test_copies_are_nearer_to_training_rows_and_other_rows_are_not():
    held_out = made(600, 3)
    assert likeness.nearer_share(REAL, held_out, REAL) > 0.99
    assert likeness.nearer_share(REAL, held_out, held_out) < 0.01
    assert abs(likeness.nearer_share(REAL, held_out, ALIKE) - 0.5) < 0.07
    assert likeness.nearer_share(REAL, REAL, ALIKE) == 0.5  # ties


def test_distance_counts_a_category_as_the_range_of_a_number():
    a = pd.DataFrame({"x": [0.0, 10], "c": ["u", "u"]})
    b = pd.DataFrame({"x": [4.0, 4], "c": ["v", "v"]})
    drawn = pd.DataFrame({"x": [4.0], "c": ["u"]})
    assert likeness.nearer_share(a, b, drawn) == 1  # .4 is less than 1


def test_shares_of_the_commonest_value_and_out_of_range():
    real = pd.DataFrame({"x": [0.0, 0, 0, 8], "c": list("aabb")})
    drawn = pd.DataFrame({"x": [0.0, 5, -1, 9], "c": list("aaab")})
    assert likeness.commonest_gap(real, drawn) == (0.5, "x")
    assert likeness.outside_share(real, drawn) == 0.5


def rows(who, log_p, **more):
    more |= {"winner": "spline flow", "winner_is_flow": True}
    return [
        {"table": "t", "rows": 4, "columns": 2, "fold": k, "who": who, "seconds": 1.0,
         "log_p": values, **more}
        for k, values in enumerate(log_p)
    ]  # fmt: skip


def test_comparison_is_paired_and_of_the_folds_that_all_did():
    found = rows("FlowDensity", [[-1.0, -2.0], [-3.0, -4.0], [9.0, 9.0]])
    found += rows("Gaussian", [[-2.0, -3.0], [-4.0, -5.5]])
    found += rows("KDE, CV", [[-9.0, -9.0], [-9.0, -9.0]])
    [row] = compared(found)
    assert row["folds"] == 2 and row["best"] == "Gaussian" and row["flow_wins"]
    assert row["means"]["FlowDensity"] == -2.5
    np.testing.assert_allclose([row["gain"], row["error"]], [1.125, np.std([1, 1, 1, 1.5]) / 2])


def test_weights_of_mixtures_are_one_part_and_those_of_gaussians_another():
    first = {"Gaussian": 0.25, "Gaussian of margins": 0.25, "mixture of 3 t of margins": 0.5}
    second = {"mixture of 2": 0.5, "mixture of 3 of margins": 0.25, "small affine flow": 0.25}
    found = mean_weights([first, second])
    assert found == {"Gaussian": 0.25, "mixture": 0.625, "small affine flow": 0.125}


def test_the_truth_of_twonorm():
    rng = np.random.default_rng(0)
    side = rng.choice([-1, 1], (4000, 1))
    x = side * 2 / np.sqrt(20) + rng.normal(size=(4000, 20))
    squares = [((x - s * 2 / np.sqrt(20)) ** 2).sum(axis=1) for s in (1, -1)]
    log_p = np.logaddexp(*(-0.5 * s for s in squares)) - np.log(2) - 10 * np.log(2 * np.pi)
    found = [
        {"table": "twonorm", "who": "FlowDensity", "fold": k,
         "log_p": log_p[held_out] + np.log(x[learn].std(axis=0)).sum() - 0.25}
        for k, (learn, held_out) in enumerate(run.splits(4000))
    ]  # fmt: skip
    kl, error = truth.twonorm_kl(found, lambda name: x, run.splits)
    np.testing.assert_allclose([kl, error], [0.25, 0.0], atol=1e-9)
    assert truth.twonorm_kl([], lambda name: x, run.splits) is None


def labelled(**rule):
    """Twenty rows of three classes: ten a, six b, four c."""
    classes = np.repeat(["a", "b", "c"], [10, 6, 4])
    return outlier_tables.Labelled("ours", lambda: (np.arange(20.0)[:, None], classes), **rule)


def test_a_rule_decides_which_rows_stay_and_which_are_outliers():
    table, is_outlier = labelled(outliers=["c"]).load()
    assert len(table) == 20 and is_outlier.tolist() == [False] * 16 + [True] * 4
    table, is_outlier = labelled(outliers=["b"], normal=["a"], thin=2).load()
    assert len(table) == 12 and is_outlier.sum() == 2
    assert set(table[is_outlier, 0]) < set(range(10, 16)) and (np.diff(table[:, 0]) > 0).all()
    again, _ = labelled(outliers=["b"], normal=["a"], thin=2).load()
    np.testing.assert_array_equal(table, again)


def test_made_outliers():
    table = np.random.default_rng(0).normal(5, [1, 3, 9], (400, 3))
    wrong, is_outlier = outlier_tables.swapped(table, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(wrong, axis=0), np.sort(table, axis=0))
    assert is_outlier.sum() == 10 and ((wrong != table).sum(axis=1) == is_outlier).all()
    more, is_outlier = outlier_tables.clustered(table, np.random.default_rng(1))
    cluster = more[is_outlier]
    assert len(cluster) == 10 and (cluster.std(axis=0) < 0.3 * table.std(axis=0)).all()
    np.testing.assert_array_equal(more[~is_outlier], table)


def row(name, **auroc):
    return {"table": name, "rule": "ours", "n": 100, "dim": 2, "outliers": 5, "auroc": auroc,
            "seconds": dict.fromkeys(auroc, 1.0)}  # fmt: skip


ROWS = [
    row("first", FlowDensity=0.9, KNN=0.8, KDE=0.7, GMM=0.6),
    row("second", FlowDensity=0.5, KNN=0.9, KDE=0.6, GMM=0.5),
]


def test_ranks_and_means_over_tables():
    by_name = {who: numbers for who, *numbers in quality.summary(ROWS)}
    assert by_name["FlowDensity"] == [pytest.approx(0.7), pytest.approx(2.25), 0.5]  # level: 3.5
    assert by_name["KNN"] == [pytest.approx(0.85), pytest.approx(1.5), 1.0]


def test_the_classifier_is_blind_to_what_is_equal():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 600, 2))
    assert abs(sbi.c2st(a, b) - 0.5) < 0.08
    assert sbi.c2st(a, b + 4) > 0.95


def test_the_kernel_estimate_is_that_of_scipy():
    x, y = np.random.default_rng(0).normal(size=(2, 200, 2))
    log_p = norm.logpdf(y).sum(axis=1)
    at_width = [
        np.mean(log_p - gaussian_kde(x.T, bw_method=lambda _, w=w: w).logpdf(y.T))
        for w in flow_matching.WIDTHS
    ]
    whitened = np.linalg.cholesky(np.linalg.inv(np.cov(x.T)))  # scipy's kernels have this shape
    found = flow_matching.kernel_kl(x @ whitened, y @ whitened, log_p, angles=False)
    jacobian = np.linalg.slogdet(whitened)[1]
    np.testing.assert_allclose(found - jacobian, min(at_width), atol=1e-9)
    angles = flow_matching.kernel_kl(x / 50, y / 50, log_p, angles=True)  # nearly a plane
    plane = flow_matching.kernel_kl(x / 50, y / 50, log_p, angles=False)
    np.testing.assert_allclose(angles, plane, atol=1e-2)


def test_the_density_of_a_chain_is_that_of_its_columns():
    chain = flow_matching.Chain(3)
    x, y, z = chain.sample(50, 0).T
    by_hand = norm.logpdf(x) + norm.logpdf(y, np.sin(1.5 * x), 0.2 + 0.5 / (1 + np.exp(-2 * x)))
    by_hand += norm.logpdf(z, 0.5 * y**2 - 0.5, 0.3)
    np.testing.assert_allclose(chain.log_prob(np.column_stack([x, y, z])), by_hand, atol=1e-12)


@pytest.mark.parametrize("own_grids", [False, True])
def test_metrics_of_redshifts_are_those_of_exact_curves(own_grids):
    """z is normal around x: with the right curves each metric has its value, with others not."""
    n, sd = 4000, 0.02
    x = RNG(0).uniform(0.5, 1.5, size=n)
    z = x + sd * RNG(1).normal(size=n)
    grid = x[:, None] + np.linspace(-0.2, 0.2, 801) if own_grids else np.linspace(0, 2, 4001)
    curves = norm.pdf(grid, x[:, None], sd)
    found = metrics(z, norm.logpdf(z, x, sd), judged(z, grid, 7 * curves))  # normalised inside
    peak = 1 / (2 * np.sqrt(np.pi) * sd)  # the integral of p^2, and the mean of p
    assert found["CDE loss"] == pytest.approx(-peak, rel=0.03)
    assert found["log p"] == pytest.approx(norm.logpdf(z, x, sd).mean())
    assert found["PIT KS"] < 1.63 / np.sqrt(n)  # the 1% point
    d = (x - z) / (1 + z)
    assert found["sigma_NMAD"] == pytest.approx(sd / 2, rel=0.1)
    assert found["outliers"] == pytest.approx(np.mean(np.abs(d) > 0.06), abs=2 / n)
    wide = judged(z, grid, norm.pdf(grid, x[:, None], 2 * sd))
    worse = metrics(z, norm.logpdf(z, x, 2 * sd), wide)
    assert worse["CDE loss"] > found["CDE loss"] + 1 and worse["PIT KS"] > 0.1
    assert worse["log p"] < found["log p"] - 0.2


def test_the_distance_to_uniform_is_that_of_scipy():
    values = RNG(0).beta(2, 3, size=57)
    assert ks_to_uniform(values) == pytest.approx(kstest(values, "uniform").statistic)
