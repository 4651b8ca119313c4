"""flowcore's flows in aspire: `Aspire(..., flow=AspireFlow(parameters, prior_bounds))`.

aspire calls the way to z `forward`. Points pass through aspire's own transform first, which maps
bounded parameters to the line.
"""

from __future__ import annotations

import numpy as np
from aspire.history import FlowHistory
from aspire.transforms import FlowTransform

import flowcore as fc


class AspireFlow(fc.adapters.FlowBackend):
    """aspire's `Flow`; options: of the recipe. Those of `flowcore.fit` go to `Aspire.fit`."""

    xp = np

    def __init__(self, parameters, prior_bounds, recipe="nsf", rng=0, dtype="float64", **options):
        flow = getattr(fc.flows, recipe)(len(parameters), rng=rng, dtype=np.dtype(dtype), **options)
        super().__init__(flow, rng)
        self.dims, options = flow.dim, {"bounded_transform": "logit", "xp": np, "dtype": dtype}
        self.transform = FlowTransform(parameters, prior_bounds, **options)

    def fit(self, x, **options):
        history = super().fit(self.transform.fit(np.asarray(x)), **options)
        return FlowHistory(history.train_nll, history.val_nll)

    def log_prob(self, x):
        y, log_det = self.transform.forward(np.asarray(x))
        return super().log_prob(y) + log_det

    def sample(self, n_samples):
        return self.sample_and_log_prob(n_samples)[0]

    def sample_and_log_prob(self, n_samples):
        y, log_q = super().sample_and_log_prob(n_samples)
        x, log_det = self.transform.inverse(y)
        return x, log_q - log_det

    def forward(self, x, xp=np):
        y, log_det = self.transform.forward(np.asarray(x))
        z, own = self.to_latent(y)
        return xp.asarray(z), xp.asarray(log_det + own)

    def inverse(self, z, xp=np):
        y, own = self.from_latent(np.asarray(z))
        x, log_det = self.transform.inverse(y)
        return xp.asarray(x), xp.asarray(log_det + own)
