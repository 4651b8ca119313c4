"""The full-covariance Gaussian, as a flow: the line that shows whether the data are right."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad

import flowcore as fc
from flowcore import LULinear

from ..packages import DataError
from .datasets import Dataset
from .models import GAUSSIAN_TOLERANCE, PUBLISHED

ROWS = 200_000  # of the training set: enough for three digits of six-dimensional covariances


def gaussian_flow(dim: int):
    """x = m + s (W z + b) with any invertible W: every Gaussian with a full covariance matrix."""
    linear = LULinear(dim, permutation=None, log_scale_bound=None)
    return fc.TransformedDistribution(fc.Normal(dim), fc.Chain([fc.Standardize(dim), linear]))


def fit_gaussian(x: np.ndarray):
    """Its maximum likelihood fit to the rows of x, by L-BFGS in float64."""
    from scipy.optimize import minimize

    x = np.asarray(x[:ROWS], float)
    flow = gaussian_flow(x.shape[1]).initialize(x)
    loss = value_and_grad(lambda theta: -anp.mean(flow.log_prob(x, params=theta)))
    options = {"maxiter": 2000, "gtol": 1e-6, "ftol": 1e-12}
    found = minimize(loss, flow.params, jac=True, method="L-BFGS-B", options=options)
    return flow.with_params(found.x)


def check_gaussian(data: Dataset, test: float) -> None:
    """DataError if a Gaussian's test log-likelihood shows that the data are wrong."""
    wanted = PUBLISHED.get(data.name, {}).get("Gaussian")
    if wanted is not None and not abs(test - wanted) <= GAUSSIAN_TOLERANCE:
        raise DataError(
            f"a Gaussian gives {test:.3f} nats on the test rows of {data.name}, and not "
            f"{wanted} +- {GAUSSIAN_TOLERANCE}: the data are not those of the published numbers"
        )
