"""The targets of `benchmarks.studies.inference` with a known truth, and how an answer is judged."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

import flowcore as fc
from benchmarks.studies.inference import awkward, promises, several, single
from flowcore.inference.space import Space, pulled_back
from flowcore.inference.unnormalised import LogTarget

ALL = (several.several() | several.volumes() | single.unimodal()).items()


def on_line(truth, n=20_000):
    """Free coordinates y (n, d) of exact draws, log p~ of y, its slope, and the draws."""
    x = truth.sample(n, np.random.default_rng(0))
    named = isinstance(truth.support, dict)
    space = Space(truth.support, None if named else truth.dim)
    ends = np.cumsum([np.prod(p.shape, dtype=int) for p in space.parameters])
    columns = np.split(x, ends[:-1], axis=1)
    rows = x
    if named:
        rows = {p.name: c.reshape(n, *p.shape)
                for p, c in zip(space.parameters, columns, strict=True)}  # fmt: skip
    y = space.to_line(rows, strict=False)
    inside = np.isfinite(y).all(axis=1)
    log_p = truth.log_p if space.is_line else pulled_back(truth.log_p, space.from_line)
    return y[inside], *LogTarget(log_p, space.free)(y[inside]), x[inside]


@pytest.mark.parametrize("name, make", ALL, ids=[name for name, _ in ALL])
def test_draws_shares_and_evidence_are_those_of_the_target(name, make):
    """Over draws, E grad log p is 0 and E (y - m) grad log p is -1. The mean of q / p~ is 1 / Z for
    a Gaussian q inside of one mode."""
    truth = make()
    y, log_p, slope, x = on_line(truth)
    n = len(y)
    middle, sd = y.mean(axis=0), y.std(axis=0)
    z, slope = (y - middle) / sd, slope * sd
    for terms in (slope, z * slope + 1):
        assert (np.abs(terms.mean(axis=0)) < 5.5 * terms.std(axis=0) / np.sqrt(n)).all()
    own = np.zeros(n, int) if truth.who is None else truth.who(x)
    share = np.bincount(own, minlength=len(truth.shares)) / n
    assert np.abs(share - truth.shares).max() < 5 / np.sqrt(n)
    assert sum(truth.shares) == pytest.approx(1)
    if name == "ring" or y.shape[1] > 12:  # no Gaussian is inside of a ring
        return
    near = z[own == np.argmax(truth.shares)]
    near = near[np.sum((near - np.median(near, axis=0)) ** 2, axis=1).argsort()[: len(near) // 4]]
    q = stats.multivariate_normal(near.mean(axis=0), np.cov(near.T))
    w = np.exp(q.logpdf(z) - np.log(sd).sum() - log_p + truth.log_z)
    assert abs(w.mean() - 1) < 5 * w.std() / np.sqrt(n) < 0.5


def test_the_evidence_of_the_ring():
    """By uniform draws from a box."""
    truth = single.ring()
    x = np.random.default_rng(0).uniform([-9, -4.5], [9, 4.5], (400_000, 2))
    values = 162 * np.exp(truth.log_p(x) - truth.log_z)
    assert abs(values.mean() - 1) < 5 * values.std() / np.sqrt(len(x)) < 0.1


def test_counts_are_those_of_the_issue():
    kinds = [len(group()) for group in (several.several, several.volumes, single.unimodal)]
    assert kinds == [20, 10, 20] and len(awkward.awkward()) == 60
    truths = [make() for make in several.several().values()]
    assert {len(t.shares) for t in truths} <= {*range(2, 9)} and max(t.dim for t in truths) <= 10


def test_modes_are_as_far_apart_as_promised():
    rng = np.random.default_rng(0)
    factors = [several.factor(rng, 3) for _ in range(5)]
    centres = several.placed(rng, factors)
    for i in range(5):
        for j in range(i):
            way = centres[i] - centres[j]
            unit = way / np.linalg.norm(way)
            sds = [np.linalg.norm(factors[k].T @ unit) for k in (i, j)]
            assert np.linalg.norm(way) >= 4 * np.mean(sds)


def at(centre, scale=1.0):
    """A flow that is a Gaussian at a centre."""
    dim = len(centre)
    return fc.TransformedDistribution(
        fc.Normal(dim), fc.ElementwiseAffine(centre, np.full(dim, scale))
    )


def test_an_answer_of_one_mode_of_two_is_wrong_and_that_of_both_right():
    centres = np.array([[0.0, 0.0], np.full(2, 800.0)])  # beyond the wide draws, too
    truth = several.pieces([0.5, 0.5], centres, [np.eye(2)] * 2)
    one, other = map(at, centres)
    target = LogTarget(truth.log_p, 2)
    row = promises.judged(fc.Inference.of(one, target, 20_000), truth)
    assert not row["right"] and row["least share"] < 0.01 and not promises.all_found(row)
    assert row["log Z - exact"] == pytest.approx(np.log(0.5), abs=0.01)
    x = np.concatenate([one.sample(10_000, 0), other.sample(10_000, 1)])
    both = SimpleNamespace(
        draws=x, weights=np.full(20_000, 1 / 20_000), log_evidence=(0.001, 0.001), k_hat=0.1,
        effective_sample_size=20_000, trusted=True, verdict="2 modes found",
    )  # fmt: skip
    row = promises.judged(both, truth)
    assert row["right"] and promises.all_found(row) and row["word"] and row["in two errors"]


def test_moments_that_do_not_exist_are_not_judged():
    truth = single.student(2, 1.0)
    x = truth.sample(1000, np.random.default_rng(1))
    found = SimpleNamespace(draws=x, weights=np.full(1000, 1e-3))
    assert promises.errors(found, truth) == (0, 0)


def test_what_happens_is_an_answer_a_refusal_or_a_crash(monkeypatch):
    def infer(log_p, *_, **__):
        if isinstance(log_p, Exception):
            raise log_p
        return Found

    class Found:
        trusted, log_evidence = True, (1.0, 0.1)

    monkeypatch.setattr(promises.fc, "infer", infer)
    made, sentence = awkward.Awkward, ValueError("improper")
    outcomes = {
        "answer": made(None, 2, {}, 1.0),
        "refusal": awkward.refused(sentence),
        "crash": made(sentence, 2),
        "crash, too": awkward.refused(RuntimeError("diverged")),
        "wrong": made(None, 2, {}, 0.0),
        "improper": awkward.refused(None),
    }
    rows = {row["target"]: row for row in promises.crashes(outcomes)}
    kinds = [row["outcome"] for row in rows.values()]
    assert kinds == ["answer", "refusal", "crash", "crash", "answer", "answer"]
    assert [name for name, row in rows.items() if row["wrong"]] == ["wrong", "improper"]
    text = promises.summary_of_crashes([*rows.values()])
    assert "answer: 3, refusal: 1, crash: 2" in text and "improper: 2" in text
