"""flowcore's RealNVP in nessai: `FlowSampler(model, flow_proposal_class=FlowcoreProposal)`.

nessai calls the way to z `forward`. It maps points to a box around the unit cube before, and
proposes z from a truncated normal density, so the base is Normal. nessai itself needs torch.
"""

from __future__ import annotations

import numpy as np
from nessai.proposal.flowproposal import FlowProposal

import flowcore as fc


class FlowcoreModel(fc.adapters.FlowBackend):
    """The methods that a proposal of nessai calls."""

    device, weights_file = "cpu", None

    def __init__(self, flow_config=None, training_config=None, output=None, rng=None):
        self.config, training = {"n_blocks": 4, **(flow_config or {})}, training_config or {}
        names = {"max_epochs": "epochs", "patience": "patience", "val_size": "validation_split"}
        options = {"max_epochs": 500, "patience": 20, "val_size": 0.1} | training
        super().__init__(
            self.new_flow(), rng, batch_size=1000, clip_norm=5.0,
            **{new: options[old] for old, new in names.items()},
        )  # fmt: skip

    def new_flow(self):
        dim = self.config["n_inputs"]
        return fc.flows.realnvp(dim, self.config["n_blocks"], [2 * dim, 2 * dim], dtype=np.float32)

    def initialise(self):
        pass

    def reset_model(self, weights=True, permutations=False):
        if weights:
            self.flow = self.new_flow()

    def train(self, samples, output=None, plot=False):
        history = self.fit(samples)
        return {"loss": history.train_nll, "val_loss": history.val_nll}

    def forward_and_log_prob(self, x):
        z, log_det = self.to_latent(x)
        return _wide(z), _wide(self.flow.base.log_prob(z) + log_det)

    def inverse(self, z):
        x, log_det = self.from_latent(z)
        return _wide(x), _wide(log_det)

    def sample_and_log_prob(self, N=1, z=None, alt_dist=None):
        z = self.flow.base.sample(N, self.rng) if z is None else z
        x, log_det = self.inverse(z)
        return x, _wide(self.flow.base.log_prob(z)) - log_det

    def sample_latent_distribution(self, n=1):
        return self.flow.base.sample(n, self.rng)


def _wide(a):
    return np.asarray(a, float)


class FlowcoreProposal(FlowProposal):
    _FlowModelClass = FlowcoreModel
