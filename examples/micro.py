"""A normalizing flow on one page: MADE and MAF in NumPy, the gradient by hand.   python micro.py

A flow is a map x = f(z) from noise z ~ N(0, I) to data x that can be undone. So it has a density:

    log p(x) = log N(z; 0, I) + log |det dz/dx|,        z = f^-1(x)

One layer of a masked autoregressive flow (Papamakarios, Pavlakou, Murray 2017) moves and scales
every coordinate by amounts that depend on the coordinates before it:

    z_i = (x_i - mu_i) exp(-alpha_i),        (mu_i, alpha_i) = made(x_1 ... x_i-1)

Its Jacobian is triangular, so log |det dz/dx| = -sum_i alpha_i. MADE (Germain et al. 2015) computes
all mu_i and alpha_i in one pass. It is a dense network with masks: input i has the number i, every
hidden unit has one, too. A hidden unit reads units with numbers up to its own, an output only units
with smaller ones.

The arrays: x, z (n, D); mu, alpha (n, D); weights (in, out). `x_bar` is the gradient of a sum of
losses with respect to x, and so on. The whole is flowcore's MAF: with equal weights both have equal
densities, to the last digits.
"""

from itertools import pairwise

import numpy as np

BOUND = 2.0  # alpha stays in (-2, 2), so that no layer overflows

# ---------------------------------------------------------------------------- MADE


def made(dim, hidden, order, rng):
    """A masked network: a list of [W, b, mask]. It outputs mu and alpha, 0 at first."""
    numbers = [np.array(order)]
    for width in hidden:  # the numbers 1 ... D-1, each as often as any other
        numbers.append(np.maximum(1, -(-np.arange(1, width + 1) * (dim - 1) // (width + 1))))
    numbers.append(np.repeat(order, 2))  # outputs: mu_1, alpha_1, mu_2, alpha_2, ...
    layers = []
    for l, (below, above) in enumerate(pairwise(numbers)):
        is_last = l == len(hidden)
        mask = below[:, None] < above if is_last else below[:, None] <= above
        scale = 0.0 if is_last else 1.5 / np.sqrt(np.maximum(mask.sum(axis=0), 1))
        W, b = rng.normal(size=mask.shape), rng.normal(size=len(above))
        layers.append([mask * scale * W, scale * b, mask])
    return layers


def run_made(layers, x):
    """(mu, alpha, what the way back needs): h_l = tanh(h_l-1 W + b), the last one without tanh."""
    h = [x]
    for W, b, _ in layers[:-1]:
        h.append(np.tanh(h[-1] @ W + b))
    W, b, _ = layers[-1]
    phi = (h[-1] @ W + b).reshape(len(x), -1, 2)
    t = np.tanh(phi[..., 1] / BOUND)
    return phi[..., 0], BOUND * t, (h, t)


def made_back(layers, memory, mu_bar, alpha_bar):
    """(x_bar, [(W_bar, b_bar), ...]): the chain rule, from the last layer to the first."""
    h, t = memory
    a_bar = np.stack([mu_bar, alpha_bar * (1 - t**2)], axis=-1).reshape(len(t), -1)
    grads = []
    for (W, _, mask), below in zip(layers[::-1], h[::-1], strict=True):
        grads.append((below.T @ a_bar * mask, a_bar.sum(axis=0)))
        h_bar = a_bar @ W.T
        a_bar = h_bar * (1 - below**2)  # tanh' = 1 - tanh^2; of no use for the input
    return h_bar, grads[::-1]


# ---------------------------------------------------------------------------- MAF


def maf(dim=2, n_layers=5, hidden=(32, 32), seed=0):
    """A list of MADEs, from the noise to the data; each has the order of the next turned around."""
    rng = np.random.default_rng(seed)
    orders = [np.arange(1, dim + 1)[:: 1 if k % 2 == 0 else -1] for k in range(n_layers)]
    return [made(dim, hidden, order, rng) for order in orders[::-1]]


def inverse(flow, x):
    """(z, log |det dz/dx|, what the way back needs): one pass of each network."""
    log_det, memory = 0.0, []
    for layers in reversed(flow):
        mu, alpha, own = run_made(layers, x)
        x = (x - mu) * np.exp(-alpha)
        log_det = log_det - alpha.sum(axis=1)
        memory.append((layers, own, alpha, x))
    return x, log_det, memory


def log_prob(flow, x):
    """log p(x) of rows x, (n,), in nats."""
    z, log_det, _ = inverse(flow, x)
    return -0.5 * (z**2).sum(axis=1) - 0.5 * x.shape[1] * np.log(2 * np.pi) + log_det


def loss_and_gradient(flow, x):
    """The mean of -log p(x), and its gradient: [(W_bar, b_bar), ...] of each MADE.

    z = (x - mu) e, e = exp(-alpha):    x_bar = z_bar e,    mu_bar = -z_bar e,
    alpha_bar = -z_bar z + 1/n, since the loss is a mean, of minus the log-det, which is minus alpha
    """
    z, log_det, memory = inverse(flow, x)
    n, dim = x.shape
    loss = np.mean(0.5 * (z**2).sum(axis=1) + 0.5 * dim * np.log(2 * np.pi) - log_det)
    z_bar, grads = z / n, []
    for layers, own, alpha, z in reversed(memory):
        x_bar = z_bar * np.exp(-alpha)
        more, own_grads = made_back(layers, own, -x_bar, 1 / n - z_bar * z)
        z_bar = x_bar + more
        grads.append(own_grads)
    return loss, grads


def sample(flow, n, dim, rng):
    """n rows of x = f(z), in D passes a layer: mu_i needs the coordinates of x before x_i."""
    x = rng.normal(size=(n, dim))
    for layers in flow:
        z, x = x, np.zeros_like(x)
        for _ in range(dim):  # after pass i, the first i coordinates of the order are right
            mu, alpha, _ = run_made(layers, x)
            x = mu + z * np.exp(alpha)
    return x


# ---------------------------------------------------------------------------- training


def fit(flow, x, epochs=150, batch=100, rate=5e-3, seed=0):
    """Adam (Kingma and Ba 2015) on batches of standardised rows; the rate falls to 0."""
    rng, step = np.random.default_rng(seed), 0
    n_steps = epochs * (len(x) // batch)
    theta = [array for layers in flow for layer in layers for array in layer[:2]]
    m, v = [np.zeros_like(a) for a in theta], [np.zeros_like(a) for a in theta]
    for epoch in range(epochs):
        for rows in rng.permutation(len(x))[: len(x) // batch * batch].reshape(-1, batch):
            loss, grads = loss_and_gradient(flow, x[rows])
            step += 1
            now = rate * 0.5 * (1 + np.cos(np.pi * step / n_steps))
            flat = [array for own in grads for layer in own for array in layer]
            for a, g, m_a, v_a in zip(theta, flat, m, v, strict=True):
                m_a += 0.1 * (g - m_a)
                v_a += 0.001 * (g**2 - v_a)
                a -= now * (m_a / (1 - 0.9**step)) / (np.sqrt(v_a / (1 - 0.999**step)) + 1e-8)
        if epoch % 30 == 0 or epoch == epochs - 1:
            print(f"epoch {epoch:3d}: {loss:.3f} nats on the last batch")
    return flow


def two_moons(n, rng, noise=0.05):
    """n points of two half circles, blurred."""
    t, upper = rng.uniform(0, np.pi, n), rng.random(n) < 0.5
    arc = np.stack([np.cos(t), np.sin(t)], axis=1)
    return np.where(upper[:, None], arc, [1.0, 0.5] - arc) + noise * rng.normal(size=(n, 2))


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
