"""The PyTorch libraries: zuko, nflows, normflows."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

import numpy as np

from ...support.cases import BINS, SPLINES, TAIL
from .base import N_SAMPLES, Library


class Torch(Library):
    """What the PyTorch libraries share. PyTorch's notes call `fused=True` the fastest Adam, and
    `inference_mode` the cheapest way to leave gradients out; both were, in every case.
    """

    def build(self):
        import torch

        torch.set_default_dtype(getattr(torch, self.dtype))
        torch.distributions.Distribution.set_default_validate_args(False)  # documented: for speed
        torch.manual_seed(self.seed or 0)
        self.torch, self.model = torch, self.make_model()
        self.loss = lambda x: -self.model_log_prob(x).mean()

    @abstractmethod
    def make_model(self):
        """The library's module."""

    def model_log_prob(self, x):
        return self.model.log_prob(x)

    def model_sample(self):
        return self.model.sample(N_SAMPLES)

    def put(self, x):
        return self.torch.from_numpy(np.asarray(x, self.dtype))

    def start(self):
        optim = self.torch.optim
        self.optimizer = optim.Adam(self.model.parameters(), lr=self.rate, fused=True)

    def step(self):
        self.optimizer.zero_grad()
        loss = self.loss(self.rows)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    # There is neither dropout nor batch normalisation: training and evaluation mode are the same.

    def log_prob(self, x):
        with self.torch.inference_mode():
            return self.model_log_prob(x)

    def sample(self):
        with self.torch.inference_mode():
            return self.model_sample()

    @property
    def n_weights(self):
        return sum(p.numel() for p in self.model.parameters())


class Zuko(Torch):
    """`zuko.flows.MAF` and `NSF`, orders ascending and descending in turn (its default); couplings
    are the same with `passes=2`, as it documents them."""

    packages = ("zuko", "torch")
    kinds = ("maf", "iaf", "nsf", "nsf_coupling")

    @classmethod
    def reads_and_maps(cls, dim, kind, layer):
        return dim, dim  # its couplings are masks

    def make_model(self):
        import zuko

        case = self.case
        sizes = {"transforms": case.layers, "hidden_features": case.hidden}
        if self.kind in SPLINES:
            passes = {"passes": 2} if self.kind == "nsf_coupling" else {}
            return zuko.flows.NSF(case.dim, bins=BINS, **sizes, **passes)
        maf = zuko.flows.MAF(case.dim, **sizes)
        if self.kind == "maf":
            return maf
        inverted = [zuko.lazy.LazyInverse(t) for t in maf.transform.transforms]
        return zuko.flows.Flow(inverted, maf.base)

    def model_log_prob(self, x):
        return self.model().log_prob(x)

    def model_sample(self):
        return self.model().sample((N_SAMPLES,))


class ZukoCompiled(Zuko):
    """`torch.compile` of the loss with its gradient, of Adam (with its rate in a tensor, as
    PyTorch's recipe has it), and of the density. PyTorch cannot trace zuko's composition, so its
    transforms are called one by one. Sampling, D passes of every network, is left out: to unroll
    them takes minutes of compilation. It needs a C++ compiler; what it compiles is kept on the disk
    (TORCHINDUCTOR_CACHE_DIR), so that only a first run has its seconds of compilation."""

    kinds = ("maf", "nsf", "nsf_coupling")
    works = ("step", "density")

    def build(self):
        from torch._inductor.cpp_builder import get_cpp_compiler

        get_cpp_compiler()  # an error here leaves this contestant out
        super().build()
        self.torch.compiler.reset()  # a process may compile the same code a few times only

    def model_log_prob(self, x):
        log_det = 0.0
        for transform in self.model.transform.transforms:
            x, of_this = transform().call_and_ladj(x)
            log_det = log_det + of_this
        return self.model.base().log_prob(x) + log_det

    def start(self):
        log_prob, rate = self.model_log_prob, self.torch.tensor(self.rate)
        whole = partial(self.torch.compile, fullgraph=True, dynamic=False)
        self.optimizer = self.torch.optim.Adam(self.model.parameters(), lr=rate)
        self.optimizer.step = self.torch.compile(self.optimizer.step)
        self.loss = whole(lambda x: -log_prob(x).mean())
        self.model_log_prob = whole(log_prob)


class Nflows(Torch):
    """Its parts put together as its README does, permutations only where they do something.

    `num_blocks` counts the hidden layers after the first. Plain blocks: the default, residual ones,
    would be another network. So would be those of its spline couplings, which take no others.
    """

    packages = ("nflows", "torch")
    kinds = ("maf", "iaf", "nsf")

    def make_model(self):
        from nflows.distributions import StandardNormal
        from nflows.flows import Flow
        from nflows.transforms import CompositeTransform, InverseTransform, ReversePermutation

        case, parts = self.case, []
        for _ in range(case.layers):
            layer = self.make_layer()
            parts += [InverseTransform(layer) if self.kind == "iaf" else layer]
            parts += [ReversePermutation(case.dim)]
        return Flow(CompositeTransform(parts[:-1]), StandardNormal([case.dim]))

    def make_layer(self):
        from nflows import transforms

        case, network = self.case, {"use_residual_blocks": False}
        network["num_blocks"] = len(case.hidden) - 1
        if self.kind == "nsf":
            return transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
                case.dim, case.hidden[0], num_bins=BINS, tails="linear", tail_bound=TAIL, **network
            )
        return transforms.MaskedAffineAutoregressiveTransform(case.dim, case.hidden[0], **network)


class Normflows(Torch):
    """Its `MaskedAffineAutoregressive` is fast in the sampling direction: `Reverse` makes it a MAF.

    Its plain blocks leave out the activation after the first hidden layer: a little less work. With
    one hidden layer the network would be linear, so such cases are left out; so are splines, which
    it has with residual networks only.
    """

    packages = ("normflows", "torch")
    min_hidden_layers = 2

    def make_model(self):
        import normflows as nf

        case, parts = self.case, []
        for _ in range(case.layers):
            layer = nf.flows.MaskedAffineAutoregressive(
                case.dim, case.hidden[0], num_blocks=len(case.hidden) - 1, use_residual_blocks=False
            )
            parts += [nf.flows.base.Reverse(layer) if self.kind == "maf" else layer]
            parts += [nf.flows.Permute(case.dim)]
        base = nf.distributions.DiagGaussian(case.dim, trainable=False)
        return nf.NormalizingFlow(base, parts[:-1])

    def model_sample(self):
        return self.model.sample(N_SAMPLES)[0]
