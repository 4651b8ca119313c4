"""NICE and RealNVP: couplings by the number, or the fraction, of coordinates that stay."""

# %% By number: the first two of five stay; negative: the last two
import numpy as np

import flowcore as fc

rng = np.random.default_rng(0)
z = rng.normal(size=(4, 5))
for num_masked, kept in ((2, slice(0, 2)), (-2, slice(3, 5))):
    layer = fc.testing.randomize(fc.RealNVP(5, num_masked=num_masked, hidden=[16, 16]), rng=1)
    x, log_det = layer.forward_and_log_det(z)
    print(layer)
    assert np.array_equal(x[:, kept], z[:, kept])
    assert np.allclose(layer.inverse(x), z)

# %% By fraction: round(D * f) stay, with Python's rounding; the default is one half
for fraction in (0.2, 0.5, -0.4):
    layer = fc.RealNVP(5, fraction_masked=fraction, hidden=[16])
    print(f"fraction_masked={fraction}: num_masked={layer.num_masked}")
assert fc.RealNVP(5, hidden=[16]).num_masked == 2

# %% NICE adds instead of scaling: volumes stay, the log-det is 0
nice = fc.testing.randomize(fc.NICE(5, num_masked=2, hidden=[16, 16]), rng=1)
x, log_det = nice.forward_and_log_det(z)
print("NICE: log-det", log_det)
assert np.all(log_det == 0) and not np.allclose(x, z)

# %% So a flow of NICE layers needs one diagonal scaling, which `flows.nice` puts next to the base
print(fc.flows.nice(5, layers=2, hidden=[16]))

# %% Couplings cost one pass in both directions; one coordinate cannot be coupled to anything
try:
    fc.RealNVP(1)
except ValueError as error:
    print("RealNVP(1):", error)
