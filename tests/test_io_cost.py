"""The cost of hostile files: 0.2 s and 1 s a megabyte, whether they load or not."""

import json
import os
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from stub_cost import cpu_seconds

from flowcore.files import load, pack

PERMUTE = {"class": "Permute", "config": {"permutation": [1, 0]}}


def one(cls, config, arrays=(), **more):
    return {"format": 1, "nodes": [{"class": cls, "config": config, **more}]}, dict(arrays)


def many(nodes):
    return {"format": 1, "nodes": nodes}, {}


def network(cls, widths, n_context=0, **config):
    """A network of these widths, all zeros."""
    arrays, weights = {}, []
    for i, (a, b) in enumerate(pairwise(widths)):
        layer = {f"W{i}": (a, b), f"b{i}": (b,)} | ({f"C{i}": (n_context, b)} if n_context else {})
        arrays |= {name: np.zeros(shape) for name, shape in layer.items()}
        weights.append(list(layer))
    options = {"hidden": widths[1:-1], "activation": "relu", "context_dim": n_context, **config}
    return one(cls, options, arrays, weights=weights)


def mlp(n, **options):
    return network("MLP", [1] * n, in_dim=1, out_shape=[1], **options)


def made(n, **options):
    degrees = [[1]] * n
    return network("MADE", [2, *[1] * n, 2], dim=2, n_out=1, order=[1, 2], degrees=degrees)


def wide_made(dim):
    degrees = [[*range(dim)]]
    return network("MADE", [dim] * 3, dim=dim, n_out=1, order=[*range(1, dim + 1)], degrees=degrees)


def twice(cls, argument, n, first=PERMUTE):
    """Each node is the one before, twice: n nodes, 2^n when they are written out."""
    pairs = [[{"node": k}, {"node": k}] for k in range(n)]
    return many([first, *({"class": cls, "config": {argument: pair}} for pair in pairs)])


def composed_twice(n):
    description, _ = twice("Compose", "transformers", n, {"class": "Scale", "config": {}})
    config = {"dim": 2, "transformer": {"node": n}}
    description["nodes"].append({"class": "Elementwise", "config": config, "params": "p"})
    return description, {"p": np.zeros(3)}


def inside(value, wrap, depth):
    for _ in range(depth):
        value = wrap(value)
    return value


def listed(cls, argument, node, n):
    nodes = [{"node": k} for k in range(n)]
    return many([*[node] * n, {"class": cls, "config": {argument: nodes}}])


def bound(value):
    return one("Affine", {"log_scale_bound": value})


def in_dicts(depth):
    return bound(inside([0] * 100_000, lambda v: {"dict": {"a": v}}, depth))


EMPTY = {f"{k}": np.zeros(0) for k in range(1000)}
HOSTILE = {
    "narrow layers": lambda: mlp(600),
    "narrow residual layers": lambda: mlp(503, residual=True),
    "narrow layers of a MADE": lambda: made(500),
    "many degrees": lambda: wide_made(150),
    "out_shape of many axes": lambda: network("MLP", [1, 1], in_dim=1, out_shape=[1] * 50_000),
    "a list in 300 dicts": lambda: in_dicts(300),
    "a list in 90 dicts": lambda: in_dicts(90),
    "many empty lists": lambda: one("Permute", {"permutation": [[]] * 100_000}),
    "no permutation": lambda: one("Permute", {"permutation": [0] * 100_000}),
    "many transformers": lambda: listed(
        "Compose", "transformers", composed_twice(0)[0]["nodes"][0], 5000
    ),
    "many bijectors": lambda: listed("Chain", "bijectors", PERMUTE, 3000),
    "many bases that nobody uses": lambda: many(
        [{"class": "Uniform", "config": {"dim": 10**6}}] * 5000
    ),
    "a chain of chains": lambda: twice("Chain", "bijectors", 60),
    "composed and composed": lambda: composed_twice(60),
    "inverts of inverts": lambda: many(
        [PERMUTE, *({"class": "Invert", "config": {"bijector": {"node": k}}} for k in range(2000))]
    ),
    "empty arrays": lambda: one("Scale", {}, EMPTY),
    "a million components": lambda: one(
        "MixtureOfGaussians", {"components": 10**9, "log_scale_bound": 5.0}
    ),
    "a large covariance": lambda: one(
        "CorrelatedGaussian", {"covariance": {"array": "c"}}, {"c": np.eye(150)}
    ),
    "a long class name": lambda: one("x" * 10**6, {}),
    "a node of many keys": lambda: many([{f"{k}": 0 for k in range(30_000)}]),
    "a long format": lambda: ({"format": "\x1b[2J" * 10**5}, {}),
    "a long version": lambda: ({"format": 2, "flowcore": ["\x1b[2J\n"] * 10**5}, {}),
    "a long integer": lambda: ('{"format": ' + "1" * 10**6 + "}", {}),
    "infinity": lambda: ('{"format": 1, "nodes": [1e999]}', {}),
    "NaN": lambda: ('{"format": 1, "nodes": [NaN]}', {}),
    "many brackets": lambda: ("[" * 10**6, {}),
}


def refusal(name, path) -> tuple[str, float]:
    """The message that the file is refused with, "" if it loads; and the seconds of CPU time."""
    description, arrays = HOSTILE[name]()
    text = description if isinstance(description, str) else json.dumps(description)
    path.write_bytes(pack({"flowcore.json": np.frombuffer(text.encode(), np.uint8), **arrays}))
    del description, arrays, text
    tracemalloc.reset_peak()
    with cpu_seconds() as seconds:
        try:
            load(path)
        except ValueError as problem:
            return str(problem), seconds()
        return "", seconds()


@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_costs_more_than_it_is_worth(name, tmp_path):
    path = tmp_path / "flow.npz"
    message, seconds = refusal(name, path)
    assert seconds < 0.2 + os.path.getsize(path) / 1e6
    assert len(message) < len(str(path)) + 500 and message.isprintable()


@pytest.mark.parametrize("name", ["many empty lists", "narrow layers", "no permutation", "NaN"])
def test_no_file_takes_more_memory_than_a_multiple_of_its_size(name, tmp_path):
    path = tmp_path / "flow.npz"
    tracemalloc.start()
    refusal(name, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6 + 60 * os.path.getsize(path)
