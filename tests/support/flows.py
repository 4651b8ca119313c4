"""Small flows in plain autograd.numpy whose maximum-likelihood solutions are known: for `fit`."""

import math
from functools import partial

import autograd.numpy as anp
import numpy as np

from flowcore.training import fit

LOG_2PI = math.log(2 * math.pi)


class Stub:
    """What `fit` knows of a flow: one flat read-only vector and a log density, nothing else."""

    dim, size = 2, 4

    def __init__(self, params=None, dtype=float):
        self.params = np.array(np.zeros(self.size) if params is None else params, dtype)
        self.params.flags.writeable = False

    @property
    def n_params(self):
        return self.params.size

    def with_params(self, theta):
        assert np.shape(theta) == self.params.shape
        clone = object.__new__(type(self))
        clone.__dict__.update(self.__dict__)
        clone.params = np.array(theta)
        clone.params.flags.writeable = False
        return clone

    def initialize(self, x, context=None, rng=None):
        return self  # as most flows do: nothing to initialise

    def log_prob(self, x, params=None, context=None):
        return self.density(x, self.params if params is None else params, context)


class Gaussian(Stub):
    """x = loc + exp(s) z with params (loc, s): solved by the mean and the standard deviation."""

    def density(self, x, p, context):
        z = (x - p[:2]) * anp.exp(-p[2:])
        return -0.5 * anp.sum(z * z, axis=-1) - anp.sum(p[2:]) - LOG_2PI

    @staticmethod
    def solution(X, w=None):
        mean = np.average(X, axis=0, weights=w)
        return np.concatenate([mean, np.log(np.average((X - mean) ** 2, axis=0, weights=w)) / 2])


class Banana(Stub):
    """x1 = a + exp(b) z1, x2 = c + d x1 + e x1^2 + exp(f) z2: solved by least squares."""

    size = 6

    def density(self, x, p, context):
        z1 = (x[:, 0] - p[0]) * anp.exp(-p[1])
        z2 = (x[:, 1] - p[2] - p[3] * x[:, 0] - p[4] * x[:, 0] ** 2) * anp.exp(-p[5])
        return -0.5 * (z1**2 + z2**2) - p[1] - p[5] - LOG_2PI

    @staticmethod
    def solution(X):
        design = np.vander(X[:, 0], 3, increasing=True)
        curve, (squares,), *_ = np.linalg.lstsq(design, X[:, 1], rcond=None)
        first = X[:, 0].mean(), np.log(X[:, 0].std())
        return np.array([*first, *curve, np.log(squares / len(X)) / 2])


class Conditional(Stub):
    """x = w c + s z in one dimension; needs a context (n, 1)."""

    dim, size = 1, 2

    def density(self, x, p, context):
        if context is None:
            raise ValueError("Conditional needs context=")
        z = (x - p[0] * context) * anp.exp(-p[1])
        return anp.sum(-0.5 * z**2, axis=-1) - p[1] - LOG_2PI / 2


class Cliff(Stub):
    """log p = theta for every x, but not a number beyond theta = 1: Adam walks over the edge."""

    size = 1

    def density(self, x, p, context):
        beyond = anp.where(p[0] > 1.0, anp.nan, 0.0)
        return p[0] + 0.0 * x[:, 0] + beyond


class Spy(Gaussian):
    """A Gaussian that writes down how it is called; its copies write to the same list."""

    def __init__(self, params=None, dtype=float):
        super().__init__(params, dtype)
        self.calls = []

    def with_params(self, theta):
        self.calls.append(("with_params", None, None))
        return super().with_params(theta)

    def initialize(self, x, context=None, rng=None):
        assert isinstance(rng, np.random.Generator)
        self.calls.append(("initialize", x, context))
        clone = object.__new__(type(self))
        clone.__dict__.update(self.__dict__)
        return clone

    def log_prob(self, x, params=None, context=None):
        kind = "score" if isinstance(params, np.ndarray) else "train"
        self.calls.append((kind, x, params))
        return super().log_prob(x, params, context)

    def seen(self, kind):
        return [x for name, x, _ in self.calls if name == kind]


class GradientDescent:
    """The plainest follower of the optimiser protocol: theta <- theta - rate g."""

    def __init__(self, rate):
        self.rate = rate

    def start(self, theta, arrays=None):
        return self

    def step(self, theta, gradient):
        theta -= self.rate * gradient

    def arrays(self):
        return {}


# as a textbook has it, whatever the defaults of `fit`: a constant learning rate, no average
textbook_fit = partial(fit, epochs=200, batch_size=256, schedule="constant", average=None)


def banana_data(n=300):
    """Rows for a Banana."""
    rng = np.random.default_rng(1)
    x1 = 1.0 + 0.7 * rng.standard_normal(n)
    return np.stack([x1, 0.5 - x1 + 0.8 * x1**2 + 0.3 * rng.standard_normal(n)], axis=1)


def nll(flow, X, w=None):
    return -np.average(flow.log_prob(X), weights=w)


def find_rows(found, X):
    """Indices in X of the rows `found`, all of which are in it once."""
    return np.array([np.flatnonzero((row == X).all(axis=1)).item() for row in found])


STILL = 1e-300  # a learning rate that changes no parameter: losses are those of the start
EVERYTHING = {"batch_size": None, "validation_split": 0}


class Opaque:
    """A density of somebody else's: nothing but draws and values, perhaps of two densities."""

    def __init__(self, density, sampler=None):
        self.density, self.sampler, self.dim = density, sampler or density, density.dim

    def sample(self, n, rng=None):
        return self.sampler.sample(n, rng)

    def log_prob(self, x):
        return self.density.log_prob(x)
