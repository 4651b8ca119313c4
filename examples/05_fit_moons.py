"""Fit a flow to two moons, compare with the exact density, save it."""

# %% Data in their own units: the recipe standardises inside, and knows its log-det
import os
import tempfile

import numpy as np

import flowcore as fc

target = fc.targets.two_moons(noise=0.05)
x = target.sample(2000, rng=0)

flow = fc.flows.maf(2, layers=5, hidden=[64, 64], activation="tanh", rng=0)
flow, history = fc.fit(flow, x, epochs=40, batch_size=100, learning_rate=3e-3, rng=0)
print(history)

# %% How far from the truth? KL(truth || flow) = E[log p_truth - log p_flow], in nats
fresh = target.sample(20_000, rng=1)
gap = target.log_prob(fresh) - flow.log_prob(fresh)
kl, error = gap.mean(), gap.std() / np.sqrt(len(gap))
print(f"KL to the truth {kl:.3f} +- {error:.3f} nats")
assert 0 < kl < 0.6

# %% The latent space should look like N(0, I)
z = flow.to_latent(x)
print("latent mean", z.mean(axis=0).round(2), "std", z.std(axis=0).round(2))

# %% Save, load: the same numbers to the last bit
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "moons.npz")
    fc.save(flow, path)
    again = fc.load(path)
assert np.array_equal(again.log_prob(fresh), flow.log_prob(fresh))
