"""Random forgeries of saved files: anything in them changed, under a valid checksum."""

import copy
import json
import random

import numpy as np
from stub_cost import cpu_seconds
from stub_saved import CLASSES, own_classes

import flowcore
from flowcore import Bijector, PerCoordinate, Transformer
from flowcore.core import Parametric
from flowcore.files import DESCRIPTION, load, pack, save, unpack

STRANGE = [
    *(None, True, False, 0, 1, -1, 2, 3, 7, 300, 10**6, 10**9, 2**63 - 1, -(2**63), 0.5, -0.0),
    *(1e308, 5e-324, 1e-320, "", "Chain", "relu", "random", "\x1b[31m\n", "\ud800", [], {}, [[]]),
    *([0], [1, 0], [0.1, 0.2], {"node": 0}, {"node": 1}, {"float": "nan"}, {"float": "-inf"}),
    *({"tuple": [1, 2]}, {"tuple": []}, {"dict": {}}, {"dict": {"a": 1}}, {"array": "new"}),
    *({"scalar": "new"}, {"class": "Normal", "config": {"dim": 2}}),
    *({"class": "Scale", "config": {}}, {"class": "Permute", "config": {"permutation": [1, 0]}}),
]  # fmt: skip
NUMBERS = [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 5e-324, 1e-300, 1e300, 1e38, 0.5, 3.0]
DTYPES = ["f8", "f4", "f2", "g", ">f8", "i8", "i1", "u1", "?", "c16", ">i4"]
CLASS_NAMES = sorted(own_classes())
SHAPES = [(), (0,), (1,), (2,), (3,), (1, 1), (0, 3), (3, 0), (2, 2), (2, 3), (1,) * 32]


def forged(data: bytes, rng: random.Random) -> bytes:
    """A file with one to four things changed."""
    arrays = unpack(data)
    description = json.loads(arrays.pop(DESCRIPTION).tobytes())
    arrays["new"] = np.ones(2)
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 4])):
        if arrays and rng.random() < 0.3:
            arrays = with_array_changed(arrays, rng)
        else:
            description = with_value_changed(description, rng)
    if "new" not in json.dumps(description):
        arrays.pop("new", None)
    text = json.dumps(description).encode()
    return pack({DESCRIPTION: np.frombuffer(text, np.uint8), **arrays})


def with_array_changed(arrays, rng):
    """Other values, shapes, dtypes; or a member renamed, left out, doubled."""
    name = rng.choice(list(arrays))
    a, rest = arrays[name], {n: v for n, v in arrays.items() if n != name}
    kind = rng.randrange(10)
    if kind == 0:
        return rest
    if kind == 1:
        return {**rest, rng.choice([f"{name}x", "", "0", *arrays]): a}
    if kind == 2:
        return {**arrays, name: arrays[rng.choice(list(arrays))]}
    if kind == 3:
        return {**arrays, name: np.full(rng.choice(SHAPES), rng.choice(NUMBERS))}
    if kind == 4:
        return {**arrays, name: a.T if a.ndim > 1 else np.append(a, a)}
    with np.errstate(all="ignore"):
        if kind == 5:
            return {**arrays, name: np.real(a).astype(rng.choice(DTYPES))}
        flat = a.flatten()
        if a.size and a.dtype.kind in "fc":
            for _ in range(rng.choice([1, 1, a.size])):
                flat[rng.randrange(a.size)] = rng.choice(NUMBERS)
        elif a.size and a.dtype.kind in "iu":
            flat[rng.randrange(a.size)] = rng.choice([0, 1, 2, 3, 7, 100])
    return {**arrays, name: flat.reshape(a.shape)}


def with_value_changed(tree, rng):
    """A JSON value with one place, anywhere, changed."""
    tree = copy.deepcopy(tree)
    places = list(_places(tree))
    holder, key = rng.choice(places)
    value, kind = holder[key], rng.randrange(12)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = rng.choice(
            [[value], {"tuple": [value]}, {"dict": {"a": value}}, {"a": value}]
        )
    elif kind == 2:
        other, at = rng.choice(places)
        holder[key], other[at] = copy.deepcopy(other[at]), copy.deepcopy(value)
    elif kind == 3:
        other, at = rng.choice(places)
        holder[key] = copy.deepcopy(other[at])
    elif kind == 4 and isinstance(value, list):
        rng.shuffle(value)
    elif kind == 5 and isinstance(value, list):
        value *= rng.choice([2, 3])
    elif kind == 6 and isinstance(holder, dict):
        holder[rng.choice(["dim", "class", "x", "dtype", "rng", "\x1b"])] = holder.pop(key)
    elif kind == 7 and isinstance(value, (int, float)):
        holder[key] = rng.choice([-value, value + 1, value - 1, float(value), str(value), [value]])
    elif kind == 8 and isinstance(value, str):
        holder[key] = rng.choice([*CLASS_NAMES, value.upper(), value * 100])
    else:
        holder[key] = copy.deepcopy(rng.choice(STRANGE))
    return tree


def _places(value):
    """(holder, key) of everything inside a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(pairs):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from _places(inner)


def held(path, classes=CLASSES) -> bool:
    """Whether a file loads. If so it is a model, which can be saved and gives the same bytes again;
    if not, a short ValueError names the reason. In bounded time, and without a warning."""
    allowed = 0.2 + path.stat().st_size / 1e6
    with cpu_seconds() as seconds:
        try:
            thing = load(path, classes)
        except ValueError as problem:
            text = str(problem)
            assert text.startswith(str(path)) and len(text) < len(str(path)) + 500
            assert text.isprintable()
            return False
        finally:
            assert seconds() < allowed
    assert numbers(thing) == numbers(thing)
    again = path.with_suffix(".again")
    save(thing, again)
    once = again.read_bytes()
    thing_again = load(again, classes)
    assert numbers(thing_again) == numbers(thing)
    save(thing_again, again)
    assert again.read_bytes() == once
    return True


def numbers(thing) -> list:
    """What flowcore's own objects compute at random points, as bytes."""
    with np.errstate(all="ignore"):  # constants may be anything that a constructor takes
        found = evaluated(thing, np.random.default_rng(0))
    for a in found:
        assert a.dtype in (np.float32, np.float64) and len(a) == len(found[-1])
    return [a.tobytes() for a in found]


def evaluated(thing, rng) -> tuple:
    """Values and log-dets at random points; nothing of what is not flowcore's own."""
    if isinstance(thing, Transformer) and own(thing):
        dim = len(thing.transformers) if isinstance(thing, PerCoordinate) else 3
        return thing.forward_and_log_det(
            rng.normal(size=(2, dim)), rng.normal(size=(2, dim, thing.n_out))
        )
    if not isinstance(thing, (Parametric, flowcore.targets.Target)) or not own(thing):
        return ()
    x, width = rng.normal(size=(3, thing.dim)), getattr(thing, "context_dim", 0)
    options = {"context": rng.normal(size=(3, width))} if width else {}
    if isinstance(thing, Bijector):
        return thing.inverse_and_log_det(x, **options)
    return (thing.log_prob(x, **options) if hasattr(thing, "log_prob") else thing(x, **options),)


def own(thing) -> bool:
    """Whether all of an object is made of flowcore's own classes."""
    inside = [v for name, v in vars(thing).items() if not name.startswith("_memo")]
    inside += [*getattr(thing, "parts", ()), *getattr(thing, "transformers", ())]
    known = type(thing).__name__ in CLASS_NAMES
    return known and all(own(v) for v in inside if isinstance(v, (Parametric, Transformer)))
