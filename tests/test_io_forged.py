"""`load` of forgeries: files with a valid checksum, made by somebody with bad intentions."""

import contextlib
import io
import json
import os
import pickle
import random
import time
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from stub_saved import (
    CLASSES,
    Block,
    Box,
    Centred,
    Shear,
    digest,
    make,
    put_together,
    refused,
    reseal,
    small_flow,
    taken_apart,
)

from flowcore import MLP, Chain, Coupling
from flowcore.files import DIGITS, SEAL, load, pack, save


@pytest.fixture
def path(tmp_path):
    save(small_flow(), tmp_path / "flow.npz")
    return tmp_path / "flow.npz"


# ---------------------------------------------------------------- archives


class Bomb:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_a_pickle_is_never_opened(path, tmp_path):
    marker = tmp_path / "exploded"
    bomb = np.array([Bomb(marker)], object)
    member = io.BytesIO()
    np.lib.format.write_array(member, bomb, allow_pickle=True)
    description, arrays = taken_apart(path)
    name = next(name for name in arrays if name.endswith(".mean"))
    files = {"flowcore.json": description, **arrays}
    for victim in files:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for each, content in files.items():
                raw = io.BytesIO()
                if each == "flowcore.json":
                    content = np.frombuffer(json.dumps(content).encode(), np.uint8)
                np.save(raw, content)
                data = member if each == victim else raw
                archive.writestr(f"{each}.npy", data.getvalue())
            archive.comment = SEAL + b"0" * DIGITS
        path.write_bytes(reseal(file.getvalue()))
        assert "an array of '|O'" in refused(path)
    path.write_bytes(pickle.dumps(Bomb(marker)))
    assert "a pickle" in refused(path)
    np.savez(path, **{**arrays, name: bomb})
    refused(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Bomb(marker)))
    assert marker.exists()  # it would have


def archive_with(path, members, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.comment = SEAL + b"0" * DIGITS
    path.write_bytes(reseal(file.getvalue()))


def npy(header: str, content=b"") -> bytes:
    text = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def lie(shape, descr="<f8", content=b"\0" * 16) -> bytes:
    return npy(f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}", content)


@pytest.mark.parametrize(
    "raw",
    [
        lie("(10000000000000,)"),
        lie("(3,)"),
        lie("(1,)"),
        lie("(-1,)"),
        lie("(-1, -2)"),
        lie("(2, 0, 10000000000)"),
        lie("()"),
        lie("'aa'"),
        lie("(2, 2.0)"),
        lie("(2, )"),
        lie("(02,)"),
        lie(f"({'1, ' * 70}2)"),
        lie("(16,)", "|b1", b"\7" * 16),
        lie("(1,)", "<f8"),
        lie("(" * 3000),
        lie("(2,)", "|O"),
        lie("(2,)", "<U2"),
        lie("(2,)", "|V8"),
        lie("(2,)", "<M8[s]"),
        lie("(2,)", [("a", "<f4"), ("b", "<f4")]),
        lie("(10000000000,)", "|V0"),
        lie("(2,)")[:20],
        lie("(2,)", content=b""),
        b"\x93NUMPY\x02\x00" + lie("(2,)")[8:],
        b"\x93NUMPY\x09\x00" + lie("(2,)")[8:],
        npy("__import__('os').mkdir('exploded')"),
        npy("{'a': " * 500),
        b"",
        b"hello",
    ],
)
def test_arrays_that_lie_about_themselves(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "flow.npz"
    description = {"format": 1, "nodes": [
        {"class": "Elementwise", "config": {"dim": 2, "transformer": {"node": 0}},
         "params": "0.params"}]}  # fmt: skip
    text = json.dumps(description).encode()
    good = [("flowcore.json.npy", lie(f"({len(text)},)", "|u1", text))]
    archive_with(path, [*good, ("0.params.npy", raw)])
    assert "is damaged" in refused(path)
    archive_with(path, [("flowcore.json.npy", raw)])
    refused(path)
    assert os.listdir(tmp_path) == ["flow.npz"]


def test_archives_that_pack_does_not_write(tmp_path):
    path, zeros = tmp_path / "flow.npz", b"\0" * 10**6
    good = ("flowcore.json.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (0,), }"))
    for more, message in [
        (good, "two members of the same name"),
        (("flowcore.json", good[1]), "no .npy array"),
        (("a", zeros), "no .npy array"),
        (("a.npy", b""), "no .npy array"),
        (("a.npy", zeros), "no .npy array"),
    ]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # zipfile's, of duplicates
            archive_with(path, [good, more])
        assert message in refused(path)
    archive_with(path, [("flowcore.json.npy", zeros)], zipfile.ZIP_DEFLATED)
    assert "compressed" in refused(path)
    path.write_bytes(reseal(SEAL + b"0" * DIGITS))
    assert "is damaged" in refused(path)


def test_headers_that_lie_about_the_archive(path):
    data = path.read_bytes()
    for place, lie, message in [
        (6, b"\x01\x00", "encrypted"),
        (8, b"\x08\x00", "compressed"),
        (18, b"\xff\xff\xff\x7f", "larger than the file"),
        (22, b"\xff\xff\xff\x7f", "larger than the file"),
        (18, b"\xff" * 8, "larger than the file"),
        (18, b"\x05\0\0\0" * 2, "no .npy array"),
        (26, b"\xff\xff", "larger than the file|no .npy|codec"),
        (28, b"\xff\xff", "larger than the file|no .npy"),
    ]:
        path.write_bytes(reseal(data[:place] + lie + data[place + len(lie) :]))
        assert any(part in refused(path) for part in message.split("|")), (place, refused(path))
    for cut in range(len(data) - 300, len(data) - 1):
        path.write_bytes(reseal(data[:cut] + SEAL + b"0" * DIGITS))
        with contextlib.suppress(ValueError):  # the directory is for other programs
            load(path)


def test_headers_for_members_of_more_than_4_gb(path):
    """The same bytes in the layout that zipfile writes for large members."""
    file = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(file, "w") as new:
        for info in old.infolist():
            with new.open(info.filename, "w", force_zip64=True) as member:
                member.write(old.read(info))
        new.comment = old.comment
    flow = load(path)
    path.write_bytes(reseal(file.getvalue()))
    assert digest(load(path)) == digest(flow)


# ---------------------------------------------------------------- descriptions


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
    ({}, {}, "is damaged"),
    ({"format": 1}, {}, "no list of nodes"),
    ({"format": 1, "nodes": []}, {}, "no list of nodes"),
    ({"format": 1, "nodes": {"class": "Scale"}}, {}, "no list of nodes"),
    ({"format": 1, "nodes": [5]}, {}, "instead of a node"),
    ({"format": 1, "nodes": [{"class": "Scale"}]}, {}, "a node with keys"),
    (one("Scale", {}, code="x"), {}, "a node with keys"),
    (one("Scale", []), {}, "instead of named values"),
    (one("Normal", {"dim": 10**30}), {}, "too large"),
    # classes
    (one("os.system", {"command": "mkdir exploded"}), {}, "neither flowcore's"),
    (one("flowcore.Scale", {}), {}, "neither flowcore's"),
    (one("Adam", {}), {}, "neither flowcore's"),
    (one("Foreign", {"base": 1}), {}, "neither flowcore's"),
    (one("Network", {}), {}, "neither flowcore's"),
    (one("Bijector", {"dim": 2}), {}, "neither flowcore's"),
    (one(["Scale"], {}), {}, "its class is"),
    (one(None, {}), {}, "its class is"),
    # references
    (one("Invert", {"bijector": {"node": 0}}), {}, "no earlier node 0"),
    (one("Invert", {"bijector": {"node": -1}}), {}, "no earlier node -1"),
    (one("Invert", {"bijector": {"node": True}}), {}, "no earlier node"),
    (one("Invert", {"bijector": {"node": [0]}}), {}, "no earlier node"),
    ({"format": 1, "nodes": [PERMUTE, PERMUTE]}, {}, "nothing refers to: node 0"),
    (inverts([PERMUTE], 5000), {}, "nested more than 300"),
    (chain_of([PERMUTE], 40), {}, "nodes, with shared ones repeated"),
    # arrays
    (one("Permute", {"permutation": {"array": "p"}}), {}, "'p' is missing"),
    (one("Permute", {"permutation": {"array": ["p"]}}), {"p": np.arange(2)}, "is missing"),
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
    (one("MLP", MLP_CONFIG, weights=[["W", "b", "b"]]), W1, "named twice"),
    (one("MLP", MLP_CONFIG, weights="W"), W1, "'W' instead of weights"),
    (one("MLP", MLP_CONFIG, weights=5), W1, "5 instead of weights"),
    (one("MLP", MLP_CONFIG, weights=[["W", "b"], []]), W1, "instead of weights"),
    (one("Scale", {}, weights=[[], ["W"]]), W1, "instead of weights"),
    # values and arguments
    (one("Affine", {"log_scale_bound": {"code": "1"}}), {}, "a value 'code'"),
    (one("Affine", {"log_scale_bound": {"float": "1"}}), {}, "a value 'float'"),
    (one("Affine", {"log_scale_bound": {"float": "nan"}}), {}, "positive"),
    (one("Affine", {"log_scale_bound": {}}), {}, "keys"),
    (one("Affine", {"log_scale_bound": {"tuple": 3}}), {}, "a value 'tuple'"),
    (one("Affine", {"bound": 3.0}), {}, "unexpected keyword"),
    (one("Affine", {"self": 3.0}), {}, "unexpected keyword"),
    (one("Affine", {"": 3.0}), {}, "unexpected keyword"),
    (one("Scale", {"bound": 3.0}), {}, "unexpected keyword"),
    (one("Affine", {"log_scale_bound": "3"}), {}, "must be float | None, not '3'"),
    (one("Affine", {"log_scale_bound": True}), {}, "must be float | None, not True"),
    (one("Affine", {"log_scale_bound": [3.0]}), {}, "must be float | None"),
    (one("Affine", {"log_scale_bound": {"scalar": "a"}}), {"a": np.ones(1)}, "of a scalar"),
    (one("Tanh", {}), {}, "dim is missing"),
    (one("Permute", {"permutation": ["\ud800"]}), {}, "surrogates"),
    (one("LULinear", {"dim": 1, "signs": {"array": "a"}}, params="p"),
     {"a": np.array([1j]), "p": np.zeros(2)}, "signs must be ArrayLike"),
    (one("Chain", {"bijectors": []}), {}, "at least one"),
    (one("Chain", {"bijectors": 7}), {}, "must be Sequence[Bijector], not 7"),
    (one("Chain", {"bijectors": ["Permute"]}), {}, "must be Sequence[Bijector]"),
    (one("Invert", {"bijector": "Permute"}), {}, "must be Bijector, not 'Permute'"),
    (one("TransformedDistribution", {"base": 3, "bijector": 4}), {}, "must be Base"),
    (one("Permute", {"permutation": "ab"}), {}, "permutation"),
    # constants
    (one("Standardize", {"dim": 1}), {}, "fitted constants"),
    (one("Standardize", {"dim": 1}, fitted={"forward": 1}), {}, "fitted constants"),
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
    (one("GaussianMixture", {"means": [[0.0], [0.0]], "weights": [1e308, 1e308]}), {}, "sum to 1"),
    (one("MADE", {"dim": 1, "hidden": [1], "degrees": [1]}, weights=[["W", "b"], ["W2", "b2"]]),
     {**W1, "W2": np.zeros((1, 2)), "b2": np.zeros(2)}, "degrees must be"),
    # sizes that the file does not hold
    (one("Standardize", {"dim": HUGE}), {}, "ask for 1000000000 numbers"),
    (one("Standardize", {"dim": -HUGE}), {}, "ask for"),
    (one("Standardize", {"dim": [HUGE, HUGE]}), {}, "dim must be int"),
    (one("Standardize", {"dim": {"array": "d"}}), {"d": np.array(HUGE)}, "dim must be int"),
    (one("Standardize", {"dim": {"scalar": "d"}}), {"d": np.array(HUGE)}, "ask for"),
    (one("Standardize", {"dim": 1e9}), {}, "dim must be int"),
    ({"format": 1, "nodes": [{"class": "Uniform", "config": {"dim": 10**6}}] * 99}, {}, "ask for"),
    ({"format": 1, "nodes": [SCALE, {"class": "Elementwise", "params": "p",
      "config": {"dim": HUGE, "transformer": {"node": 0}}}]}, {"p": np.zeros(2)}, "ask for"),
    ({"format": 1, "nodes": [SCALE, {"class": "Elementwise", "params": "p",
      "config": {"dim": 2, "transformer": {"node": 0}, "dtype": "U1000000000"}}]},
     {"p": np.zeros(2)}, "not stored"),
    (one("MLP", {**MLP_CONFIG, "hidden": [HUGE]}), {}, "weights of shapes"),
    (one("MLP", {**MLP_CONFIG, "in_dim": HUGE}, weights=[["W", "b"]]), W1, "weights of shapes"),
    (one("MLP", {**MLP_CONFIG, "context_dim": HUGE}, weights=[["W", "b"]]), W1, "shapes"),
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
    description, arrays, message = FORGED[i]
    path = tmp_path / "flow.npz"
    put_together(path, description, arrays)
    tracemalloc.start()
    start = time.perf_counter()
    told = refused(path)
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert any(part in told for part in message.split("|")), told
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


def mutated(value, rng):
    """A JSON value in which one place, anywhere, is something else."""
    strange = [None, True, 0, -1, 3, 10**12, 0.5, "", "Chain", [], {}, {"node": 0}, [[]]]
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: mutated(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        i = rng.randrange(len(value))
        return [*value[:i], mutated(value[i], rng), *value[i + 1 :]]
    return rng.choice(strange)


@pytest.mark.parametrize("name", ["iaf with context", "nice in float32", "Shifted", "Block"])
def test_random_changes_to_the_description(name, tmp_path):
    path = tmp_path / "flow.npz"
    save(make(name), path)
    description, arrays = taken_apart(path)
    rng, n_refused = random.Random(0), 0
    for _ in range(150):
        put_together(path, mutated(description, rng), arrays)
        try:
            load(path, CLASSES)
        except ValueError:
            n_refused += 1
    assert n_refused > 75


def test_random_changes_to_the_bytes_with_a_valid_checksum(path):
    rng, data, n_refused = random.Random(0), path.read_bytes(), 0
    for _ in range(1000):
        i = rng.randrange(len(data) - DIGITS - len(SEAL))
        path.write_bytes(reseal(data[:i] + bytes([rng.randrange(256)]) + data[i + 1 :]))
        try:
            load(path)
        except ValueError:
            n_refused += 1
    assert n_refused > 500


def test_own_network_in_a_coupling_must_have_its_weights(tmp_path):
    path = tmp_path / "flow.npz"
    save(Chain([Coupling(3, 1, conditioner=MLP(1, (2, 2), [4]))]), path)
    description, arrays = taken_apart(path)
    del description["nodes"][1]["weights"]
    put_together(path, description, arrays)
    assert "weights of shapes" in refused(path)
