"""The 33 normal regressions of posteriordb: y ~ N(X beta, sigma^2), in the data's own units.

Each needs the columns of X, y and the priors. Where none is listed a parameter's is flat. The
likelihood uses sufficient statistics, so that 5,000 rows cost what 25 do:

    sum_i (y_i - x_i beta)^2 = |R (beta - b)|^2 + rest,      X = Q R,  b = R^-1 Q^T y
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import autograd.numpy as anp
import numpy as np

from .posterior import Posterior


def half_cauchy(scale: float) -> Callable:
    """log density of a positive parameter, without its constant."""
    return lambda x: -anp.log1p((x / scale) ** 2)


def normal(mean, scale) -> Callable:
    """log density of a vector (n, k) or a number (n,), without its constant."""

    def log_p(x):
        z = -0.5 * ((x - mean) / scale) ** 2
        return anp.sum(z, axis=1) if np.ndim(x) > 1 else z

    return log_p


def regression(x, y, on_beta=None, on_sigma=None, names: Callable | None = None) -> Posterior:
    """y ~ N(x beta, sigma^2), rows x (N, k), with log priors of beta (n, k) and sigma (n,)."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    n, k = x.shape
    q, r = np.linalg.qr(x)
    best = np.linalg.solve(r, q.T @ y)
    rest = np.sum((y - x @ best) ** 2)

    def log_p(p):
        beta, sigma = p["beta"], p["sigma"]
        squares = rest + anp.sum(anp.dot(beta - best, r.T) ** 2, axis=1)
        value = -n * anp.log(sigma) - 0.5 * squares / sigma**2
        value = value if on_beta is None else value + on_beta(beta)
        return value if on_sigma is None else value + on_sigma(sigma)

    names = names or (lambda i: f"beta[{i + 1}]")

    def out(p):
        return {names(i): p["beta"][:, i] for i in range(k)} | {"sigma": p["sigma"]}

    def back(ref):
        return {"beta": np.stack([ref[names(i)] for i in range(k)], axis=1), "sigma": ref["sigma"]}

    return Posterior({"beta": ("real", (k,)), "sigma": "positive"}, log_p, out, back)


def columns(*parts) -> np.ndarray:
    """X with an intercept."""
    parts = [np.asarray(part, float) for part in parts]
    return np.stack([np.ones_like(parts[0]), *parts], axis=1)


def earnings(name: str, d: Mapping) -> Posterior:
    earn, height, male = (np.array(d[key], float) for key in ("earn", "height", "male"))
    z = (height - height.mean()) / height.std(ddof=1)
    x = {
        "earn_height": columns(height),
        "log10earn_height": columns(height),
        "logearn_height": columns(height),
        "logearn_height_male": columns(height, male),
        "logearn_interaction": columns(height, male, height * male),
        "logearn_interaction_z": columns(z, male, z * male),
        "logearn_logheight_male": columns(np.log(height), male),
    }[name]
    y = {"earn_height": earn, "log10earn_height": np.log10(earn)}.get(name, np.log(earn))
    return regression(x, y)


def kidiq(name: str, d: Mapping) -> Posterior:
    hs, iq = np.array(d["mom_hs"], float), np.array(d["mom_iq"], float)
    work = np.array(d.get("mom_work", hs))
    shifts = {
        "kidscore_interaction": (0, 0, 1, 1),
        "kidscore_interaction_c": (hs.mean(), iq.mean(), 1, 1),
        "kidscore_interaction_c2": (0.5, 100, 1, 1),
        "kidscore_interaction_z": (
            hs.mean(), iq.mean(), 2 * hs.std(ddof=1), 2 * iq.std(ddof=1)),
    }  # fmt: skip
    if name in shifts:
        a, b, s, t = shifts[name]
        u, v = (hs - a) / s, (iq - b) / t
        x = columns(u, v, u * v)
    else:
        x = {
            "kidscore_momhs": columns(hs),
            "kidscore_momiq": columns(iq),
            "kidscore_momhsiq": columns(hs, iq),
            "kidscore_mom_work": columns(work == 2, work == 3, work == 4),
        }[name]
    prior = ("kidscore_interaction", "kidscore_momhs", "kidscore_momiq", "kidscore_momhsiq")
    return regression(x, d["kid_score"], on_sigma=half_cauchy(2.5) if name in prior else None)


def mesquite(name: str, d: Mapping) -> Posterior:
    keys = ("diam1", "diam2", "canopy_height", "total_height", "density")
    raw, group = [np.array(d[key], float) for key in keys], np.array(d["group"], float)
    a, b, h, total, density = logs = [np.log(one) for one in raw]
    x = {
        "mesquite": columns(*raw, group),
        "logmesquite": columns(*logs, group),
        "logmesquite_logva": columns(a + b + h, a + b, group),
        "logmesquite_logvas": columns(a + b + h, a + b, a - b, total, density, group),
        "logmesquite_logvash": columns(a + b + h, a + b, a - b, total, group),
        "logmesquite_logvolume": columns(a + b + h),
    }[name]
    weight = np.array(d["weight"], float)
    return regression(x, weight if name == "mesquite" else np.log(weight))


def nes(name: str, d: Mapping) -> Posterior:
    age = np.array(d["age_discrete"])
    x = columns(d["real_ideo"], d["race_adj"], age == 2, age == 3, age == 4, d["educ1"],
                d["gender"], d["income"])  # fmt: skip
    return regression(x, d["partyid7"])


def kilpisjarvi(name: str, d: Mapping) -> Posterior:
    mean = np.array([d["pmualpha"], d["pmubeta"]])
    scale = np.array([d["psalpha"], d["psbeta"]])
    return regression(columns(d["x"]), d["y"], normal(mean, scale),
                      names=("alpha", "beta").__getitem__)  # fmt: skip


def blr(name: str, d: Mapping) -> Posterior:
    return regression(d["X"], d["y"], normal(0.0, 10.0), normal(0.0, 10.0))


def diamonds(name: str, d: Mapping) -> Posterior:
    x = np.array(d["X"], float)[:, 1:]
    k = x.shape[1]

    def on_beta(beta):  # b ~ N(0, 1), the intercept Student t of 3 degrees of freedom
        intercept = -2 * anp.log1p(((beta[:, k] - 8) / 10) ** 2 / 3)
        return intercept - 0.5 * anp.sum(beta[:, :k] ** 2, axis=1)

    return regression(
        np.column_stack([x - x.mean(axis=0), np.ones(len(x))]), d["Y"], on_beta,
        lambda sigma: -2 * anp.log1p((sigma / 10) ** 2 / 3),
        names=lambda i: f"b[{i + 1}]" if i < k else "Intercept",
    )  # fmt: skip
