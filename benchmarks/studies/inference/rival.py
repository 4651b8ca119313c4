"""One library and one target in a process of its own: draws of the fitted density, with log q.

    python -m benchmarks.studies.inference.rival LIBRARY TARGET SECONDS IN.npz OUT.npz

Training ends after SECONDS of the CPU, imports and compiling among them. flowcore and viabel ignore
them: they end by themselves. OUT.npz gets x (n, D) and log_q (n,). Targets are written with `anp`,
which is jax.numpy for a library on JAX, so that all have one target. Batches have 256 draws, as in
flowcore (viabel's 10 apart); sizes are each library's own defaults, learning rates those of its
examples. viabel's family is a Student t, of 100 degrees of freedom, with any covariance.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from . import exact, known

DRAWS, BATCH, AT_ONCE, RATE = 20_000, 256, 20, 0.01
END_BY_THEMSELVES = ("flowcore", "viabel")


def flowcore(log_p, dim, seconds):
    import flowcore as fc

    found = fc.infer(log_p, dim, draws=DRAWS)
    return found.rows, found.log_q


def numpyro(guide_name: str):
    def fitted(log_p, dim, seconds):
        import jax
        import numpyro as npr
        from numpyro import distributions, infer

        def model():
            prior = distributions.ImproperUniform(distributions.constraints.real_vector, (), (dim,))
            x = npr.sample("x", prior)
            npr.factor("log_p", log_p(x[None])[0])

        guide = getattr(infer.autoguide, guide_name)(model)
        loss = infer.Trace_ELBO(num_particles=BATCH)
        svi = infer.SVI(model, guide, npr.optim.Adam(RATE), loss)
        state = svi.init(jax.random.PRNGKey(0))
        many = jax.jit(
            lambda s: jax.lax.fori_loop(0, AT_ONCE, lambda _, own: svi.update(own)[0], s)
        )
        while time.process_time() < seconds:
            state = jax.block_until_ready(many(state))
        q = guide.get_posterior(svi.get_params(state))
        x, between = q.sample_with_intermediates(jax.random.PRNGKey(1), (DRAWS,))
        return x, q.log_prob(x, between)

    return fitted


def flowjax(log_p, dim, seconds):
    import equinox as eqx
    import jax
    import optax
    import paramax
    from flowjax import distributions, flows, train
    from flowjax.train.losses import ElboLoss

    key = jax.random.key(0)
    base = distributions.Normal(jax.numpy.zeros(dim))
    flow = flows.masked_autoregressive_flow(key, base_dist=base, invert=False)
    params, static = eqx.partition(
        flow, eqx.is_inexact_array, is_leaf=lambda leaf: isinstance(leaf, paramax.NonTrainable)
    )
    optimizer = optax.adam(RATE)
    state = optimizer.init(params)
    loss = ElboLoss(lambda x: log_p(x[None])[0], BATCH, stick_the_landing=False)
    while time.process_time() < seconds:
        for own in jax.random.split(key, AT_ONCE + 1):
            key = own  # the last goes on
            params, state, _ = train.step(
                params, static, key=own, optimizer=optimizer, opt_state=state, loss_fn=loss
            )
    flow = paramax.unwrap(eqx.combine(params, static))
    return flow.sample_and_log_prob(jax.random.key(1), (DRAWS,))


def viabel(log_p, dim, seconds):
    from types import ModuleType

    import autograd.numpy as anp

    sys.modules.setdefault("pystan", ModuleType("pystan"))  # it imports that, for Stan's models
    anp.product = anp.prod  # NumPy 2 has it no more
    from viabel import MultivariateT, bbvi

    approx = MultivariateT(dim, 100)
    param = bbvi(dim, log_density=log_p, approx=approx)["opt_param"]
    x = approx.sample(param, DRAWS)
    return x, approx.log_density(param, x)


LIBRARIES = {
    "flowcore": flowcore,
    "numpyro IAF": numpyro("AutoIAFNormal"),
    "numpyro BNAF": numpyro("AutoBNAFNormal"),
    "flowjax": flowjax,
    "viabel": viabel,
}


def main(library: str, target: str, seconds: str, _: str, file: str) -> None:
    if library not in ("flowcore", "viabel"):
        import jax.numpy

        exact.anp = known.anp = jax.numpy
    log_p, dim, _ = known.shared()[target]
    x, log_q = LIBRARIES[library](log_p, dim, float(seconds))
    np.savez(file, x=np.asarray(x, float), log_q=np.asarray(log_q, float))


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):  # one core, so that threads do not count twice
        os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
    main(*sys.argv[1:])
