"""`load` of forgeries: files with a valid checksum, made by somebody with bad intentions."""

import os
import time
import tracemalloc

import numpy as np
import pytest
from stub_saved import (
    Block,
    Box,
    Centred,
    Shear,
    put_together,
    refused,
    taken_apart,
)

from flowcore import MLP, Chain, Coupling
from flowcore.files import pack, save


def one(cls, config, **more):
    return {"format": 1, "nodes": [{"class": cls, "config": config, **more}]}


def chain_of(nodes, n):
    """Each node is the one before, twice: n nodes, 2^n steps."""
    for k in range(n):
        twice = {"tuple": [{"node": k}, {"node": k}]}
        nodes.append({"class": "Chain", "config": {"bijectors": twice}})
    return {"format": 1, "nodes": nodes}


def inverts(nodes, n):
    nodes += [{"class": "Invert", "config": {"bijector": {"node": k}}} for k in range(n)]
    return {"format": 1, "nodes": nodes}


PERMUTE = {"class": "Permute", "config": {"permutation": [1, 0]}}
SCALE = {"class": "Scale", "config": {}}
HUGE = 10**9
MLP_CONFIG = {"in_dim": 1, "out_shape": [1], "hidden": [], "activation": "relu", "context_dim": 0}
W1 = {"W": np.zeros((1, 1)), "b": np.zeros(1)}
ARGUMENTS = {"hidden": [HUGE], "conditioner": None}
FORGED = [
    # not a description at all
    ([], {}, "is damaged"),
    ({"format": 1}, {}, "no list of nodes"),
    ({"format": 1, "nodes": [5]}, {}, "instead of a node"),
    ({"format": 1, "nodes": [{"class": "Scale"}]}, {}, "a node with keys"),
    (one("Scale", {}, code="x"), {}, "a node with keys"),
    (one("Scale", []), {}, "instead of named values"),
    (one("Normal", {"dim": 10**30}), {}, "too large"),
    # classes
    (one("os.system", {"command": "mkdir exploded"}), {}, "neither flowcore's"),
    (one("Adam", {}), {}, "neither flowcore's"),
    (one("Foreign", {"base": 1}), {}, "neither flowcore's"),
    (one(["Scale"], {}), {}, "its class is"),
    # references
    (one("Invert", {"bijector": {"node": 0}}), {}, "no earlier node 0"),
    (one("Invert", {"bijector": {"node": -1}}), {}, "no earlier node -1"),
    ({"format": 1, "nodes": [PERMUTE, PERMUTE]}, {}, "nothing refers to: node 0"),
    (inverts([PERMUTE], 5000), {}, "nested more than 300"),
    (chain_of([PERMUTE], 40), {}, "nodes, with shared ones repeated"),
    # arrays
    (one("Permute", {"permutation": {"array": "p"}}), {}, "'p' is missing"),
    (one("Scale", {}), {"x": np.zeros(1)}, "nothing refers to: array 'x'"),
    (one("MultivariateNormalDiag", {"loc": {"array": "a"}, "scale_diag": {"array": "a"}}),
     {"a": np.ones(2)}, "named twice"),
    (one("Permute", {"permutation": [1, 0]}, params="a"), {"a": np.ones(2)}, "parameters"),
    (one("Scale", {}, params="a"), {"a": np.ones(2)}, "none of its own"),
    (one("Permute", {"permutation": [1, 0]}, weights=[["a"]]), {"a": np.ones(2)}, "no network"),
    (one("MLP", MLP_CONFIG), {}, "weights of shapes"),
    (one("MLP", MLP_CONFIG, weights=[["W"]]), {"W": np.zeros((1, 1))}, "weights of shapes"),
    (one("MLP", MLP_CONFIG, weights=[["W", "b"]]), {**W1, "b": np.zeros(1, int)}, "of int64"),
    (one("MLP", MLP_CONFIG, weights=[["W", "b"]]), {**W1, "b": np.zeros(1, "f4")}, "2 dtypes"),
    (one("MLP", MLP_CONFIG, weights="W"), W1, "'W' instead of weights"),
    (one("MLP", MLP_CONFIG, weights=[["W", "b"], []]), W1, "instead of weights"),
    # values and arguments
    (one("Affine", {"log_scale_bound": {"code": "1"}}), {}, "a value 'code'"),
    (one("Affine", {"log_scale_bound": {"float": "nan"}}), {}, "positive"),
    (one("Affine", {"log_scale_bound": {}}), {}, "keys"),
    (one("Affine", {"log_scale_bound": {"tuple": 3}}), {}, "a value 'tuple'"),
    (one("Affine", {"bound": 3.0}), {}, "unexpected argument"),
    (one("Affine", {"log_scale_bound": "3"}), {}, "must be float | None, not '3'"),
    (one("Affine", {"log_scale_bound": True}), {}, "must be float | None, not True"),
    (one("Affine", {"log_scale_bound": {"scalar": "a"}}), {"a": np.ones(1)}, "of a scalar"),
    (one("Tanh", {}), {}, "missing 1 required positional argument"),
    (one("Tanh", {"dim": np.inf}), {}, "inf as a plain number"),
    (one("Permute", {"permutation": ["\ud800"]}), {}, "surrogates"),
    (one("LULinear", {"dim": 1, "signs": {"array": "a"}}, params="p"),
     {"a": np.array([1j]), "p": np.zeros(2)}, "signs must be ArrayLike"),
    (one("Chain", {"bijectors": []}), {}, "at least one"),
    (one("Chain", {"bijectors": 7}), {}, "must be Sequence[Bijector], not 7"),
    (one("Invert", {"bijector": "Permute"}), {}, "must be Bijector, not 'Permute'"),
    (one("Permute", {"permutation": "ab"}), {}, "permutation"),
    # constants
    (one("Standardize", {"dim": 1}), {}, "fitted constants"),
    (one("Permute", {"permutation": [1, 0]}, fitted={"dim": 7}), {}, "fitted constants"),
    (one("Standardize", {"dim": 1}, fitted={"mean": 0.0, "scale": 1.0, "initialized": True}),
     {}, "'mean' cannot be 0.0"),
    (one("Standardize", {"dim": 1}, fitted={"mean": {"array": "m"}, "scale": {"array": "s"},
         "initialized": "yes"}), {"m": np.zeros(1), "s": np.ones(1)}, "'initialized' cannot be"),
    (one("Standardize", {"dim": 1}, fitted={"mean": {"array": "m"}, "scale": {"array": "s"},
         "initialized": True}), {"m": np.zeros(3), "s": np.ones(1)}, "'mean' cannot be"),
    ({"format": 1, "nodes": [PERMUTE, {"class": "Invert", "config": {"bijector": {"node": 0}},
      "parts": [{"node": 0}]}]}, {}, "parts that belong"),
    *[(one("Standardize", {"dim": 1}, fitted={"mean": {"array": "m"}, "scale": {"array": "s"},
           "initialized": True}), {"m": np.full(1, mean), "s": np.full(1, scale)}, message)
      for mean, scale, message in [
          (0.0, 0.0, "the scale must be positive"), (0.0, -1.0, "the scale must be positive"),
          (0.0, np.nan, "must be finite"), (0.0, np.inf, "must be finite"),
          (np.nan, 1.0, "must be finite"), (-np.inf, 1.0, "must be finite")]],
    (one("Standardize", {"dim": 1}, fitted={"mean": {"array": "m"}, "scale": {"array": "s"},
         "initialized": False}), {"m": np.zeros(1), "s": np.full(1, 2.0)}, "not initialised"),
    (one("Standardize", {"dim": 1}, fitted={"mean": {"array": "m"}, "scale": {"array": "s"},
         "initialized": True}), {"m": np.zeros(1), "s": np.ones(1, "f4")}, "'scale' cannot be"),
    (one("GaussianMixture", {"means": [[0.0]], "weights": [1e308, 1e308]}), {}, "weights"),
    (one("GaussianMixture", {"means": [[0.0], [0.0]], "weights": [1e308, 1e-99]}), {}, "sum to 1"),
    (one("MultivariateNormalMixture", {"means": [[0.0]], "scale_tril": [[[0.0]]]}), {}, "lower"),
    (one("MADE", {"dim": 1, "hidden": [1], "n_out": 2, "context_dim": 0, "degrees": [1]},
         weights=[["W", "b"], ["W2", "b2"]]),
     {**W1, "W2": np.zeros((1, 2)), "b2": np.zeros(2)}, "degrees must be"),
    # sizes that the file does not hold
    (one("Standardize", {"dim": HUGE}), {}, "ask for 1000000000 numbers"),
    (one("Standardize", {"dim": {"scalar": "d"}}), {"d": np.array(HUGE)}, "ask for"),
    (one("Standardize", {"dim": 1e9}), {}, "dim must be int"),
    ({"format": 1, "nodes": [{"class": "Uniform", "config": {"dim": 10**6}}] * 99}, {}, "ask for"),
    ({"format": 1, "nodes": [SCALE, {"class": "Elementwise", "params": "p",
      "config": {"dim": HUGE, "transformer": {"node": 0}}}]}, {"p": np.zeros(2)}, "ask for"),
    ({"format": 1, "nodes": [SCALE, {"class": "Elementwise", "params": "p",
      "config": {"dim": 2, "transformer": {"node": 0}, "dtype": "U1000000000"}}]},
     {"p": np.zeros(2)}, "unexpected argument"),
    (one("MLP", {**MLP_CONFIG, "hidden": [HUGE]}), {}, "weights of shapes"),
    (one("MLP", {**MLP_CONFIG, "in_dim": HUGE}, weights=[["W", "b"]]), W1, "weights of shapes"),
    (one("MLP", {**MLP_CONFIG, "in_dim": HUGE, "out_shape": [0]}, weights=[["W", "b"]]),
     {"W": np.zeros((HUGE, 0)), "b": np.zeros(0)}, "a width of 0"),
    (one("MADE", {"dim": "aaaa", "n_out": HUGE, "hidden": [], "context_dim": 0}), {},
     "dim must be int"),
    ({"format": 1, "nodes": [SCALE, {"class": "Coupling", "config": {"dim": 2, "num_masked": 1,
      "transformer": {"node": 0}, **ARGUMENTS}}]}, {}, "without its conditioner"),
]  # fmt: skip


@pytest.mark.parametrize("i", range(len(FORGED)))
def test_forged_descriptions(i, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    description, arrays, wanted = FORGED[i]
    path = tmp_path / "flow.npz"
    put_together(path, description, arrays)
    tracemalloc.start()
    start = time.process_time()
    message = refused(path)
    seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert any(part in message for part in wanted.split("|")), message
    assert peak < 20e6 and seconds < 5
    assert os.listdir(tmp_path) == ["flow.npz"]


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"", b"{"])
def test_descriptions_that_are_not_json(text, tmp_path):
    (tmp_path / "flow.npz").write_bytes(pack({"flowcore.json": np.frombuffer(text, np.uint8)}))
    assert "is damaged" in refused(tmp_path / "flow.npz")


def test_the_forger_cannot_reach_more_through_the_users_classes(tmp_path):
    path = tmp_path / "flow.npz"
    for description, message in [
        (one("Centred", {"dim": 2}, fitted={"centre": 1}), "fitted constants"),
        (one("Centred", {"dim": 2}, fitted={"centre": 1, "initialized": 1, "dim": 3}), "fitted"),
        (one("Shear", {}), "params are missing"),
        (one("Shear", {}, parts=[None]), "zip"),
        ({"format": 1, "nodes": [PERMUTE, {"class": "Block", "config": {"dim": 2},
          "parts": [{"node": 0}]}]}, "a Permute as the part Chain"),
        (one("Box", {"dim": 2}, params="p"), "none of its own"),
    ]:  # fmt: skip
        arrays = {"p": np.zeros(2)} if "params" in description["nodes"][0] else {}
        put_together(path, description, arrays)
        assert message in refused(path, [Centred, Shear, Box, Block])


def test_own_network_in_a_coupling_must_have_its_weights(tmp_path):
    path = tmp_path / "flow.npz"
    save(Chain([Coupling(3, 1, conditioner=MLP(1, (2, 2), [4]))]), path)
    description, arrays = taken_apart(path)
    del description["nodes"][1]["weights"]
    put_together(path, description, arrays)
    assert "weights of shapes" in refused(path)
