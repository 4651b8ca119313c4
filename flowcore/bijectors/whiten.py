"""Whiten: principal components of variance 1."""

from __future__ import annotations

import numpy as np

from ..core import Step, as_numbers, frozen
from ..core.inputs import show
from .linear import Standardization, mean_and_scale

LEAST = 1e-8  # the smallest variance that is scaled to 1, where the columns have variance 1


class Whiten(Standardization):
    """x = mean + L z: the rows z of the training data are uncorrelated, with variance 1.

        z = L^-1 (x - mean)      L = diag(sd) V diag(sqrt(lambda))      log-det log |det L|

    Use it if columns are nearly copies of each other, such as neighbouring bands of a spectrum:
    what distinguishes the rows is then in components with tiny variances, which a `Standardize`
    leaves tiny. lambda and V are the eigenvalues and eigenvectors of the correlation matrix, and sd
    the deviations of the columns, so z are the principal components of the standardised columns,
    scaled to variance 1.

    `fit` (through `initialize`) sets the constants once, from the training rows; until then Whiten
    is the identity. The constants are not in `params`. Like Standardize, it computes in float64 and
    then casts.

    Nothing explodes: lambda is at least 1e-8, so that an exact copy of a column becomes a component
    of (nearly) 0; a constant column keeps its unit. Few rows determine components badly, so with n
    rows lambda is raised to the power 1 - min(1, D / n)^2: up to n = D only the columns are scaled,
    and from n = 20 D on the variances are 1 to about 5%. Cost: O(D^2) per row in both directions;
    `initialize` takes O(n D^2 + D^3).

    Parameters
    ----------
    dim : int
        D.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(1000, 2)) @ [[1.0, 0.9], [0.0, 0.1]]
    >>> z = Whiten.from_data(x).inverse(x)
    >>> np.cov(z.T, bias=True).round(2) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """

    fitted = ("mean", "matrix", "reach", "initialized")

    def __init__(self, dim: int):
        super().__init__(dim)
        self.matrix = frozen(np.eye(self.dim))

    def _moments(self, x, of_context=False):
        x, (mean, scale, flat) = as_numbers("x", x), mean_and_scale(x, self)
        z = np.where(flat, 0.0, (x - mean) / scale)
        correlations = z.T @ z / len(z)
        np.fill_diagonal(correlations, 1.0)  # a constant column has variance 1 of its own
        values, vectors = np.linalg.eigh(correlations)
        largest = np.abs(vectors).argmax(axis=0)  # LAPACK leaves the signs open
        vectors *= np.sign(vectors[largest, np.arange(self.dim)])
        power = (1 - min(1.0, self.dim / len(z)) ** 2) / 2
        return mean, scale[:, None] * vectors * np.maximum(values, LEAST) ** power

    @staticmethod
    def _inverted(mean, matrix):
        return -_inverse(matrix) @ mean, _inverse(matrix)

    def check_fitted(self) -> None:
        """A ValueError unless mean and matrix are finite and the matrix has an inverse."""
        super().check_fitted()
        if not np.isfinite(np.linalg.slogdet(self.matrix)[1]):
            raise ValueError(f"{self!r}: the matrix must have an inverse")

    def _linear(self, forward, dtype):
        matrix = self.matrix if forward else _inverse(self.matrix)
        log_dets = np.full(self.dim, np.linalg.slogdet(matrix)[1] / self.dim)
        return Step(np.matmul, matrix), Step(np.matmul, np.asarray(matrix.T, dtype)), log_dets

    def __repr__(self):
        mean = f", mean={show(self.mean, '.4g')}" if self.initialized else ""
        return f"Whiten({self.dim}{mean})"


def _inverse(matrix):
    """The inverse of a matrix whose rows have different units, and columns different scales."""
    rows = np.abs(matrix).max(axis=1, keepdims=True)
    columns = np.abs(matrix / rows).max(axis=0)
    return np.linalg.inv(matrix / rows / columns) / columns[:, None] / rows.T
