"""What the tests of save and load save, and classes as a user writes them."""

import hashlib
import importlib
import io
import json
import zipfile

import autograd.numpy as anp
import numpy as np
import pytest

import flowcore as fc
from flowcore.files import DIGITS, SEAL, load, pack, read_sealed, rebuild, unsealed
from flowcore.testing import randomize


class Shear(fc.Bijector):
    """x = (z1, z2 + a z1), as in the module docstring of bijector.py: nothing but params."""

    def __init__(self):
        super().__init__(dim=2, params=np.zeros(1))

    def forward_and_log_det(self, z, params=None, context=None):
        a = self.params if params is None else params
        x = anp.stack([z[..., 0], z[..., 1] + a[0] * z[..., 0]], axis=-1)
        return x, np.zeros(z.shape[:-1])

    def inverse_and_log_det(self, x, params=None, context=None):
        a = self.params if params is None else params
        z = anp.stack([x[..., 0], x[..., 1] - a[0] * x[..., 0]], axis=-1)
        return z, np.zeros(x.shape[:-1])


class Still(fc.Bijector):
    """The identity, a shell for whatever a constructor may be given."""

    def __init__(self, dim=2):
        self.dim = dim

    def forward_and_log_det(self, z, params=None, context=None):
        return z, np.zeros(z.shape[:-1])

    inverse_and_log_det = forward_and_log_det


class Options(Still):
    """Every kind of argument that a file can hold, and one by name only."""

    def __init__(self, dim, numbers, names=("a",), *, table=None, flag=True):
        super().__init__(dim)
        self.numbers, self.names, self.table, self.flag = numbers, names, table, flag


class Centred(Still):
    """x = z + centre, with the centre fitted to data."""

    fitted = ("centre", "initialized")

    def __init__(self, dim, rng=0):
        super().__init__(dim)
        self.centre, self.initialized = None, False

    def initialize(self, x, context=None, rng=None):
        new = self.with_params(self.params)
        new.centre, new.initialized = x.mean(axis=0), True
        return new

    def forward_and_log_det(self, z, params=None, context=None):
        return z + self.centre, np.zeros(z.shape[:-1])

    def inverse_and_log_det(self, x, params=None, context=None):
        return x - self.centre, np.zeros(x.shape[:-1])


class Renamed(Still):
    """Its argument is no attribute, so `config` returns what to save."""

    def __init__(self, size):
        super().__init__(size)

    def config(self):
        return {"size": self.dim}


class Direct(Still):
    """Its argument is its parameters."""

    def __init__(self, params):
        super().__init__(2)
        self.params = params


class Block(fc.Bijector):
    """A composite that makes its parts by itself, one of them used twice."""

    def __init__(self, dim, rng=0):
        maf = fc.MaskedAutoregressiveFlow(fc.MADE(dim, hidden=[8], rng=rng))
        self.parts = (fc.Chain([maf, fc.Invert(Still(dim)), maf]),)
        self.dim = dim

    def forward_and_log_det(self, z, params=None, context=None):
        return self.parts[0].forward_and_log_det(z, params, context)

    def inverse_and_log_det(self, x, params=None, context=None):
        return self.parts[0].inverse_and_log_det(x, params, context)


class Stretch(fc.Transformer):
    """x = c exp(phi) z, with an option c."""

    n_out = 1

    def __init__(self, c=1.0):
        self.c = c

    def forward_and_log_det(self, z, phi):
        alpha = phi[..., 0] + anp.log(self.c)
        return anp.exp(alpha) * z, alpha + np.zeros(z.shape)

    def inverse_and_log_det(self, x, phi):
        alpha = phi[..., 0] + anp.log(self.c)
        return anp.exp(-alpha) * x, np.zeros(x.shape) - alpha


class Box:
    """A base that knows nothing of flowcore: uniform on [0, width]^D."""

    def __init__(self, dim, width=1.0):
        self.dim, self.width = dim, width

    def sample(self, n, rng=None):
        return np.random.default_rng(rng).uniform(0, self.width, (n, self.dim))

    def log_prob(self, z):
        inside = ((z >= 0) & (z <= self.width)).all(axis=-1)
        return np.where(inside, -self.dim * np.log(self.width), -np.inf)


class Shifted(fc.Distribution):
    """A base with trainable means."""

    def __init__(self, dim, dtype=float):
        self.dim, self.params = dim, np.zeros(dim, dtype)

    def sample(self, n, rng=None):
        return self.params + np.random.default_rng(rng).standard_normal((n, self.dim))

    def log_prob(self, z, params=None):
        mean = self.params if params is None else params
        return -0.5 * anp.sum((z - mean) ** 2 + np.log(2 * np.pi), axis=-1)


CLASSES = [Shear, Still, Options, Centred, Renamed, Direct, Block, Stretch, Box, Shifted]


DATA = np.random.default_rng(7).normal([5.0, -3.0, 100.0], [1.0, 10.0, 0.1], (40, 3))
CONTEXT = np.random.default_rng(8).normal(size=(40, 2))


def maf(dim, **options):
    return fc.MaskedAutoregressiveFlow(fc.MADE(dim, hidden=[8, 8], **options))


def recipe(name, **options):
    flow = getattr(fc.flows, name)(3, layers=3, hidden=[8, 8], **options)
    return flow.initialize(DATA, context=CONTEXT if flow.context_dim else None)


def over(base, *bijectors):
    return fc.TransformedDistribution(base, fc.Chain(bijectors))


THINGS = {
    "maf": lambda: recipe("maf"),
    "iaf with context": lambda: recipe("iaf", context_dim=2),
    "realnvp": lambda: recipe("realnvp", activation="tanh"),
    "maf in float32": lambda: recipe("maf", dtype=np.float32, context_dim=2),
    "not yet standardised": lambda: fc.flows.maf(3, layers=1, hidden=[8]),
    "MADE, all random": lambda: fc.MADE(5, [16, 16], 3, "elu", "random", "random", rng=3),
    "MADE, context first": lambda: fc.MADE(4, [9], context_dim=2, context_layers="first"),
    "MADE, no hidden layer": lambda: fc.MADE(3, [], dtype=np.float32),
    "Coupling": lambda: fc.Coupling(4, -1, transformer=fc.Shift(), hidden=[6]),
    "Chain of Chains": lambda: fc.Chain(
        [fc.Chain([maf(2), fc.Permute([1, 0])]), fc.Invert(fc.Chain([maf(2)]))]
    ),
    "Affine": lambda: fc.Affine(0.1),
    "Shear": Shear,
    "Centred": lambda: Centred(3).initialize(DATA),
    "Renamed": lambda: Renamed(2),
    "Direct": lambda: Direct([1.0, 2.0, 3.0]),
    "Block": lambda: Block(2, rng=5),
    "Stretch": lambda: fc.Elementwise(2, Stretch(np.float32(0.3))),
    "Box": lambda: over(Box(2, width=3.0), fc.Elementwise(2, Stretch(2.0))),
    "Shifted": lambda: over(Shifted(2, np.float32), fc.Elementwise(2, fc.Scale(), np.float32)),
}


def make(name):
    thing = THINGS[name]()
    return randomize(thing, 0.5, rng=1) if hasattr(thing, "params") else thing


def numbers(thing) -> list:
    """What it computes, in every direction and at every width."""
    rng = np.random.default_rng(5)
    if not hasattr(thing, "params"):
        return [vars(thing)]
    width = getattr(thing, "in_dim", None) or thing.dim
    context = rng.normal(size=(6, thing.context_dim)) if thing.context_dim else None
    wide, out = rng.normal(size=(6, width)), [thing.params]
    for x in (wide, wide.astype(np.float32)):
        if isinstance(thing, fc.TransformedDistribution):
            out.append(thing.log_prob(x, context=context))
            out.append(thing.sample(4, rng=2, context=context))
        elif isinstance(thing, fc.Bijector):
            out += [*thing.forward_and_log_det(x, context=context)]
            out += [*thing.inverse_and_log_det(x, context=context)]
        else:
            out.append(thing(x, context=context))
    return out


def digest(thing) -> str:
    """Of all its numbers with their widths, and of its repr."""
    parts = [repr((a.dtype, a.shape, a.tobytes())) if hasattr(a, "dtype") else repr(a)
             for a in numbers(thing)]  # fmt: skip
    shown = repr(thing) if "object at" not in repr(thing) else type(thing).__name__
    return hashlib.sha256("".join([shown, *parts]).encode()).hexdigest()


def small_flow():
    layers = [fc.Standardize.from_data([[1.0, 2.0], [3.0, 5.0]]), maf(2), fc.Permute([1, 0])]
    return randomize(over(fc.Normal(2), *layers, fc.Elementwise(2, fc.Scale())), rng=0)


def reseal(data: bytes) -> bytes:
    """A file with a valid checksum, whatever is in it."""
    return data[:-DIGITS] + hashlib.sha256(data[:-DIGITS]).hexdigest().encode()


def archive_of(path, member: bytes, announced: int | None = None, name="0.W"):
    """A sealed archive with a member that announces a size, which may be wrong."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", member)
        archive.filelist[0].file_size = len(member) if announced is None else announced
        archive.comment = SEAL + b"0" * DIGITS
    path.write_bytes(reseal(file.getvalue()))


def taken_apart(path):
    """(description, arrays) of a good file."""
    return unsealed(read_sealed(path))


def put_together(path, description, arrays):
    text = np.frombuffer(json.dumps(description).encode(), np.uint8)
    path.write_bytes(pack({"flowcore.json": text, **arrays}))


def refused(path, classes=()) -> str:
    """The message of the ValueError that load must raise; it names the file."""
    with pytest.raises(ValueError) as error:
        load(path, classes)
    assert str(path) in str(error.value)
    return str(error.value)


def own_classes() -> dict[str, type]:
    """flowcore's classes that a file may hold, by name."""
    rooms = [importlib.import_module(f"flowcore.{room}") for room in rebuild.ROOMS]
    found = {name: rebuild.own_class(name) for room in rooms for name in vars(room)}
    return {name: cls for name, cls in found.items() if cls is not None}
