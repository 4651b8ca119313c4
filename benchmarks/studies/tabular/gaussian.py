"""The full-covariance Gaussian: the line that shows whether the data are right."""

from __future__ import annotations

import numpy as np

import flowcore as fc

from ..packages import DataError
from .datasets import Dataset
from .models import GAUSSIAN_TOLERANCE, PUBLISHED

ROWS = 200_000  # of the training set: enough for three digits of six-dimensional covariances


def fit_gaussian(x: np.ndarray):
    """Its maximum likelihood fit to the rows of x, in float64."""
    return fc.MultivariateNormalMixture.from_data(np.asarray(x[:ROWS], float), 1)


def check_gaussian(data: Dataset, test: float) -> None:
    """DataError if a Gaussian's test log-likelihood shows that the data are wrong."""
    wanted = PUBLISHED["Gaussian"]
    if not abs(test - wanted) <= GAUSSIAN_TOLERANCE:
        raise DataError(
            f"a Gaussian gives {test:.3f} nats on the test rows of {data.name}, and not "
            f"{wanted} +- {GAUSSIAN_TOLERANCE}: the data are not those of the published numbers"
        )
