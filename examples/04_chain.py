"""A chain of three RealNVP layers with permutations, and every stage on the way."""

# %% Base, chain, distribution
import numpy as np

import flowcore as fc

base = fc.MultivariateNormalDiag([0, 0, 0])
layers = [
    fc.testing.randomize(fc.RealNVP(3, num_masked=1, hidden=[16, 16], rng=k), rng=k)
    for k in range(3)
]
swap = fc.Permute([1, 2, 0])
chain = fc.Chain([layers[2], swap, layers[1], swap, layers[0]])  # the last one is applied first
flow = fc.TransformedDistribution(base, chain)
print(flow)

# %% Samples, densities, and both from one pass
x = flow.sample(5, rng=0)
same_x, log_prob = flow.sample_and_log_prob(5, rng=0)
assert np.array_equal(x, same_x) and np.allclose(flow.log_prob(x), log_prob)
print("samples", x.shape, "log p", log_prob.round(3))

# %% Every stage: the base sample, then its image after every bijector
for name, values in flow.stages(base.sample(2, rng=0)):
    print(f"{name:10s} {values[0].round(3)}")

# %% The log-determinant is that of the brute-force Jacobian
jacobian = fc.reference.numerical_jacobian(chain.inverse, x[0])
brute = np.linalg.slogdet(jacobian)[1]
print(f"log |det dz/dx|: {chain.inverse_log_det(x[0]):.9f}, brute force {brute:.9f}")
assert abs(chain.inverse_log_det(x[0]) - brute) < 1e-7

# %% An order of three swaps is the identity: a permutation that is not its own inverse
assert np.array_equal(fc.Chain([swap, swap, swap]).forward(x), x)
