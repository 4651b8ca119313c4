"""Mixtures of Gaussians and of t densities with full matrices, fitted by EM, also with holes."""

from .normal_mixture import MultivariateNormalMixture, MultivariateTMixture

__all__ = ["MultivariateNormalMixture", "MultivariateTMixture"]
