r"""
Bounded scales and heavy tails
==============================

Two failures of flows, and their cures: an exponential that overflows, and tails that are too light.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from autograd import value_and_grad

import flowcore as fc
from flowcore.plots.drawing import BLUE, ORANGE, VERMILLION

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer epochs, no window")
options, _ = parser.parse_known_args()

# %%
# The textbook's exp, and its NaNs
# --------------------------------
#
# The papers print the scale as :math:`e^{\alpha}`, with any number :math:`\alpha` that the network
# returns. A relu network continues in straight lines outside of the data, so for distant rows
# :math:`\alpha` can be as large as you like. In float32 the exponential overflows at 88.7.
#
# Here is the smallest case: a layer in float32 whose :math:`\alpha_2` is :math:`x_1` itself, with
# nine good rows and a distant one.


def small_flow(transformer):
    """One layer of MAF without hidden units: mu = 0, alpha_2 = x_1."""
    made = fc.MADE(2, hidden=[], dtype=np.float32)
    weights = np.zeros((2, 4))
    weights[0, 3] = 1.0  # from x_1 to alpha_2
    made = made.with_weights([(weights, np.zeros(4))])
    return fc.TransformedDistribution(fc.Normal(2), fc.MaskedAutoregressiveFlow(made, transformer))


table = np.random.default_rng(0).standard_normal((10, 2))
table[-1] = -100, 1
for bound in (None, 2.0):
    flow = small_flow(fc.Affine(log_scale_bound=bound))
    log_p = flow.log_prob(table)
    with np.errstate(all="ignore"):
        loss = value_and_grad(lambda theta, flow=flow: -flow.log_prob(table, params=theta).mean())
        _, gradient = loss(flow.params)
    print(f"bound {bound}: log p of the far row {log_p[-1]:.0f}, is the gradient finite? "
          f"{np.isfinite(gradient).all()}")  # fmt: skip

# %%
# In the inverse, :math:`z_2 = x_2 e^{-\alpha_2} = e^{100}` is too large for float32. One row has
# made the loss and its gradient infinite. Adam then divides infinity by infinity, and the
# parameters become NaN and stay NaN. (``fit`` stops before this step, and names the row.)

try:
    fc.fit(small_flow(fc.Affine(log_scale_bound=None)), table, epochs=1, validation_split=0)
except fc.TrainingDivergedError as error:
    print(f"TrainingDivergedError: {error}")

# %%
# The cure is a different parametrisation: the network does not return :math:`\alpha`, but a *raw*
# number, and
#
# .. math:: \alpha = c \tanh(\mathrm{raw} / c) .
#
# This function has the slope 1 at 0, so little changes there, and it never leaves :math:`(-c, c)`.
# Clipping at :math:`c` would keep :math:`\alpha` finite, too, but the function would have a kink,
# and a gradient of exactly 0 beyond the kink. flowcore's ``Affine()`` has :math:`c = 2`; a stack of
# five layers then still reaches scales from :math:`e^{-10}` to :math:`e^{10}`.

raw = np.linspace(-6, 6, 400)[:, None]
figure, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for bound, colour, style in ((None, VERMILLION, "--"), (5.0, ORANGE, "-."), (2.0, BLUE, "-")):
    phi = np.stack([np.zeros_like(raw), raw], axis=-1)
    _, alpha = fc.Affine(log_scale_bound=bound).forward_and_log_det(np.zeros_like(raw), phi)
    label = "the textbook: alpha = raw" if bound is None else f"c = {bound:g}"
    ax.plot(raw[:, 0], alpha[:, 0], color=colour, ls=style, lw=2, label=label)
ax.set(xlabel="raw, the network's output", ylabel="alpha, the log-scale")
ax.legend()

# %%
# Heavy tails
# -----------
#
# The bound has a price. If :math:`|\mu| \le M` (a tanh network is bounded) and :math:`|\alpha| \le
# c`, then every layer has :math:`|x_i| \le M + e^c |z_i|`. So a distant :math:`x` has a distant
# :math:`z`, where the base has almost no density. The log-dets are bounded, so they cannot make up
# for the base. The density of the flow falls as fast as that of a Gaussian.
#
# The tails of some data fall only like a power of :math:`|x|`. Such data need a base with such
# tails, too: ``base="student_t"``. The fewer *degrees of freedom* this base has, the heavier are
# its tails. The number of degrees is trained with the other parameters. The data below are Student
# t with three degrees of freedom.

heavy = fc.StudentT(2, df=3.0)
rows = heavy.sample(2000, rng=0)
far = np.array([30.0, 0.0])
print(f"truth: log p(30, 0) = {heavy.log_prob(far):.1f}")
tails = {}
for base in ("normal", "student_t"):
    flow = fc.flows.maf(2, layers=2, hidden=[16, 16], base=base)
    flow, _ = fc.fit(flow, rows, epochs=10 if options.quick else 40)
    with warnings.catch_warnings():  # of the normal base: the flow's tails are too thin
        warnings.filterwarnings("ignore", "log p - log q seems")
        tails[base] = fc.kl_to_truth(flow, heavy)
    print(f"base {base}: KL {tails[base].kl:.3f} +- {tails[base].standard_error:.3f} nats, "
          f"log p(30, 0) = {flow.log_prob(far):.1f}")  # fmt: skip
assert tails["student_t"].kl < 0.05 < tails["normal"].kl or options.quick

# %%
# Jaini and others (2020) prove how bounded layers limit the tails: `Tails of Lipschitz Triangular
# Flows <https://arxiv.org/abs/1907.04481>`__.
if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(options.save) / "bounded_scales.png", dpi=120)
elif not options.quick:
    plt.show()
