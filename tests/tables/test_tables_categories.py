"""p(c): a tree, latent classes, and both mixed with counts, beside brute force over all codes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.tables.categorical import LEAST_ROWS, MOST_CODES, CategoricalMixture
from flowcore.tables.chow_liu_tree import ChowLiuTree
from flowcore.tables.frequencies import Frequencies, unseen_shares
from flowcore.tables.latent_classes import LatentClasses


def rows_of(seed, n, n_columns=3, levels=3, alike=0.8):
    """Codes of columns that mostly equal the one before: a chain."""
    draws = np.random.default_rng(seed)
    codes = draws.integers(0, levels, (n, n_columns))
    for k in range(1, n_columns):
        same = draws.random(n) < alike
        codes[same, k] = codes[same, k - 1]
    return codes


def fits(codes, sizes, closed, weight):
    """A density of each kind, the mixture of all with equal weights as well."""
    u, draws = unseen_shares(codes, closed), np.random.default_rng(0)
    counts = Frequencies.fit(codes, sizes, closed, weight)
    tree = ChowLiuTree.fit(codes, sizes, u, weight)
    classes = LatentClasses.fit(codes, sizes, u, weight, 2, draws)
    both = CategoricalMixture([0.2, 0.3, 0.5], counts, tree, [classes])
    return {"counts": counts, "tree": tree, "classes": classes, "mixture": both}


def every_code(sizes, unseen=1):
    return np.array([*itertools.product(*(range(size + unseen) for size in sizes))])


def p_of(density, codes):
    return np.exp(density.log_prob(codes))


@given(
    st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=40),
    st.integers(2, 3),
    st.tuples(*[st.booleans()] * 3),
)
def test_each_density_has_the_sum_one(rows, columns, closed):
    codes, sizes, closed = np.array(rows)[:, :columns], (3, 4, 3)[:columns], closed[:columns]
    weight = 1.0 + np.arange(len(codes)) % 3
    everything = every_code(sizes)
    for name, density in fits(codes, sizes, closed, weight).items():
        p = p_of(density, everything)
        assert p.sum() == pytest.approx(1, abs=1e-12), name
        assert (p_of(density, codes) > 0).all()
        for k, size in enumerate(sizes * (name in ("tree", "classes"))):
            unseen = p[everything[:, k] == size].sum()
            assert unseen == pytest.approx(unseen_shares(codes, closed)[k], abs=1e-12), name


@pytest.mark.parametrize("name", ["tree", "classes", "mixture"])
def test_draws_are_from_p_given_that_all_values_are_known(name):
    codes = np.concatenate([rows_of(0, 80)[:, [0, 2, 1]], [[0, 1, 2]]])
    density = fits(codes, (3, 3, 3), (False, False, True), np.ones(81))[name]
    known = every_code((3, 3, 3), unseen=0)
    p = p_of(density, known)
    drawn = density.sample(40_000, np.random.default_rng(1))
    share = np.bincount(drawn @ [9, 3, 1], minlength=27) / len(drawn)
    assert fits(codes, (3, 3, 3), (True,) * 3, np.ones(81))["tree"].parents == [-1, 2, 0]
    assert p.max() > 0.08 and p.sum() < 0.99
    np.testing.assert_allclose(share, p / p.sum(), atol=0.009)
    assert density.sample(0, np.random.default_rng(1)).shape == (0, 3)


def entropy(codes):
    n = np.unique(codes, axis=0, return_counts=True)[1]
    return -np.sum(n / n.sum() * np.log(n / n.sum())), len(n)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("n_columns", [3, 4])
def test_the_tree_has_the_most_information_of_all_forests(seed, n_columns):
    codes = rows_of(seed, 60, n_columns, alike=0.4)
    codes = codes[:, np.random.default_rng(seed).permutation(n_columns)]
    pairs = [*itertools.combinations(range(n_columns), 2)]

    def gain(pair):
        (a, m_a), (b, m_b) = (entropy(codes[:, [k]]) for k in pair)
        both, m = entropy(codes[:, pair])
        return a + b - both - (m - m_a - m_b + 1) / (2 * len(codes))

    def is_forest(edges):
        part = list(range(n_columns))
        for a, b in edges:
            if part[a] == part[b]:
                return False
            part = [part[a] if k == part[b] else k for k in part]
        return True

    sets = itertools.chain(*(itertools.combinations(pairs, m) for m in range(n_columns)))
    best = max(filter(is_forest, sets), key=lambda edges: sum(map(gain, edges)))
    tree = ChowLiuTree.fit(codes, (3,) * n_columns, np.zeros(n_columns), np.ones(60))
    found = {tuple(sorted((k, above))) for k, above in enumerate(tree.parents) if above >= 0}
    assert found == set(best)


def test_the_tree_is_counts_drawn_towards_the_marginal():
    """Also below a parent that was never seen, and with the strength that suits rows left out."""
    codes = rows_of(3, 70, 2)
    tree = ChowLiuTree.fit(codes, (3, 3), np.array([0.1, 0.2]), np.ones(70))
    joint = np.zeros((3, 3))
    np.add.at(joint, tuple(codes.T), 1)
    first, second = ((joint.sum(axis=1 - k) + 0.5) / 71.5 for k in range(2))

    def given_first(joint, total, strength):
        return (joint + strength * second) / (total + strength)

    strength = tree.strengths[1]
    expected = given_first(joint, joint.sum(axis=1, keepdims=True), strength)
    expected = 0.9 * first[:, None] * 0.8 * expected
    np.testing.assert_allclose(p_of(tree, every_code((3, 3), 0)), expected.ravel(), rtol=1e-12)
    np.testing.assert_allclose(p_of(tree, np.array([[3, 1], [3, 3]])), [0.08 * second[1], 0.02])

    def left_out(strength):
        others = [np.array([j for j in range(70) if j != i]) for i in range(70)]
        n = [(codes[o] == codes[i]).all(axis=1).sum() for i, o in enumerate(others)]
        m = [(codes[o, 0] == codes[i, 0]).sum() for i, o in enumerate(others)]
        q = second[codes[:, 1]]
        return np.log((np.array(n) + strength * q) / (np.array(m) + strength)).sum()

    assert np.isfinite(strength)
    assert all(left_out(strength) >= left_out(strength * f) for f in (0.5, 2))


@pytest.mark.parametrize(("same", "parents"), [(6, [-1, -1]), (7, [-1, 0])])
def test_information_that_chance_gives_is_subtracted(same, parents):
    """Of 20 rows, 1/40 nats: of 6, 4, 4, 6 rows it is 0.020, of 7, 3, 3, 7 rows 0.082."""
    codes = np.repeat(every_code((2, 2), 0), [same, 10 - same, 10 - same, same], axis=0)
    assert ChowLiuTree.fit(codes, (2, 2), np.zeros(2), np.ones(20)).parents == parents


def test_columns_that_are_independent_are_not_joined():
    tree = ChowLiuTree.fit(every_code((3, 3, 3), 0), (3, 3, 3), np.zeros(3), np.ones(27))
    assert tree.parents == [-1] * 3  # or hardly, where chance joins them
    free = np.random.default_rng(0).integers(0, 12, (300, 6))
    assert min(ChowLiuTree.fit(free, (12,) * 6, np.zeros(6), np.ones(300)).strengths) > 100


def test_em_climbs_to_the_classes_that_the_rows_have():
    draws = np.random.default_rng(2)
    h, truth = draws.random(3000) < 0.3, np.array([[0.9, 0.05, 0.05], [0.1, 0.2, 0.7]])
    codes = np.array([[draws.choice(3, p=truth[int(i)]) for _ in range(4)] for i in h])
    found = LatentClasses.fit(codes, (3,) * 4, np.zeros(4), np.ones(3000), 2, draws)
    order = np.argsort(-found.weights)
    np.testing.assert_allclose(found.weights[order], [0.7, 0.3], atol=0.03)
    for p in found.probabilities:
        np.testing.assert_allclose(p[order], truth, atol=0.06)


def chain(draws, n):
    return rows_of(draws, n, 5, 4, alike=0.7)


def classed(draws, n):
    return (draws.integers(0, 5, (n, 1)) + draws.integers(0, 2, (n, 8))) % 5


def free(draws, n):
    return draws.integers(0, 4, (n, 5))


def pairs(draws, n):
    return draws.integers(0, 9, (n, 2))


@pytest.mark.parametrize(
    ("made", "least"), [(chain, 0.1), (classed, 1.0), (free, -0.02), (pairs, -0.02)]
)  # fmt: skip
def test_held_out_rows_are_no_less_probable_than_by_counts(made, least):
    draws = np.random.default_rng(5)
    codes, fresh = made(draws, 400), made(draws, 4000)
    sizes = (int(codes.max()) + 1,) * codes.shape[1]
    closed = (True,) * len(sizes)
    mixture = CategoricalMixture.fit(codes, sizes, closed, None, draws)
    counts = Frequencies.fit(codes, sizes, closed)
    assert np.mean(mixture.log_prob(fresh) - counts.log_prob(fresh)) > least
    assert mixture.counts.strength == counts.strength
    kept = mixture.weights[1:]
    assert mixture.weights.sum() == pytest.approx(1) and (kept >= 0.01).all()


@pytest.mark.parametrize("made", [chain, classed])
def test_rows_that_hardly_weigh_do_not_decide_how_kinds_are_mixed(made):
    draws, given = np.random.default_rng(5), ((5,) * 5, (True,) * 5)
    codes, fresh = made(draws, 300)[:, :5], made(draws, 2000)[:, :5]
    both, weight = np.concatenate([codes, free(draws, 600)]), np.repeat([1.0, 1e-4], [300, 600])
    alone = CategoricalMixture.fit(codes, *given, None, np.random.default_rng(0))
    found = CategoricalMixture.fit(both, *given, weight, np.random.default_rng(0))
    assert np.mean(found.log_prob(fresh) - alone.log_prob(fresh)) > -0.05


def test_one_column_and_few_rows_are_counted():
    draws = np.random.default_rng(0)
    for codes in (rows_of(0, 400, 1), rows_of(0, LEAST_ROWS - 1)):
        k = codes.shape[1]
        found = CategoricalMixture.fit(codes, (3,) * k, (True,) * k, None, draws)
        assert found.densities == (found.counts,) and found.weights.tolist() == [1.0]


def test_unseen_values_have_one_probability(monkeypatch):
    """That of all rows, though the tree and the classes are fitted to some of them."""
    monkeypatch.setattr("flowcore.tables.categorical.MOST_CODES", 600)
    codes = np.concatenate([classed(np.random.default_rng(0), 2000)[:, :3], [[5, 6, 7]]])
    found = CategoricalMixture.fit(codes, (8, 8, 8), (False,) * 3, None, np.random.default_rng(0))
    assert len(found.densities) > 1
    for density in found.densities[1:]:
        assert (density.unseen == found.counts.unseen).all()


def test_a_class_without_weight_does_not_count():
    alike = LatentClasses([0.0, 1.0], [np.eye(2), np.eye(2)], [0.0, 0.0])
    assert alike.log_prob(np.array([[0, 0], [1, 1]])).tolist() == [-np.inf, 0.0]


@pytest.mark.parametrize(("n", "n_columns", "levels"), [(120, 60, 4), (1500, 2, 1250)])
def test_many_columns_and_many_levels(n, n_columns, levels, monkeypatch):
    codes = rows_of(0, n, n_columns, levels, alike=0.9)
    monkeypatch.setattr("flowcore.tables.categorical.MOST_CODES", MOST_CODES // 100)
    sizes, closed = (levels,) * n_columns, (False,) * n_columns
    found = CategoricalMixture.fit(codes, sizes, closed, None, np.random.default_rng(0))
    fresh = rows_of(1, 50, n_columns, levels, alike=0.9)
    fresh[0] = levels  # nothing that was seen
    assert np.isfinite(found.log_prob(fresh)).all()
    drawn = found.sample(50, np.random.default_rng(0))
    assert drawn.shape == (50, n_columns) and drawn.min() >= 0 and drawn.max() < levels


# ---------------------------------------------------------------- as data


CODES = np.concatenate([rows_of(0, 60), rows_of(0, 60)])
MIXTURE = fits(CODES, (3, 3, 3), (False,) * 3, np.ones(120))["mixture"]


@pytest.mark.parametrize("w", [[0.3, 0.3, 0.3], [0.5, 0.5], [-0.2, 0.7, 0.5], [np.nan] * 3])
def test_weights_that_are_no_shares_are_refused(w):
    with pytest.raises(ValueError, match="weights must be 3 shares of 1"):
        CategoricalMixture(w, MIXTURE.counts, MIXTURE.tree, MIXTURE.classes)
