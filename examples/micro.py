"""A normalizing flow on one page: MADE and MAF in NumPy, the gradient by hand.   python micro.py

A flow is a map x = f(z) from noise z ~ N(0, I) to data x that can be undone. So it has a density:

    log p(x) = log N(z; 0, I) + log |det dz/dx|,        z = f^-1(x)

One layer of a masked autoregressive flow (Papamakarios, Pavlakou, Murray 2017) shifts and scales
every coordinate by amounts that depend on the coordinates before it:

    z_i = (x_i - mu_i) exp(-alpha_i),        (mu_i, alpha_i) = made(x_1 ... x_i-1)

Its Jacobian is triangular, so log |det dz/dx| = -sum_i alpha_i. MADE (Germain et al. 2015) computes
all mu_i and alpha_i in one pass of a dense network with masks.

The arrays: x, z, mu, alpha (n, D); weights (in, out). `x_bar` is the gradient of the loss by x, and
so on. Lesson 0 of flowcore's course writes this file, one function at a time.
"""

from itertools import pairwise

import numpy as np

BOUND = 2.0  # alpha stays in (-2, 2), so that no layer overflows

# ---------------------------------------------------------------------------- data and noise


def two_moons(n, rng, noise=0.05):
    """n points of two half circles, blurred: (n, 2)."""
    t, upper = rng.uniform(0, np.pi, n), rng.random(n) < 0.5
    arc = np.stack([np.cos(t), np.sin(t)], axis=1)
    return np.where(upper[:, None], arc, [1.0, 0.5] - arc) + noise * rng.normal(size=(n, 2))


def log_noise(z):
    """log N(z; 0, I) of rows z, (n,)."""
    return -0.5 * (z**2 + np.log(2 * np.pi)).sum(axis=1)


# ---------------------------------------------------------------------------- MADE


def degrees(dim, hidden, order):
    """A number for every unit: of the inputs, of each hidden layer, of the outputs."""
    inside = [1 + np.arange(width) * (dim - 1) // width for width in hidden]  # 1 ... D-1, evenly
    return [np.array(order), *inside, np.repeat(order, 2)]  # outputs: mu_1, alpha_1, mu_2, ...


def masks(d):
    """The weights that stay, True in an array (in, out), one for each layer."""
    hidden = [below[:, None] <= above for below, above in pairwise(d[:-1])]
    return [*hidden, d[-2][:, None] < d[-1]]


def made(dim, hidden, order, rng):
    """A network with masks, a list of [W, b, mask]. It outputs mu and alpha, 0 at first."""
    net = []
    for mask in masks(degrees(dim, hidden, order)):
        W, b = rng.normal(size=mask.shape), rng.normal(size=mask.shape[1])
        scale = 1.5 / np.sqrt(np.maximum(mask.sum(axis=0), 1))
        net.append([mask * scale * W, scale * b, mask])
    net[-1][:2] = [0 * array for array in net[-1][:2]]
    return net


def run_made(net, x):
    """mu, alpha (n, D), and what the way back needs: h_l = tanh(h_l-1 W + b), at last linear."""
    h = [x]
    for W, b, _ in net[:-1]:
        h.append(np.tanh(h[-1] @ W + b))
    W, b, _ = net[-1]
    phi = (h[-1] @ W + b).reshape(len(x), -1, 2)
    t = np.tanh(phi[..., 1] / BOUND)
    return phi[..., 0], BOUND * t, (h, t)


# ---------------------------------------------------------------------------- MAF


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


def sample(flow, n, dim, rng):
    """n rows of x = f(z), in D passes a layer: mu_i needs the coordinates of x before x_i."""
    x = rng.normal(size=(n, dim))
    for net in flow:
        z, x = x, np.zeros_like(x)
        for _ in range(dim):  # after pass i, the first i coordinates of the order are right
            mu, alpha, _ = run_made(net, x)
            x = mu + z * np.exp(alpha)
    return x


# ---------------------------------------------------------------------------- the gradient


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


def loss_and_gradient(flow, x):
    """The mean of -log p(x), and its gradient by all weights."""
    z, log_det, memory = inverse(flow, x)
    return -np.mean(log_noise(z) + log_det), inverse_back(memory, z / len(x), -1 / len(x))


# ---------------------------------------------------------------------------- training


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


def drawn(log_p, width=64, height=20, xlim=(-1.3, 2.3), ylim=(-0.8, 1.3)):
    """A density as text: the darker a character, the higher p."""
    x, y = np.meshgrid(np.linspace(*xlim, width), np.linspace(*ylim, height)[::-1])
    p = np.exp(log_p(np.stack([x.ravel(), y.ravel()], axis=1)))
    shades = np.array(list(" .:-=+*#%@"))[np.minimum(9, 12 * p).astype(int)]
    return "\n".join("".join(row) for row in shades.reshape(height, width))


def main():
    x = two_moons(2000, np.random.default_rng(0))
    centre, scale = x.mean(axis=0), x.std(axis=0)
    flow = fit(maf(), (x - centre) / scale)

    def log_p(points):  # of the data's own units
        return log_prob(flow, (points - centre) / scale) - np.log(scale).sum()

    new, rng = two_moons(5000, np.random.default_rng(1)), np.random.default_rng(2)
    print(f"log p of new points {log_p(new).mean():.3f} nats; the moons themselves have -0.289")
    print(drawn(log_p))
    print("three draws:", (centre + scale * sample(flow, 3, 2, rng)).round(2).tolist())
    return log_p


if __name__ == "__main__":
    main()
