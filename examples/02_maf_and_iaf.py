"""MAF and IAF from the same MADE: one map, read forwards or backwards; two different densities."""

# %% One MADE, two bijectors
import numpy as np

import flowcore as fc

made = fc.testing.randomize(fc.MADE(3, hidden=[16, 16], rng=0), rng=1)
maf = fc.MaskedAutoregressiveFlow(made)
iaf = fc.Invert(maf)  # one word of difference
print(maf)
print(iaf)

# %% MAF: density in one pass, sampling coordinate by coordinate. IAF: the other way round.
z = fc.Normal(3).sample(5, rng=0)
x, log_det = maf.forward_and_log_det(z)
back, inverse_log_det = maf.inverse_and_log_det(x)
print("round trip error", np.abs(back - z).max())
assert np.allclose(back, z) and np.allclose(inverse_log_det, -log_det)
assert np.array_equal(iaf.inverse(z), x)  # sampling from MAF is the density direction of IAF

# %% As densities they differ: one sends z through the map, the other through its inverse
flow_maf = fc.TransformedDistribution(fc.Normal(3), maf)
flow_iaf = fc.TransformedDistribution(fc.Normal(3), iaf)
origin = np.zeros(3)
print("log p(0) under MAF", flow_maf.log_prob(origin), "under IAF", flow_iaf.log_prob(origin))
assert not np.isclose(flow_maf.log_prob(origin), flow_iaf.log_prob(origin))

# %% Both share the MADE: in one chain its parameters appear once (tied)
both = fc.Chain([maf, fc.Permute([1, 2, 0]), iaf])
print(both)
assert both.n_params == made.n_params

# %% The formulas exactly as the papers print them agree
maf = fc.MaskedAutoregressiveFlow(made, fc.Affine(log_scale_bound=None))  # as printed: unbounded
weights = [(W, b) for W, b, _ in made.weights()]
by_formula, log_det = fc.reference.maf_inverse(x[0], weights, made.degrees)
print("z of the first x, by the printed formula", by_formula)
assert np.allclose(maf.inverse(x[0]), by_formula)
assert np.isclose(maf.inverse_log_det(x[0]), log_det)
