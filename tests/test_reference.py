"""The printed formulas of flowcore.reference against values of TensorFlow Probability.

No engine here: what these tests establish, the engine's tests may lean on.
"""

import numpy as np
import pytest
from stub_golden import CONFIG, GOLDEN, MADES, NVPS, close, weights_of

from flowcore import reference as ref


def degrees_of(name):
    order = GOLDEN[f"{name}/input_order"]
    return ref.made_degrees(len(order), CONFIG[name.split("/")[0]]["hidden"], order)


def rows(f, x, *args):
    """The one-vector map f(x_n, *args) on every row: values and log-dets with x's leading axes."""
    value, log_det = zip(*(f(row, *args) for row in x.reshape(-1, x.shape[-1])), strict=True)
    return np.reshape(value, x.shape), np.reshape(log_det, x.shape[:-1])


def affine_halves(name):
    """TFP's template answers [shift, log_scale] in halves: two networks that share all below."""
    *body, (W, b) = weights_of(name)
    u = len(b) // 2
    s, t = [*body, (W[:, u:], b[u:])], [*body, (W[:, :u], b[:u])]
    return s, t, int(GOLDEN[f"{name}/masked_size"]), CONFIG[name]["activation"]


def check_both_ways(forward, inverse, name, args, tol=1e-10):
    """Golden x -> forward, fldj and y -> inverse, ildj."""
    x, log_det = rows(forward, GOLDEN[f"{name}/x"], *args)
    close(x, GOLDEN[f"{name}/forward"], tol)
    close(log_det, GOLDEN[f"{name}/fldj"], tol)
    z, log_det = rows(inverse, GOLDEN[f"{name}/y"], *args)
    close(z, GOLDEN[f"{name}/inverse"], tol)
    close(log_det, GOLDEN[f"{name}/ildj"], tol)


# ---------------------------------------------------------------- MADE


@pytest.mark.parametrize("case", range(12))
def test_degrees_and_masks(case):
    config, name = CONFIG["degree_cases"][case], f"degrees/case{case}"
    layers = len(config["hidden"]) + 1
    golden = [GOLDEN[f"{name}/deg{i}"] for i in range(layers)]
    if config["hidden_degrees"] == "equal":
        degrees = ref.made_degrees(config["D"], config["hidden"], golden[0])
        for mine, theirs in zip(degrees, golden, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    masks = ref.made_masks(golden, n_out=2)
    for i, mask in enumerate(masks):
        np.testing.assert_array_equal(mask, GOLDEN[f"{name}/mask{i}"])
    assert len(masks) == layers


@pytest.mark.parametrize("name", [*MADES, "made_p3"])
def test_made_network(name):
    config = CONFIG[name]
    args = weights_of(name), degrees_of(name), config["params"], config["activation"]
    close([ref.made(x, *args) for x in GOLDEN[f"{name}/net_x"]], GOLDEN[f"{name}/net_out"])


def test_made_applies_its_masks():
    """Golden kernels are stored masked: spoil the forbidden entries and nothing may change."""
    degrees, x = degrees_of("made_arr"), GOLDEN["made_arr/net_x"][0]
    masks = ref.made_masks(degrees, 2)
    spoilt = [(W + 7.0 * ~M, b) for (W, b), M in zip(weights_of("made_arr"), masks, strict=True)]
    close(ref.made(x, spoilt, degrees, 2, "sigmoid"), GOLDEN["made_arr/net_out"][0])


@pytest.mark.parametrize("name", ["cmade_all", "cmade_first"])
def test_context_is_a_change_of_the_biases(name):
    degrees, layers = degrees_of(name), weights_of(name)
    for x, c, out in zip(*(GOLDEN[f"{name}/net_{k}"] for k in ("x", "c", "out")), strict=True):
        given = [
            (W, b + c @ GOLDEN.get(f"{name}/C{i}", np.zeros((2, len(b)))))
            for i, (W, b) in enumerate(layers)
        ]
        close(ref.made(x, given, degrees, 2, "tanh"), out)


# ---------------------------------------------------------------- MAF and IAF


@pytest.mark.parametrize("part", ["maf", "maf_batch"])
@pytest.mark.parametrize("name", MADES)
def test_maf(name, part):
    args = weights_of(name), degrees_of(name), CONFIG[name]["activation"]
    check_both_ways(ref.maf_forward, ref.maf_inverse, f"{name}/{part}", args)


@pytest.mark.parametrize("name", MADES)
def test_maf_density_is_the_product_of_its_conditionals(name):
    """MAF, eq. 2: sum_i log N(x_i; mu_i, exp(alpha_i)^2), without any change of variables."""
    args = weights_of(name), degrees_of(name), 2, CONFIG[name]["activation"]
    for y, expected in zip(GOLDEN[f"{name}/td_y"], GOLDEN[f"{name}/maf_log_prob"], strict=True):
        mu, alpha = ref.made(y, *args).T
        terms = -0.5 * ((y - mu) / np.exp(alpha)) ** 2 - alpha - 0.5 * np.log(2 * np.pi)
        close(np.sum(terms), expected)


@pytest.mark.parametrize("name", MADES)
def test_jacobian_and_change_of_variables(name):
    """The brute-force Jacobian is TFP's, and alone suffices for the density."""
    args = weights_of(name), degrees_of(name), CONFIG[name]["activation"]
    y = GOLDEN[f"{name}/td_y"][0]
    J = ref.numerical_jacobian(lambda x: ref.maf_inverse(x, *args)[0], y)
    np.testing.assert_allclose(J, GOLDEN[f"{name}/maf_inverse_jacobian"], atol=1e-8)
    z = ref.maf_inverse(y, *args)[0]
    forward_jacobian = ref.numerical_jacobian(lambda v: ref.maf_forward(v, *args)[0], z)
    log_p = ref.change_of_variables(ref.standard_normal_log_prob, z, forward_jacobian)
    np.testing.assert_allclose(log_p, GOLDEN[f"{name}/maf_log_prob"][0], atol=1e-7)


def inverted_maf_network(x, *args, made=ref.made):
    """(m, s) of x = (z - m) exp(-s), turned into the paper's (mu, log sigma)."""
    m, s = made(x, *args).T
    return np.stack([-m * np.exp(-s), -s], axis=-1)


@pytest.mark.parametrize("name", MADES)
def test_iaf_is_the_family_of_the_inverted_maf(name, monkeypatch):
    """TFP's Invert(MAF) is the paper's IAF once the two numbers of the network are renamed."""
    monkeypatch.setattr(ref, "made", inverted_maf_network)
    args = weights_of(name), degrees_of(name), CONFIG[name]["activation"]
    check_both_ways(ref.iaf_forward, ref.iaf_inverse, f"{name}/iaf", args)
    z, log_det = rows(ref.iaf_inverse, GOLDEN[f"{name}/td_y"], *args)
    log_p = [ref.standard_normal_log_prob(v) for v in z] + log_det
    close(log_p, GOLDEN[f"{name}/iaf_log_prob"])


# ---------------------------------------------------------------- RealNVP and NICE


@pytest.mark.parametrize("name", NVPS)
def test_realnvp(name):
    s, t, num_masked, activation = args = affine_halves(name)
    net_x = GOLDEN[f"{name}/net_x"]
    close([ref.network(x, t, activation) for x in net_x], GOLDEN[f"{name}/net_shift"])
    close([ref.network(x, s, activation) for x in net_x], GOLDEN[f"{name}/net_log_scale"])
    check_both_ways(ref.realnvp_forward, ref.realnvp_inverse, name, args)
    z, log_det = rows(ref.realnvp_inverse, GOLDEN[f"{name}/td_y"], *args)
    log_p = [ref.standard_normal_log_prob(v) for v in z] + log_det
    close(log_p, GOLDEN[f"{name}/log_prob"])
    a, _ = ref.coupling_split(z.shape[-1], num_masked)
    np.testing.assert_array_equal(z[:, a], GOLDEN[f"{name}/td_y"][:, a])


def test_nice():
    name = "nice_num1"
    args = weights_of(name), int(GOLDEN[f"{name}/masked_size"]), CONFIG[name]["activation"]
    check_both_ways(ref.nice_forward, ref.nice_inverse, name, args)
    z, log_det = rows(ref.nice_inverse, GOLDEN[f"{name}/td_y"], *args)
    close([ref.standard_normal_log_prob(v) for v in z] + log_det, GOLDEN[f"{name}/log_prob"])


def test_nice_scaling():
    """x = exp(-s) z is N(0, exp(-2 s)): its density in closed form, and its log-det by hand."""
    s, x = np.array([0.3, -1.0, 0.5]), np.array([0.2, 2.0, -1.0])
    z, log_det = ref.nice_scaling_inverse(x, s)
    variance = np.exp(-2.0 * s)
    gaussian = np.sum(-0.5 * x**2 / variance - 0.5 * np.log(2.0 * np.pi * variance))
    close(ref.standard_normal_log_prob(z) + log_det, gaussian)
    back, forward_log_det = ref.nice_scaling_forward(z, s)
    close(back, x)
    close(forward_log_det, -log_det)


# ---------------------------------------------------------------- a whole flow


def chain3():
    """Forward and inverse steps of chain3: maf0, permutation, maf1, permutation, maf2."""
    p = GOLDEN["chain3/permutation"]
    forward, inverse = [], []
    for k in range(3):
        args = weights_of(f"chain3/made{k}"), degrees_of(f"chain3/made{k}"), "relu"
        forward += [lambda v: (v[p], 0.0), lambda v, args=args: ref.maf_forward(v, *args)]
        inverse += [
            lambda v: (v[np.argsort(p)], 0.0),
            lambda v, args=args: ref.maf_inverse(v, *args),
        ]
    return forward[1:], inverse[:0:-1]


def test_chain():
    forward, inverse = chain3()
    v = GOLDEN["chain3/stages/0"]
    for step, stage in zip(forward, range(1, 6), strict=True):
        v, _ = rows(step, v)
        close(v, GOLDEN[f"chain3/stages/{stage}"])
    check_both_ways(
        lambda v: ref.compose(forward, v), lambda v: ref.compose(inverse, v), "chain3", ()
    )
