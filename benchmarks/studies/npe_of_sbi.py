"""The NPE of the package sbi, in the interpreter of an environment that has it.

    python npe_of_sbi.py IN OUT      pairs in, draws and NLL out: see `simulation_based.by_sbi`

zuko's autoregressive spline flow of the size that is asked for; its settings are sbi's own.
"""

import os
import sys

import numpy as np
import torch
from sbi.inference import NPE
from sbi.neural_nets import posterior_nn
from sbi.utils import BoxUniform

given = dict(np.load(sys.argv[1]))
os.chdir(os.path.dirname(sys.argv[1]))  # for its logs
torch.manual_seed(0)
torch.set_num_threads(1)
as_tensor = {key: torch.as_tensor(value, dtype=torch.float32) for key, value in given.items()}
layers, hidden, bins = map(int, given["size"])
bound, dim = float(given["bound"]), given["theta"].shape[1]
prior = BoxUniform(-bound * torch.ones(dim), bound * torch.ones(dim))
maker = posterior_nn("zuko_nsf", num_transforms=layers, hidden_features=hidden, num_bins=bins)
inference = NPE(prior, density_estimator=maker)
estimator = inference.append_simulations(as_tensor["theta"], as_tensor["x"]).train()
posterior = inference.build_posterior(estimator)
with torch.no_grad():
    loss = estimator.loss(as_tensor["fresh_theta"], condition=as_tensor["fresh_x"])
    draws = [posterior.sample((int(given["n"]),), x=x, show_progress_bars=False).numpy()
             for x in as_tensor["seen"]]  # fmt: skip
np.savez(sys.argv[2], draws=np.stack(draws), nll=float(loss.mean()))
