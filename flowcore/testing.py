"""`check_bijector(b)` checks that a bijector is correct: one of flowcore's, or your own.

A new flow is the identity (its last layers are zero) and would pass nearly every test. So
everything is tested at random parameters: `randomize`. Each small function below checks one
property, for one direction of the bijector. CHECKS begins with the properties whose failure
explains most.
"""

from __future__ import annotations

import copy
import pickle
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import autograd
import autograd.numpy as anp
import numpy as np

from .bijectors import Bijector, Chain, Invert
from .core import Parametric
from .core.calls import OPPOSITE
from .transformers import Transformer

if TYPE_CHECKING:
    from .core.typing import ArrayLike, Seed

ROWS = 4
STEPS = np.array([1e-4, 1e-5, 1e-6, 1e-7, 1e-8])  # of finite differences: one is right near kinks
P = TypeVar("P", bound=Parametric)


def randomize(b: P, scale: float = 1.0, rng: Seed = 0) -> P:
    """The same object with every free parameter drawn from N(0, scale^2 / fan-in).

    Works for bijectors, networks and distributions. For a parameter without a fan-in,
    the fan-in counts as 1.

    Parameters
    ----------
    b : object
        A bijector, network or distribution.
    scale : float
        How far from the identity; 1 keeps the size of the points.
    rng : int or numpy Generator
        Seed of the draws.

    Returns
    -------
    object
        A copy of b with other parameters.

    Examples
    --------
    >>> from flowcore import MLP
    >>> mlp = MLP(2, (1,), hidden=[8])                  # a new network returns 0
    >>> bool(mlp([1.0, 2.0]) == 0), bool(randomize(mlp)([1.0, 2.0]) == 0)
    (True, False)
    """
    if not isinstance(b, Parametric):
        raise TypeError(f"randomize takes a bijector, network, base or flow, not {b!r}")
    if not np.isfinite(scale):
        raise ValueError(f"scale must be a finite number, not {scale!r}")
    noise = scale * np.random.default_rng(rng).standard_normal(b.n_params)
    return b.with_params((noise * b.param_scale()).astype(b.params.dtype))


def check_bijector(
    b: Bijector,
    rng: Seed = 0,
    *,
    domain: tuple[ArrayLike, ArrayLike] | None = None,
    codomain: tuple[ArrayLike, ArrayLike] | None = None,
    far_tails: bool = False,
    arguments: bool = False,
    float32: bool = False,
) -> None:
    """Check a bijector: the AssertionError names the failed property, the numbers and usual cause.

    It always checks that

    * shapes are right, and no row depends on another;
    * log-dets equal those of brute-force Jacobians, in both directions, and round trips close;
    * `params=` and `with_params` agree;
    * gradients of parameters, points and context equal finite differences;
    * nothing is mutated, and copies, Chain and Invert work.

    `far_tails`, `arguments` and `float32` are optional: they check what every bijector of flowcore
    promises beyond the mathematics. Cost: about 200 evaluations of a few rows: well below a second
    for small D.

    Parameters
    ----------
    b : Bijector
        The bijector to check: your own, or one of flowcore's.
    rng : int or numpy Generator
        Seed of the random parameters, the points, and the contexts if b.context_dim > 0.
    domain : tuple
        (low, high), numbers or (D,) arrays: the range in which z is drawn; None: all of b.domain.
    codomain : tuple
        The same for x; None: x are the images of random z.
    far_tails : bool
        Also compare log-dets with brute-force Jacobians, and check round trips, at points of size
        10 to 1000; check that values, log-dets and gradients are finite at points of size 1e3 to
        1e6.
    arguments : bool
        Also check that lists and integers are accepted, and that there is a ValueError for a wrong
        last axis, `params=` of a wrong length, and a context that is missing, unexpected or of the
        wrong width.
    float32 : bool
        Also check that float32 parameters give float32 values, log-dets and gradients.

    Examples
    --------
    >>> from flowcore import MADE, MaskedAutoregressiveFlow
    >>> check_bijector(MaskedAutoregressiveFlow(MADE(2, hidden=[8])), far_tails=True)
    """
    if not __debug__:
        raise RuntimeError("check_bijector needs assertions: run Python without -O")
    if not isinstance(b, Bijector):
        hint = "; write Elementwise(2, transformer)" if isinstance(b, Transformer) else ""
        hint = "; take its .bijector" if hasattr(b, "bijector") else hint
        raise TypeError(f"check_bijector takes a flowcore.Bijector, not {b!r}{hint}")
    options = {_far_tails: far_tails, _arguments: arguments, _float32: float32}
    check, rng = _directions, np.random.default_rng(rng)
    try:
        ways = _directions(b, rng, domain, codomain)
        for check in (*CHECKS, *(option for option, wanted in options.items() if wanted)):
            for way in ways:
                check(way)
    except Exception as error:
        failed = isinstance(error, AssertionError)
        what = str(error) if failed else f"{type(error).__name__}: {error}"
        name = check.__name__.strip("_").replace("_", " ")
        raise AssertionError(f"{type(b).__name__}, {name}: {what}") from error


class _Way(NamedTuple):
    """One direction of a bijector, where to test it, and in which context."""

    b: Bijector
    name: str
    points: np.ndarray
    context: np.ndarray | None
    rng: np.random.Generator

    def run(self, points, params=None, context=None, b=None):
        """(value, log-det) of this direction."""
        run = getattr(self.b if b is None else b, f"{self.name}_and_log_det")
        return run(points, params=params, context=self.context if context is None else context)

    def back(self, points):
        """(value, log-det) of the other direction."""
        return getattr(self.b, f"{OPPOSITE[self.name]}_and_log_det")(points, context=self.context)


def _directions(b, rng, domain, codomain):
    """Both directions of the bijector at random float64 parameters."""
    z = _draw(b.domain if domain is None else domain, (8 * ROWS, b.dim), rng)
    context = rng.standard_normal((len(z), b.context_dim)) if b.context_dim else None
    for scale in (1.0, 0.5, 0.25):
        new = randomize(b, scale, rng)
        new = new.with_params(new.params.astype(float))
        x = np.array(new.forward_and_log_det(z.copy(), context=context)[0])
        spread = np.abs(x - np.median(x, axis=0))
        if (spread.max(axis=0) < 20 * np.median(spread, axis=0)).all():
            break  # a deep random flow can throw points so far that finite differences are blind
    if codomain is not None:
        x = _draw(codomain, x.shape, rng)
    context = _of(context, slice(ROWS))
    return [
        _Way(new, "forward", z[:ROWS], context, rng),
        _Way(new, "inverse", x[:ROWS], context, rng),
    ]


def _draw(support, shape, rng):
    low, high = (np.broadcast_to(np.asarray(end, float), shape) for end in support)
    normal = rng.standard_normal(shape)
    with np.errstate(invalid="ignore"):
        inside = low + (high - low) / (1 + np.exp(-normal))
    ends = [np.isfinite(low) & np.isfinite(high), np.isfinite(low), np.isfinite(high)]
    return np.select(ends, [inside, low + np.exp(normal), high - np.exp(normal)], normal)


def _same(pair, expected, what, hint="", tol=1e-7):
    """Value and log-det agree to tol (1 + |expected|); NaN never does."""
    for name, a, e in zip((what, f"the log-det of {what}"), pair, expected, strict=True):
        a, e = np.asarray(a), np.asarray(e)
        assert a.shape == e.shape, f"{name} has shape {a.shape}, not {e.shape}"
        wrong = ~(np.abs(a - e) <= tol * (1 + np.abs(e)))
        assert not wrong.any(), f"{name} is {a[wrong]}, not {e[wrong]}. {hint}"


# ---------------------------------------------------------------- always checked


def _repr(way):
    text = repr(way.b)
    assert isinstance(text, str) and text.strip(), f"repr is {text!r}, but should show what b is"


def _nothing_overwritten(way):
    args = [way.points.copy(), np.array(way.b.params), copy.copy(way.context)]
    before = copy.deepcopy(args)
    result = way.run(*args)
    for name, new, old in zip(("points", "params", "context"), args, before, strict=True):
        same = old is None or np.array_equal(new, old, equal_nan=True)
        assert same, f"{way.name} overwrites its {name}: copy before writing"
    before = copy.deepcopy(result)
    way.run(way.points[::-1].copy())
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(result, before, strict=True))
    assert same, f"{way.name} overwrites an earlier result: never return a reused buffer"


def _shapes(way):
    for lead in ((ROWS,), (), (2, 2), (0,)):
        rows = np.arange(np.prod(lead, dtype=int)).reshape(lead)
        value, log_det = way.run(way.points[rows], None, _of(way.context, rows))
        shapes, wanted = (np.shape(value), np.shape(log_det)), ((*lead, way.b.dim), lead)
        assert shapes == wanted, (
            f"value and log-det of {way.name} have the shapes {shapes}, not {wanted}. "
            "Sum the log-derivatives over the last axis, and no other."
        )
        assert np.isfinite(value).all() and np.isfinite(log_det).all(), (
            f"{way.name} of {way.points[rows]} is {value}, with log-det {log_det}: not finite. "
            "A bijector of a part of the space needs domain=(low, high), here or as its attribute."
        )


def _rows(way):
    hint = "Is something computed over the batch: a mean, a maximum, a reshape?"
    whole, others = way.run(way.points), [0, 2, 3]
    for i in range(ROWS):
        alone = way.run(way.points[i], None, _of(way.context, i))
        _same(alone, [a[i] for a in whole], f"{way.name} of one row, without the others,", hint)
    for columns in (slice(None), slice(0, 1)):
        points = way.points.copy()
        points[1, columns] = np.nan
        with np.errstate(invalid="ignore"):
            new = way.run(points)
        kept = [a[others] for a in whole]
        _same([a[others] for a in new], kept, f"{way.name} next to a row of NaN", hint)
        assert np.isnan(new[0][1]).any(), f"{way.name} of {points[1]} is {new[0][1]}: NaN got lost"


def _of(context, rows):
    return None if context is None else context[rows]


def _log_det(way):
    """Compared with finite differences, without the other direction and without autograd."""
    (value, log_det), jacobians = way.run(way.points), _numerical_jacobians(way)
    brute = np.linalg.slogdet(jacobians)[1]
    rounding = 1e-13 * (1 + np.abs(value).max(axis=1)) / STEPS[:, None]  # of the Jacobian
    slack = 1e-5 + rounding * np.linalg.norm(np.linalg.pinv(jacobians), axis=(-2, -1))
    wrong = ~(np.abs(log_det - brute) <= slack).any(axis=0)
    flipped = (np.abs(log_det + brute) <= slack).any(axis=0)
    hint = "A term is missing, or an output depends on an input that it should not see."
    if flipped[wrong].all():
        hint = "The sign is that of the other direction."
    assert not wrong.any(), (
        f"{way.name} returns {log_det[wrong]}, but log |det| of the brute-force Jacobian is "
        f"{brute[1, wrong]}. {hint}"
    )


def _round_trip(way):
    value, log_det = way.run(way.points)
    hint = "The two directions disagree: other weights, another order, a wrong formula"
    hint += ", or a context that only one of them reads." if way.b.context_dim else "."
    _same(way.back(value), (way.points, -log_det), f"{way.name} and back", hint, 1e-6)


def _context(way):
    if way.b.context_dim:
        pairs = zip(way.run(way.points), way.run(way.points, context=way.context + 1), strict=True)
        changed = not all(np.array_equal(a, b) for a, b in pairs)
        assert changed, f"{way.name} ignores the context, although context_dim={way.b.context_dim}"


def _parameters(way):
    b, theta = way.b, randomize(way.b, rng=way.rng).params
    old, new = b.params.copy(), b.with_params(theta)
    assert old.ndim == 1 and not b.params.flags.writeable, "params must be flat and read-only"
    assert new is not b and np.array_equal(b.params, old), "with_params changes the old object"
    assert np.array_equal(new.params, theta), "with_params(theta).params is not theta"
    for shape in ((b.n_params + 1,), (1, b.n_params)):
        assert _refuses(b.with_params, np.zeros(shape)), f"with_params accepts the shape {shape}"
    hint = "Does it read self.params, or the params of a part, where it is given others?"
    expected = way.run(way.points, b=new)
    _same(way.run(way.points, theta), expected, f"{way.name}(params=theta)", hint)


def _gradients(way):
    hint = (
        "Usually a wrong hand-written VJP, or plain NumPy (np. for anp., float(), a write into an "
        "array) between the argument and the output."
    )
    exact, numerical = _autograd_jacobians(way), _numerical_jacobians(way)
    slack = 1e-5 * (1 + np.abs(exact).max(axis=(1, 2), keepdims=True))
    wrong = ~(np.abs(numerical - exact) <= slack).all(axis=(2, 3)).any(axis=0)
    assert not wrong.any(), (
        f"autograd's Jacobian of {way.name} is {exact[wrong][0].tolist()}, that of finite "
        f"differences {numerical[1, wrong][0].tolist()}. {hint}"
    )
    brute, slack = np.linalg.slogdet(exact)[1], 1e-8 + 1e-13 * np.linalg.cond(exact)
    miss = np.abs(way.run(way.points)[1] - brute)
    assert (miss <= slack).all(), f"log-det of {way.name} misses the Jacobian's by {miss.max()}"

    loss, args = _projection(way), [way.b.params, way.points, way.context]
    for k, name in enumerate(("params", "points", "context")):
        if args[k] is not None and args[k].size:
            direction = way.rng.standard_normal(args[k].shape)
            direction = direction * way.b.param_scale() if k == 0 else direction
            slope = np.sum(_grad(loss, k)(*args) * direction)
            slopes = _slopes(lambda a, k=k: loss(*args[:k], a, *args[k + 1 :]), args[k], direction)
            assert np.abs(slopes - slope).min() <= 1e-6 * (1 + abs(slope) + abs(loss(*args))), (
                f"the gradient of {way.name} by {name} along a random direction is {slope:.9g} for "
                f"autograd, {slopes[1]:.9g} by finite differences. {hint}"
            )


def _grad(f, k=0):
    """autograd.grad of a number by argument k."""
    return autograd.grad(_touching(f, k), k)


def _touching(f, k=0):
    """f plus an empty sum of argument k. Autograd warns of a result that does not depend on it,
    such as a constant log-det, whose gradient is zero indeed."""
    return lambda *args: f(*args) + anp.sum(args[k][:0])


def _autograd_jacobians(way):
    """d value_i / d point_j of every row, (N, D, D): one backward pass per output coordinate."""
    vjp, _ = autograd.make_vjp(_touching(lambda points: way.run(points)[0]))(way.points)
    return np.stack([vjp(np.tile(e, (ROWS, 1))) for e in np.eye(way.b.dim)], axis=1)


def _numerical_jacobians(way):
    """The same by central differences, (steps, N, D, D): one call for all moved points."""
    steps = STEPS[:, None, None, None]  # moves: (steps, coordinate j, row, coordinate i)
    moves, context = steps * np.eye(way.b.dim)[:, None], way.context
    moved = np.stack([way.points + moves, way.points - moves])
    if context is not None:
        context = np.broadcast_to(context, (*moved.shape[:-1], context.shape[-1]))
    up, down = np.asarray(way.run(moved, context=context)[0])
    return np.moveaxis((up - down) / (2 * steps), 1, -1)


def _slopes(f, a, direction):
    """df/dt of f(a + t direction) at t = 0, one value for each of the steps."""
    return np.array([(f(a + t * direction) - f(a - t * direction)) / (2 * t) for t in STEPS])


def _projection(way):
    """A random linear combination of all values and log-dets, of (params, points, context)."""
    weights = way.rng.standard_normal((ROWS, way.b.dim + 1))

    def loss(params, points, context):
        value, log_det = way.run(points, params, context)
        return anp.sum(weights[:, 1:] * value) + anp.sum(weights[:, 0] * log_det)

    return loss


def _copies(way):
    copies = [copy.deepcopy(way.b)]
    with suppress(pickle.PicklingError, AttributeError):  # a class defined inside a function
        copies.append(pickle.loads(pickle.dumps(way.b)))
    for other in copies:
        for mine, its in zip(way.run(way.points), way.run(way.points, b=other), strict=True):
            assert np.array_equal(mine, its), f"{way.name} of a copy is {its}, not {mine}"


def _composition(way):
    there = Invert(way.b) if way.name == "inverse" else way.b
    for chain in (Chain([Invert(there), there]), Invert(Chain([Invert(there), there]))):
        for params in (None, chain.params):
            pair = chain.forward_and_log_det(way.points, params, way.context)
            _same(pair, (way.points, np.zeros(ROWS)), repr(chain), "It is the identity.", 1e-6)


# ---------------------------------------------------------------- options


def _far_tails(way):
    for size in (10, 100, 1000):  # is there a clip, or another slope that its log-det ignores?
        far = way._replace(points=size * way.points)
        seen = far.run(far.points)[1] > -10  # finite differences are blind where a map is flat
        far = far._replace(points=far.points[seen], context=_of(way.context, seen))
        _log_det(far)
        _round_trip(far)
    points = way.points * np.geomspace(1e3, 1e6, ROWS)[:, None]
    loss = _projection(way)
    gradients = [_grad(loss, k)(way.b.params, points, way.context) for k in (0, 1)]
    for found in (*way.run(points), *gradients):
        assert np.isfinite(found).all(), f"{way.name} at {points}, or its gradient, is {found}"


def _arguments(way):
    b, points, context = way.b, way.points, way.context
    listed = way.run(points.tolist(), None, None if context is None else context.tolist())
    _same(listed, way.run(points), f"{way.name} of a list", "Cast: np.asarray(x, float).")
    whole = np.arange(points.size).reshape(points.shape) % 3
    with np.errstate(all="ignore"):
        pair = way.run(whole.astype(float))
    if all(np.isfinite(a).all() for a in pair):  # else they are out of a bounded support
        _same(way.run(whole), pair, f"{way.name} of integers", "Cast: np.asarray(x, float).")
    run = getattr(b, f"{way.name}_and_log_det")
    for name, *args in (
        ("a wrong last axis", np.ones((ROWS, b.dim + 1)), None, context),
        ("a single number", 1.0, None, context),
        ("params= of a wrong length", points, np.zeros(b.n_params + 1), context),
        ("a context of a wrong width", points, None, np.ones((ROWS, b.context_dim + 1))),
        *([("a missing context", points, None, None)] if b.context_dim else []),
    ):
        assert _refuses(run, *args), f"{way.name} accepts {name}: raise a ValueError"


def _refuses(f, *args) -> bool:
    with suppress(ValueError):
        f(*args)
        return False
    return True


def _float32(way):
    small = way.b.with_params(way.b.params.astype(np.float32))
    points = way.points.astype(np.float32)
    pair = way.run(points, b=small)
    dtypes = [np.asarray(a).dtype for a in pair]
    assert dtypes == [np.float32] * 2, f"{way.name} returns {dtypes}"
    condition = np.abs(_autograd_jacobians(way)) @ (1 + np.abs(way.points))[:, :, None]
    _same(pair, way.run(way.points), f"{way.name} in float32", "", 1e-5 * (1 + condition.max()))
    gradient = _grad(lambda theta: anp.sum(way.run(points, theta)[0]))(small.params)
    assert gradient.dtype == points.dtype, f"the gradient of {way.name} is {gradient.dtype}"


CHECKS = (
    _repr, _nothing_overwritten, _shapes, _rows, _log_det, _round_trip, _context, _parameters,
    _gradients, _copies, _composition,
)  # fmt: skip
