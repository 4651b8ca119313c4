"""
Classes of your own beside flowcore's
=====================================

Bijectors, a transformer and a base are fitted, saved and loaded. A class may define:

==================  ================================================================================
``params``          its free parameters, one flat vector; ``fit`` trains them
``context_dim``     the width of its context; 0 if it reads none
``initialize``      sets constants from the training rows; ``fit`` calls it once, before training
``fitted``          the names of such constants, for ``save``
``config()``        the constructor's arguments, for ``save``; not needed where argument ``foo`` is
                    the attribute ``foo``
``parts``           the bijectors that it wraps; it then has their parameters
``param_scale()``   the size of harmless random parameters, for ``testing.randomize``
==================  ================================================================================
"""

# %%
# Code that a gradient passes through is written in autograd's NumPy.
import argparse
import copy
import tempfile

import autograd.numpy as anp
import numpy as np

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--quick", action="store_true", help="fewer rows and epochs")
options, _ = parser.parse_known_args()


def rotated(v, angle):
    """Points v (..., 2), turned around the origin by angles (...)."""
    cos, sin, a, b = anp.cos(angle), anp.sin(angle), v[..., 0], v[..., 1]
    return anp.stack([cos * a - sin * b, sin * a + cos * b], axis=-1)


# %%
# A bijector is two methods. This one has parameters, a constant fitted to data, and a context.


class Swirl(fc.Bijector):
    """x = R(angle) z, a rotation that depends on the distance from the origin and on a context c.

        angle = a s / (1 + s) + w . c,      s = |z|^2 / radius^2 = |x|^2 / radius^2

    The distance does not change, so the inverse knows the angle. Volumes do not change either, so
    the log-det is 0. The parameters are (a, w). The radius is the root mean square distance of the
    data.
    """

    fitted = ("radius", "initialized")  # what `initialize` sets

    def __init__(self, n_context=0):
        super().__init__(dim=2, params=np.zeros(1 + n_context))
        self.context_dim = n_context
        self.radius, self.initialized = 1.0, False

    def config(self):
        return {"n_context": self.context_dim}  # the argument goes by another name

    def param_scale(self):
        return np.full(self.n_params, 0.5)  # radians: half a turn would be a wild start

    def initialize(self, x, context=None, rng=None):
        """A copy with the radius of these rows (n, 2); objects are never changed."""
        if self.initialized:
            return self
        new = copy.copy(self)
        new.radius, new.initialized = float(np.sqrt(np.mean(np.sum(x**2, axis=-1)))), True
        return new

    initialize_inverted = initialize  # z is as far out as x: the same radius inside an `Invert`

    def _angle(self, v, params, context):
        theta = self.params if params is None else params  # `params=` is how gradients are taken
        s = anp.sum(v**2, axis=-1) / self.radius**2
        angle = theta[0] * s / (1 + s)
        return angle if context is None else angle + anp.dot(context, theta[1:])

    def forward_and_log_det(self, z, params=None, context=None):
        return rotated(z, self._angle(z, params, context)), np.zeros(z.shape[:-1])

    def inverse_and_log_det(self, x, params=None, context=None):
        return rotated(x, -self._angle(x, params, context)), np.zeros(x.shape[:-1])


# %%
# A bijector that wraps another one names the inner one in ``parts``, and passes its arguments on.


class Tilted(fc.Bijector):
    """x = R f(R^-1 z): another bijector f of the plane, in axes that are tilted by some degrees."""

    def __init__(self, bijector, degrees=0.0):
        self.parts = (bijector,)  # and no `params`: the parts have them
        self.dim, self.context_dim = 2, bijector.context_dim
        self.degrees = degrees

    @property
    def bijector(self):  # the argument, as an attribute: no `config` is needed
        return self.parts[0]

    @property
    def initialized(self):
        return self.bijector.initialized

    def initialize(self, x, context=None, rng=None):
        x = rotated(x, -np.radians(self.degrees))
        return Tilted(self.bijector.initialize(x, context, rng), self.degrees)

    def _through(self, run, v, params, context):
        angle = np.radians(self.degrees)
        v, log_det = run(rotated(v, -angle), params, context)
        return rotated(v, angle), log_det

    def forward_and_log_det(self, z, params=None, context=None):
        return self._through(self.bijector.forward_and_log_det, z, params, context)

    def inverse_and_log_det(self, x, params=None, context=None):
        return self._through(self.bijector.inverse_and_log_det, x, params, context)


# %%
# A transformer is the map that a MAF or a coupling applies to one coordinate; phi = 0 is the
# identity.


class Skew(fc.Transformer):
    """x = m + exp(a) (w - sinh(b)),  w = sinh(arcsinh(z) + b): a conditional with a longer tail.

        dx/dz = exp(a) sqrt(1 + w^2) / sqrt(1 + z^2)

    (m, a, b) = phi, with a smooth bound on a and b. Three numbers per coordinate: `n_out`.
    """

    n_out = 3

    def __init__(self, bound=2.0):
        self.bound = bound  # of the same name as the argument: no `config` is needed

    def _read(self, phi):
        m, a, b = phi[..., 0], phi[..., 1], phi[..., 2]
        return m, self.bound * anp.tanh(a / self.bound), self.bound * anp.tanh(b / self.bound)

    def forward_and_log_det(self, z, phi):
        m, a, b = self._read(phi)
        w = anp.sinh(anp.arcsinh(z) + b)
        log_slope = a + 0.5 * anp.log1p(w**2) - 0.5 * anp.log1p(z**2)
        return m + anp.exp(a) * (w - anp.sinh(b)), log_slope

    def inverse_and_log_det(self, x, phi):
        m, a, b = self._read(phi)
        w = anp.exp(-a) * (x - m) + anp.sinh(b)
        z = anp.sinh(anp.arcsinh(w) - b)
        log_slope = a + 0.5 * anp.log1p(w**2) - 0.5 * anp.log1p(z**2)
        return z, -log_slope


# %%
# A base without parameters may be any object with ``dim``, ``sample`` and ``log_prob``. A base with
# parameters is a ``Distribution``. Its parameters come first in ``flow.params``.


class Logistic(fc.Distribution):
    """Independent logistic densities with trainable scales exp(theta), theta (D,)."""

    def __init__(self, dim):
        self.dim, self.params = dim, np.zeros(dim)

    def sample(self, n, rng=None):
        draws = np.random.default_rng(rng).logistic(size=(n, self.dim))
        return np.exp(self.params) * draws

    def log_prob(self, z, params=None):
        log_scale = self.params if params is None else params
        u = anp.abs(z) * anp.exp(-log_scale)
        return anp.sum(-u - 2 * anp.log1p(anp.exp(-u)) - log_scale, axis=-1)

    def __repr__(self):
        return f"Logistic({self.dim})"


# %%
# All four classes in one flow.


def build(rng=0):
    made = fc.MADE(2, hidden=[16], n_out=Skew.n_out, activation="tanh", rng=rng)
    skewed = Tilted(fc.MaskedAutoregressiveFlow(made, Skew()), degrees=30.0)
    return fc.TransformedDistribution(Logistic(2), fc.Chain([Swirl(n_context=1), skewed]))


print(build())

# %%
# flowcore's own bijectors pass the same checks: log-dets and gradients against finite differences,
# round trips, copies. The checks use random parameters, scaled by ``param_scale``.
for bijector in (Swirl(), Swirl(n_context=1), build().bijector):
    fc.testing.check_bijector(bijector)

# %%
# A truth that is known exactly: the same flow with other parameters.


def sample_rows(flow, context, rng):
    """One x (n, 2) for each row of context (n, 1)."""
    return np.squeeze(flow.sample(1, rng=rng, context=context), axis=0)


n = 1000 if options.quick else 4000
rng = np.random.default_rng(0)
context = rng.uniform(-2, 2, size=(n, 1))
truth = build(rng=1)
theta = fc.testing.randomize(truth, 0.7, rng=5).params.copy()
theta[2:4] = 2.0, 0.8  # after the two of the base come a and w of the swirl
truth = truth.with_params(theta)
# a swirl keeps distances from the centre, so samples of the truth set its radius
truth = truth.initialize(sample_rows(truth, context, rng=1), context=context)
x = sample_rows(truth, context, rng=2)

# %%
# ``fit`` needs nothing more than the classes above.
flow, history = fc.fit(
    build(),
    x,
    context=context,
    epochs=60,
    batch_size=100,
    learning_rate=1e-2,
    schedule="cosine",
    rng=0,
)
swirl, wanted = flow.bijector[0], truth.bijector[0]
print(history)
print(f"radius {swirl.radius:.3f}, set from the training rows; in truth {wanted.radius:.3f}")
print(f"turned by {swirl.params[1]:.3f} c radians, in truth by {wanted.params[1]:.3f} c")

fresh_context = rng.uniform(-2, 2, size=(20_000, 1))
fresh = sample_rows(truth, fresh_context, rng=3)
gap = truth.log_prob(fresh, context=fresh_context) - flow.log_prob(fresh, context=fresh_context)
print(f"KL to the truth {gap.mean():.3f} +- {gap.std() / np.sqrt(len(gap)):.3f} nats")
assert -0.01 < gap.mean() < (0.15 if options.quick else 0.08)

# %%
# Your classes are saved like those of flowcore. Nothing in a file is executed: to load it, list the
# classes that it may make.
with tempfile.TemporaryDirectory() as folder:
    fc.save(flow, f"{folder}/flow.npz")
    try:
        fc.load(f"{folder}/flow.npz")
    except ValueError as problem:
        print("without classes:", str(problem).split(": ", 1)[1])
    again = fc.load(f"{folder}/flow.npz", classes=(Swirl, Tilted, Skew, Logistic))

assert np.array_equal(
    again.log_prob(fresh, context=fresh_context), flow.log_prob(fresh, context=fresh_context)
)
assert (again.bijector[0].radius, again.bijector[0].initialized) == (swirl.radius, True)
print("loaded again: the same numbers, bit for bit")
