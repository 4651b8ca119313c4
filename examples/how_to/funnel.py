"""
A funnel, centred and not
=========================

In a hierarchical model, a scale that multiplies other parameters is the hardest part. The same
density is easy in other coordinates.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from pathlib import Path

import autograd.numpy as anp
import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer epochs, no window")
options, _ = parser.parse_known_args()

# %%
# Neal's funnel: v ~ N(0, 3^2) is a log variance, and nine effects are N(0, exp(v)). In the centred
# form the effects are the parameters. Where v is small, they lie in a narrow neck.
N, LOG_2_PI = 9, np.log(2 * np.pi)


def centred(p):
    v, effect = p["v"], p["effect"]
    inner = -0.5 * effect**2 * anp.exp(-v)[:, None] - 0.5 * v[:, None] - 0.5 * LOG_2_PI
    return -0.5 * (v / 3) ** 2 - np.log(3) - 0.5 * LOG_2_PI + anp.sum(inner, axis=1)


# %%
# In the other form the effects are exp(v/2) z with z ~ N(0, 1), so v and z are independent.


def not_centred(p):
    v, z = p["v"], p["z"]
    inner = -0.5 * z**2 - 0.5 * LOG_2_PI
    return -0.5 * (v / 3) ** 2 - np.log(3) - 0.5 * LOG_2_PI + anp.sum(inner, axis=1)


# %%
# In both forms the evidence is 1, and v has the standard deviation 3. Compare the output.
effort = {"epochs": 4, "batches": 20} if options.quick else {"epochs": 30}
found = {
    "centred": fc.infer(centred, support={"v": "real", "effect": ("real", (N,))}, **effort),
    "not centred": fc.infer(not_centred, support={"v": "real", "z": ("real", (N,))}, **effort),
}
for name, one in found.items():
    value, error = one.log_evidence
    (v, _), (square, _) = one.expectation(lambda p: p["v"]), one.expectation(lambda p: p["v"] ** 2)
    print(f"{name}: log evidence {value:.3f} +- {error:.3f}, ELBO {one.elbo[0]:.3f}, sd of v "
          f"{np.sqrt(square - v**2):.2f}\n  {one.verdict}")  # fmt: skip
assert found["not centred"].trusted and abs(found["not centred"].log_evidence[0]) < 0.05

# %%
# If you need the centred form, Hamiltonian Monte Carlo in the flow's latent space corrects the
# flow's draws.
draws, taken = found["centred"].hmc(20 if options.quick else 200, chains=20, rng=0)
print(f"HMC on z: sd of v {draws['v'].std():.2f}, {taken:.0%} of the proposals taken")

# %%
# The picture: the centred flow has to bend most at the neck.
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
for ax, (name, one) in zip(axes, found.items(), strict=True):
    key = "effect" if name == "centred" else "z"
    ax.plot(one.draws[key][:2000, 0], one.draws["v"][:2000], ".", ms=2)
    ax.set(xlabel=f"{key}[0]", title=f"{name}: k-hat {one.k_hat:.2f}")
axes[0].set(ylabel="v", xlim=(-20, 20))
if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    fig.savefig(Path(options.save) / "funnel.png", dpi=80)
elif not options.quick:
    plt.show()
