"""Wrong answers that were thought up without a look at the stored ones: how many get a reply?

Three for each exercise. A reply of their own names the mistake, or what the answer has in common
with the right one; the exercise's general hint alone does not count. An answer of this list that
gets no reply stays here: it is not to be added to the exercise, unless a student gives it.
"""

import numpy as np
import pytest

from flowcore.teaching import EXERCISES, check

LOG_2_PI = np.log(2 * np.pi)


def log_n(z):
    return (-0.5 * z**2 - 0.5 * LOG_2_PI).sum(axis=1)


def iaf_by(step, log_det):
    """The textbook's loop with another step, or another log-determinant."""

    def iaf_log_p(x, net):
        z, total = np.zeros_like(x), np.zeros(len(x))
        for i in range(x.shape[1]):
            mu, alpha = net(z)
            z[:, i] = step(x[:, i], mu[:, i], alpha[:, i])
            total = log_det(total, alpha[:, i])
        return log_n(z) + total

    return iaf_log_p


def maf_by(end):
    """The masks and the network are right; what follows is not."""

    def maf_log_p(x, W1, b1, W2, b2, d):
        order = np.arange(1, x.shape[1] + 1)
        h = np.tanh(x @ (W1 * (order[:, None] <= d)) + b1)
        phi = h @ (W2 * (d[:, None] < np.repeat(order, 2))) + b2
        return end(x, phi[:, ::2], phi[:, 1::2])

    return maf_log_p


def in_place(z, nets):
    for net in nets:
        z += net(z)


def whole(z, nets):
    for net in nets:
        z = z + net(z)
    return z


def push_at(time, h_x, h_log):
    def push(z, v, div, n):
        x, total = z, 0
        for k in range(n):
            total = total + div(x, time(k, n)) * h_log(n)
            x = x + v(x, time(k, n)) * h_x(n)
        return x, total

    return push


def matched(measure):
    def loss(v, z, x, t):
        t = t[:, None]
        return measure(v((1 - t) * z + t * x, t), z, x)

    return loss


def only_changed(x, kept, net):
    mu, alpha = net(x[:, kept])
    z = np.zeros_like(x)
    z[:, ~kept] = (x[:, ~kept] - mu) * np.exp(-alpha)
    return z, -alpha.sum(axis=1)


def kept_changed(x, kept, net):
    mu, alpha = net(x[:, kept])
    z = x.copy()
    z[:, kept] = (x[:, kept] - mu) * np.exp(-alpha)
    return z, -alpha.sum(axis=1)


def read_all(x, kept, net):
    mu, alpha = net(x)
    return (x - mu) * np.exp(-alpha), -alpha.sum(axis=1)


def distances(z, centres):
    return ((z[:, None] - centres) ** 2).sum(axis=-1)


def path_by(slope, by):
    def path_gradient(m, s, z):
        x = m + s * z
        d = slope(m, s, x)
        return np.array([d.mean(), (d * by(z)).mean()])

    return path_gradient


def exact_slope(m, s, x):
    return -(x - m) / s**2 + x


FRESH = {
    "0a": (4, 0, 16),
    "0b": (-3.676, 1.838, 0.159),
    "0c": (3, 16, 0),
    "0d": (10, -2, -5),
    "0e": (3.676, 0.159, -1.139),
    "0f": (
        maf_by(lambda x, mu, alpha: log_n((x - mu) / alpha) - alpha.sum(axis=1)),
        maf_by(lambda x, mu, alpha: log_n((x - mu) * np.exp(-alpha)) - alpha.mean(axis=1)),
        maf_by(lambda x, mu, alpha: np.exp(log_n((x - mu) * np.exp(-alpha)) - alpha.sum(axis=1))),
    ),
    "1a": (-2.306, 0.399, -0.46),
    "1b": (0.726, 1.612, 4.919),
    "1c": (
        lambda x: -0.5 * np.log(x) ** 2 - np.log(x),
        lambda x: -0.5 * np.log(x) ** 2 - 0.5 * LOG_2_PI - x,
        lambda x: -0.5 * np.log(x) - 0.5 * LOG_2_PI - np.log(x),
    ),
    "2a": (9, 0.477, 2.303),
    "2b": (1.946, 0.699, -1.609),
    "2c": (-0.419, 0.5, -2.838),
    "2d": (
        lambda L: np.linalg.inv(L),
        lambda L: -np.log(np.abs(np.diag(L))),
        lambda L: -np.sum(np.diag(L)),
    ),
    "3a": (1.419, 0.919, 3.838),
    "3b": (0.289, 0.72, 1.653),
    "3c": (1.267, -0.511, 0.6),
    "3d": (0.756, -0.511, 2.778),
    "4a": (80, 184, 144),
    "4b": (
        lambda d_in, d_out: np.outer(d_in, d_out) > 0,
        lambda d_in, d_out: d_in <= d_out,
        lambda d_in, d_out: d_in[:, None] - d_out,
    ),
    "4c": (
        lambda d_hidden, order: d_hidden[:, None] <= order,
        lambda d_hidden, order: order[:, None] > d_hidden,
        lambda d_hidden, order: d_hidden[:, None] < order.max() + 0 * order,
    ),
    "4d": (10, 1, 6),
    "4e": (np.ones((4, 3)), np.tri(3, 4), [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]),
    "4f": (np.ones((3, 4)), np.tri(4, 3, -1), [[1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 1]]),
    "5a": (63, 65, 6),
    "5b": (1, 0.5, -0.264),
    "5c": (-3, 0.693, 0.307),
    "5d": (256, 128, 16384),
    "5e": (
        lambda x, net: ((x - net(x)[0]) / net(x)[1], -net(x)[1].sum(axis=1)),
        lambda x, net: ((x - net(x)[0]) * np.exp(net(x)[1]), net(x)[1].sum(axis=1)),
        lambda x, net: (x * np.exp(-net(x)[1]), -net(x)[1].sum(axis=1)),
    ),
    "5f": (
        iaf_by(lambda x, mu, alpha: (x - mu) * np.exp(-alpha), lambda total, a: total - a),
        iaf_by(lambda x, mu, alpha: mu + np.exp(alpha) * x, lambda total, a: a),
        lambda x, net: log_n(net(x)[0] + np.exp(net(x)[1]) * x) + net(x)[1].sum(axis=1),
    ),
    "6a": (0.1, -0.9, 1.3),
    "6b": (1, 5, 12),
    "6c": (3.466, 0.5, -0.307),
    "6d": (read_all, only_changed, kept_changed),
    "6e": (in_place, whole, lambda z, nets: z + sum(net(z) for net in nets)),
    "7a": (0.289, 1.335, 0.4),
    "7b": (6, 4, 2),
    "7c": (1.4, 0.18, -2),
    "7d": (
        lambda m_1, a_1, m_2, a_2: (m_1 + np.exp(a_1) * m_2, a_1 + a_2),
        lambda m_1, a_1, m_2, a_2: (m_1 + m_2, a_1 * a_2),
        lambda m_1, a_1, m_2, a_2: (m_2 + np.exp(a_2) * m_1, np.exp(a_1) * np.exp(a_2)),
    ),
    "7e": (
        lambda p, x2, H: 0.5 * np.log(2 * np.pi * np.e) + 0.5 * np.log(np.var(x2)) - H,
        lambda p, x2, H: 0.5 * np.log(2 * np.pi * np.e) + 0.5 * np.log((p @ x2**2).mean()) - H,
        lambda p, x2, H: EXERCISES["7e"].answer(p, x2, H) - 0.5 * np.log(2 * np.pi * np.e),
    ),
    "8a": (2.571, 2.303, 1.0),
    "8b": (
        lambda z, c: np.logaddexp.reduce(-0.5 * distances(z, c) - LOG_2_PI, axis=1),
        lambda z, c: -0.5 * distances(z, c).mean(axis=1) - LOG_2_PI,
        lambda z, c: np.logaddexp.reduce(-distances(z, c) - LOG_2_PI, axis=1) - np.log(len(c)),
    ),
    "8c": (
        lambda own, drawn: np.mean(drawn < np.percentile(own, 0.001)),
        lambda own, drawn: np.mean(own < drawn.min()),
        lambda own, drawn: np.mean(drawn < np.quantile(own, 0.1)),
    ),
    "9a": (1.099, 4, 0),
    "9b": (1.919, -0.338, 0),
    "9c": (0.25, -1, 0.8),
    "9d": (1.414, 4, 0.25),
    "9e": (
        push_at(lambda k, n: k / n, lambda n: 1, lambda n: 1),
        lambda z, v, div, n: push_at(lambda k, n: k / n, lambda n: 1 / n, lambda n: 0)(
            z, v, div, n
        )[0],
        push_at(lambda k, n: k, lambda n: 1 / n, lambda n: 1 / n),
    ),
    "9f": (
        matched(lambda v, z, x: ((v - (z - x)) ** 2).sum(axis=1).mean()),
        matched(lambda v, z, x: np.abs(v - (x - z)).sum(axis=1).mean()),
        matched(lambda v, z, x: ((v - (x - z)) ** 2).mean()),
    ),
    "10a": (1.838, -6.283, -0.919),
    "10b": (-0.5, -3, 0.5),
    "10c": (1.099, 3, 0.405),
    "11a": (-0.693, 72, 0.347),
    "11b": (2.5, 0, -0.916),
    "11c": (0, -1, 0.125),
    "11d": (2, 0.25, 0.577),
    "11e": (
        lambda log_p, log_q: np.mean(log_p - log_q),
        lambda log_p, log_q: np.log(np.exp(log_p).mean()) - np.log(np.exp(log_q).mean()),
        lambda log_p, log_q: np.log(np.sum(np.exp(log_p - log_q))),
    ),
    "11f": (
        path_by(exact_slope, lambda z: 1),
        path_by(lambda m, s, x: -x, lambda z: z),
        path_by(lambda m, s, x: -(x - m) / s + x, lambda z: z),
    ),
    "12a": (0.64, 0.2, 0.9),
    "12b": (0.25, 1, 0.731),
    "12c": (8, 22, 1),
    "12d": (0.9, 0.36, 0.905),
    "12e": (
        lambda m, C, x: (m[1] + C[0, 1] / C[1, 1] * (x - m[0]), C[1, 1]),
        lambda m, C, x: (m[1] + C[0, 1] / C[0, 0] * (x - m[0]), 1 - C[0, 1] ** 2),
        lambda m, C, x: (C[0, 1] / C[0, 0] * x, C[1, 1] - C[0, 1] ** 2 / C[0, 0]),
    ),
    "12f": (
        lambda x2, log_p, log_q: x2.mean(),
        lambda x2, log_p, log_q: (np.exp(log_p - log_q) * x2).sum(),
        lambda x2, log_p, log_q: np.average(x2, weights=log_p - log_q),
    ),
}


# Of a second reading: 38 exercises that ask for a number, from their questions alone.
FRESH_NUMBERS = {
    "0b": (-0.919, 0, 0.159),
    "1a": (-0.919, -2.305, 0.199),
    "1b": (1.419, 5.112, 0.726),
    "2a": (3, 1, 1.386),
    "2b": (1.792, 5, 1.946),
    "2c": (-1.838, -0.419, 0.262),
    "3a": (1.838, 1.419, -2.838),
    "3b": (-0.553, 2.838, 0.671),
    "3c": (1.022, 0, 0.805),
    "3d": (0.511, 1.778, 2.289),
    "4a": (84, 116, 80),
    "4d": (5, 10, 1),
    "5a": (1, 4096, 63),
    "5b": (5.437, 2, 0.104),
    "5c": (-1, -3, -0.693),
    "5d": (32768, 256, 640),
    "6a": (1.35, -0.015, 2.3),
    "6b": (2, 4, 1),
    "6c": (3.466, 1.046, 0.693),
    "7a": (1.707, 0.693, 0.289),
    "7b": (7, 6, 4),
    "7c": (-0.4, 2.0, 1.4),
    "8a": (0, 0.409, 1.151),
    "9a": (1.099, 0.135, 3),
    "9b": (-0.919, -1.919, 1.084),
    "9c": (0, -0.5, 1),
    "9d": (0, 1, 4),
    "10a": (0.159, -1.145, -0.919),
    "10b": (3.5, 0.358, -0.358),
    "10c": (0.333, -1, -0.405),
    "11a": (0, 72, 0.347),
    "11b": (2.303, -0.693, 4.307),
    "11c": (1.5, -1, 0),
    "11d": (0.5, 1, 1.414),
    "12a": (0.36, 1.2, 0.2),
    "12b": (0.018, 0.881, 0.75),
    "12c": (4, 2, 0.727),
    "12d": (0.9, 0.64, 0.68),
}


def has_a_reply(name, answer):
    with np.errstate(all="ignore"):
        verdict = check(name, answer)
    assert not verdict, (name, answer)
    return str(verdict) != f"{name}: not yet. {EXERCISES[name].hint}"


def test_every_exercise_has_three_fresh_wrong_answers():
    assert set(FRESH) == set(EXERCISES)
    assert all(len(answers) == 3 for answers in [*FRESH.values(), *FRESH_NUMBERS.values()])
    assert len(FRESH_NUMBERS) == 38


def replies(answers):
    """Whether each answer of each exercise has a reply of its own."""
    return [has_a_reply(name, answer) for name, three in answers.items() for answer in three]


@pytest.mark.parametrize(
    ("with_code", "share"), [(False, 0.75), (True, 0.6)], ids=["numbers", "functions"]
)
def test_most_of_them_have_a_reply_of_their_own(with_code, share):
    """The shares are so high that the comparison with the right answer is needed, too."""
    chosen = {name: three for name, three in FRESH.items() if callable(three[0]) == with_code}
    assert np.mean(replies(chosen)) >= share


def test_nearly_all_of_the_second_reading_have_one():
    assert np.mean(replies(FRESH_NUMBERS)) >= 0.9
