"""
A flow in the sampler that you have
===================================

A sampler fits the flow to its latest points, again and again. The flow then returns draws with
their log-densities, and log-densities of given points. This program uses such a flow as a move of
emcee. It needs no torch, no JAX and no compiler.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer steps and epochs, no window")
options, _ = parser.parse_known_args()

# %%
# A sampler needs a `fc.adapters.Backend`: `fit`, `log_prob`, `sample_and_log_prob`, and the maps
# between points and z. A `FlowBackend` is a flow with these methods. Each fit starts from the
# parameters of the last one, and standardises the new points.


def backend_of(dim, **options):
    return fc.adapters.FlowBackend(fc.flows.nsf(dim, layers=2, hidden=[32, 32]), **options)


# %%
# emcee
# -----
#
# `fc.adapters.independence_move(flow)` is a move of emcee. A walker at x accepts a draw y of the
# flow q with the probability min(1, p(y) q(x) / (p(x) q(y))). Below is the same move in plain
# NumPy.


def independent_draws(flow):
    def propose(x, rng):
        y = flow.sample(len(x), rng)
        return y, flow.log_prob(x) - flow.log_prob(y)

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
# The flow learns from walkers that have not yet converged. The flow is fitted to the walkers, its
# move carries the walkers further, and the flow is fitted again. The last run is exact for every
# flow; with a better flow more moves are accepted.
rng = np.random.default_rng(0)
walkers, n = 40, 50 if options.quick else 400
first = run(lambda x, rng: (x + 0.5 * rng.standard_normal(x.shape), 0.0),
            rng.standard_normal((walkers, 2)), 300, rng)[100:].reshape(-1, 2)  # fmt: skip
backend, learned = backend_of(2, epochs=2 if options.quick else 20), first
for _ in range(3):
    backend.fit(learned[:: 20 if options.quick else 4])
    learned = run(independent_draws(backend.flow), learned[-walkers:], 200, rng)[50:].reshape(-1, 2)

start = learned[-walkers:]
if find_spec("emcee"):
    import emcee

    move = fc.adapters.independence_move(backend.flow)
    sampler = emcee.EnsembleSampler(walkers, 2, log_p, moves=move, vectorize=True)
    sampler.run_mcmc(start, n)
    chains, name = sampler.get_chain(), "emcee"
else:
    chains, name = run(independent_draws(backend.flow), start, n, rng), "plain Metropolis"
taken = np.mean(np.any(np.diff(chains, axis=0) != 0, axis=2))
print(f"{name}: {taken:.0%} of the flow's draws accepted; the mean of x_2 is "
      f"{chains[..., 1].mean():.2f}, exactly 1")  # fmt: skip
assert options.quick or (taken > 0.5 and abs(chains[..., 1].mean() - 1) < 0.1)

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
