"""The engine, through its public names only, against values of TensorFlow Probability.

The log-scale is unbounded here, as TFP's is. See data/README.md for the origin of the values.
"""

import warnings

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from stub_golden import CONFIG, GOLDEN, MADES, NVPS, close, weights_of

import flowcore as fc
from flowcore.spec.reference import numerical_jacobian

CONDITIONAL = {"cmade_all": "all", "cmade_first": "first"}
METHODS = ["by_degree", "sequential"]
AFFINE = fc.Affine(log_scale_bound=None)


def golden_weights(name):
    """[(W, b), ...] or [(W, b, C), ...] of a case, C None where the layer reads no context."""
    weights = weights_of(name)
    if f"{name}/C0" in GOLDEN:
        weights = [(*wb, GOLDEN.get(f"{name}/C{i}")) for i, wb in enumerate(weights)]
    return weights


def made_of(name, **options):
    """The MADE of a golden case, with TFP's weights."""
    config = CONFIG[name.split("/")[0]]
    made = fc.MADE(
        config["D"],
        config["hidden"],
        n_out=config.get("params", 2),
        activation=config["activation"],
        order=config.get("input_order", "left-to-right"),
        **options,
    )
    return made.with_weights(golden_weights(name))


def conditional_made(name):
    """TFP's degrees start at 1 with a context too, flowcore's at 0: pass TFP's, and be warned."""
    options = {"context_dim": 2, "context_layers": CONDITIONAL[name]}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*minimum width", UserWarning)
        return made_of(name, degrees=[[1, 1, 1, 1, 2, 2, 2, 2]] * 2, **options)


def check_both_ways(bijector, name, tol=1e-10, sequential_tol=1e-10, **options):
    """Golden x -> forward, fldj and y -> inverse, ildj; the derived methods say the same."""
    x, y = GOLDEN[f"{name}/x"], GOLDEN[f"{name}/y"]
    value, log_det = bijector.forward_and_log_det(x, **options)
    close(value, GOLDEN[f"{name}/forward"], sequential_tol)
    close(log_det, GOLDEN[f"{name}/fldj"], sequential_tol)
    close(bijector.forward(x, **options), value)
    close(bijector.forward_log_det(x, **options), log_det)
    value, log_det = bijector.inverse_and_log_det(y, **options)
    close(value, GOLDEN[f"{name}/inverse"], tol)
    close(log_det, GOLDEN[f"{name}/ildj"], tol)
    close(bijector.inverse(y, **options), value)
    close(bijector.inverse_log_det(y, **options), log_det)


def density(bijector, base=None):
    return fc.TransformedDistribution(base or fc.Normal(bijector.dim), bijector)


# ---------------------------------------------------------------- degrees, masks, weights


def degree_case(case):
    config = CONFIG["degree_cases"][case]
    golden = [GOLDEN[f"degrees/case{case}/deg{i}"] for i in range(len(config["hidden"]) + 1)]
    order, degrees = config["input_order"], "equal"
    if config["hidden_degrees"] == "random":
        order, degrees = golden[0], golden[1:]
    return (config["D"], config["hidden"]), {"order": order, "degrees": degrees}, golden


@pytest.mark.filterwarnings("ignore:.*minimum width:UserWarning")
@pytest.mark.parametrize("case", range(12))
def test_degrees_and_masks(case):
    args, options, golden = degree_case(case)
    made = fc.MADE(*args, **options)
    for mine, theirs in zip(made.degrees, golden, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for i, mask in enumerate(made.masks):
        np.testing.assert_array_equal(mask, GOLDEN[f"degrees/case{case}/mask{i}"])
    assert len(made.masks) == len(golden)


@pytest.mark.parametrize("case", range(12))
def test_only_a_narrow_made_warns(case):
    """Cases 6 and 8 lose dependencies: the product of their masks misses allowed edges."""
    args, options, golden = degree_case(case)
    masks = [GOLDEN[f"degrees/case{case}/mask{i}"].astype(float) for i in range(len(golden))]
    seen = np.linalg.multi_dot(masks) > 0 if len(masks) > 1 else masks[0] > 0
    allowed = golden[0][:, None] < np.repeat(golden[0], 2)
    assert np.array_equal(seen, allowed) == (case not in (6, 8))
    if case in (6, 8):
        with pytest.warns(UserWarning, match=f"minimum width is {args[0] - 1}"):
            fc.MADE(*args, **options)
    else:
        fc.MADE(*args, **options)  # a warning would be an error


@pytest.mark.parametrize("name", [*MADES, "made_p3", "made_shift"])
def test_weights_go_in_and_come_out(name):
    made = made_of(name)
    for mine, (W, b) in zip(made.weights(), golden_weights(name), strict=True):
        np.testing.assert_array_equal(mine[0], W)
        np.testing.assert_array_equal(mine[1], b)
        assert mine[2] is None
    again = made.with_weights(made.weights())
    np.testing.assert_array_equal(again.params, made.params)


@pytest.mark.parametrize("name", CONDITIONAL)
def test_context_weights_go_in_and_come_out(name):
    made = conditional_made(name)
    for mine, theirs in zip(made.weights(), golden_weights(name), strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert (a is None) == (b is None)
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(made.with_weights(made.weights()).params, made.params)


@pytest.mark.parametrize("name", ["made_arr", "made_l2r"])
def test_masked_weights_do_not_exist(name):
    """They are not among the parameters, and cannot be smuggled in."""
    made = made_of(name)
    free = sum(mask.sum() + mask.shape[1] for mask in made.masks)
    assert made.params.shape == (free,)
    (W, b), *rest = golden_weights(name)
    with pytest.raises(ValueError, match="mask"):
        made.with_weights([(W + 7.0 * ~made.masks[0], b), *rest])


# ---------------------------------------------------------------- MADE


@pytest.mark.parametrize("name", [*MADES, "made_p3"])
def test_made(name):
    made, x, out = made_of(name), GOLDEN[f"{name}/net_x"], GOLDEN[f"{name}/net_out"]
    close(made(x), out)
    close(made(x[0]), out[0])
    close(made(x.reshape(2, 3, -1)), out.reshape(2, 3, *out.shape[1:]))


@pytest.mark.parametrize("name", CONDITIONAL)
def test_made_with_context(name):
    made, x, c = conditional_made(name), GOLDEN[f"{name}/net_x"], GOLDEN[f"{name}/net_c"]
    out = GOLDEN[f"{name}/net_out"]
    close(made(x, context=c), out)
    close(made(x[0], context=c[0]), out[0])


# ---------------------------------------------------------------- MAF and IAF


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("part", ["maf", "maf_batch"])
@pytest.mark.parametrize("name", MADES)
def test_maf(name, part, method):
    maf = fc.MaskedAutoregressiveFlow(made_of(name), AFFINE, method=method)
    check_both_ways(maf, f"{name}/{part}")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MADES)
def test_iaf(name, method):
    maf = fc.MaskedAutoregressiveFlow(made_of(name), AFFINE, method=method)
    check_both_ways(fc.Invert(maf), f"{name}/iaf")
    check_both_ways(fc.Invert(fc.Invert(maf)), f"{name}/maf")


@pytest.mark.parametrize("name", MADES)
def test_log_prob(name):
    maf, y = fc.MaskedAutoregressiveFlow(made_of(name), AFFINE), GOLDEN[f"{name}/td_y"]
    for base in (fc.Normal(maf.dim), fc.MultivariateNormalDiag(np.zeros(maf.dim))):
        close(density(maf, base).log_prob(y), GOLDEN[f"{name}/maf_log_prob"])
        close(density(fc.Invert(maf), base).log_prob(y), GOLDEN[f"{name}/iaf_log_prob"])
    close(density(maf).prob(y), np.exp(GOLDEN[f"{name}/maf_log_prob"]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MADES)
def test_jacobian(name, method):
    """By differentiation and by brute force; the forward Jacobian is the inverse matrix."""
    maf = fc.MaskedAutoregressiveFlow(made_of(name), AFFINE, method=method)
    y, J = GOLDEN[f"{name}/td_y"][0], GOLDEN[f"{name}/maf_inverse_jacobian"]
    close(autograd.jacobian(maf.inverse)(y), J)
    np.testing.assert_allclose(numerical_jacobian(maf.inverse, y), J, atol=1e-8)
    close(autograd.jacobian(maf.forward)(maf.inverse(y)) @ J, np.eye(maf.dim))


@pytest.mark.parametrize("method", METHODS)
def test_shift_only(method):
    maf = fc.MaskedAutoregressiveFlow(made_of("made_shift"), fc.Shift(), method=method)
    check_both_ways(maf, "made_shift/maf")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CONDITIONAL)
def test_conditional_maf(name, method):
    maf = fc.MaskedAutoregressiveFlow(conditional_made(name), AFFINE, method=method)
    c = GOLDEN[f"{name}/maf/c"]
    check_both_ways(maf, f"{name}/maf", context=c)
    log_prob = density(maf).log_prob(GOLDEN[f"{name}/td_y"], context=c)
    close(log_prob, GOLDEN[f"{name}/maf_log_prob"])


class ClippedAffine(fc.Transformer):
    """x = mu + exp(alpha) z, alpha clipped to [-5, 3]: TFP's template, as a user would write it."""

    n_out = 2

    def forward_and_log_det(self, z, phi):
        alpha = anp.clip(phi[..., 1], -5.0, 3.0)
        return phi[..., 0] + anp.exp(alpha) * z, alpha

    def inverse_and_log_det(self, x, phi):
        alpha = anp.clip(phi[..., 1], -5.0, 3.0)
        return (x - phi[..., 0]) * anp.exp(-alpha), -alpha


@pytest.mark.parametrize("method", METHODS)
def test_template_made_with_a_transformer_of_the_users_own(method):
    """TFP's block masks are degrees 0, 0, 1, 1, ..., 4, 4."""
    made = made_of("template_made", degrees=[np.repeat(range(5), 2)] * 2)
    for i, mask in enumerate(made.masks):
        np.testing.assert_array_equal(mask, GOLDEN[f"template_made/mask{i}"])
    phi = made(GOLDEN["template_made/net_x"])
    close(phi[..., 0], GOLDEN["template_made/shift"])
    close(phi[..., 1], GOLDEN["template_made/log_scale"])
    maf = fc.MaskedAutoregressiveFlow(made, ClippedAffine(), method=method)
    check_both_ways(maf, "template_made/maf")

    # the golden log-scales lie within the clip: push them out of it on either side
    *body, (W, b, _) = made.weights()
    for push, alpha in ((100.0, 3.0), (-100.0, -5.0)):
        pushed = made.with_weights([*body, (W, b + push * np.tile([0.0, 1.0], 5))])
        maf = fc.MaskedAutoregressiveFlow(pushed, ClippedAffine(), method=method)
        close(maf.forward_log_det(GOLDEN["template_made/maf/x"]), np.full(5, 5 * alpha))


# ---------------------------------------------------------------- RealNVP and NICE


def interleaved(weights):
    """TFP's template answers [shift, log_scale] in halves; flowcore in columns d*n_out + j."""
    *body, (W, b) = weights
    u = len(b) // 2
    columns = np.arange(2 * u).reshape(2, u).T.ravel()
    return [*body, (W[:, columns], b[columns])]


def check_coupling(coupling, name, weights):
    coupling = coupling.with_weights(weights)
    for mine, (W, b) in zip(coupling.weights(), weights, strict=True):
        np.testing.assert_array_equal(mine[0], W)
        np.testing.assert_array_equal(mine[1], b)
    check_both_ways(coupling, name)
    close(density(coupling).log_prob(GOLDEN[f"{name}/td_y"]), GOLDEN[f"{name}/log_prob"])
    J = autograd.jacobian(coupling.forward)(GOLDEN[f"{name}/x"][0])
    close(np.linalg.slogdet(J)[1], np.ravel(GOLDEN[f"{name}/fldj"])[0])


@pytest.mark.parametrize("name", NVPS)
def test_realnvp(name):
    config = CONFIG[name]
    options = {"hidden": config["hidden"], "activation": config["activation"]}
    masked = {k: config[k] for k in ("num_masked", "fraction_masked") if k in config}
    weights = interleaved(golden_weights(name))
    coupling = fc.RealNVP(config["D"], **masked, transformer=AFFINE, **options)
    check_coupling(coupling, name, weights)
    masked_size = int(GOLDEN[f"{name}/masked_size"])
    coupling = fc.Coupling(config["D"], num_masked=masked_size, transformer=AFFINE, **options)
    check_coupling(coupling, name, weights)


def test_nice():
    config = CONFIG["nice_num1"]
    options = {"hidden": config["hidden"], "activation": config["activation"]}
    check_coupling(fc.NICE(3, num_masked=1, **options), "nice_num1", golden_weights("nice_num1"))


# ---------------------------------------------------------------- bases, Permute, a whole flow


def test_bases():
    x, loc, scale = GOLDEN["dist/x"], np.array([0.0, 1.0, -1.0]), np.array([1.0, 2.0, 0.5])
    log_prob = fc.MultivariateNormalDiag(loc, scale).log_prob(x)
    close(log_prob, GOLDEN["dist/mvndiag_log_prob"])
    log_prob = fc.Normal(3).log_prob((x - loc) / scale) - np.sum(np.log(scale))
    close(log_prob, np.sum(GOLDEN["dist/normal_log_prob"], axis=-1))


def test_permute():
    check_both_ways(fc.Permute([1, 2, 0]), "permute")


def chain3_parts(method="by_degree"):
    mafs = [
        fc.MaskedAutoregressiveFlow(made_of(f"chain3/made{k}"), AFFINE, method=method)
        for k in range(3)
    ]
    return mafs, fc.Permute(GOLDEN["chain3/permutation"])


@pytest.mark.parametrize("method", METHODS)
def test_chain(method):
    (maf0, maf1, maf2), permute = chain3_parts(method)
    chain = fc.Chain([maf2, permute, maf1, permute, maf0])
    check_both_ways(chain, "chain3")
    check_both_ways(fc.Chain([maf2, fc.Chain([permute, maf1, permute]), maf0]), "chain3")
    close(density(chain).log_prob(GOLDEN["chain3/td_y"]), GOLDEN["chain3/log_prob"])
    close(density(chain).prob(GOLDEN["chain3/td_y"]), GOLDEN["chain3/prob"])


def test_stages():
    (maf0, maf1, maf2), permute = chain3_parts()
    flow = density(fc.Chain([maf2, permute, maf1, permute, maf0]))
    z = GOLDEN["chain3/stages/0"]
    stages = flow.stages(z)
    assert len(stages) == 6
    for i, (name, value) in enumerate(stages):
        assert isinstance(name, str)
        close(value, GOLDEN[f"chain3/stages/{i}"])
    close(flow.from_latent(z), GOLDEN["chain3/stages/5"])
    close(flow.to_latent(GOLDEN["chain3/stages/5"]), z)
