"""
Two modes, honestly
===================

A flow that is trained on its own draws can miss a mode, and no number computed from these draws
shows it. `infer` searches for modes before training, and fits a flow to each. A flow of your own is
not searched for modes: it needs a base that has them.
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
# The target has two moons in the plane, with 30% and 70% of the mass. The evidence is 1.
SHARES, WIDTH = np.array([0.3, 0.7]), 0.4


def log_target(x):
    pieces = []
    for share, side in zip(SHARES, (-1.0, 1.0), strict=True):
        bend = x[:, 1] - side * 0.3 * (x[:, 0] - 5 * side) ** 2
        along = -0.5 * (x[:, 0] - 5 * side) ** 2 - 0.5 * np.log(2 * np.pi)
        across = -0.5 * (bend / WIDTH) ** 2 - np.log(WIDTH * np.sqrt(2 * np.pi))
        pieces.append(np.log(share) + along + across)
    return anp.logaddexp(*pieces)


# %%
# From a start near one moon, a flow of your own finds that moon. Its weights are good, but its log
# evidence is only the log of the share of that moon. Two starts find both pieces, but not their
# shares.
effort = {"epochs": 5, "batches": 20} if options.quick else {"epochs": 25}
for start in ([-5.0, 0.0], [5.0, 0.0]):
    flow = fc.flows.iaf(2, layers=4, hidden=[32, 32])
    one = fc.infer(log_target, flow=flow, start=[start], **effort)
    print(f"start {start}: log evidence {one.log_evidence[0]:.3f}, trusted: {one.trusted}")
print(f"the logarithms of the shares: {np.log(SHARES).round(3)}\n")

# %%
# The search finds both moons, with their shares.
searched = fc.infer(log_target, 2, **effort)
print(f"log evidence {searched.log_evidence[0]:.3f}\n{searched.verdict}\n")

# %%
# With a flow of your own, use a base with two wide modes, at the places that the two starts have
# found. The evidence and the shares are right, because the flow moves mass between the pieces, and
# the weights correct the remaining error.
modes = fc.GaussianMixture([[-5.0, -0.5], [5.0, 0.5]], scales=1.2)
flow = fc.flows.iaf(2, layers=4, hidden=[32, 32], base=modes, standardize=False)
found = fc.infer(log_target, flow=flow, **effort)
value, error = found.log_evidence
right, bar = found.expectation(lambda x: x[:, 0] > 0)
print(f"two modes: log evidence {value:.3f} +- {error:.3f}, right piece {right:.3f} +- {bar:.3f}")
print(found.verdict)
assert options.quick or (abs(value) < 0.1 and abs(right - 0.7) < 0.05)

# %%
# In the long run, a Metropolis chain whose proposals are draws of this flow is exact. It jumps
# between the pieces, which chains with small steps do not.
chain, taken = found.metropolis(1000 if options.quick else 10_000, rng=0)
print(f"Metropolis: right piece {np.mean(chain[:, 0] > 0):.3f}, {taken:.0%} of proposals taken")

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharex=True, sharey=True)
pictures = {"one start": one.draws, "a base with two modes": found.resample(4000, rng=0)}
for ax, (name, rows) in zip(axes, pictures.items(), strict=True):
    ax.plot(*rows[:2000].T, ".", ms=2)
    ax.set(title=name, xlabel="x_1", ylabel="x_2", xlim=(-9, 9), ylim=(-6, 6))
if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    fig.savefig(Path(options.save) / "two_modes.png", dpi=80)
elif not options.quick:
    plt.show()
