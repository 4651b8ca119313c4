"""Two moons, the target of the first lesson; what all targets share is in test_targets_all.py."""

import pickle
from dataclasses import FrozenInstanceError
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from sklearn.datasets import make_moons

from flowcore.targets import Target, two_moons

CENTRES = ((np.array([0.0, 0.0]), 1.0), (np.array([1.0, 0.5]), -1.0))  # (centre, orientation)


def brute_force_log_prob(x, noise):
    """log p from the definition: int over t of N(x; arc(t), noise^2 I), by adaptive quadrature.

    |u - e(t)|^2 is taken relative to its least value, at t0, from the Cartesian
    |u - e(t)|^2 - |u - e(t0)|^2 = -2 u . (e(t) - e(t0)), in which nothing cancels.
    """
    terms = []
    for centre, orientation in CENTRES:
        u = orientation * (np.asarray(x, dtype=float) - centre)
        e = np.array([[1.0, 0.0], [-1.0, 0.0]])
        angles = np.array([0.0, np.pi])
        if u[1] > 0:  # the nearest point of the circle is on the arc
            e = np.vstack([e, u / np.hypot(*u)])
            angles = np.append(angles, np.arctan2(u[1], u[0]))
        nearest = np.argmin(np.sum((u - e) ** 2, axis=1))
        t0 = angles[nearest]

        def relative(t, u=u, t0=t0):
            mid, half = (t + t0) / 2, (t - t0) / 2
            step = 2 * np.sin(half) * (-u[0] * np.sin(mid) + u[1] * np.cos(mid))
            return np.exp(step / noise**2)

        away = np.geomspace(1e-10, np.pi, 40)
        edges = np.unique(np.clip(np.r_[t0 - away, t0, t0 + away], 0.0, np.pi))
        integral = sum(
            quad(relative, low, high, epsabs=1e-16, epsrel=1e-12)[0]
            for low, high in pairwise(edges)
        )
        terms.append(np.log(integral) - np.sum((u - e[nearest]) ** 2) / (2 * noise**2))
    return np.logaddexp(*terms) - np.log(4 * np.pi**2 * noise**2)


# ------------------------------------------------------------------------------------- density


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.3, 1.0])
def test_log_prob_is_the_brute_force_integral(noise):
    moons = two_moons(noise)
    bulk = moons.sample(8, rng=1)
    around = np.random.default_rng(2).uniform([-2.0, -1.5], [3.0, 2.0], (8, 2))
    far = [[50, -80], [50, 80], [-50, -80], [0, -100], [-1, 1000]]
    centres_and_ends = [[0, 0], [1, 0.5], [0.5, 0.25], [1, 0], [-1, -1e-9], [0, -3], [3, 0]]
    for x in np.concatenate([bulk, around, far, centres_and_ends]):
        # relative to p where |log p| is small, to log p where it is large
        assert moons.log_prob(x) == pytest.approx(
            brute_force_log_prob(x, noise), rel=1e-11, abs=1e-11
        )


def test_far_tail_is_the_distance_to_the_nearest_point():
    x = np.array([[-1e6, 1e6], [-1e6, -1e6], [1e8, -1e-3]])
    distance = np.array([np.hypot(1e6, 1e6) - 1, np.hypot(1e6 - 1, 1e6), 1e8 - 2])
    assert two_moons(0.05).log_prob(x) == pytest.approx(-(distance**2) / (2 * 0.05**2), rel=1e-7)


def test_density_is_symmetric_under_the_half_turn_but_not_under_reflections():
    moons = two_moons(0.1)
    x = moons.sample(500, rng=3)
    assert moons.log_prob([1.0, 0.5] - x) == pytest.approx(moons.log_prob(x), abs=1e-12)
    assert np.abs(moons.log_prob(x * [1, -1] + [0, 0.5]) - moons.log_prob(x)).max() > 1.0


# ------------------------------------------------------------------------------------- entropy


def test_known_entropies():
    moons = two_moons(0.05)
    assert moons.entropy() == pytest.approx(0.2892337, abs=1e-6)
    # the limit for a flow on standardised moons; 1.132 with the spread of 1,000 gridded points
    assert moons.entropy() - np.log(moons.std()).sum() == pytest.approx(1.131222, abs=1e-6)
    assert moons.entropy() - np.log([0.8675, 0.4963]).sum() == pytest.approx(1.132, abs=1e-3)


def test_entropy_limits_of_much_and_of_little_noise():
    # a blurred point; and two separate curves of length pi, each with a Gaussian across
    assert two_moons(100.0).entropy() == pytest.approx(np.log(2 * np.pi * np.e * 1e4), abs=1e-4)
    across = np.log(2 * np.pi * np.e * 0.005**2) / 2
    assert two_moons(0.005).entropy() == pytest.approx(np.log(2 * np.pi) + across, abs=0.01)


# ------------------------------------------------------------------------------------- sampler


def test_samples_are_distributed_as_in_scikit_learn():
    ours = two_moons(0.1).sample(20_000, rng=10)
    theirs, _ = make_moons(20_000, noise=0.1, random_state=0)
    for direction in ([1, 0], [0, 1], [1, 1], [1, -2]):
        assert stats.ks_2samp(ours @ direction, theirs @ direction).pvalue > 1e-3
    # their angles are evenly spaced: the mean log-density differs by O(1/n) and chance only
    moons = two_moons(0.1)
    log_p = moons.log_prob(theirs)
    assert abs(log_p.mean() + moons.entropy()) < 4 * log_p.std() / np.sqrt(len(log_p))


def test_sample_shapes_and_order():
    moons = two_moons()
    assert moons.sample(0, rng=0).shape == (0, 2)
    assert moons.sample(np.int64(3), rng=0).shape == (3, 2)
    upper = moons.sample(2000, rng=11)[:, 1] > 0.25  # shuffled: no run of one moon
    switches = np.count_nonzero(np.diff(upper))
    assert 850 < switches < 1150


# ------------------------------------------------------------------------- the object and errors


def test_targets_are_immutable_values():
    moons = two_moons(np.float64(0.1))
    assert isinstance(moons, Target)
    assert repr(moons) == "TwoMoons(noise=0.1)"
    assert moons.dim == 2
    assert moons == two_moons(0.1) != two_moons(0.2)
    assert hash(moons) == hash(two_moons(0.1))
    assert pickle.loads(pickle.dumps(moons)) == moons
    assert two_moons() == two_moons(noise=0.05)
    with pytest.raises(FrozenInstanceError):
        moons.noise = 0.2


def test_a_new_target_needs_sample_log_prob_and_entropy():
    class Unfinished(Target):
        dim = 1

        def sample(self, n, rng=None):
            return np.zeros((n, 1))

    with pytest.raises(TypeError, match="entropy"):
        Unfinished()
