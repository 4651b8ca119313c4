"""Mixtures of Gaussians as a transformer: autoregressive conditionals with several modes.

A coordinate with the distribution function F becomes normal by z = Phi^-1(F(x)), where Phi is the
normal distribution function. If F belongs to a mixture of K Gaussians and z ~ N(0, 1), the density
of x is exactly the mixture, by the change of variables: log N(z) + log dz/dx = log f(x).

Arrays below have the shape (K, ...), components first: sums over them run along the memory that a
network writes. All numbers inside are float64, also for float32 arguments: tails need the digits.
"""

from __future__ import annotations

from functools import lru_cache
from math import log, pi, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..core import imported, log_sum_exp
from ..core.inputs import check_dim
from .affine import bounded
from .transformer import Transformer

if TYPE_CHECKING:
    from ..core.typing import Bound, Workspace

HALF_LOG_2PI = 0.5 * log(2 * pi)
TINY = 1e-290  # a smaller probability is computed by its logarithm
STEEPEST = 300.0  # log of the largest slope that a Newton step or a gradient uses
EPS = float(np.finfo(float).eps)
MAX_STEPS = 200  # of the root search; a dozen is usual


class MixtureOfGaussians(Transformer):
    """z = Phi^-1(F(x)), F(x) = sum_k pi_k Phi((x - mu_k) / sigma_k): x | phi is a mixture.

        log dz/dx = log f(x) - log N(z; 0, 1),   f(x) = sum_k pi_k N(x; mu_k, sigma_k^2)

        pi          = softmax(phi[..., :K])                         weights
        mu_k        = c_k + phi[..., K + k]                         means
        log sigma_k = log s + B tanh(phi[..., 2K + k] / B)          log-scales, |phi|-bounded

    With a N(0, I) base, `MaskedAutoregressiveFlow(MADE(dim, n_out=3 * K), MixtureOfGaussians(K))`
    is MADE MoG: its density is the product of the mixtures. MAF MoG puts it next to the base, with
    affine layers towards the data: Chain([maf, ..., maf, made_mog]).

    For phi = 0 the map is close to the identity, 0.003 nats from N(0, 1), but not equal to it: the
    weights are equal, s = K^(-1/5), and the centres c_k are the normal quantiles of (k + 1/2) / K,
    scaled so that the variance is 1. (Components that start at the same place would stay together.)

    inverse (density)   direct: K normal distribution functions and exponentials per coordinate.
                        Both tails keep full relative precision: log F or log(1 - F), whichever is
                        smaller
    forward (sampling)  Newton's method for z(x) = z, kept by bisection between the least and the
                        largest mu_k + sigma_k z: about ten times the cost

    Values are finite for any z and x; points are clipped at 6e102 (float32: 7e12). In a gap between
    narrow components the slope dx/dz can exceed any float, so gradients are capped there. float32
    arguments give float32 results, computed in float64.

    Errors: ValueError for components < 1, or a bound that is not within (0, 20].

    Parameters
    ----------
    components : int
        K; n_out = 3 K parameters per coordinate.
    log_scale_bound : float
        B > 0: every sigma_k stays within s exp(-B) .. s exp(B). Without a bound a component could
        shrink onto a single point, where the likelihood grows without limit.

    References
    ----------
    Papamakarios, Pavlakou, Murray 2017 (MADE MoG, MAF MoG); Bishop 1994 (mixture density networks).

    Examples
    --------
    >>> mixture = MixtureOfGaussians(2)
    >>> x, log_det = mixture.forward_and_log_det(np.array([-1.0, 0.5, 2.0]), np.zeros((3, 6)))
    >>> x.round(3)
    array([-1.012,  0.509,  1.984])
    """

    def __init__(self, components: int = 10, log_scale_bound: float = 5.0):
        self.components = check_dim("components", components)
        if log_scale_bound is None or not 0 < float(log_scale_bound) <= 20:
            raise ValueError(
                f"log_scale_bound must be within (0, 20], not {log_scale_bound}: without a bound "
                "a component can shrink onto a single point"
            )
        self.log_scale_bound = float(log_scale_bound)

    @property
    def n_out(self) -> int:
        """Parameters per coordinate: K logits, K means, K raw log-scales."""
        return 3 * self.components

    def bind(self, at: Workspace, direction: str, dim: int) -> Bound:
        forward, kept = direction == "forward", None
        steepest = min(STEEPEST, log(np.finfo(at.dtype).max) / 2)

        def run(argument, phi):
            nonlocal kept
            mixture, point = self._mixture(phi.swapaxes(0, 1)), _within(argument, at.dtype)
            if forward:
                x, log_det = _solve(mixture, point)
                kept = mixture, x, point, log_det
                return x.astype(at.dtype, copy=False), -log_det.astype(at.dtype, copy=False)
            z, log_det = _density(mixture, point)
            z = z.astype(at.dtype, copy=False)  # what the base sees: see `_gradient`
            kept = mixture, point, z, log_det
            return z, log_det.astype(at.dtype, copy=False)

        def back(y_bar, l_bar):
            mixture, x, z, log_det = kept  # log dz/dx
            posterior, pull = _posterior(mixture, x)
            if forward:
                # implicit: z(x; phi) = z, so dx = (dz - dz/dphi dphi) dx/dz; log_det moves with x
                through = l_bar * (posterior * (pull - z * np.exp(log_det))).sum(axis=0)
                z_bar = (y_bar + through) * np.exp(np.minimum(-log_det, steepest))
                y_bar, l_bar = -z_bar, -l_bar
            x_bar, phi_bar = self._gradient(*kept, y_bar, l_bar, posterior, pull)
            point_bar = z_bar if forward else x_bar
            return point_bar.astype(at.dtype), phi_bar.astype(at.dtype).swapaxes(0, 1)

        return run, back

    def _gradient(self, mixture, x, z, log_det, z_bar, l_bar, posterior, pull):
        """(x_bar, phi_bar) of z(x; phi) and log dz/dx = log f(x) + z^2 / 2 + constant.

        With the posterior weights r_k (`posterior`), u_k = (x - mu_k) / sigma_k (`pull` is
        u_k / sigma_k) and g = z_bar + l_bar z,

            mu_bar_k        = r_k (l_bar u_k / sigma_k - g dz/dx)
            x_bar           = -sum_k mu_bar_k          (moving x and all mu_k together is nothing)
            log_sigma_bar_k = mu_bar_k (x - mu_k) - l_bar r_k
            logit_bar_k     = l_bar (r_k - pi_k) + g dz/dlogit_k

        Straight above a N(0, 1) base z_bar = -l_bar z, so g = 0: the gradient of log f alone.
        """
        g = z_bar + l_bar * z  # before any cast, so that it cancels exactly
        mean_bar = posterior * (l_bar * pull - g * np.exp(log_det))
        tanh = (mixture.log_scale - _start(self.components)[1]) / self.log_scale_bound
        raw_bar = (mean_bar * (x - mixture.mean) - l_bar * posterior) * (1 - tanh * tanh)
        logit_bar = l_bar * (posterior - mixture.weight)
        if g.any():
            logit_bar += g * _by_logit(mixture, x, z)
        return -mean_bar.sum(axis=0), np.concatenate([logit_bar, mean_bar, raw_bar])

    def _mixture(self, phi) -> _Mixture:
        """The mixture that phi (3 K, ...) describes."""
        n = self.components
        logit, mean, raw = np.split(phi.astype(float, copy=False), 3)
        centres, log_s = _start(n)
        log_weight = logit - logit.max(axis=0)
        weight = np.exp(log_weight)
        total = weight.sum(axis=0)
        weight /= total
        log_weight -= np.log(total)
        log_scale = bounded(raw, self.log_scale_bound) + log_s
        mean = mean + np.reshape(centres, (n, *(1,) * (phi.ndim - 1)))
        return _Mixture(weight, log_weight, mean, log_scale, np.exp(-log_scale))

    def __repr__(self):
        return f"MixtureOfGaussians({self.components}, log_scale_bound={self.log_scale_bound})"


class _Mixture(NamedTuple):
    """The parameters of a mixture, which phi describes; each (K, ...)."""

    weight: np.ndarray  # pi_k
    log_weight: np.ndarray
    mean: np.ndarray
    log_scale: np.ndarray
    per_scale: np.ndarray  # 1 / sigma_k


@lru_cache
def _start(components: int) -> tuple[tuple[float, ...], float]:
    """The centres c_k and log s of phi = 0."""
    special = imported("scipy.special")

    centres, s = special.ndtri((np.arange(components) + 0.5) / components), components**-0.2
    if components > 1:
        centres *= sqrt((1 - s * s) / np.mean(centres**2))
    return tuple(centres.tolist()), log(s)


def _within(x, dtype):
    """x in float64, at most the cube root of dtype's largest number: its square stays finite."""
    edge = float(np.finfo(dtype).max) ** (1 / 3)
    return np.clip(np.asarray(x, float), -edge, edge)


def _log_terms(mixture, u):
    """log (pi_k N(x; mu_k, sigma_k^2)), without the constant."""
    return mixture.log_weight - mixture.log_scale - 0.5 * u * u


def _posterior(mixture, x):
    """The posterior weights r_k = pi_k N_k / f of the components at x; and u_k / sigma_k."""
    u = (x - mixture.mean) * mixture.per_scale
    posterior = log_sum_exp(_log_terms(mixture, u))[1]
    u *= mixture.per_scale
    return posterior, u


def _density(mixture, x):
    """z(x) and log dz/dx, for x (...) of at least one axis."""
    special = imported("scipy.special")

    u = (x - mixture.mean) * mixture.per_scale
    below = (mixture.weight * special.ndtr(u)).sum(axis=0)  # F(x)
    sign = np.where(below > 0.9, -1.0, 1.0)  # the side on which no digits are lost
    upper = sign < 0
    if upper.any():
        below[upper] = (mixture.weight[:, upper] * special.ndtr(-u[:, upper])).sum(axis=0)
    z = sign * special.ndtri(below)
    log_det = log_sum_exp(_log_terms(mixture, u))[0] + 0.5 * z * z
    far = below < TINY
    if far.any():
        outer = _Mixture(*(a[:, far] for a in mixture))
        z[far], log_det[far] = _tail(outer, u[:, far], sign[far])
    return z, log_det


def _tail(mixture, u, sign):
    """The same where F, or 1 - F, is too small for a float; all by logarithms.

    With Q = Phi(sign z) = sum_k pi_k Phi(sign u_k) and the hazard h = N / Phi,

        dz/dx = sum_k (pi_k Phi(sign u_k) / Q) h(sign u_k) / sigma_k / h(sign z)

    in which no large numbers cancel, as z^2 and log f would.
    """
    special = imported("scipy.special")

    v = sign * u
    terms = mixture.log_weight + special.log_ndtr(v)
    log_q, _ = log_sum_exp(terms)
    z = special.ndtri_exp(log_q)
    # a Newton step, since ndtri_exp has 12 digits
    z += (log_q - special.log_ndtr(z)) * np.exp(-_log_hazard(z))
    slopes = terms - log_q + _log_hazard(v) - mixture.log_scale
    return sign * z, log_sum_exp(slopes)[0] - _log_hazard(z)


def _log_hazard(v):
    """log (N(v; 0, 1) / Phi(v)), about log |v| far to the left."""
    special = imported("scipy.special")

    left = 0.5 * log(2 / pi) - np.log(special.erfcx(np.minimum(v, 0) / -sqrt(2)))
    return np.where(v < 0, left, -0.5 * v * v - HALF_LOG_2PI - special.log_ndtr(v))


def _by_logit(mixture, x, z):
    """dz/dlogit_k = sign (w_k - pi_k) / h(sign z), w_k the weight of component k in that tail."""
    special = imported("scipy.special")

    sign = np.where(z > 0, -1.0, 1.0)
    terms = mixture.log_weight + special.log_ndtr(sign * (x - mixture.mean) * mixture.per_scale)
    posterior = log_sum_exp(terms)[1]
    return (posterior - mixture.weight) * (sign * np.exp(-_log_hazard(-np.abs(z).astype(float))))


def _solve(mixture, z):
    """x with z(x) = z, and log dz/dx there. Newton, kept in a bracket by bisection.

    Every mu_k + sigma_k z is the answer if there is only component k: the root lies between the
    smallest and the largest. Steps are taken in z, where the function is nearly linear far out.
    """
    shape, z = z.shape, z.ravel()
    mixture = _Mixture(*(a.reshape(len(a), -1) for a in mixture))
    answers = np.exp(mixture.log_scale) * z + mixture.mean
    low, high = answers.min(axis=0), answers.max(axis=0)
    x = np.clip((mixture.weight * answers).sum(axis=0), low, high)
    solution, log_slope, left = np.empty_like(z), np.empty_like(z), np.arange(len(z))
    last = 2 * (high - low)  # the length of the step before
    for _ in range(MAX_STEPS):
        found, log_det = _density(mixture, x)
        miss = found - z
        low, high = np.where(miss < 0, x, low), np.where(miss > 0, x, high)
        step = miss * np.exp(np.minimum(-log_det, STEEPEST))
        new = np.clip(x - step, low, high)
        slow = np.abs(new - x) > 0.5 * last
        new = np.where(slow, low + 0.5 * (high - low), new)
        going = np.abs(miss) > 4 * EPS * (1 + np.abs(z))  # False for a NaN
        going &= np.abs(new - x) > EPS * np.abs(x)
        done = ~going
        if done.any():
            solution[left[done]], log_slope[left[done]] = x[done], log_det[done]
            left, mixture = left[going], _Mixture(*(a[:, going] for a in mixture))
            x, z, low, high, last, new = (a[going] for a in (x, z, low, high, last, new))
        if not left.size:
            break
        last, x = np.abs(new - x), new
    else:
        solution[left], log_slope[left] = x, _density(mixture, x)[1]
    return solution.reshape(shape), log_slope.reshape(shape)
