"""The formulas exactly as the papers print them: start reading here.

Everything is for ONE vector, written to be read and not to be fast. The engine computes the same
for batches, quickly, and the tests keep the two equal. Only NumPy is used.

Conventions, the same as in the rest of the package:

* forward = base -> data (z -> x, sampling); inverse = data -> base (x -> z, density).
* A map returns ``(value, log_det)``, log_det = log |det d value / d argument|, in nats.
* A network is its list of layers ``[(W, b), ...]`` with W of shape (in, out): y = x W + b, an
  activation after every layer but the last.
* Degrees are a list of integer vectors: those of the inputs (1-based), then one per hidden layer.

The papers on NICE, RealNVP and Glow print maps from data to latent. Here Glow's ActNorm and NICE's
scaling have this direction, too. The couplings do not: as in most libraries, the printed formula
maps from base to data. That is a different flow for the same weights, but the same family: see
`nice_forward`.

Papers: MADE (Germain, Gregor, Murray, Larochelle 2015, arXiv:1502.03509); MAF (Papamakarios,
Pavlakou, Murray 2017, arXiv:1705.07057); IAF (Kingma, Salimans, Jozefowicz, Chen, Sutskever,
Welling 2016, arXiv:1606.04934); RealNVP (Dinh, Sohl-Dickstein, Bengio 2017, arXiv:1605.08803);
NICE (Dinh, Krueger, Bengio 2015, arXiv:1410.8516); residual blocks (He, Zhang, Ren, Sun 2016,
arXiv:1603.05027); flows in general (Rezende, Mohamed 2015, arXiv:1505.05770);
Glow (Kingma, Dhariwal 2018, arXiv:1807.03039); sinh-arcsinh (Jones, Pewsey 2009, Biometrika 96).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

Weights = Sequence[tuple[np.ndarray, np.ndarray]]
Step = Callable[[np.ndarray], tuple[np.ndarray, float]]

ACTIVATIONS = {
    "relu": lambda a: np.maximum(a, 0.0),
    "tanh": np.tanh,
    "sigmoid": lambda a: 1.0 / (1.0 + np.exp(-a)),
    "silu": lambda a: a / (1.0 + np.exp(-a)),
}


# ---------------------------------------------------------------- change of variables


def numerical_jacobian(f: Callable, x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Brute-force Jacobian J[i, j] = d f_i / d x_j by central differences, error O(step^2).

    ``f`` maps (n,) to (m,); J is (m, n) and costs 2 n calls.

    >>> numerical_jacobian(lambda x: np.array([x[0] * x[1], x[1]]), np.array([2.0, 3.0])).round(6)
    array([[3., 2.],
           [0., 1.]])
    """
    x = np.asarray(x, dtype=float)
    columns = [(f(x + h) - f(x - h)) / (2 * step) for h in step * np.eye(x.size)]
    return np.stack(columns, axis=-1)


def log_abs_det(jacobian: np.ndarray) -> float:
    """log |det J| of a square matrix (n, n), in nats; costs O(n^3).

    >>> round(log_abs_det(np.array([[0.0, 2.0], [3.0, 0.0]])), 6)       # log 6
    1.791759
    """
    return float(np.linalg.slogdet(jacobian)[1])


def standard_normal_log_prob(z: np.ndarray) -> float:
    """log N(z; 0, I) = -1/2 sum_i z_i^2 - D/2 log(2 pi), z of shape (D,), in nats.

    >>> round(standard_normal_log_prob(np.zeros(2)), 6)
    -1.837877
    """
    return float(-0.5 * np.sum(z**2) - 0.5 * z.size * np.log(2.0 * np.pi))


def change_of_variables(base_log_prob: Callable, z: np.ndarray, jacobian: np.ndarray) -> float:
    """Density of x = f(z) (Rezende & Mohamed 2015, eq. 5; MAF, eq. 1).

    log p(x) = log p_base(z) - log |det df/dz|, ``jacobian`` = df/dz of shape (D, D) at z.

    >>> z = np.array([0.5])                                     # x = 2 z is N(0, 2^2)
    >>> round(change_of_variables(standard_normal_log_prob, z, np.array([[2.0]])), 6)
    -1.737086
    """
    return base_log_prob(z) - log_abs_det(jacobian)


def compose(steps: Sequence[Step], v: np.ndarray) -> tuple[np.ndarray, float]:
    """A composition of maps, the first of the list applied first (Rezende & Mohamed 2015, eqs 6-7).

    z_K = f_K(... f_1(z_0)),  log |det dz_K / dz_0| = sum_k log |det df_k / dz_{k-1}|.

    >>> double = lambda v: (2 * v, v.size * np.log(2.0))
    >>> value, log_det = compose([double, double], np.array([1.0, 3.0]))
    >>> value.tolist(), bool(np.isclose(log_det, 4 * np.log(2.0)))
    ([4.0, 12.0], True)
    """
    log_det = 0.0
    for step in steps:
        v, step_log_det = step(v)
        log_det += step_log_det
    return v, log_det


# ---------------------------------------------------------------- MADE


def made_degrees(
    dim: int, hidden: Sequence[int] = (), order: Sequence[int] | None = None
) -> list[np.ndarray]:
    """Degrees m(k) of the inputs and of every hidden layer (Germain et al. 2015, sections 4.1-4.2).

    Input i has degree order[i], 1..D in any order (None: left to right). A hidden unit of degree
    m may see the inputs of degree <= m, 1 <= m <= D-1. The paper draws m at random; here a layer
    of u units spreads them evenly: m(k) = max(min(1, D-1), ceil(k (D-1) / (u+1))), k = 1..u.

    >>> [m.tolist() for m in made_degrees(3, [4])]
    [[1, 2, 3], [1, 1, 2, 2]]
    """
    degrees = [np.arange(1, dim + 1) if order is None else np.asarray(order)]
    for u in hidden:
        spread = np.ceil(np.arange(1, u + 1) * (dim - 1) / (u + 1)).astype(int)
        degrees.append(np.maximum(min(1, dim - 1), spread))
    return degrees


def made_masks(degrees: Sequence[np.ndarray], n_out: int = 1) -> list[np.ndarray]:
    """Masks (in, out), one per layer (Germain et al. 2015, eqs 12-13).

    hidden, eq. 12:  M[k, k'] = 1 if m(k') >= m(k), k' the unit above k
    output, eq. 13:  M[k, d]  = 1 if d > m(k): strictly, so that output d never sees input d

    Output d is repeated for its ``n_out`` numbers, in columns d*n_out + j.

    >>> [M.astype(int).tolist() for M in made_masks(made_degrees(2, [2]))]
    [[[1, 1], [0, 0]], [[0, 1], [0, 1]]]
    """
    masks = [above >= below[:, None] for below, above in pairwise(degrees)]
    masks.append(np.repeat(degrees[0], n_out) > degrees[-1][:, None])
    return masks


def network(x: np.ndarray, weights: Weights, activation: str = "relu") -> np.ndarray:
    """Plain dense network: h_l = act(h_{l-1} W_l + b_l), no activation after the last layer.

    x is (in,), the answer (out,).

    >>> b1, b2 = np.array([0.0, -5.0]), np.ones(2)
    >>> network(np.array([1.0, 2.0]), [(np.eye(2), b1), (np.eye(2), b2)])
    array([2., 1.])
    """
    act = ACTIVATIONS[activation]
    for W, b in weights[:-1]:
        x = act(x @ W + b)
    W, b = weights[-1]
    return x @ W + b


def residual_network(x: np.ndarray, weights: Weights, activation: str = "relu") -> np.ndarray:
    """Residual blocks, activations before the weights (He, Zhang, Ren, Sun 2016, fig. 1 b).

    a = x W_1 + b_1, then per block  a <- a + F(a),  F(a) = act(act(a) W + b) W' + b', then the
    answer act(a) W_out + b_out. ``weights``: the first layer, two per block, the last; no
    normalization. x is (in,), the answer (out,).

    >>> layer = np.eye(1), np.zeros(1)
    >>> residual_network(np.array([3.0]), [layer] * 4)         # one block, which doubles
    array([6.])
    """
    act = ACTIVATIONS[activation]
    (W, b), *blocks, (W_out, b_out) = weights
    a = x @ W + b
    for (W, b), (W2, b2) in zip(blocks[::2], blocks[1::2], strict=True):
        a = a + act(act(a) @ W + b) @ W2 + b2
    return act(a) @ W_out + b_out


def made(
    x: np.ndarray,
    weights: Weights,
    degrees: Sequence[np.ndarray],
    n_out: int = 2,
    activation: str = "relu",
) -> np.ndarray:
    """MADE: a dense network with masked weights (Germain et al. 2015, section 4).

    h_l = act(h_{l-1} (W_l * M_l) + b_l); row i of the answer, of shape (D, n_out), depends on the
    inputs of a smaller degree only. A context c adds c C to a layer, which changes only the layer's
    b.

    >>> weights = [(np.ones((3, 3)), np.zeros(3))]         # no hidden layer: sums of inputs
    >>> made(np.array([1.0, 2.0, 4.0]), weights, made_degrees(3), n_out=1).ravel()
    array([0., 1., 3.])
    """
    masks = made_masks(degrees, n_out)
    masked = [(W * M, b) for (W, b), M in zip(weights, masks, strict=True)]
    return network(x, masked, activation).reshape(len(x), n_out)


# ---------------------------------------------------------------- MAF and IAF


def maf_forward(
    z: np.ndarray, weights: Weights, degrees: Sequence[np.ndarray], activation: str = "relu"
) -> tuple[np.ndarray, float]:
    """Sampling from a MAF, one coordinate after the other (Papamakarios et al. 2017, eq. 3).

    x_i = z_i exp(alpha_i) + mu_i,  (mu_i, alpha_i) = MADE_i(x_<i),  log_det = sum_i alpha_i.

    z and x are (D,); D network passes. ("x_<i": the inputs of a smaller degree.)

    >>> weights = [(np.array([[9.0, 9.0, 1.0, 0.0], [9.0, 9.0, 9.0, 9.0]]), np.zeros(4))]
    >>> maf_forward(np.array([1.0, 1.0]), weights, made_degrees(2))[0]      # x_2 = z_2 + x_1
    array([1., 2.])
    """
    x, log_det = np.zeros(len(z)), 0.0
    for i in np.argsort(degrees[0]):
        mu, alpha = made(x, weights, degrees, 2, activation)[i]
        x[i] = z[i] * np.exp(alpha) + mu
        log_det += alpha
    return x, float(log_det)


def maf_inverse(
    x: np.ndarray, weights: Weights, degrees: Sequence[np.ndarray], activation: str = "relu"
) -> tuple[np.ndarray, float]:
    """The noise behind a data point, in one network pass (Papamakarios et al. 2017, eqs 4-5).

    eq. 4:  z_i = (x_i - mu_i) exp(-alpha_i),  (mu_i, alpha_i) = MADE_i(x_<i)
    eq. 5:  log |det dz/dx| = -sum_i alpha_i      (the Jacobian is triangular)

    >>> weights = [(np.array([[9.0, 9.0, 1.0, 0.0], [9.0, 9.0, 9.0, 9.0]]), np.zeros(4))]
    >>> maf_inverse(np.array([1.0, 2.0]), weights, made_degrees(2))[0]
    array([1., 1.])
    """
    mu, alpha = made(x, weights, degrees, 2, activation).T
    return (x - mu) * np.exp(-alpha), float(-np.sum(alpha))


def maf_log_density(
    x: np.ndarray, weights: Weights, degrees: Sequence[np.ndarray], activation: str = "relu"
) -> float:
    """log p(x) = log N(z; 0, I) - sum_i alpha_i, nats (Papamakarios et al. 2017, eqs 1, 4, 5).

    Equal to the autoregressive product of eq. 2: sum_i log N(x_i; mu_i, exp(alpha_i)^2).

    >>> weights = [(np.zeros((2, 4)), np.zeros(4))]                     # mu = alpha = 0
    >>> round(maf_log_density(np.zeros(2), weights, made_degrees(2)), 6)
    -1.837877
    """
    z, log_det = maf_inverse(x, weights, degrees, activation)
    return standard_normal_log_prob(z) + log_det


def iaf_forward(
    z: np.ndarray, weights: Weights, degrees: Sequence[np.ndarray], activation: str = "relu"
) -> tuple[np.ndarray, float]:
    """Sampling from an IAF, in one network pass (Kingma et al. 2016, eq. 10).

    x_i = mu_i + sigma_i z_i,  (mu_i, log sigma_i) = MADE_i(z_<i),  log_det = sum_i log sigma_i.

    The one difference to MAF: the network reads the noise z, not the data x. The inverted MAF,
    x = (z - m) exp(-s), is the same family: log sigma = -s, mu = -m exp(-s).

    >>> weights = [(np.array([[9.0, 9.0, 1.0, 0.0], [9.0, 9.0, 9.0, 9.0]]), np.zeros(4))]
    >>> iaf_forward(np.array([1.0, 1.0]), weights, made_degrees(2))[0]      # x_2 = z_2 + z_1
    array([1., 2.])
    """
    mu, log_sigma = made(z, weights, degrees, 2, activation).T
    return mu + np.exp(log_sigma) * z, float(np.sum(log_sigma))


def iaf_inverse(
    x: np.ndarray, weights: Weights, degrees: Sequence[np.ndarray], activation: str = "relu"
) -> tuple[np.ndarray, float]:
    """The noise behind a data point, one coordinate after the other (Kingma et al. 2016, eq. 10).

    z_i = (x_i - mu_i) / sigma_i,  (mu_i, log sigma_i) = MADE_i(z_<i); D network passes.

    >>> weights = [(np.array([[9.0, 9.0, 1.0, 0.0], [9.0, 9.0, 9.0, 9.0]]), np.zeros(4))]
    >>> iaf_inverse(np.array([1.0, 2.0]), weights, made_degrees(2))[0]
    array([1., 1.])
    """
    z, log_det = np.zeros(len(x)), 0.0
    for i in np.argsort(degrees[0]):
        mu, log_sigma = made(z, weights, degrees, 2, activation)[i]
        z[i] = (x[i] - mu) / np.exp(log_sigma)
        log_det -= log_sigma
    return z, float(log_det)


# ---------------------------------------------------------------- RealNVP and NICE


def coupling_split(dim: int, num_masked: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (unchanged, transformed): the first num_masked stay, or the last if negative.

    >>> [i.tolist() for i in coupling_split(5, 2)], [i.tolist() for i in coupling_split(5, -2)]
    ([[0, 1], [2, 3, 4]], [[3, 4], [0, 1, 2]])
    """
    index = np.arange(dim)
    stays = index < num_masked if num_masked > 0 else index >= dim + num_masked
    return index[stays], index[~stays]


def realnvp_forward(
    z: np.ndarray, s: Weights, t: Weights, num_masked: int, activation: str = "relu"
) -> tuple[np.ndarray, float]:
    """Affine coupling layer (Dinh et al. 2017, eq. 7; its Jacobian, eq. 6).

    x_a = z_a,  x_b = z_b * exp(s(z_a)) + t(z_a),  log_det = sum s(z_a)

    a are the num_masked coordinates that stay, b the others; ``s`` and ``t`` are the layers of
    two networks from len(a) to len(b).

    Direction: in the paper x -> y maps data -> latent. Here the same formula maps base -> data: the
    paper's x is our z, its y our x. The inverse is an affine coupling again, with the log-scale
    -s(a) and the shift -t(a) exp(-s(a)): the family of densities is the same.

    >>> s, t = [(np.zeros((1, 1)), np.log([3.0]))], [(np.eye(1), np.zeros(1))]
    >>> realnvp_forward(np.array([2.0, 1.0]), s, t, 1)[0]
    array([2., 5.])
    """
    a, b = coupling_split(len(z), num_masked)
    log_scale, shift = network(z[a], s, activation), network(z[a], t, activation)
    x = np.copy(z)
    x[b] = z[b] * np.exp(log_scale) + shift
    return x, float(np.sum(log_scale))


def realnvp_inverse(
    x: np.ndarray, s: Weights, t: Weights, num_masked: int, activation: str = "relu"
) -> tuple[np.ndarray, float]:
    """Affine coupling layer, inverted without inverting s or t (Dinh et al. 2017, eq. 8).

    z_a = x_a,  z_b = (x_b - t(x_a)) * exp(-s(x_a)),  log_det = -sum s(x_a)

    Direction: the paper's y -> x, its way to sample; here data -> base, the way to the density.

    >>> s, t = [(np.zeros((1, 1)), np.log([3.0]))], [(np.eye(1), np.zeros(1))]
    >>> realnvp_inverse(np.array([2.0, 5.0]), s, t, 1)[0].round(12)
    array([2., 1.])
    """
    a, b = coupling_split(len(x), num_masked)
    log_scale, shift = network(x[a], s, activation), network(x[a], t, activation)
    z = np.copy(x)
    z[b] = (x[b] - shift) * np.exp(-log_scale)
    return z, float(-np.sum(log_scale))


def nice_forward(
    z: np.ndarray, m: Weights, num_masked: int, activation: str = "relu"
) -> tuple[np.ndarray, float]:
    """Additive coupling layer (Dinh et al. 2015, section 3.2), which keeps volumes: log_det = 0.

    x_a = z_a,  x_b = z_b + m(z_a)

    Direction: in the paper x -> y maps data -> latent. Here the same formula maps base -> data: the
    paper's x is our z, its y our x. The inverse is an additive coupling again, with -m for m: the
    family of densities is the same.

    >>> nice_forward(np.array([2.0, 1.0]), [(np.eye(1), np.zeros(1))], 1)
    (array([2., 3.]), 0.0)
    """
    a, b = coupling_split(len(z), num_masked)
    x = np.copy(z)
    x[b] = z[b] + network(z[a], m, activation)
    return x, 0.0


def nice_inverse(
    x: np.ndarray, m: Weights, num_masked: int, activation: str = "relu"
) -> tuple[np.ndarray, float]:
    """Additive coupling layer, inverted (Dinh et al. 2015, section 3.2): z_b = x_b - m(x_a).

    Direction: the paper's y -> x, its way to sample; here data -> base.

    >>> nice_inverse(np.array([2.0, 3.0]), [(np.eye(1), np.zeros(1))], 1)
    (array([2., 1.]), 0.0)
    >>> nice_forward(np.array([2.0, 3.0]), [(-np.eye(1), np.zeros(1))], 1)  # a coupling, with -m
    (array([2., 1.]), 0.0)
    """
    a, b = coupling_split(len(x), num_masked)
    z = np.copy(x)
    z[b] = x[b] - network(x[a], m, activation)
    return z, 0.0


def nice_scaling_forward(z: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, float]:
    """Inverse of NICE's final diagonal scaling: x = exp(-s) * z, log_det = -sum s, s (D,).

    Direction: base -> data, opposite to the paper. It is at the base end, where sampling begins.

    >>> nice_scaling_forward(np.array([2.0, 9.0]), np.log([2.0, 3.0]))[0].round(12)
    array([1., 3.])
    """
    return np.exp(-s) * z, float(-np.sum(s))


def nice_scaling_inverse(x: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, float]:
    """NICE's final diagonal scaling (Dinh et al. 2015, section 3.3): z_i = S_ii x_i.

    S_ii = exp(s_i), so log_det = sum_i s_i: since every coupling keeps volumes, this layer alone
    decides which directions vary more than others. log p(x) = sum_i log p_H(f_i(x)) + log |S_ii|.
    Direction: data -> base, as in the paper.

    >>> nice_scaling_inverse(np.array([1.0, 3.0]), np.log([2.0, 3.0]))[0].round(12)
    array([2., 9.])
    """
    return np.exp(s) * x, float(np.sum(s))


# ---------------------------------------------------------------- rational-quadratic splines


def spline_forward(
    z: float, xs: np.ndarray, ys: np.ndarray, slopes: np.ndarray
) -> tuple[float, float]:
    """x = g(z) and log g'(z) of a rational-quadratic spline (Durkan et al. 2019, eqs. 4 and 5).

    The knots are (xs[k], ys[k]), k = 0..K, both increasing; slopes (K+1,) are those of g there.
    Outside of the outer knots, g is the identity.

    >>> knots = np.array([-1.0, 0.0, 1.0])
    >>> spline_forward(0.5, knots, knots, np.ones(3))                  # equal bins, slope 1
    (0.5, 0.0)
    """
    if not xs[0] <= z <= xs[-1]:
        return z, 0.0
    k = min(int(np.sum(z >= xs[1:])), len(xs) - 2)
    w, h = xs[k + 1] - xs[k], ys[k + 1] - ys[k]
    s, xi = h / w, (z - xs[k]) / w
    d = s + (slopes[k + 1] + slopes[k] - 2 * s) * xi * (1 - xi)
    x = ys[k] + h * (s * xi**2 + slopes[k] * xi * (1 - xi)) / d
    bend = slopes[k + 1] * xi**2 + 2 * s * xi * (1 - xi) + slopes[k] * (1 - xi) ** 2
    return float(x), float(np.log(s**2 * bend / d**2))


def spline_inverse(
    x: float, xs: np.ndarray, ys: np.ndarray, slopes: np.ndarray
) -> tuple[float, float]:
    """z = g^-1(x) and log dz/dx: the root of a quadratic (Durkan et al. 2019, eqs. 6-8 and 29).

    >>> xs, ys, slopes = np.array([[-1.0, 0.2, 1.0], [-1.0, -0.3, 1.0], [1.0, 0.5, 1.0]])
    >>> x, log_det = spline_forward(0.4, xs, ys, slopes)
    >>> np.allclose(spline_inverse(x, xs, ys, slopes), (0.4, -log_det))
    True
    """
    if not ys[0] <= x <= ys[-1]:
        return x, 0.0
    k = min(int(np.sum(x >= ys[1:])), len(ys) - 2)
    w, h = xs[k + 1] - xs[k], ys[k + 1] - ys[k]
    s = h / w
    bend = slopes[k + 1] + slopes[k] - 2 * s
    a = h * (s - slopes[k]) + (x - ys[k]) * bend
    b = h * slopes[k] - (x - ys[k]) * bend
    c = -s * (x - ys[k])
    z = xs[k] + w * 2 * c / (-b - np.sqrt(b**2 - 4 * a * c))
    return float(z), -spline_forward(min(z, xs[-1]), xs, ys, slopes)[1]


# ---------------------------------------------------------------- linear maps, sinh-arcsinh


def lu_matrix(
    P: np.ndarray, L: np.ndarray, U: np.ndarray, s: np.ndarray
) -> tuple[np.ndarray, float]:
    """W = P L (U + diag(s)) and log |det W| = sum_i log |s_i| (Kingma & Dhariwal 2018, eqs. 10-11).

    P a permutation matrix, L lower triangular with unit diagonal, U strictly upper triangular.

    >>> lu_matrix(np.eye(2)[::-1], np.array([[1.0, 0.0], [3.0, 1.0]]), np.zeros((2, 2)), np.ones(2))
    (array([[3., 1.],
           [1., 0.]]), 0.0)
    """
    return P @ L @ (U + np.diag(s)), float(np.sum(np.log(np.abs(s))))


def actnorm_inverse(x: np.ndarray, s: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
    """z = s * x + b, log_det = sum_i log |s_i|, all (D,) (Kingma & Dhariwal 2018, table 1).

    Direction: data -> base, as in the paper.

    At first s and b are such that the first data have mean 0 and variance 1 in z (section 3.1).

    >>> actnorm_inverse(np.array([3.0]), np.array([1.0]), np.array([-3.0]))
    (array([0.]), 0.0)
    """
    return s * x + b, float(np.sum(np.log(np.abs(s))))


def whitening(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and L = diag(sd) V diag(sqrt(lambda)) of rows x (n, D): L^-1 (x - mean) has unit
    covariance. lambda, V: eigenvalues and eigenvectors of the correlations, each vector with its
    largest entry positive. Kessy, Lewin, Strimmer 2018, "PCA-cor".

    >>> mean, L = whitening(np.array([[0.0, 1.0], [2.0, 5.0], [4.0, 3.0]]))
    >>> (L @ L.T).round(6)                           # the covariance
    array([[2.666667, 1.333333],
           [1.333333, 2.666667]])
    """
    variances, V = np.linalg.eigh(np.corrcoef(x.T))
    V = V * np.sign(V[np.abs(V).argmax(axis=0), range(len(V))])
    return x.mean(axis=0), np.diag(x.std(axis=0)) @ V @ np.diag(np.sqrt(variances))


def sinh_arcsinh_inverse(x: float, epsilon: float, delta: float) -> tuple[float, float]:
    """z = sinh(delta arcsinh(x) - epsilon), log dz/dx (Jones & Pewsey 2009): skewness and tails.

    dz/dx = delta cosh(delta arcsinh(x) - epsilon) / sqrt(1 + x^2)

    >>> z, log_slope = sinh_arcsinh_inverse(0.0, epsilon=0.5, delta=1.0)
    >>> round(z, 6), round(log_slope, 6)
    (-0.521095, 0.120115)
    """
    u = delta * np.arcsinh(x) - epsilon
    return float(np.sinh(u)), float(np.log(delta * np.cosh(u) / np.sqrt(1 + x**2)))
