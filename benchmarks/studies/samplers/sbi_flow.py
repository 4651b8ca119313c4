"""flowcore's flows in sbi: `NPE(prior, density_estimator=density_estimator)`.

sbi trains by torch, so the flow stands in its graph, by `to_torch`; its gradients are flowcore's.
"""

from __future__ import annotations

import torch
from sbi.neural_nets.estimators import ConditionalDensityEstimator

import flowcore as fc


def density_estimator(theta, x):
    """sbi calls it with the first batch: widths and units follow from it."""
    flow = fc.flows.nsf(theta.shape[1], 3, [50, 50], context_dim=x.shape[1], dtype="float32")
    return FlowcoreEstimator(flow.initialize(theta.numpy(), x.numpy()), x.shape[1:])


class FlowcoreEstimator(ConditionalDensityEstimator):
    """p(theta | x); its parameters are the flow's one vector."""

    def __init__(self, flow, condition_shape):
        super().__init__(torch.nn.Module(), torch.Size([flow.dim]), condition_shape)
        self.flow, self._log_prob = flow, fc.adapters.to_torch(flow.log_prob)
        self.params = torch.nn.Parameter(torch.tensor(flow.params))

    def log_prob(self, input, condition):
        condition = condition.expand(*input.shape[:-1], condition.shape[-1])
        return self._log_prob(input, self.params, condition)

    def loss(self, input, condition):
        return -self.log_prob(input, condition)

    def sample(self, sample_shape, condition):
        flow = self.flow.with_params(self.params.detach().numpy())
        seed = torch.randint(2**31, ()).item()  # torch's seed repeats the draws
        return torch.tensor(flow.sample(tuple(sample_shape), seed, condition.numpy()))
