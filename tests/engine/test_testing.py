"""flowcore.testing itself: a broken bijector fails for its reason, a right one passes.

Most of the faults were shipped by some library of flows.
"""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.extend import defvjp, primitive
from autograd.tracer import getval

import flowcore as fc
from flowcore.testing import check_bijector, randomize


class Scaling(fc.Bijector):
    """x = exp(a + c) z in D dimensions, with the context c (one number): the faults start here."""

    def __init__(self, dim=2, context_dim=0):
        super().__init__(dim, np.zeros(dim))
        self.context_dim = context_dim

    def alpha(self, params, context):
        a = self.params if params is None else params
        return a if context is None else a + context

    def log_det(self, alpha, z):
        return anp.sum(alpha + np.zeros(z.shape), axis=-1)

    def forward_and_log_det(self, z, params=None, context=None):
        alpha = self.alpha(params, context)
        return z * anp.exp(alpha), self.log_det(alpha, z)

    def inverse_and_log_det(self, x, params=None, context=None):
        alpha = self.alpha(params, context)
        return x * anp.exp(-alpha), -self.log_det(alpha, x)


class Sinh(fc.Bijector):
    """No parameters, no super().__init__."""

    def __init__(self, dim):
        self.dim = dim

    def forward_and_log_det(self, z, params=None, context=None):
        return anp.sinh(z), anp.sum(anp.log(anp.cosh(z)), axis=-1)

    def inverse_and_log_det(self, x, params=None, context=None):
        z = anp.log(x + anp.sqrt(1 + x**2))
        return z, -anp.sum(anp.log(anp.cosh(z)), axis=-1)


class Logistic(fc.Bijector):
    """Onto the unit cube."""

    def forward_and_log_det(self, z, params=None, context=None):
        x = 1 / (1 + anp.exp(-z))
        return x, anp.sum(anp.log(x) + anp.log1p(-x), axis=-1)

    def inverse_and_log_det(self, x, params=None, context=None):
        return anp.log(x / (1 - x)), -anp.sum(anp.log(x) + anp.log1p(-x), axis=-1)


def maf(dim=3, **options):
    return fc.MaskedAutoregressiveFlow(fc.MADE(dim, hidden=[8], **options))


RIGHT = {
    "scaling": Scaling,
    "conditional": lambda: Scaling(context_dim=1),
    "parameter-free": lambda: Sinh(3),
    "onto a part": lambda: Logistic(2),
    "from a part": lambda: fc.Invert(Logistic(1)),
    "with a MAF": lambda: fc.Chain([Scaling(), maf(2), fc.Invert(Scaling())]),
    "tied": lambda: (lambda s: fc.Chain([s, fc.Permute([1, 0]), s]))(Scaling()),
    "conditional in a chain": lambda: fc.Chain([Scaling(context_dim=1), maf(2, context_dim=1)]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_one_passes(name):
    support = {"from a part": {"domain": (0, 1)}, "onto a part": {"codomain": (0, 1)}}
    for rng in (0, np.random.default_rng(2)):
        check_bijector(RIGHT[name](), rng=rng, **support.get(name, {}))
    if name == "onto a part":
        check_bijector(RIGHT[name]())


# ---------------------------------------------------------------- broken ones


def broken(**methods):
    """Makes Scaling with other methods."""
    return lambda *args: type("Broken", (Scaling,), methods)(*args)


def forward(change):
    """Makes Scaling with change(self, x, log_det, z) in place of (x, log_det)."""

    def forward_and_log_det(self, z, params=None, context=None):
        return change(self, *Scaling.forward_and_log_det(self, z, params, context), z)

    return broken(forward_and_log_det=forward_and_log_det)


def alpha(change):
    """Makes Scaling with change(params, context) in place of its two arguments."""
    return broken(alpha=lambda self, *args: Scaling.alpha(self, *change(*args)))


def log_det(change):
    """Makes Scaling with the log-det change(alpha, z)."""
    return broken(log_det=lambda self, alpha, z: change(alpha + np.zeros(z.shape)))


class InverseOfForward(Scaling):
    """Both log-dets are those of forward."""

    def inverse_and_log_det(self, x, params=None, context=None):
        z, log_det = super().inverse_and_log_det(x, params, context)
        return z, -log_det


class WrongOrder(fc.Bijector):
    """The loop walks the permutation where it should walk its inverse."""

    def __init__(self, maf):
        super().__init__(maf.dim)
        self.parts, self.maf = (maf,), maf

    def forward_and_log_det(self, z, params=None, context=None):
        x, total = np.zeros(z.shape), 0
        for i in self.maf.made.degrees[0] - 1:
            phi = self.maf.made(x, params, context)[..., i, :]
            x_i, log_det = self.maf.transformer.forward_and_log_det(z[..., i], phi)
            x = anp.where(np.arange(self.dim) == i, x_i[..., None] * np.ones(self.dim), x)
            total = total + log_det
        return x, total

    def inverse_and_log_det(self, x, params=None, context=None):
        return self.maf.inverse_and_log_det(x, params, context)


class Leaky(fc.Bijector):
    """Nearly autoregressive: the mask lets every x_i see itself."""

    def __init__(self, dim):
        super().__init__(dim, np.zeros((2, dim, dim)).ravel())

    def phi(self, x, params):
        theta = self.params if params is None else params
        lower = np.tril(np.ones((self.dim, self.dim)))
        mu, alpha = (lower * anp.reshape(theta, (2, self.dim, self.dim)))[:]
        return x @ mu.T, anp.tanh(x @ alpha.T)

    def inverse_and_log_det(self, x, params=None, context=None):
        mu, alpha = self.phi(x, params)
        return (x - mu) * anp.exp(-alpha), -anp.sum(alpha, axis=-1)

    def forward_and_log_det(self, z, params=None, context=None):
        x, total = z, 0
        for i in range(self.dim):
            mu, alpha = self.phi(x, params)
            x = anp.where(np.arange(self.dim) == i, mu + anp.exp(alpha) * z, x)
            total = total + alpha[..., i]
        return x, total


class Mutating(Scaling):
    def forward_and_log_det(self, z, params=None, context=None):
        log_det = self.log_det(self.alpha(params, context), z)
        z *= np.exp(self.alpha(params, context))
        return z, log_det


class ReusedBuffer(Scaling):
    buffers = np.zeros((1000, 2))

    def inverse_and_log_det(self, x, params=None, context=None):
        z, log_det = super().inverse_and_log_det(x, params, context)
        if z.ndim != 2:
            return z, log_det
        self.buffers[: len(z)] = z
        return self.buffers[: len(z)], log_det


@primitive
def exp_with_wrong_vjp(a):
    return np.exp(a)


defvjp(exp_with_wrong_vjp, lambda ans, a: lambda g: 2 * g * ans)


class WrongVJP(Sinh):
    def forward_and_log_det(self, z, params=None, context=None):
        _, log_det = super().forward_and_log_det(z)
        return 0.5 * (exp_with_wrong_vjp(z) - anp.exp(-z)), log_det


class InPlaceParams(Scaling):
    def with_params(self, theta):
        self.__dict__["params"] = super().with_params(theta).params
        return self


class Swapped(Scaling):
    """Arguments in another order: Chain passes them by position."""

    def forward_and_log_det(self, z, context=None, params=None):
        return super().forward_and_log_det(z, params, context)


def wrong_order():
    return WrongOrder(maf(order=[2, 3, 1]))


NOT_SUMMED = log_det(lambda alpha: alpha)
BROKEN = {  # name: (constructor, what the message must name)
    "no repr": (broken(__repr__=lambda self: " "), "repr"),
    "sign": (
        log_det(lambda alpha: -anp.sum(alpha, axis=-1)),
        "log det: .*sign is that of the other direction",
    ),
    "log-det of the other direction": (
        InverseOfForward, "log det: inverse.*sign is that of the other",
    ),
    "not summed": (NOT_SUMMED, r"shapes: .*Sum the log-derivatives"),
    "summed over the rows": (log_det(anp.sum), "shapes: "),
    "a term forgotten": (
        log_det(lambda alpha: anp.sum(alpha[..., 1:], axis=-1)), "log det: .*term is missing",
    ),
    "nearly right: 1e-6 'for stability'": (
        log_det(lambda alpha: anp.sum(anp.log(anp.exp(alpha) + 1e-6), axis=-1)),
        "gradients: log-det of forward misses the Jacobian's by",
    ),
    "leaky mask": (lambda: Leaky(3), "log det: .*should not see"),
    "wrong order of the loop": (wrong_order, "round trip: .*another order"),
    "batch mean": (
        forward(lambda _, x, l, z: (x - (anp.mean(x, axis=0) if z.ndim > 1 and len(z) else 0), l)),
        "rows: forward.*over the batch",
    ),
    "input mutated": (Mutating, "nothing overwritten: forward overwrites its points"),
    "reused buffer": (ReusedBuffer, "nothing overwritten: .*reused buffer"),
    "wrong VJP": (lambda: WrongVJP(2), "gradients: .*Jacobian of forward.*hand-written VJP"),
    "NaN of a coordinate": (
        forward(lambda _, x, l, z: (np.where(np.isnan(x[..., 1:]), x, np.nan_to_num(x)), l)),
        "rows: forward of .*NaN got lost",
    ),
    "gradient lost": (alpha(lambda a, c: (getval(a), c)), "gradients: .*by params"),
    "ignores params=": (alpha(lambda a, c: (None, c)), r"parameters: forward\(params=theta\)"),
    "context ignored": (
        lambda: alpha(lambda a, c: (a, None))(2, 1), "context: forward ignores the context",
    ),
    "changed in place": (InPlaceParams, "parameters: with_params changes the old object"),
    "any length": (
        broken(with_params=lambda self, t: Scaling.with_params(self, np.ravel(t)[: self.n_params])),
        "parameters: with_params accepts the shape",
    ),
    "copy": (
        broken(__getstate__=lambda self: {"dim": 2, "params": np.zeros(2)}), "copies: ",
    ),
    "arguments swapped": (Swapped, "composition: "),
    "support not given": (lambda: fc.Invert(Logistic(2)), "shapes: .*domain="),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_broken_one_fails_with_its_reason(name):
    make, message = BROKEN[name]
    for rng in range(3):
        with pytest.raises(AssertionError, match=f"(?s){type(make()).__name__}, {message}"):
            check_bijector(make(), rng=rng)


class Clipped(fc.Bijector):
    """z, clipped to what "no data reach"; with a slope, x goes on, and the log-det ignores it."""

    def __init__(self, reach, slope=0.0):
        super().__init__(dim=2)
        self.reach, self.slope = reach, slope

    def forward_and_log_det(self, z, params=None, context=None):
        inside = anp.clip(z, -self.reach, self.reach)
        return inside + self.slope * (z - inside), np.zeros(z.shape[:-1])

    def inverse_and_log_det(self, x, params=None, context=None):
        inside = anp.clip(x, -self.reach, self.reach)
        return inside + (x - inside) / (self.slope or anp.inf), np.zeros(x.shape[:-1])


OPTIONAL_FAULTS = {
    "far_tails, a clip at 50": (lambda: Clipped(50), "far tails: forward.*term is missing"),
    "far_tails, a kink at 50": (lambda: Clipped(50, 2.0), "far tails: forward.*term is missing"),
    "far_tails, unbounded scale": (
        lambda: fc.MaskedAutoregressiveFlow(fc.MADE(3, hidden=[8]), fc.Affine(None)),
        "far tails: ",
    ),
    "arguments": (Scaling, "arguments: "),
    "float32": (Scaling, r"float32: forward returns .*float64"),
}


@pytest.mark.parametrize("name", OPTIONAL_FAULTS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_options_ask_for_more(name):
    make, message = OPTIONAL_FAULTS[name]
    check_bijector(make())
    with pytest.raises(AssertionError, match=message):
        check_bijector(make(), **{name.split(",")[0]: True})


PARAMETRIC = [
    fc.MADE(3, hidden=[8]),
    fc.MLP(2, (3,), hidden=[8]),
    fc.flows.iaf(2, hidden=[8]),
    Scaling(),
    fc.Permute([0, 1]),
]


@pytest.mark.parametrize("b", PARAMETRIC, ids=lambda b: type(b).__name__)
def test_randomize(b):
    new = randomize(b, rng=1)
    assert type(new) is type(b) and new.n_params == b.n_params
    assert not np.any(b.n_params and new.params == b.params), "every parameter is drawn"
    np.testing.assert_array_equal(randomize(b, rng=1).params, new.params)
    np.testing.assert_allclose(randomize(b, scale=3.0, rng=1).params, 3 * new.params, rtol=1e-14)
    assert b.n_params == 0 or np.any(randomize(b, rng=2).params != new.params)


def test_randomize_scales_with_the_fan_in_and_keeps_the_dtype():
    mlp = randomize(fc.MLP(400, (50,), hidden=[100], dtype=np.float32), rng=0)
    assert mlp.params.dtype == np.float32
    (w1, b1, _), (w2, _, _) = mlp.weights()
    for array, fan_in in ((w1, 400), (b1, 400), (w2, 100)):
        np.testing.assert_allclose(array.std() * fan_in**0.5, 1, atol=0.15)
