"""flowjax: as its documentation has it, and in a loop written for speed."""

from __future__ import annotations

import math
import time

from ...support.cases import BINS, SPLINES, TAIL
from .base import N_SAMPLES, Library

UPDATES = 50  # of an epoch in one call


class Flowjax(Library):
    """`masked_autoregressive_flow`, or `coupling_flow`; the step is flowjax's own, the one that its
    `fit_to_data` runs; density and sampling through `eqx.filter_jit`, as in its documentation."""

    packages = ("flowjax", "jax", "equinox")
    kinds = ("maf", "iaf", "nsf", "nsf_coupling")
    spline_outputs = 3 * BINS + 1  # the slopes at both ends too

    @classmethod
    def reads_and_maps(cls, dim, kind, layer):
        return (dim // 2, dim - dim // 2) if kind == "nsf_coupling" else (dim, dim)

    def build(self):
        import equinox as eqx
        import jax
        import optax
        import paramax
        from flowjax.bijections import RationalQuadraticSpline
        from flowjax.distributions import StandardNormal
        from flowjax.flows import coupling_flow, masked_autoregressive_flow

        jax.config.update("jax_enable_x64", self.dtype == "float64")
        self.jax, self.eqx = jax, eqx
        case = self.case
        self.key, key = jax.random.split(jax.random.key(self.seed or 0))
        make, options = masked_autoregressive_flow, {}
        if self.kind in SPLINES:  # what it calls knots are those between the bins
            spline = RationalQuadraticSpline(knots=BINS - 1, interval=TAIL)
            options = {"transformer": spline}
        if self.kind == "nsf_coupling":
            make = coupling_flow
        flow = make(
            key,
            base_dist=StandardNormal((case.dim,)),
            flow_layers=case.layers,
            nn_width=case.hidden[0],
            nn_depth=len(case.hidden),
            invert=self.kind != "iaf",
            **options,
        )
        self.params, self.static = eqx.partition(
            flow, eqx.is_inexact_array, is_leaf=lambda leaf: isinstance(leaf, paramax.NonTrainable)
        )
        self.adam = optax.adam(self.rate)

    def put(self, x):
        return self.jax.numpy.asarray(x, self.dtype)

    def start(self):
        from flowjax.train.losses import MaximumLikelihoodLoss
        from flowjax.train.train_utils import step

        self._flow, self.state = None, self.adam.init(self.params)
        self._loss, self._step = MaximumLikelihoodLoss(), step
        self._log_prob = self.eqx.filter_jit(lambda flow, x: flow.log_prob(x))
        self._sample = self.eqx.filter_jit(lambda flow, key: flow.sample(key, (N_SAMPLES,)))

    def step(self):
        self._flow = None
        self.params, self.state, loss = self._step(
            self.params, self.static, self.rows, optimizer=self.adam, opt_state=self.state,
            loss_fn=self._loss, key=self.key,
        )  # fmt: skip
        return loss

    @property
    def flow(self):
        """What is evaluated; put together once after a step, however often it is evaluated."""
        if self._flow is None:
            self._flow = self.assembled()
        return self._flow

    def assembled(self):
        return self.eqx.combine(self.params, self.static)

    def log_prob(self, x):
        return self._log_prob(self.flow, x).block_until_ready()

    def sample(self):
        return self._sample(self.flow, self.key).block_until_ready()

    @property
    def n_weights(self):
        return sum(leaf.size for leaf in self.jax.tree.leaves(self.params))


class FlowjaxByHand(Flowjax):
    """The same flow by hand. Training is Equinox's "low-overhead training loop": the pytree is
    flattened outside, so that `jax.jit` sees plain lists, and Adam's buffers are donated. For
    evaluation the masks are applied once (`paramax.unwrap`), and not in every call."""

    def start(self):
        import paramax

        jax, eqx, adam = self.jax, self.eqx, self.adam
        flatten, unflatten = jax.tree.flatten, jax.tree.unflatten
        self.params, tree = flatten(self.params)
        self.state, state_tree = flatten(adam.init(unflatten(tree, self.params)))

        def masked(params):
            return paramax.unwrap(eqx.combine(unflatten(tree, params), self.static))

        arrays, rest = eqx.partition(masked(self.params), eqx.is_array)
        masked_tree = jax.tree.structure(arrays)

        def flow(arrays):
            return eqx.combine(unflatten(masked_tree, arrays), rest)

        def step(params, state, x):
            def loss(params):
                return -eqx.combine(params, self.static).log_prob(x).mean()

            params = unflatten(tree, params)
            value, gradient = jax.value_and_grad(loss)(params)
            updates, state = adam.update(gradient, unflatten(state_tree, state), params)
            return flatten(eqx.apply_updates(params, updates))[0], flatten(state)[0], value

        self._flow, self._step = None, jax.jit(step, donate_argnums=(0, 1))
        self._mask = jax.jit(lambda params: flatten(eqx.filter(masked(params), eqx.is_array))[0])
        self._log_prob = jax.jit(lambda arrays, x: flow(arrays).log_prob(x))
        self._sample = jax.jit(lambda arrays, key: flow(arrays).sample(key, (N_SAMPLES,)))

    def step(self):
        self._flow = None
        self.params, self.state, loss = self._step(self.params, self.state, self.rows)
        return loss

    def assembled(self):
        return self._mask(self.params)


class FlowjaxScan(FlowjaxByHand):
    """The same training, an epoch in one call: `lax.scan` over its batches, `UPDATES` of them, all
    the same rows. Density and samples are those of `FlowjaxByHand`."""

    works = ("step",)

    def start(self):
        super().start()
        jax, step = self.jax, self._step

        def epoch(params, state, batches):
            def update(carry, x):
                params, state, loss = step(*carry, x)
                return (params, state), loss

            (params, state), losses = jax.lax.scan(update, (params, state), batches)
            return params, state, losses[-1]

        self._epoch, self._compiled = jax.jit(epoch, donate_argnums=(0, 1)), None
        self.batches = jax.numpy.stack([self.rows] * UPDATES)

    def epoch(self):
        self._flow = None
        self.params, self.state, loss = self._compiled(self.params, self.state, self.batches)
        return loss

    def timed(self, what, repeats):
        if what != "step":
            return super().timed(what, repeats)
        start = time.perf_counter()
        if self._compiled is None:
            lowered = self._epoch.lower(self.params, self.state, self.batches)
            self._compiled = lowered.compile()
        compiling = time.perf_counter() - start
        epochs = math.ceil(repeats / UPDATES)
        seconds, loss = super().timed("epoch", epochs)
        return compiling + seconds * repeats / (epochs * UPDATES), loss
