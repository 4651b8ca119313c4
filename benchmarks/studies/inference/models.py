"""The posteriors of posteriordb that are no regressions, and the list of all ports."""

from __future__ import annotations

from collections.abc import Mapping

import autograd.numpy as anp
import numpy as np

from . import regressions
from .posterior import Posterior
from .regressions import half_cauchy, normal


def vector(name: str, ref: Mapping, size: int) -> np.ndarray:
    """Draws (n, size) from name[1], name[2], ..."""
    return np.stack([ref[f"{name}[{i + 1}]"] for i in range(size)], axis=1)


def indexed(name: str, values) -> dict:
    return {f"{name}[{i + 1}]": values[:, i] for i in range(values.shape[1])}


def eight_schools(name: str, d: Mapping) -> Posterior:
    """Non-centred: theta = mu + tau z."""
    y, sigma = (np.array(d[key], float) for key in ("y", "sigma"))

    def theta(p):
        return p["mu"][:, None] + p["tau"][:, None] * p["z"]

    def log_p(p):
        data = normal(y, sigma)(theta(p)) + normal(0.0, 1.0)(p["z"])
        return data + normal(0.0, 5.0)(p["mu"]) + half_cauchy(5.0)(p["tau"])

    def back(ref):
        mu, tau = ref["mu"], ref["tau"]
        return {"mu": mu, "tau": tau,
                "z": (vector("theta", ref, 8) - mu[:, None]) / tau[:, None]}  # fmt: skip

    return Posterior(
        {"mu": "real", "tau": "positive", "z": ("real", (8,))}, log_p,
        lambda p: {"mu": p["mu"], "tau": p["tau"], **indexed("theta", theta(p))}, back,
    )  # fmt: skip


def ar_k(name: str, d: Mapping) -> Posterior:
    y, k = np.array(d["y"], float), d["K"]
    x = regressions.columns(*(y[k - i - 1 : len(y) - i - 1] for i in range(k)))
    return regressions.regression(
        x, y[k:], normal(0.0, 10.0), half_cauchy(2.5),
        lambda i: f"beta[{i}]" if i else "alpha",
    )  # fmt: skip


def numbers(support: Mapping, log_p, order=None) -> Posterior:
    """Single numbers under their own names."""
    names = [*support]
    return Posterior(support, log_p, lambda p: {k: p[k] for k in names},
                     lambda ref: {k: ref[k] for k in names})  # fmt: skip


def arma(name: str, d: Mapping) -> Posterior:
    y = np.array(d["y"], float)

    def log_p(p):
        mu, phi, theta, sigma = (p[key] for key in ("mu", "phi", "theta", "sigma"))
        error = y[0] - mu - phi * mu
        squares = error**2
        for t in range(1, len(y)):
            error = y[t] - mu - phi * y[t - 1] - theta * error
            squares = squares + error**2
        data = -len(y) * anp.log(sigma) - 0.5 * squares / sigma**2
        prior = normal(0.0, 10.0)(mu) + normal(0.0, 2.0)(phi) + normal(0.0, 2.0)(theta)
        return data + prior + half_cauchy(2.5)(sigma)

    return numbers({"mu": "real", "phi": "real", "theta": "real", "sigma": "positive"}, log_p)


def garch(name: str, d: Mapping) -> Posterior:
    """beta1 = (1 - alpha1) u with u in (0, 1)."""
    y, sigma1 = np.array(d["y"], float), d["sigma1"]

    def log_p(p):
        mu, alpha0, alpha1 = p["mu"], p["alpha0"], p["alpha1"]
        beta1, variance = (1 - alpha1) * p["u"], sigma1**2 + 0 * mu
        total = anp.log(variance) + (y[0] - mu) ** 2 / variance
        for t in range(1, len(y)):
            variance = alpha0 + alpha1 * (y[t - 1] - mu) ** 2 + beta1 * variance
            total = total + anp.log(variance) + (y[t] - mu) ** 2 / variance
        return -0.5 * total + anp.log(1 - alpha1)

    def out(p):
        return {"mu": p["mu"], "alpha0": p["alpha0"], "alpha1": p["alpha1"],
                "beta1": (1 - p["alpha1"]) * p["u"]}  # fmt: skip

    def back(ref):
        return {"mu": ref["mu"], "alpha0": ref["alpha0"], "alpha1": ref["alpha1"],
                "u": ref["beta1"] / (1 - ref["alpha1"])}  # fmt: skip

    support = {"mu": "real", "alpha0": "positive", "alpha1": (0.0, 1.0), "u": (0.0, 1.0)}
    return Posterior(support, log_p, out, back)


def kernel(x, alpha, rho):
    """Squared exponential, (n, N, N)."""
    far = (x[:, None] - x) ** 2
    return alpha[:, None, None] ** 2 * anp.exp(-0.5 * far / rho[:, None, None] ** 2)


def on_kernel(p):
    """rho ~ Gamma(25, 4), alpha ~ half N(0, 2)."""
    return 24 * anp.log(p["rho"]) - 4 * p["rho"] + normal(0.0, 2.0)(p["alpha"])


def gp_regression(name: str, d: Mapping) -> Posterior:
    x, y = (np.array(d[key], float) for key in ("x", "y"))

    def log_p(p):
        covariance = kernel(x, p["alpha"], p["rho"]) + p["sigma"][:, None, None] * np.eye(len(x))
        factor = anp.linalg.cholesky(covariance)
        ends = anp.tile(y[:, None], (len(p["rho"]), 1, 1))
        z = anp.linalg.solve(factor, ends)[..., 0]
        log_det = anp.sum(anp.log(anp.diagonal(factor, 0, -1, -2)), axis=1)
        return on_kernel(p) + normal(0.0, 1.0)(p["sigma"]) - log_det + normal(0.0, 1.0)(z)

    return numbers({"rho": "positive", "alpha": "positive", "sigma": "positive"}, log_p)


def gp_poisson(name: str, d: Mapping) -> Posterior:
    """f = L z, with L the Cholesky factor of the kernel."""
    x, k = np.array(d["x"], float), np.array(d["k"], float)

    def factor(p):
        return anp.linalg.cholesky(kernel(x, p["alpha"], p["rho"]) + 1e-10 * np.eye(len(x)))

    def f(p):
        return anp.sum(factor(p) * p["z"][:, None, :], axis=2)

    def log_p(p):
        values = f(p)
        data = anp.sum(k * values - anp.exp(values), axis=1)
        return data + on_kernel(p) + normal(0.0, 1.0)(p["z"])

    def back(ref):
        p = {"rho": ref["rho"], "alpha": ref["alpha"]}
        values = vector("f", ref, len(x))[..., None]
        return p | {"z": np.linalg.solve(factor(p), values)[..., 0]}

    return Posterior(
        {"rho": "positive", "alpha": "positive", "z": ("real", (len(x),))}, log_p,
        lambda p: {"rho": p["rho"], "alpha": p["alpha"], **indexed("f", f(p))}, back,
    )  # fmt: skip


def gauss_mix(name: str, d: Mapping) -> Posterior:
    y = np.array(d["y"], float)

    def part(p, i):
        mu, sigma = p["mu"][:, i : i + 1], p["sigma"][:, i : i + 1]
        return -0.5 * ((y - mu) / sigma) ** 2 - anp.log(sigma)

    def log_p(p):
        theta = p["theta"][:, None]
        rows = anp.logaddexp(anp.log(theta) + part(p, 0), anp.log1p(-theta) + part(p, 1))
        prior = 4 * (anp.log(p["theta"]) + anp.log1p(-p["theta"]))
        prior = prior + normal(0.0, 2.0)(p["mu"]) + normal(0.0, 2.0)(p["sigma"])
        return anp.sum(rows, axis=1) + prior

    return Posterior(
        {"mu": ("ordered", (2,)), "sigma": ("positive", (2,)), "theta": (0.0, 1.0)}, log_p,
        lambda p: {**indexed("mu", p["mu"]), **indexed("sigma", p["sigma"]), "theta": p["theta"]},
        lambda ref: {"mu": vector("mu", ref, 2), "sigma": vector("sigma", ref, 2),
                     "theta": ref["theta"]},
    )  # fmt: skip


def hmm(name: str, d: Mapping) -> Posterior:
    """Two states with N(mu_k, 1); mu_1 > 0, mu_2 = mu_1 + step."""
    y = np.array(d["y"], float)

    def log_p(p):
        mu = anp.stack([p["mu1"], p["mu1"] + p["step"]], axis=1)
        log_theta = anp.log(anp.stack([p["theta1"], p["theta2"]], axis=1))  # (n, from, to)
        state = -0.5 * (y[0] - mu) ** 2
        for t in range(1, len(y)):
            both = state[:, :, None] + log_theta
            state = anp.logaddexp(both[:, 0], both[:, 1]) - 0.5 * (y[t] - mu) ** 2
        data = anp.logaddexp(state[:, 0], state[:, 1])
        return data + normal(3.0, 1.0)(mu[:, 0]) + normal(10.0, 1.0)(mu[:, 1])

    def out(p):
        return {**indexed("theta1", p["theta1"]), **indexed("theta2", p["theta2"]),
                "mu[1]": p["mu1"], "mu[2]": p["mu1"] + p["step"]}  # fmt: skip

    def back(ref):
        return {"theta1": vector("theta1", ref, 2), "theta2": vector("theta2", ref, 2),
                "mu1": ref["mu[1]"], "step": ref["mu[2]"] - ref["mu[1]"]}  # fmt: skip

    support = {"theta1": ("simplex", (2,)), "theta2": ("simplex", (2,)), "mu1": "positive",
               "step": "positive"}  # fmt: skip
    return Posterior(support, log_p, out, back)


EARNINGS = ("earn_height", "log10earn_height", "logearn_height", "logearn_height_male",
            "logearn_interaction", "logearn_interaction_z", "logearn_logheight_male")  # fmt: skip
KIDIQ = ("interaction", "momhs", "momhsiq", "momiq")
MOM_WORK = ("interaction_c", "interaction_c2", "interaction_z", "mom_work")
MESQUITE = ("logmesquite", "logmesquite_logva", "logmesquite_logvas", "logmesquite_logvash",
            "logmesquite_logvolume", "mesquite")  # fmt: skip
MODELS = {  # name in posteriordb, DATA-MODEL -> who makes it of (MODEL, data)
    "eight_schools-eight_schools_noncentered": eight_schools,
    "arK-arK": ar_k,
    "arma-arma11": arma,
    "garch-garch11": garch,
    "gp_pois_regr-gp_pois_regr": gp_poisson,
    "gp_pois_regr-gp_regr": gp_regression,
    "hmm_example-hmm_example": hmm,
    "low_dim_gauss_mix-low_dim_gauss_mix": gauss_mix,
    "diamonds-diamonds": regressions.diamonds,
    "kilpisjarvi_mod-kilpisjarvi": regressions.kilpisjarvi,
    "sblrc-blr": regressions.blr,
    "sblri-blr": regressions.blr,
    **{f"earnings-{name}": regressions.earnings for name in EARNINGS},
    **{f"kidiq-kidscore_{name}": regressions.kidiq for name in KIDIQ},
    **{f"kidiq_with_mom_work-kidscore_{name}": regressions.kidiq for name in MOM_WORK},
    **{f"mesquite-{name}": regressions.mesquite for name in MESQUITE},
    **{f"nes{year}-nes": regressions.nes for year in range(1972, 2001, 4)},
}


def made(name: str, data: Mapping) -> Posterior:
    """The port of a posterior."""
    return MODELS[name](name.split("-", 1)[1], data)
