"""The engine, through its public names only, against values of TensorFlow Probability.

The log-scale is unbounded here, as TFP's is. See data/README.md for the origin of the values.
"""

import warnings

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from support.golden import CONFIG, DATA, GOLDEN, MADES, NVPS, close, weights_of

import flowcore as fc
from flowcore.transformers.splines import TEMPERATURE

GOLDEN = {**GOLDEN, **np.load(DATA / "golden_maps.npz"), **np.load(DATA / "golden_splines.npz")}
CONDITIONAL = {"cmade_all": "all", "cmade_first": "first"}
AFFINE = fc.Affine(log_scale_bound=None)


def golden_weights(name):
    """[(W, b), ...] or [(W, b, C), ...] of a case, C None where the layer reads no context."""
    weights = weights_of(name)
    if f"{name}/C0" in GOLDEN:
        weights = [(*wb, GOLDEN.get(f"{name}/C{i}")) for i, wb in enumerate(weights)]
    return weights


def made_of(name, **options):
    """The MADE of a golden case, with TFP's weights.

    TFP's degrees start at 1 with a context too, flowcore's at 0: pass TFP's, and be warned.
    """
    config = CONFIG[name.split("/")[0]]
    if name in CONDITIONAL:
        options = {"context_dim": 2, "context_layers": CONDITIONAL[name]}
        options["degrees"] = [[1, 1, 1, 1, 2, 2, 2, 2]] * 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*minimum width", UserWarning)
        made = fc.MADE(
            config["D"],
            config["hidden"],
            n_out=config.get("params", 2),
            activation=config["activation"],
            order=config.get("input_order", "left-to-right"),
            **options,
        )
    return made.with_weights(golden_weights(name))


def density(bijector, base=None):
    return fc.TransformedDistribution(base or fc.Normal(bijector.dim), bijector)


# ---------------------------------------------------------------- degrees, masks, networks


@pytest.mark.parametrize("case", range(12))
def test_degrees_and_masks(case):
    """Cases 6 and 8 lose dependencies: the product of their masks misses allowed edges."""
    config, name = CONFIG["degree_cases"][case], f"degrees/case{case}"
    layers = range(len(config["hidden"]) + 1)
    golden = [GOLDEN[f"{name}/deg{i}"] for i in layers]
    masks = [GOLDEN[f"{name}/mask{i}"] for i in layers]
    order, degrees = config["input_order"], "equal"
    if config["hidden_degrees"] == "random":
        order, degrees = golden[0], golden[1:]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = fc.MADE(config["D"], config["hidden"], order=order, degrees=degrees)
    for mine, theirs in zip([*made.degrees, *made.masks], [*golden, *masks], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    paths = np.linalg.multi_dot([np.eye(config["D"]), *(mask.astype(float) for mask in masks)])
    allowed = golden[0][:, None] < np.repeat(golden[0], 2)
    assert np.array_equal(paths > 0, allowed) == (case not in (6, 8))
    assert [f"minimum width is {config['D'] - 1}" in str(w.message) for w in caught] == (
        [True] if case in (6, 8) else []
    )


@pytest.mark.parametrize("name", [*MADES, "made_p3", *CONDITIONAL])
def test_made(name):
    made, x, out = made_of(name), GOLDEN[f"{name}/net_x"], GOLDEN[f"{name}/net_out"]
    c = GOLDEN.get(f"{name}/net_c")
    close(made(x, context=c), out)
    close(made(x[0], context=None if c is None else c[0]), out[0])
    for mine, theirs in zip(made.weights(), golden_weights(name), strict=True):
        np.testing.assert_array_equal(mine[0], theirs[0])


# ---------------------------------------------------------------- bijectors


class ClippedAffine(fc.Transformer):
    """x = mu + exp(alpha) z, alpha clipped to [-5, 3]: TFP's template, as a user would write it."""

    n_out = 2

    def forward_and_log_det(self, z, phi):
        alpha = anp.clip(phi[..., 1], -5.0, 3.0)
        return phi[..., 0] + anp.exp(alpha) * z, alpha

    def inverse_and_log_det(self, x, phi):
        alpha = anp.clip(phi[..., 1], -5.0, 3.0)
        return (x - phi[..., 0]) * anp.exp(-alpha), -alpha


def template(method="by_degree", push=0.0):
    """TFP's block masks are degrees 0, 0, 1, 1, ..., 4, 4; `push` moves the log-scales."""
    made = made_of("template_made", degrees=[np.repeat(range(5), 2)] * 2)
    *body, (W, b, _) = made.weights()
    made = made.with_weights([*body, (W, b + push * np.tile([0.0, 1.0], 5))])
    return fc.MaskedAutoregressiveFlow(made, ClippedAffine(), method)


def maf(name, method="by_degree", transformer=AFFINE):
    return fc.MaskedAutoregressiveFlow(made_of(name), transformer, method)


def coupling(name):
    """TFP's template answers [shift, log_scale] in halves; flowcore in columns d*n_out + j."""
    config = CONFIG[name]
    options = {k: config[k] for k in ("hidden", "activation")}
    options |= {k: config[k] for k in ("num_masked", "fraction_masked") if k in config}
    *body, (W, b) = golden_weights(name)
    columns = np.arange(len(b)).reshape(2, -1).T.ravel()
    return fc.RealNVP(config["D"], transformer=AFFINE, **options).with_weights(
        [*body, (W[:, columns], b[columns])]
    )


def nice():
    config = CONFIG["nice_num1"]
    made = fc.NICE(3, num_masked=1, hidden=config["hidden"], activation=config["activation"])
    return made.with_weights(golden_weights("nice_num1"))


def chain3(method="by_degree", nested=False):
    first, second, third = (maf(f"chain3/made{k}", method) for k in range(3))
    permute = fc.Permute(GOLDEN["chain3/permutation"])
    middle = [permute, second, permute]
    return fc.Chain([third, *([fc.Chain(middle)] if nested else middle), first])


def spline():
    """TFP's knots need not end at +-tail in x and y alike; in the golden case they do."""
    g = {name: GOLDEN[f"rqs/{name}"] for name in ("bin_widths", "bin_heights", "knot_slopes")}
    tail, least = -float(GOLDEN["rqs/range_min"]), 1e-6
    raws = [TEMPERATURE * np.log((g[name] / 6 - least) / (1 - 6 * least)) for name in list(g)[:2]]
    slopes = np.log(np.expm1(g["knot_slopes"] - least)) - np.log(np.expm1(1 - least))
    phi = np.concatenate([*raws, slopes], axis=-1)
    dim = GOLDEN["rqs/x"].shape[-1]
    made = fc.Elementwise(dim, fc.RationalQuadratic(6, tail, least, least, least))
    return made.with_params(np.broadcast_to(phi, (dim, 17)).ravel())


BOTH = {  # golden name -> a bijector with a MADE, run by both methods
    **{f"{n}/{k}": lambda m, n=n: maf(n, m) for n in MADES for k in ("maf", "maf_batch")},
    **{f"{n}/iaf": lambda m, n=n: fc.Invert(maf(n, m)) for n in MADES},
    **{f"{n}/maf": lambda m, n=n: maf(n, m) for n in CONDITIONAL},
    "made_shift/maf": lambda m: maf("made_shift", m, fc.Shift()),
    "template_made/maf": template,
    "chain3": chain3,
}
OTHERS = {
    **{name: lambda name=name: coupling(name) for name in NVPS},
    "nice_num1": nice,
    "chain3": lambda: chain3(nested=True),
    "permute": lambda: fc.Permute([1, 2, 0]),
    "elem/scale": lambda: fc.ElementwiseAffine(0.0, [2.0, -0.5, 3.0]),
    "elem/scale_log": lambda: fc.Elementwise(3, fc.Scale()).with_params([0.3, -1.0, 0.0]),
    "elem/shift": lambda: fc.ElementwiseAffine([1.0, -2.0, 0.5]),
    "elem/softplus": lambda: fc.Softplus(3),
    "elem/softplus_h": lambda: fc.Softplus(3, hinge_softness=0.3, low=1),
    "elem/exp": lambda: fc.Exp(3),
    "elem/tanh": lambda: fc.Tanh(3),
    "elem/sigmoid": lambda: fc.Sigmoid(3),
    "elem/sigmoid_lh": lambda: fc.Invert(fc.Logit(3, low=-2, high=5)),
    "elem/sinharcsinh": lambda: fc.SinhArcsinh(3, skewness=0.4, tailweight=1.3),
    "blockwise": lambda: fc.Blockwise([fc.Exp(2), fc.Sigmoid(1)], sizes=[2, 1]),
    "lu": lambda: fc.LULinear.from_lu(
        GOLDEN["lu/lower_upper"], np.argsort(GOLDEN["lu/permutation"])
    ),
    "rqs": spline,
}
EVERY = [(name, lambda make=make, m=method: make(m)) for name, make in BOTH.items()
         for method in ("by_degree", "sequential")] + list(OTHERS.items())  # fmt: skip


@pytest.mark.parametrize("name, make", EVERY, ids=lambda v: v if type(v) is str else "")
def test_values_and_log_dets_of_both_directions(name, make):
    """Golden x -> forward, fldj and y -> inverse, ildj; the derived methods agree; log_prob."""
    bijector, own = make(), {"context": GOLDEN.get(f"{name}/c")}
    for way, arg, which in (("forward", "x", "fldj"), ("inverse", "y", "ildj")):
        x = GOLDEN[f"{name}/{arg}"]
        value, log_det = getattr(bijector, f"{way}_and_log_det")(x, **own)
        close(value, GOLDEN[f"{name}/{way}"])
        close(log_det, GOLDEN[f"{name}/{which}"])
        close(getattr(bijector, way)(x, **own), value)
        close(getattr(bijector, f"{way}_log_det")(x, **own), log_det)
    case, _, part = name.partition("/")
    expected = GOLDEN.get(f"{case}/{part}_log_prob" if part else f"{case}/log_prob")
    if expected is not None:
        y = GOLDEN[f"{case}/td_y"]
        for base in (None, fc.MultivariateNormalDiag(np.zeros(bijector.dim))):
            close(density(bijector, base).log_prob(y, **own), expected)
        close(density(bijector).prob(y, **own), np.exp(expected))


@pytest.mark.parametrize("name", MADES)
def test_jacobian(name):
    """By differentiation; the forward Jacobian is the inverse matrix."""
    b, y, J = maf(name), GOLDEN[f"{name}/td_y"][0], GOLDEN[f"{name}/maf_inverse_jacobian"]
    close(autograd.jacobian(b.inverse)(y), J)
    close(autograd.jacobian(b.forward)(b.inverse(y)) @ J, np.eye(b.dim))


def test_template_made_with_a_transformer_of_the_users_own():
    """The golden log-scales lie within the clip: push them out of it on either side."""
    made = template().made
    for i, mask in enumerate(made.masks):
        np.testing.assert_array_equal(mask, GOLDEN[f"template_made/mask{i}"])
    phi = made(GOLDEN["template_made/net_x"])
    close(phi[..., 0], GOLDEN["template_made/shift"])
    close(phi[..., 1], GOLDEN["template_made/log_scale"])
    for push, alpha in ((100.0, 3.0), (-100.0, -5.0)):
        log_det = template(push=push).forward_log_det(GOLDEN["template_made/maf/x"])
        close(log_det, np.full(5, 5 * alpha))


def test_bases():
    x, loc, scale = GOLDEN["dist/x"], np.array([0.0, 1.0, -1.0]), np.array([1.0, 2.0, 0.5])
    log_prob = fc.MultivariateNormalDiag(loc, scale).log_prob(x)
    close(log_prob, GOLDEN["dist/mvndiag_log_prob"])
    log_prob = fc.Normal(3).log_prob((x - loc) / scale) - np.sum(np.log(scale))
    close(log_prob, np.sum(GOLDEN["dist/normal_log_prob"], axis=-1))


def test_stages():
    flow, z = density(chain3()), GOLDEN["chain3/stages/0"]
    stages = flow.stages(z)
    assert len(stages) == 6
    for i, (_, value) in enumerate(stages):
        close(value, GOLDEN[f"chain3/stages/{i}"])
    close(flow.from_latent(z), GOLDEN["chain3/stages/5"])
    close(flow.to_latent(GOLDEN["chain3/stages/5"]), z)
