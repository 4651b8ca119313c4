"""flowcore's splines in pocoMC: `sampler.flow = PocoFlow(dim)` before `sampler.run()`.

pocoMC calls the way to z `forward`, and hands over tensors of torch, which it needs itself.
"""

from __future__ import annotations

import numpy as np
import torch

import flowcore as fc


class PocoFlow(fc.adapters.FlowBackend):
    """pocoMC's `Flow`: nsf6, six layers of splines, with the same widths."""

    def __init__(self, dim, rng=0):
        width = max(32, 1 << (3 * dim - 1).bit_length())
        flow = fc.flows.nsf(
            dim, 6, [width] * 3, residual=True, base="normal", dtype=np.float32, rng=rng
        )
        super().__init__(flow, rng)

    def fit(self, x, weights=None, validation_split=0.0, epochs=1000, batch_size=1000, patience=20,
            learning_rate=1e-3, clip_grad_norm=1.0, **unused):  # fmt: skip
        weights = None if weights is None else weights.numpy()
        history = super().fit(
            x.numpy(), sample_weight=weights, validation_split=validation_split, epochs=epochs,
            batch_size=batch_size, patience=max(1, int(1.5 * patience)),
            learning_rate=learning_rate, clip_norm=clip_grad_norm,
        )  # fmt: skip
        return {"loss": history.train_nll, "val_loss": history.val_nll}

    def forward(self, x):
        return _tensors(*self.to_latent(x.numpy()))

    def inverse(self, z):
        return _tensors(*self.from_latent(z.numpy()))

    def sample(self, size=1):
        return _tensors(*self.sample_and_log_prob(size))

    def log_prob(self, x):
        return torch.tensor(super().log_prob(x.numpy()))


def _tensors(*arrays):
    return tuple(map(torch.tensor, arrays))
