"""
A flow in the sampler that you have
===================================

Samplers want three things of a flow: to be fitted to their latest points, again and again; draws
with their log-densities; log-densities of points. Here is a class of forty lines that has them, a
move for emcee, and a backend for aspire. No torch, no JAX, nothing to compile.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer steps and epochs, no window")
options, _ = parser.parse_known_args()

# %%
# What a sampler needs. Samplers differ in names and in what they call forward; the next adapter
# follows this page and renames.


class Backend(Protocol):
    """A density that is fitted to points (n, D) and can be sampled."""

    def fit(self, x): ...  # goes on from the parameters that it has

    def log_prob(self, x): ...  # (n,), normalised, in the units of x; -inf outside of the bounds

    def sample_and_log_prob(self, n): ...  # (n, D) and (n,)

    def to_latent(self, x): ...  # z (n, D) and log |det dz/dx| (n,)

    def from_latent(self, z): ...  # x (n, D) and log |det dx/dz| (n,)


class FlowBackend:
    """A flow behind that protocol.

    bounded   (low, high) of the prior, perhaps infinite; the flow has no mass outside
    options   of `fc.fit`, such as epochs or max_seconds
    """

    xp = np  # the array library, as some samplers ask

    def __init__(self, dim, bounded=None, recipe=fc.flows.nsf, seed=0, **options):
        self.flow = recipe(dim, layers=2, hidden=[32, 32], bounded=bounded, rng=seed)
        self.rng, self.options = np.random.default_rng(seed), options

    def fit(self, x, **options):
        """A warm start: the parameters stay, the standardisation follows the points."""
        start = self.flow.restandardized() if self.flow.initialized else self.flow
        self.flow, history = fc.fit(start, np.asarray(x), rng=self.rng, **self.options | options)
        return history

    def log_prob(self, x):
        return self.flow.log_prob(x)

    def sample_and_log_prob(self, n):
        return self.flow.sample_and_log_prob(n, self.rng)

    def to_latent(self, x):
        return self.flow.bijector.inverse_and_log_det(x)

    def from_latent(self, z):
        return self.flow.bijector.forward_and_log_det(z)


# %%
# emcee
# -----
#
# Its Metropolis-Hastings move takes a function: coordinates in, proposals and the logarithms of
# their factors out. A draw of the flow is accepted with min(1, w(new) / w(old)), w = p / q.


def independent_move(backend):
    def propose(coordinates, rng):
        new, log_q = backend.sample_and_log_prob(len(coordinates))
        return new, backend.log_prob(coordinates) - log_q

    return propose


def log_p(x):
    """A banana; its second coordinate has the mean 1."""
    x = np.atleast_2d(x)
    return -0.25 * x[:, 0] ** 2 - 0.5 * ((x[:, 1] - 0.5 * x[:, 0] ** 2) / 0.5) ** 2


def run(propose, start, n, rng):
    """Walkers (n, walkers, D) by a move: what emcee does, where emcee is not installed."""
    now, value, kept = start, log_p(start), []
    for _ in range(n):
        new, factor = propose(now, rng)
        proposed = log_p(new)
        take = np.log(rng.random(len(now))) < proposed - value + factor
        now, value = np.where(take[:, None], new, now), np.where(take, proposed, value)
        kept.append(now)
    return np.array(kept)


# %%
# Points to learn from: walkers that have not yet converged. The flow is fitted to them, its move
# carries them further, and the flow is fitted again: each time it goes on from its parameters, in
# the new points' own units. The last run is exact whatever the flow is; a better flow accepts more.
rng = np.random.default_rng(0)
walkers, n = 40, 50 if options.quick else 400
first = run(lambda x, rng: (x + 0.5 * rng.standard_normal(x.shape), 0.0),
            rng.standard_normal((walkers, 2)), 300, rng)[100:].reshape(-1, 2)  # fmt: skip
backend, learned = FlowBackend(2, epochs=2 if options.quick else 20), first
for _ in range(3):
    backend.fit(learned[:: 20 if options.quick else 4])
    learned = run(independent_move(backend), learned[-walkers:], 200, rng)[50:].reshape(-1, 2)

start = learned[-walkers:]
if find_spec("emcee"):
    import emcee

    move = emcee.moves.MHMove(independent_move(backend))
    sampler = emcee.EnsembleSampler(walkers, 2, log_p, moves=move, vectorize=True)
    sampler.run_mcmc(start, n)
    chains, name = sampler.get_chain(), "emcee"
else:
    chains, name = run(independent_move(backend), start, n, rng), "plain Metropolis"
taken = np.mean(np.any(np.diff(chains, axis=0) != 0, axis=2))
print(f"{name}: {taken:.0%} of the flow's draws accepted; the mean of x_2 is "
      f"{chains[..., 1].mean():.2f}, exactly 1")  # fmt: skip
assert options.quick or (taken > 0.5 and abs(chains[..., 1].mean() - 1) < 0.1)

# %%
# aspire
# ------
#
# aspire calls the way to z `forward`. Points go through its own transform first, whose log-det is
# to be added. An entry point in the group `aspire.flows` makes the class known by name:
# `flow_backend="flowcore"`; here the flow is handed over.
if find_spec("aspire"):
    from aspire import Aspire, Samples
    from aspire.flows.base import Flow
    from aspire.history import FlowHistory

    class AspireFlow(Flow):
        xp = np

        def __init__(self, dims, device=None, data_transform=None, dtype=None, **options):
            super().__init__(dims, device, data_transform)
            self.backend = FlowBackend(dims, **options)

        def fit(self, x, **options):
            history = self.backend.fit(self.fit_data_transform(np.asarray(x)), **options)
            return FlowHistory(history.train_nll, history.val_nll)

        def log_prob(self, x, xp=np):
            inner, log_det = self.rescale(np.asarray(x))
            return xp.asarray(self.backend.log_prob(inner) + log_det)

        def sample_and_log_prob(self, n_samples, xp=np):
            inner, log_q = self.backend.sample_and_log_prob(n_samples)
            x, log_det = self.inverse_rescale(inner)
            return xp.asarray(x), xp.asarray(log_q - log_det)

        def sample(self, n_samples, xp=np):
            return self.sample_and_log_prob(n_samples, xp)[0]

        def forward(self, x, xp=np):
            inner, log_det = self.rescale(np.asarray(x))
            z, own = self.backend.to_latent(inner)
            return xp.asarray(z), xp.asarray(log_det + own)

        def inverse(self, z, xp=np):
            inner, own = self.backend.from_latent(np.asarray(z))
            x, log_det = self.inverse_rescale(inner)
            return xp.asarray(x), xp.asarray(log_det + own)

    epochs = 2 if options.quick else 20
    aspire = Aspire(
        log_likelihood=lambda samples: log_p(samples.x),
        log_prior=lambda samples: np.full(len(samples.x), -np.log(20.0 * 40)),
        dims=2, parameters=["x_1", "x_2"], prior_bounds={"x_1": [-10, 10], "x_2": [-10, 30]},
        flow=AspireFlow(2), xp=np,
    )  # fmt: skip
    aspire.fit(Samples(first, parameters=["x_1", "x_2"], xp=np), epochs=epochs)
    found = aspire.sample_posterior(n_samples=5000, sampler="importance")
    exact = np.log(4 * np.pi) / 2 + np.log(0.5) + np.log(2 * np.pi) / 2 - np.log(20.0 * 40)
    print(f"aspire: log evidence {float(found.log_evidence):.3f}, exactly {exact:.3f}")
else:
    print('aspire: not installed here (pip install "aspire-inference")')

# %%
fig, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
ax.plot(*first[::5].T, ".", ms=2, color="0.7", label="learned from")
ax.plot(*chains[::5].reshape(-1, 2).T, ".", ms=2, label="the flow's move")
ax.set(xlabel="x_1", ylabel="x_2", title=f"{taken:.0%} accepted")
ax.legend()
if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    fig.savefig(Path(options.save) / "samplers.png", dpi=80)
elif not options.quick:
    plt.show()
