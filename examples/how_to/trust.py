"""
Can it be trusted?
==================

Fit a flow, test it on held-out rows, and improve it where the verdict names a fault.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer rows and epochs, no window")
options, _ = parser.parse_known_args()

# %%
# The table has the wind, the power that a wind farm makes of it, and the price of power on that
# day, which has heavy tails. Two thirds of the rows are for training. The other rows are held out,
# also from the choice of the best epoch.
NAMES = ["wind", "power", "price"]


def draw(n, rng):
    wind = rng.gamma(6.0, 1.2, n)
    power = 20 / (1 + np.exp(7 - wind)) + 0.5 * rng.standard_normal(n)
    price = 50 - power + 4 * rng.standard_t(2.5, n)
    return np.column_stack([wind, power, price])


x = draw(1500 if options.quick else 6000, np.random.default_rng(0))
train, held_out = np.split(x, [len(x) * 2 // 3])

# %%
# The first flow is affine, over a normal base. The mean of log p alone does not show whether the
# flow is good.
epochs = 5 if options.quick else 60
first, history = fc.fit(fc.flows.maf(3, layers=3, hidden=[32, 32]), train, epochs=epochs)
report = fc.diagnose(first, held_out, train, names=NAMES, history=history)
print(report)

# %%
# The page shows every pair of columns on the left: the rows below the diagonal, draws of the flow
# above it. On the right are the ranks of the rows among the draws, the least probable rows, and the
# losses.
page = report.figure()
if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    page.savefig(Path(options.save) / "trust.png", dpi=80)

# %%
# Heavy tails must come from the base. So take a Student t base, whose degrees of freedom are
# trained with the other parameters. Splines follow the steep part of the curve.
flow = fc.flows.nsf(3, layers=3, hidden=[32, 32], base="student_t")
second, history = fc.fit(flow, train, epochs=epochs)
better = fc.diagnose(second, held_out, train, names=NAMES, history=history)
print("\nMended:\n")
print(better)
gain = better.mean - report.mean
print(f"\n{gain:.2f} nats a row; trusted: {better.trusted}")

# %%
# For a program, ``to_dict`` gives the report as plain numbers.
found = better.to_dict()
print({finding["name"]: round(finding["effect"], 3) for finding in found["findings"]})
assert options.quick or gain > 0

if not (options.save or options.quick):
    plt.show()
