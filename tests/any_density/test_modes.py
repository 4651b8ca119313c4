"""The search for modes before training, and what `infer` returns for several modes."""

import autograd.numpy as anp
import numpy as np
import pytest

import flowcore as fc
from flowcore.inference.modes import Gaussian, ascend, find_modes, joined, shares_of
from flowcore.inference.parts import fit_modes
from flowcore.inference.start import first_gaussian
from flowcore.inference.unnormalised import LogTarget

CENTRES = np.array([[0.0, 0.0, 0.0], [7.0, 1.0, -2.0], [-3.0, 8.0, 4.0]])
SCALES = np.array([[1.0, 0.5, 2.0], [0.4, 1.0, 0.7], [1.5, 1.0, 0.5]])
SHARES = np.array([0.2, 0.7, 0.1])


def log_parts(x):
    z = [(x - centre) / scale for centre, scale in zip(CENTRES, SCALES, strict=True)]
    log_scales = np.log(SCALES).sum(axis=1) + 1.5 * np.log(2 * np.pi)
    return [
        np.log(share) - 0.5 * anp.sum(own**2, axis=1) - log_scale
        for share, own, log_scale in zip(SHARES, z, log_scales, strict=True)
    ]


def three(x):  # three Gaussians: log Z = 0
    a, b, c = log_parts(x)
    return anp.logaddexp(anp.logaddexp(a, b), c)


def ring(x):
    return -0.5 * ((anp.sqrt(anp.sum(x**2, axis=1) + 1e-9) - 3) / 0.3) ** 2


def bananas(x):  # two of them, of mass 1/4 and 3/4, around -8 and 8 in the first coordinate
    parts = []
    for share, sign in ((0.25, -1), (0.75, 1)):
        u = x[:, 0] - 8 * sign
        bend = x[:, 1] - 0.5 * sign * u**2
        parts.append(np.log(share / (2 * np.pi)) - 0.5 * (u**2 + bend**2))
    return anp.logaddexp(*parts)


def unit(dim):
    return Gaussian(np.zeros(dim), np.eye(dim))


def search(log_target, dim, extra=None, seed=0, near=None):
    extra, near = np.empty((0, dim)) if extra is None else extra, near or unit(dim)
    return find_modes(LogTarget(log_target, dim), near, extra, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def found():
    return fc.infer(three, 3, rng=1)


def by_place(centres, *others):
    order = [int(np.argmin(np.sum((centres - own) ** 2, axis=1))) for own in CENTRES]
    assert sorted(order) == [0, 1, 2]
    return [other[order] for other in others]


def test_several_modes_have_their_shares_and_the_whole_evidence(found):
    value, error = found.log_evidence
    assert abs(value) < max(4 * error, 0.005) and value - found.elbo[0] < 0.01
    (shares,) = by_place(found.modes.centres, found.modes.shares)
    np.testing.assert_allclose(shares, SHARES, atol=0.005)
    mean, error = found.expectation()
    assert (np.abs(mean - SHARES @ CENTRES) < 5 * error).all() and (error < 0.1).all()
    assert len(found.flow.densities) == 3 and abs(found.history.val_nll[-1]) < 0.003
    assert found.modes.counts.sum() <= found.modes.ascents and (found.modes.counts > 0).all()


def test_the_chains_of_several_modes(found):
    """Metropolis jumps between modes; of HMC, every chain stays in its part."""
    chain, taken = found.metropolis(4000, rng=0)
    part = np.argmax(log_parts(chain), axis=0)
    np.testing.assert_allclose(np.bincount(part) / 4000, SHARES, atol=0.05)
    assert taken > 0.9
    x, taken = found.hmc(12, 160, warm_up=12, rng=0)
    part = np.argmax(log_parts(x.reshape(-1, 3)), axis=0)
    assert taken > 0.6 and x.shape == (160, 12, 3) and set(part) == {0, 1, 2}
    for k in (0, 1):  # chains that start at weighted draws are draws of p from the beginning
        own = x.reshape(-1, 3)[part == k]
        np.testing.assert_allclose(own.mean(axis=0), CENTRES[k], atol=0.4 * SCALES[k].max())
        np.testing.assert_allclose(own.std(axis=0), SCALES[k], rtol=0.3)
    with pytest.raises(ValueError, match="a Mixture of 3 flows, one a mode"):
        found.latent_target  # noqa: B018


def test_corrections_and_files_of_several_modes(found, tmp_path):
    again = found.refit(n=2000, epochs=1)
    assert abs(again.log_evidence[0]) < 0.05 and again.modes is found.modes
    fc.save(found.flow, tmp_path / "flow.npz")
    x, log_q = found.flow.sample_and_log_prob(10, rng=0)
    np.testing.assert_array_equal(fc.load(tmp_path / "flow.npz").log_prob(x), log_q)


def test_a_part_that_was_interrupted_is_in_the_verdict():

    def interrupt(report):
        if abs(report.flow.sample(100, 0)[:, 1].mean() - 8) < 1:  # the part of a tenth
            raise KeyboardInterrupt

    found = fc.infer(three, 3, rng=1, epochs=1, batches=5, callbacks=[interrupt], draws=2000)
    assert "training was interrupted after" in found.verdict


def test_each_flow_learns_its_part_of_the_target():
    """Two modes that overlap: flows of the whole target would both spread over both modes."""

    def log_p(x):
        a, b = (-0.5 * anp.sum((x - [at, 0.0]) ** 2, axis=1) for at in (-2, 2))
        return anp.logaddexp(a, b) - np.log(4 * np.pi)

    found = [Gaussian(np.array([at, 0.0]), np.eye(2)) for at in (-2.0, 2.0)]
    rng, shares = np.random.default_rng(0), np.array([0.5, 0.5])
    flow, _ = fit_modes(LogTarget(log_p, 2), found, shares, rng, epochs=4, batches=30)
    x, log_q = flow.sample_and_log_prob(4000, rng=0)
    assert np.std(log_p(x) - log_q) < 0.05 and flow.weights == pytest.approx(shares, abs=0.01)


@pytest.mark.parametrize(("given", "epochs"), [({}, 25), ({"epochs": 2}, 2)])
def test_modes_share_the_epochs_of_one_fit(given, epochs):
    own = [Gaussian(np.array([at, 0.0]), np.eye(2)) for at in (-8.0, 8.0)]
    options = {"batches": 1, "batch_size": 20, "tolerance": 0} | given
    shares, rng = np.full(2, 0.5), np.random.default_rng(0)
    _, history = fit_modes(LogTarget(bananas, 2), own, shares, rng, **options)
    assert len(history.train_nll) == epochs


@pytest.mark.parametrize("log_target, dim", [
    (ring, 2),
    (lambda x: -3 * anp.log1p(anp.sum(x**2, axis=1)), 3),  # a t of 3 degrees of freedom
    (lambda x: -0.5 * x[:, 0] ** 2 - 2 * x[:, 0]  # a funnel, whose ascents run into its neck
     - 0.5 * anp.sum(x[:, 1:] ** 2, axis=1) * anp.exp(-2 * x[:, 0]), 3),
], ids=["ring", "t", "funnel"])  # fmt: skip
def test_one_mode_stays_one(log_target, dim):
    target, rng = LogTarget(log_target, dim), np.random.default_rng(0)
    near = first_gaussian(target, None, rng)
    gaussians, modes = find_modes(target, near, np.empty((0, dim)), rng)
    assert len(gaussians) == 1 and modes.shares == [1.0] and modes.counts <= modes.ascents
    np.testing.assert_array_equal(gaussians[0].factor, near.factor)  # as without a search


@pytest.mark.parametrize("seed", [2, 7])
def test_an_ascent_that_stops_on_its_way_is_no_mode(seed):
    """In a funnel's neck some do: a Newton step would gain more there."""

    def funnel(x):
        z = x[:, 1:] * anp.exp(-0.5 * x[:, :1])
        return -0.5 * (x[:, 0] / 1.5) ** 2 - anp.sum(0.5 * z**2 + 0.5 * x[:, :1], axis=1)

    target, rng = LogTarget(funnel, 5), np.random.default_rng(seed)
    modes = find_modes(target, first_gaussian(target, None, rng), np.empty((0, 5)), rng)[1]
    assert modes.shares.tolist() == [1.0]


@pytest.mark.parametrize("seed", range(3))
def test_a_narrow_mode_beside_a_wide_one(seed):
    """Ascents from nearly everywhere end in the wide one; 0.7 of the mass is in the narrow one."""

    def log_p(x):
        z = (x - np.array([4.0, 3.0, 0.0, 0.0])) / 0.1
        narrow = -0.5 * anp.sum(z**2, axis=1) + np.log(0.7) - 4 * np.log(0.1)
        return anp.logaddexp(np.log(0.3) - 0.5 * anp.sum(x**2, axis=1), narrow)

    assert sorted(search(log_p, 4, seed=seed)[1].shares) == pytest.approx([0.3, 0.7], abs=0.01)


@pytest.mark.parametrize("share, n_modes", [(4e-4, 1), (4e-3, 2)])
def test_a_mode_has_more_than_a_thousandth_of_the_mass(share, n_modes):
    def log_p(x):
        main, other = (-0.5 * anp.sum((x - at) ** 2, axis=1) for at in (0, 12))
        return anp.logaddexp(np.log(1 - share) + main, np.log(share) + other)

    gaussians, modes = search(log_p, 1)
    assert len(gaussians) == len(modes.shares) == n_modes
    assert modes.shares.min() == pytest.approx(share if n_modes == 2 else 1, rel=0.1)


@pytest.mark.parametrize("n", [12, 30])
def test_more_than_24_modes_share_one_flow(n):
    places = 8.0 * np.stack(np.meshgrid(np.arange(6), np.arange(5)), -1).reshape(-1, 2)[:n]

    def log_p(x):
        log_parts = -0.5 * anp.sum((x[:, None] - places) ** 2, axis=2)
        top = anp.max(log_parts, axis=1)
        return top + anp.log(anp.sum(anp.exp(log_parts - top[:, None]), axis=1))

    near = Gaussian(np.array([20.0, 16.0]), 15 * np.eye(2))
    rng = np.random.default_rng(0)
    gaussians, modes = find_modes(LogTarget(log_p, 2), near, np.empty((0, 2)), rng)
    assert len(modes.shares) > n - 4 and len(gaussians) == (1 if n > 24 else len(modes.shares))


def test_the_history_of_a_part_is_about_the_whole_target():
    """-ELBO tends to -log Z of both modes, whatever shares were guessed before the training."""

    def log_p(x):
        return anp.logaddexp(*(-0.5 * anp.sum((x - [at, 0.0]) ** 2, axis=1) for at in (-6, 6)))

    found = [Gaussian(np.array([at, 0.0]), np.eye(2)) for at in (-6.0, 6.0)]
    rng, guess = np.random.default_rng(0), np.array([0.8, 0.2])
    _, history = fit_modes(LogTarget(log_p, 2), found, guess, rng, epochs=1, batches=2)
    assert history.val_nll[-1] == pytest.approx(-np.log(4 * np.pi), abs=0.02)
    assert history.train_nll[-1] == pytest.approx(-np.log(4 * np.pi), abs=0.02)


def test_the_rows_of_a_user_are_starts():
    """A mode that is far and narrow is found from a row in it."""

    def far(x):
        narrow = -0.5 * anp.sum((x - 500) ** 2, axis=1) / 1e-4 - 3 * np.log(1e-2)
        return anp.logaddexp(-0.5 * anp.sum(x**2, axis=1), narrow)

    assert len(search(far, 3)[0]) == 1
    near = Gaussian(np.array([9.0, -1e3, 0.0]), np.tril(np.full((3, 3), 0.5)))  # of other units
    inverse = np.linalg.inv(near.factor)
    extra = near.of(np.full((1, 3), 500.2))
    _, modes = search(lambda y: far((y - near.mean) @ inverse.T), 3, extra, near=near)
    assert sorted(modes.shares) == pytest.approx([0.5, 0.5], abs=0.05)
    np.testing.assert_allclose(
        modes.centres, near.of(np.array([[0.0] * 3, [500.0] * 3])), atol=0.01
    )


def test_ascents_end_at_the_modes():
    starts = np.random.default_rng(0).normal(size=(300, 3)) * 10
    starts[0] = np.nan
    log_p, calls = LogTarget(three, 3), []

    def counted(u):
        calls.append(len(u))
        return log_p.anywhere(u)

    ends, values, cost = ascend(counted, starts)
    apart = np.sqrt(((ends[1:, None] - CENTRES) ** 2).sum(axis=2)).min(axis=1)
    assert np.isneginf(values[0]) and (apart < 0.01).all() and cost == sum(calls)
    assert calls[-1] < 150  # ascents that have ended cost nothing


def test_slopes_whose_squares_overflow_end_an_ascent():
    ends, values, _ = ascend(lambda u: (1e200 * u[:, 0], np.full(u.shape, 1e200)), np.ones((2, 2)))
    assert np.isfinite(ends).all() and (values >= 1e200).all()


def test_modes_do_not_depend_on_the_order_of_their_ends():
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 80)
    ends = 3 * np.column_stack([np.cos(angle), np.sin(angle)])
    ends = np.concatenate([ends, [[20.0, 0.0]], [[20.001, 0.0]], [[np.nan, 0.0]]])

    def log_p(x):
        far = -0.5 * np.sum((x - [20, 0]) ** 2, axis=1) / 0.01
        return np.logaddexp(ring(x), far)

    values = np.append(log_p(ends[:-1]), -np.inf)
    first = joined(log_p, ends, values)
    assert len(set(first)) == 3 and first[-1] == -1 and first[-2] == first[-3] != first[0]
    order = np.random.default_rng(1).permutation(len(ends))
    again = joined(log_p, ends[order], values[order])
    assert ((again[:, None] == again) == (first[order][:, None] == first[order])).all()


@pytest.mark.parametrize("dip, n_modes", [(0.4, 1), (0.6, 2)])
def test_modes_with_a_dip_of_half_a_nat_are_two(dip, n_modes):
    """Below the lower of two ends that differ by a nat; a third end is far below, on its own."""

    def log_p(x):
        return np.interp(x[:, 0], [-1, 0, 1, 3, 5], [0, -1 - dip, -1, -50, -2])

    ends = np.array([[-1.0], [1.0], [5.0]])
    mode = joined(log_p, ends, log_p(ends))
    assert mode.tolist() == [0, n_modes - 1, 2]


def test_rounds_send_the_draws_where_the_mass_is():
    """Half of the mass is in one of 24 modes, whose densities are known roughly: twice too wide."""
    rng = np.random.default_rng(0)
    centres, weights = 8 * rng.normal(size=(24, 4)), np.array([0.5] + [0.5 / 23] * 23)
    true, wide = ([fc.MultivariateNormalDiag(c, np.full(4, s)) for c in centres] for s in (1.0, 2))
    log_p = fc.Mixture(true, weights).log_prob
    found = [shares_of(log_p, wide, np.random.default_rng(i))[0] for i in range(4)]
    assert np.sqrt(np.mean((np.array(found) - 0.5) ** 2)) < 0.04  # .06 by equal shares alone


def test_shares_by_population_monte_carlo():
    """Exact densities of the parts that hardly overlap give exact shares."""
    parts = [fc.MultivariateNormalDiag(c, s) for c, s in zip(CENTRES, SCALES, strict=True)]
    found = [shares_of(three, parts, np.random.default_rng(i)) for i in range(10)]
    np.testing.assert_allclose(found, [SHARES] * 10, atol=0.003)
    nowhere = fc.MultivariateNormalDiag(np.full(3, 50.0), np.ones(3))
    shares = shares_of(three, [*parts, nowhere], np.random.default_rng(0))
    assert shares[3] < 1e-6
