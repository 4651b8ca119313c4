"""Random damage and random forgeries of files of every kind: a ValueError, or a model."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stub_forged import forged, held
from stub_public import PUBLIC
from stub_saved import CLASSES, reseal

from flowcore.files import DIGITS, SEAL, save

MODELS = sorted((Path(__file__).parent / "data" / "models").glob("*.npz"))


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """k -> the bytes of one of many small files: everything public, and every kind of flow."""
    path = tmp_path_factory.mktemp("corpus") / "flow.npz"
    files = [model.read_bytes() for model in MODELS if model.stem != "expected"]
    for make_one in PUBLIC.values():
        save(make_one(), path)
        files.append(path.read_bytes())
    return lambda k: files[k % len(files)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "flow.npz"


@settings(
    max_examples=100, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(0, 10**6), own=st.booleans())
def test_a_forgery_is_refused_or_a_model(corpus, path, seed, k, own):
    path.write_bytes(forged(corpus(k), random.Random(seed)))
    held(path, CLASSES if own else ())


@pytest.mark.slow
def test_two_thousand_forgeries(corpus, path):
    n_models = 0
    for seed in range(2000):
        rng = random.Random(seed)
        path.write_bytes(forged(corpus(rng.randrange(10**6)), rng))
        n_models += held(path, rng.choice([(), CLASSES]))
    assert 100 < n_models < 1000


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Flipped bits, a piece cut off, put in, repeated or exchanged with another."""
    a, b, c, d = sorted(rng.randrange(len(data) + 1) for _ in range(4))
    flipped = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 50])):
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return rng.choice(
        [
            bytes(flipped),
            data[:a],
            data[a:],
            data[:a] + data[b:],
            data[:a] + rng.randbytes(rng.choice([1, 4, 512])) + data[a:],
            data[:b] + data[a:],
            data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:],
            data[:a] + bytes(b - a) + data[b:],
        ]
    )


@pytest.mark.parametrize(
    "n, sealed",
    [(200, False), (200, True)]
    + [pytest.param(5000, s, marks=pytest.mark.slow) for s in (False, True)],
)
def test_random_damage_is_refused_or_changes_nothing(n, sealed, corpus, path):
    """With a valid checksum it may also be another model: whoever can seal a file can write it."""
    rng = random.Random(n)
    for _ in range(n):
        good = corpus(rng.randrange(10**6))
        bad = damaged(good, rng)
        if sealed:
            if len(bad) < DIGITS + len(SEAL):
                continue
            bad = reseal(bad[: -DIGITS - len(SEAL)] + SEAL + b"0" * DIGITS)
        path.write_bytes(bad)
        assert not held(path) or sealed or bad == good
