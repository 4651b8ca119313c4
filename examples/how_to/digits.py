"""
Handwritten digits, p(image | class)
====================================

Discrete data, bits per dimension, and a classifier for free.
"""

# %%
# Options, for the command line; in a notebook the defaults hold.
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import flowcore as fc

parser = argparse.ArgumentParser()
parser.add_argument("--save", metavar="FOLDER", help="save the picture there instead of showing it")
parser.add_argument("--quick", action="store_true", help="fewer epochs, no window")
options, _ = parser.parse_known_args()

# %%
# The data are 1797 images of 8 x 8 pixels, integers 0..16. The class is a one-hot context.
LEVELS = 17
images, labels = load_digits(return_X_y=True)
dim = images.shape[1]
one_hot = np.eye(10)
parts = np.split(np.random.default_rng(0).permutation(len(images)), [1200, 1400])
(x, c), (x_val, c_val), (x_test, c_test) = ((images[part], labels[part]) for part in parts)

# %%
# Pixels are integers, so noise fills the cells [x, x + 1). Every image gets ten draws of noise, so
# that the flow learns the images and not the noise. Copies of one image must not be in both
# training and validation rows, so we choose the validation rows ourselves.
dequantize = fc.Dequantize()
copies = 2 if options.quick else 10
y = dequantize(np.tile(x, (copies, 1)), rng=1)
y_val = dequantize(np.tile(x_val, (2, 1)), rng=2)

# %%
# The flow is a recipe on logits. The Sigmoid at the data end keeps samples within the grey values,
# and its log-det is part of the density. ``fit`` standardises the logits, not the grey values.


def digits_flow(context_dim):
    recipe = fc.flows.nsf(
        dim, layers=2, hidden=[128], context_dim=context_dim, activation="tanh", dtype=np.float32
    )
    to_pixels = fc.logit_preprocessing(dim, LEVELS, squash=1e-3)
    return fc.TransformedDistribution(recipe.base, fc.Chain([to_pixels, recipe.bijector]))


training = {
    "epochs": 3 if options.quick else 6,
    "batch_size": 100,
    "learning_rate": 2e-3 if options.quick else 1e-3,
    "schedule": "cosine",
}
flow, history = fc.fit(
    digits_flow(context_dim=10),
    y,
    context=one_hot[np.tile(c, copies)],
    validation_data=(y_val, one_hot[np.tile(c_val, 2)]),
    **training,
)
print(history)
blind, _ = fc.fit(digits_flow(context_dim=0), y, validation_data=y_val, **training)

# %%
# Bits per dimension on held-out images measure the probability of the integers, not a density. One
# draw of noise gives the bound that papers report; more draws give a tighter bound.


def test_bits(flow, draws, context=None):
    log_p = dequantize.log_prob(flow, x_test, draws=draws, context=context)
    return fc.bits_per_dim(log_p, dim).mean()


print("bits per dimension, test set        1 draw   8 draws")
print(f"17 equally likely levels: log2(17)   {np.log2(LEVELS):5.3f}")
bits = []
for name, model, context in (
    ("flow", blind, None),
    ("flow given the class", flow, one_hot[c_test]),
):
    bits += [test_bits(model, draws, context) for draws in (1, 8)]
    print(f"{name:36s} {bits[-2]:5.3f}    {bits[-1]:5.3f}")
assert max(bits) < (3.2 if options.quick else 2.5)

# %%
# Bayes' rule with equal priors predicts the class under which the image is most probable. The same
# seed gives the same noise for all ten classes.
log_p = [dequantize.log_prob(flow, x_test, draws=4, context=one_hot[k]) for k in range(10)]
predicted = np.argmax(log_p, axis=0)
accuracy = np.mean(predicted == c_test)
print(f"accuracy of argmax_c p(x | c) on the test set: {accuracy:.1%}")
assert accuracy > 0.85

# %%
# Samples of every class, brought back to integers. ``sample(n, context=c)`` has the shape
# (n, classes, dim).
samples = np.clip(dequantize.quantize(flow.sample(8, rng=3, context=one_hot)), 0, LEVELS - 1)
assert samples.shape == (8, 10, dim)

# %%
# The picture: one row of images for every class, real images beside samples.


def grid_of(tiles):
    """Images (rows, columns, 64) as one large image, with gaps of one pixel (NaN: not drawn)."""
    rows, columns, _ = tiles.shape
    canvas = np.full((rows, 9, columns, 9), np.nan)
    canvas[:, :8, :, :8] = tiles.reshape(rows, columns, 8, 8).transpose(0, 2, 1, 3)
    return canvas.reshape(9 * rows, 9 * columns)[:-1, :-1]


real = np.stack([x[c == k][:8] for k in range(10)])
figure, axes = plt.subplots(1, 2, figsize=(9, 6), layout="constrained")
panels = ((real, "training images"), (samples.swapaxes(0, 1), "samples given the class"))
for ax, (tiles, title) in zip(axes, panels, strict=True):
    ax.imshow(grid_of(tiles), cmap="gray_r", vmin=0, vmax=LEVELS - 1)
    ax.set_title(title)
    ax.set_yticks(9 * np.arange(10) + 3.5, range(10))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
axes[0].set_ylabel("class")

if options.save:
    Path(options.save).mkdir(parents=True, exist_ok=True)
    figure.savefig(Path(options.save) / "digits.png", dpi=120)
elif not options.quick:
    plt.show()
