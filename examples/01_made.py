"""MADE: one network whose outputs are the conditionals' parameters, whatever the order."""

# %% A MADE of three inputs: two numbers (shift, log-scale) per input, for every row
import numpy as np
from autograd import jacobian

import flowcore as fc

rng = np.random.default_rng(0)
x = rng.normal(size=(1000, 3))

made = fc.MADE(3, hidden=[16, 16], n_out=2, activation="relu", rng=0)
phi = made(x)
print(made)
print("data", x.shape, "-> output", phi.shape)
assert phi.shape == (1000, 3, 2)

# %% Masks: a path from input a to output b exists only if a comes before b in the order
reach = np.linalg.multi_dot([mask.astype(int) for mask in made.masks]) > 0
print("which output (columns, two per input) sees which input (rows):")
print(reach.astype(int))
for a in range(3):
    for b in range(3):
        assert reach[a, 2 * b] == (a < b)

# %% The Jacobian of the outputs is strictly lower triangular, exactly.
# A new MADE returns zeros (every transformer's identity), so look at random parameters.
made = fc.testing.randomize(made, rng=1)
jac = jacobian(lambda row: made(row)[:, 0])(x[0])
print("d shift / d x:")
print(jac.round(3))
assert np.all(jac[np.triu_indices(3)] == 0)
assert np.all(jac[np.tril_indices(3, -1)] != 0)

# %% Another order, the same engine: here x_3 comes first, then x_1, then x_2
other = fc.testing.randomize(fc.MADE(3, hidden=[16, 16], order=[2, 3, 1]), rng=1)
print("order [2, 3, 1]: d shift / d x")
print(jacobian(lambda row: other(row)[:, 0])(x[0]).round(3))
