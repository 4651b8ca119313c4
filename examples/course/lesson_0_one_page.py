r"""
0. In a hurry: a flow from an empty file
========================================

Before the derivations, you write a whole normalizing flow from an empty file, in 200 lines of
NumPy. The file contains a network with masks, an invertible map, its density, its gradient by hand,
and the training. You see each function, predict what it does, and run it. You also make two
mistakes on purpose. At the end you can write a MADE and a MAF without help. The later lessons
derive what you use here.

.. math::

    \log p(x) = \log N(z; 0, I) + \log \left| \det \frac{dz}{dx} \right| , \qquad z = f^{-1}(x) .

Here :math:`x` is a row of data, :math:`z` is noise, and :math:`f` is the map from the noise to the
data. You need: NumPy, and the chain rule.

Open an empty file of your own, and type each function into it when you have understood it. Or work
in the notebook, where every function is a cell: change it, run it again, and see what breaks. The
finished file is :download:`micro.py <../../../examples/micro.py>`.
"""

# %%
# Data, noise, and a number to beat
# ---------------------------------
#
# The data are points on two half circles, blurred by normal noise of deviation 0.05. The noise
# :math:`z` is normal: independent columns of mean 0 and variance 1. The file begins with two
# imports, one constant and two functions (matplotlib and flowcore only draw and compare here):

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import flowcore as fc
from flowcore import teaching

BOUND = 2.0  # alpha stays in (-2, 2), so that no layer overflows


def two_moons(n, rng, noise=0.05):
    """n points of two half circles, blurred: (n, 2)."""
    t, upper = rng.uniform(0, np.pi, n), rng.random(n) < 0.5
    arc = np.stack([np.cos(t), np.sin(t)], axis=1)
    return np.where(upper[:, None], arc, [1.0, 0.5] - arc) + noise * rng.normal(size=(n, 2))


def log_noise(z):
    """log N(z; 0, I) of rows z, (n,)."""
    return -0.5 * (z**2 + np.log(2 * np.pi)).sum(axis=1)


# %%
# The columns of the data are standardised: mean 0, variance 1. So at first the noise is not a bad
# guess. How good is a guess? Take the *mean log-likelihood*, the mean of :math:`\log p` over the
# data: the higher, the better. Under the true density of the moons it is -0.289 nats. Dividing a
# column by its deviation :math:`s` adds :math:`\log s` to the mean, so in standardised units it is
# :math:`-0.289 + \log s_1 + \log s_2`, that of the truth below. On new rows no density beats that
# number in expectation (lesson 3). On its own training rows a flow can beat it, by learning these
# rows by heart.

rng = np.random.default_rng(0)
moons = two_moons(2000, rng)
x = (moons - moons.mean(axis=0)) / moons.std(axis=0)
noise = rng.normal(size=x.shape)
print(f"mean log-likelihood of the noise {log_noise(x).mean():.3f} nats")
truth = -fc.targets.two_moons().entropy() + np.log(moons.std(axis=0)).sum()
print(f"mean log-likelihood of the truth {truth:.3f} nats")

fig, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained", sharex=True, sharey=True)
for ax, points, name in zip(axes, (noise, x), ("noise z", "data x"), strict=True):
    ax.scatter(*points.T, s=2, color="#0072B2")
    ax.set(title=name, aspect="equal")

# %%
# A network that looks back only
# ------------------------------
#
# A density of several numbers is a product, one number after the other:
#
# .. math:: p(x) = p(x_1)\, p(x_2 \mid x_1)\, p(x_3 \mid x_1, x_2) \cdots
#
# Let each factor be a normal density, whose mean :math:`\mu_i` and log-scale :math:`\alpha_i` come
# from a network. Then :math:`\mu_i` and :math:`\alpha_i` may depend on :math:`x_1, \ldots,
# x_{i-1}`, and on nothing else. One network computes all :math:`\mu_i` and :math:`\alpha_i`: MADE.
#
# A network is a chain of layers. Each unit adds up what it reads, with a weight for each number,
# and bends the sum by a fixed function (lesson 3 has more). In a MADE every unit has a number.
# Input :math:`x_i` and the outputs :math:`\mu_i, \alpha_i` have the number :math:`i`. A hidden unit
# reads units with numbers *up to* its own. An output reads units with *smaller* numbers.
#
# **0a.** A MADE has the inputs x_1, ..., x_4, in this order. How many of them can change mu_4?
# Put your number in the place of ``None``; this cell checks it.

guess = None
print(teaching.check("0a", guess))

# %%
# Hidden units have the numbers 1 to :math:`D - 1`, because no output could read a hidden unit with
# the number :math:`D`.


def degrees(dim, hidden, order):
    """A number for every unit: of the inputs, of each hidden layer, of the outputs."""
    inside = [1 + np.arange(width) * (dim - 1) // width for width in hidden]  # 1 ... D-1, evenly
    return [np.array(order), *inside, np.repeat(order, 2)]  # outputs: mu_1, alpha_1, mu_2, ...


# %%
# Masks express the two rules. A mask is an array (in, out), with a row for each unit that is read
# and a column for each unit that reads. The comparison ``below[:, None] <= above`` makes all cells
# of a mask at once.


def masks(d):
    """The weights that stay, True in an array (in, out), one for each layer."""
    hidden = [below[:, None] <= above for below, above in pairwise(d[:-1])]
    return [*hidden, d[-2][:, None] < d[-1]]


# %%

d = degrees(dim=4, hidden=(6,), order=[1, 2, 3, 4])
print("numbers of the hidden units", d[1])
print("the second mask: a row for each hidden unit, a column for mu_1, alpha_1, mu_2, ...")
print(masks(d)[1].astype(int))

# %%
# A masked weight is 0 and stays 0. The last layer starts at 0, so that the network outputs 0 at
# first. The other weights are random. ``scale`` divides by the root of the number of units that are
# read, so that the sums have about the same size in every layer; the 1.5 makes up for ``tanh``,
# which shrinks what it bends. The biases are random, too, so that the units bend at different
# places. With biases of 0 all of them would bend at 0, and training would have to spread them.


def made(dim, hidden, order, rng):
    """A network with masks, a list of [W, b, mask]. It outputs mu and alpha, 0 at first."""
    net = []
    for mask in masks(degrees(dim, hidden, order)):
        W, b = rng.normal(size=mask.shape), rng.normal(size=mask.shape[1])
        scale = 1.5 / np.sqrt(np.maximum(mask.sum(axis=0), 1))
        net.append([mask * scale * W, scale * b, mask])
    net[-1][:2] = [0 * array for array in net[-1][:2]]
    return net


# %%
# One pass computes all :math:`\mu_i` and :math:`\alpha_i`. For each :math:`\alpha` the network
# outputs a number :math:`a`. With :math:`t = \tanh(a / 2)`, :math:`\alpha = 2 t` lies between -2
# and 2, so no exponential overflows. The function also returns a memory, which the gradient will
# need.


def run_made(net, x):
    """mu, alpha (n, D), and what the way back needs: h_l = tanh(h_l-1 W + b), at last linear."""
    h = [x]
    for W, b, _ in net[:-1]:
        h.append(np.tanh(h[-1] @ W + b))
    W, b, _ = net[-1]
    phi = (h[-1] @ W + b).reshape(len(x), -1, 2)
    t = np.tanh(phi[..., 1] / BOUND)
    return phi[..., 0], BOUND * t, (h, t)


# %%
# Do the masks do what they should? Move one input after the other, and see which :math:`\mu`
# change.


def moves(net):
    """(D, D): the change of every mu (columns) when one input (rows) is moved by 1."""
    start = np.array([[0.3, -1.0, 0.5, 0.8]])
    moved = [run_made(net, start + step)[0] for step in np.eye(4)]
    return np.concatenate(moved) - run_made(net, start)[0]


net = made(dim=4, hidden=(6,), order=[1, 2, 3, 4], rng=rng)
W, _, mask = net[-1]
W[...] = mask * rng.normal(size=W.shape)  # in place of the zeros
print(moves(net).round(2))
assert not np.tril(moves(net)).any()

# %%
# No input changes :math:`\mu_1`, because :math:`\mu_1` is a constant. Only :math:`x_1, x_2, x_3`
# change :math:`\mu_4`. On and below the diagonal there are zeros.
#
# One layer, and its density
# --------------------------
#
# A layer shifts and scales every number by the outputs of its network:
#
# .. math:: x_i = \mu_i + e^{\alpha_i} z_i , \qquad z_i = (x_i - \mu_i)\, e^{-\alpha_i} .
#
# The Jacobian of a map is the matrix of all :math:`dz_i / dx_j`. Here :math:`z_i` does not depend
# on any later :math:`x`, so this matrix is triangular. The determinant of a triangle is the product
# of its diagonal, which has the entries :math:`e^{-\alpha_i}`. Take the logarithm:
#
# .. math:: \log \left| \det \frac{dz}{dx} \right| = -\sum_i \alpha_i .
#
# No determinant has to be computed. A flow is a list of such layers, and their log-dets add up.
# Every second layer has the opposite order. So for any two numbers, each comes after the other in
# some layer. (The list begins at the noise, but ``orders`` begins at the data: hence
# ``orders[::-1]``.)


def maf(dim=2, n_layers=5, hidden=(32, 32), seed=0):
    """A list of MADEs, from the noise to the data; each has the order of the next turned around."""
    rng, order = np.random.default_rng(seed), np.arange(1, dim + 1)
    orders = [order if k % 2 == 0 else order[::-1] for k in range(n_layers)]
    return [made(dim, hidden, order, rng) for order in orders[::-1]]


def inverse(flow, x):
    """z, log |det dz/dx| (n,), and what the way back needs: one pass of each network."""
    log_det, memory = 0.0, []
    for net in reversed(flow):
        mu, alpha, own = run_made(net, x)
        x = (x - mu) * np.exp(-alpha)
        log_det = log_det - alpha.sum(axis=1)
        memory.append((net, own, alpha, x))
    return x, log_det, memory


def log_prob(flow, x):
    """log p(x) of rows x, (n,), in nats."""
    z, log_det, _ = inverse(flow, x)
    return log_noise(z) + log_det


# %%
# **0b.** All networks of a flow of 2 columns output 0. What is log p at x = 0, in nats?

guess = None
print(teaching.check("0b", guess))

# %%

flow = maf()
print(log_prob(flow, np.zeros((1, 2))), -np.log(2 * np.pi))

# %%
# This is the log-density of the noise, because a layer with :math:`\mu = \alpha = 0` changes
# nothing.
#
# Is ``log_prob`` a density? Then its sum over the cells of a grid, times the area of a cell, is 1.
# Test it with random weights: zeros would hide a mistake.

side = np.linspace(-30, 30, 1201)
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
cell = (side[1] - side[0]) ** 2


def randomized(flow, size):
    """The flow, with random numbers in the place of the zeros at the end of each network."""
    for net in flow:
        W, _, mask = net[-1]
        W[...] = size * mask * rng.normal(size=W.shape)
    return flow


flow = randomized(maf(n_layers=2), size=0.2)
mass = np.exp(log_prob(flow, grid)).sum() * cell
print(f"the sum of p over the grid {mass:.4f}")
assert np.isclose(mass, 1, atol=0.001)

# %%
# The slow direction
# ------------------
#
# To compute a density, all :math:`x` are known, so one pass of each network is enough. A draw
# starts with :math:`z` alone: :math:`\mu_2` needs :math:`x_1`, so :math:`x_1` has to be computed
# first.
#
# **0c.** A layer has D = 4. How many passes of its network does one draw need?

guess = None
print(teaching.check("0c", guess))

# %%
# Each pass makes one more number right, in the order of the layer:


def sample(flow, n, dim, rng):
    """n rows of x = f(z), in D passes a layer: mu_i needs the coordinates of x before x_i."""
    x = rng.normal(size=(n, dim))
    for net in flow:
        z, x = x, np.zeros_like(x)
        for _ in range(dim):  # after pass i, the first i coordinates of the order are right
            mu, alpha, _ = run_made(net, x)
            x = mu + z * np.exp(alpha)
    return x


# %%

z, now = rng.normal(size=(1, 4)), np.zeros((1, 4))
for i in range(1, 6):
    mu, alpha, _ = run_made(net, now)
    now = mu + z * np.exp(alpha)
    print(f"after pass {i}, z is wrong by", np.abs(inverse([net], now)[0] - z).round(6)[0])

# %%
# The draw needs four passes, one for each number. A fifth pass changes nothing. An IAF is the same
# layer the other way round: it draws in one pass, and its density is slow (lesson 5).
#
# The gradient, by hand
# ---------------------
#
# The loss is the mean of :math:`-\log p` over the rows. To make it smaller, we need its derivative
# by every weight. ``inverse`` went through the layers from the data to the noise. The chain rule
# goes through them the other way. Start with a single number.
#
# **0d.** One coordinate has z = (x - mu) exp(-alpha) and the loss -log p(x) = z^2 / 2 + alpha + 1/2
# log(2 pi). At x = 10, mu = 1, exp(alpha) = 3: what is the derivative of the loss by alpha?

guess = None
print(teaching.check("0d", guess))

# %%
# A name that ends in ``_bar`` is the derivative of the loss by that array. By the chain rule
#
# .. math::
#
#     \bar x_i = \bar z_i\, e^{-\alpha_i} , \qquad
#     \bar \mu_i = -\bar z_i\, e^{-\alpha_i} , \qquad
#     \bar \alpha_i = -\bar z_i z_i - \bar \ell ,
#
# where :math:`\bar \ell` is the derivative of the loss by a row's log-det, :math:`\ell = -\sum_i
# \alpha_i`: this derivative is :math:`-1 / n` for each row. The network reads :math:`x`, too. So a
# part of :math:`\bar x` comes through the network:


def inverse_back(memory, z_bar, log_det_bar):
    """The gradient [(W_bar, b_bar), ...] of each MADE, from z_bar (n, D) and log_det_bar, a number.

    z = (x - mu) exp(-alpha) has the slopes exp(-alpha) by x, -exp(-alpha) by mu, -z by alpha; the
    log-det has -1 by alpha. And mu, alpha depend on x, too: through the network.
    """
    grads = []
    for net, own, alpha, z in reversed(memory):
        x_bar = z_bar * np.exp(-alpha)
        through, net_bar = made_back(net, own, -x_bar, -z_bar * z - log_det_bar)
        z_bar = x_bar + through  # this x is the z of the layer before
        grads.append(net_bar)
    return grads


# %%
# A layer of the network computes :math:`a = h W + b`, for all rows at once. With the mask :math:`M`
#
# .. math::
#
#     \bar W = (h^T \bar a) \odot M , \qquad \bar b = \sum_{\text{rows}} \bar a , \qquad
#     \bar h = \bar a\, W^T .
#
# The mask multiplies the gradient, so that masked weights stay 0. The layer below gets
# :math:`\bar h`, times the slope of ``tanh``, :math:`1 - h^2`. And :math:`\alpha = 2 \tanh(a / 2)`
# has the slope :math:`1 - t^2`.


def made_back(net, own, mu_bar, alpha_bar):
    """x_bar, [(W_bar, b_bar), ...]: the chain rule, from the last layer to the first."""
    h, t = own
    a_bar = np.stack([mu_bar, alpha_bar * (1 - t**2)], axis=-1).reshape(len(t), -1)
    grads = []
    for (W, _, mask), below in zip(net[::-1], h[::-1], strict=True):
        grads.append((below.T @ a_bar * mask, a_bar.sum(axis=0)))
        h_bar = a_bar @ W.T
        a_bar = h_bar * (1 - below**2)  # tanh' = 1 - tanh^2; of no use for the input
    return h_bar, grads[::-1]


# %%
# The way back starts at the loss. The loss is a mean over the rows, so :math:`\bar z = z / n`.


def loss_and_gradient(flow, x):
    """The mean of -log p(x), and its gradient by all weights."""
    z, log_det, memory = inverse(flow, x)
    return -np.mean(log_noise(z) + log_det), inverse_back(memory, z / len(x), -1 / len(x))


# %%
# Is the gradient right? Move one weight a little, and compare:

loss, grads = loss_and_gradient(flow, x)
b, b_bar = flow[0][1][1], grads[0][1][1]  # the biases of one layer, and their gradient
b[3] += 1e-6
slope = (loss_and_gradient(flow, x)[0] - loss) / 1e-6
b[3] -= 1e-6
print(slope, b_bar[3])
assert np.isclose(slope, b_bar[3], atol=1e-6)

# %%
# Training, and a wrong turn: no log-det
# --------------------------------------
#
# ``fit`` goes over the rows in batches, and moves all weights against their gradient. It prints the
# loss, which is minus the mean log-likelihood of the last batch. Adam keeps two averages, of the
# gradient (m) and of its square (v), and divides one by the root of the other: each weight moves by
# about the rate. Both averages begin at 0, and the divisions by :math:`1 - 0.9^{step}` and
# :math:`1 - 0.999^{step}` make up for that. The rate falls to 0, so that the
# weights come to rest although every batch has another gradient.


def fit(flow, x, loss=loss_and_gradient, epochs=150, batch=100, rate=5e-3, seed=0):
    """Adam (Kingma and Ba 2015) on batches of standardised rows; the rate falls to 0."""
    rng, step = np.random.default_rng(seed), 0
    n_steps = epochs * (len(x) // batch)
    theta = [array for net in flow for layer in net for array in layer[:2]]
    m, v = [np.zeros_like(a) for a in theta], [np.zeros_like(a) for a in theta]
    for epoch in range(epochs):
        for rows in rng.permutation(len(x))[: len(x) // batch * batch].reshape(-1, batch):
            value, grads = loss(flow, x[rows])
            step += 1
            now = rate * 0.5 * (1 + np.cos(np.pi * step / n_steps))
            flat = [array for net_bar in grads for layer in net_bar for array in layer]
            for a, g, m_a, v_a in zip(theta, flat, m, v, strict=True):
                m_a += 0.1 * (g - m_a)
                v_a += 0.001 * (g**2 - v_a)
                a -= now * (m_a / (1 - 0.9**step)) / (np.sqrt(v_a / (1 - 0.999**step)) + 1e-8)
        if epoch % 30 == 0 or epoch == epochs - 1:
            print(f"epoch {epoch:3d}: loss {value:.3f} nats on the last batch")
    return flow


# %%
# Suppose that you forget the log-det. The data should become noise, so is it not enough that
# :math:`\log N(z; 0, I)` is high?


def forgotten(flow, x):
    """The mean of -log N(z; 0, I), and its gradient: the log-det is missing."""
    z, _, memory = inverse(flow, x)
    return -np.mean(log_noise(z)), inverse_back(memory, z / len(x), 0.0)


# %%
# **0e.** The log-det is forgotten: the loss is the mean of -log N(z; 0, I), with D = 2. The flow
# may shrink all data to one point. How far does this loss fall, in nats?

guess = None
print(teaching.check("0e", guess))

# %%

wrong = fit(maf(), x, loss=forgotten, epochs=31)
z, _, _ = inverse(wrong, x)
print("the widths of z, which should be 1:", z.std(axis=0).round(3))
print("the widths of draws, which should be 1:", sample(wrong, 1000, 2, rng).std(axis=0))
print(f"mean log-likelihood, with the log-det: {log_prob(wrong, x).mean():.2f} nats")
assert z.std(axis=0).max() < 0.1

fig, ax = plt.subplots(figsize=(3.6, 3.4), layout="constrained")
ax.scatter(*noise.T, s=2, color="0.7", label="noise")
ax.scatter(*z.T, s=2, color="#D55E00", label="z of the data")
ax.set(title="trained without the log-det", aspect="equal")
ax.legend(markerscale=4)

# %%
# The loss reaches its end within an epoch, and looks wonderful. But the flow has shrunk all data to
# one point, where the noise has its peak. A draw goes the other way: what shrinks the data
# stretches the noise, so the draws are much too wide. The log-det is the price of shrinking: a
# large :math:`\alpha` makes :math:`z` small, and costs :math:`\alpha` nats.
#
# A second wrong turn: a diagonal in the mask
# -------------------------------------------
#
# Now use the right loss again, but write ``<=`` in both rules of the masks. An output may then read
# units with its own number.
#
# **Predict.** Will the mean log-likelihood be higher or lower than that of the truth?

d = degrees(2, (32, 32), [1, 2])
cheat = maf(n_layers=1)
cheat[0][-1][2] = d[-2][:, None] <= d[-1]
cheat = fit(cheat, x, epochs=31)
print(f"mean log-likelihood {log_prob(cheat, x).mean():.3f} nats")
mass = np.exp(log_prob(cheat, grid)).sum() * cell
print(f"the sum of p over the grid {mass:.2f}")
assert mass > 2

# %%
# It is far higher than that of the truth, so something is broken. The sum over the grid
# shows that this "p" is no density. The network outputs nearly :math:`\mu_1 = x_1`, so that
# :math:`z_1` is nearly 0 for every row. The diagonal of the Jacobian is then not
# :math:`e^{-\alpha_1}`, and the map cannot be undone. A mean log-likelihood far above that of the
# truth is the sign of a broken Jacobian.
#
# One layer, five layers
# ----------------------
#
# **Predict.** One layer gives :math:`x_2` a normal density for every :math:`x_1`. What will it make
# of the two moons, where :math:`x_2` is either high or low? And where will five layers put mass,
# although the moons have none there?

new = (two_moons(5000, rng) - moons.mean(axis=0)) / moons.std(axis=0)
one = fit(maf(n_layers=1), x, epochs=61)
five = fit(maf(n_layers=5), x)
for name, flow in (("one layer", one), ("five layers", five)):
    print(f"{name}: mean log-likelihood {log_prob(flow, x).mean():.3f} nats, "
          f"on new points {log_prob(flow, new).mean():.3f}")  # fmt: skip
assert truth - log_prob(five, new).mean() < 0.12

# %%

side = np.linspace(-2.3, 2.3, 200)
fine = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
fig, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, flow, name in zip(axes, (one, five), ("one layer", "five layers"), strict=True):
    p = np.exp(log_prob(flow, fine)).reshape(200, 200)
    ax.imshow(p, origin="lower", extent=(-2.3, 2.3, -2.3, 2.3), cmap="Blues")
    ax.set_title(name)
# sphinx_gallery_thumbnail_number = 3

# %%
# One layer covers both moons by one band, and fills what is between them. Five layers find the
# moons, but also put a bridge between them: one connected piece of noise has to cover both (lesson
# 8). Their mean log-likelihood comes near to that of the truth, on new points not quite as near.
#
# The library is the same
# -----------------------
#
# flowcore computes the same numbers. It is faster, has other layers, and computes the gradient of
# whatever you write. With the weights of this flow in flowcore's MAF, both have equal densities:

ours = randomized(maf(n_layers=1), size=0.3)
network = fc.MADE(2, hidden=(32, 32), activation="tanh")
network = network.with_weights([(W, b) for W, b, _ in ours[0]])
theirs = fc.TransformedDistribution(fc.Normal(2), fc.MaskedAutoregressiveFlow(network, fc.Affine()))
print(np.abs(theirs.log_prob(x) - log_prob(ours, x)).max())
assert np.allclose(theirs.log_prob(x), log_prob(ours, x), rtol=1e-12, atol=1e-12)

# %%
# Exercises
# ---------
#
# Now work alone. First write one layer in one function, which this cell checks.
#
# **0f.** Write a function maf\_log\_p(x, W1, b1, W2, b2, d). It returns log p, (n,), of rows x (n,
# D) under one layer of a MAF over N(0, I). Its network has the inputs 1 ... D, a hidden layer of
# tanh units with the numbers d (H,), and the outputs mu\_1, alpha\_1, mu\_2, alpha\_2, ...; alpha
# is not bounded here. The weights W1 (D, H) and W2 (H, 2 D) come without their masks.


def maf_log_p(x, W1, b1, W2, b2, d):
    """log p of one layer of a MAF, (n,)."""
    return ...


print(teaching.check("0f", maf_log_p))

# %%
# Then close this page, open an empty file, and write the whole flow. Check it yourself, with random
# weights:
#
# * the masks: move one input, and see which :math:`\mu` change;
# * the density: its sum over a grid is 1;
# * the two directions: ``inverse`` gives back the noise that ``sample`` began with;
# * the gradient: move one weight, and compare;
# * the training: 150 epochs end less than 0.12 nats below the truth on new points. If yours ends
#   more than 0.2 below, try another seed, and look whether the biases are random.
#
# What you know now
# -----------------
#
# * A flow is a map that can be undone. Its log-density is that of the noise plus a log-determinant.
#   Without the log-determinant, training shrinks everything to a point.
# * Masks make the Jacobian triangular, so the log-determinant is a sum. With ``<=`` in place of
#   ``<`` in the last mask, p is no density.
# * A density takes one pass, a draw takes one pass for every number.
#
# Where this comes from
# ---------------------
#
# The masks come from MADE, by Germain and others (2015), and the layers from MAF, by Papamakarios,
# Pavlakou and Murray (2017). Karpathy's micrograd, an engine for gradients that is written from an
# empty file, is the model of this lesson.
#
# * Germain and others: `MADE: Masked Autoencoder for Distribution Estimation
#   <https://arxiv.org/abs/1502.03509>`__
# * Papamakarios, Pavlakou, Murray: `Masked Autoregressive Flow for Density Estimation
#   <https://arxiv.org/abs/1705.07057>`__
# * Karpathy: `micrograd <https://github.com/karpathy/micrograd>`__
#
# Lesson 1 shows why the formula holds, in one dimension.
