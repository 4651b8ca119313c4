"""What the engine refuses: one table of bad calls, each with what its error must name."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from support.registry import maf

import flowcore as fc
from flowcore import MADE, MLP, Coupling, Dequantize, RealNVP, flows
from flowcore.distributions.conditioning import with_standardized_context
from flowcore.inference import Inference
from flowcore.inference.unnormalised import LogTarget
from flowcore.metrics import kl_to_truth, log_density_floor, stray_mass
from flowcore.training import Adam, constant, cosine_decay

X, C, NAN, INF = np.zeros((5, 2)), np.zeros(2), np.nan, np.inf
FLOW = flows.maf(2, layers=1, hidden=[4], standardize=False)
CONDITIONAL = flows.maf(2, layers=1, hidden=[4], context_dim=2, standardize=False)
CHAIN = fc.Chain([maf(3, context_dim=2), fc.Permute([1, 2, 0])])
NET = MADE(3, [4])
(W1, B1, _), (W2, B2, _) = NET.weights()
FORBIDDEN = np.eye(3, 4)[::-1] * [[0], [0], [1]]
MEANS = np.arange(6.0).reshape(3, 2)
EYE = np.eye(2).repeat(3, axis=0)
FULL = fc.MultivariateNormalMixture
SPLINE = fc.RationalQuadratic(3)
READER = RealNVP(2, hidden=[8], context_dim=2)


class Columns:
    """A base that returns (n, 1)."""

    dim = 2

    def sample(self, n, rng):
        return rng.laplace(size=(n, 1))

    def log_prob(self, z):
        return anp.sum(-anp.abs(z), axis=-1)[..., None]


class Reads(fc.Distribution):
    """Somebody's own, which reads a context."""

    dim, context_dim = 2, 2

    def sample(self, n=1, rng=None, context=None):
        raise NotImplementedError

    def log_prob(self, x, params=None, context=None):
        raise NotImplementedError


COLUMNS = fc.TransformedDistribution(Columns(), fc.Permute([1, 0]))


def tabular():
    columns = [fc.tables.Column(name, fc.tables.Kind("continuous")) for name in "ab"]
    return fc.tables.TableDensity.of(fc.tables.Schema(tuple(columns)), fc.Normal(2))


FLAT = LogTarget(lambda x: (np.zeros(len(x)), np.zeros_like(x)), 2)
# what draws a number of rows, made when it is called
COUNTED = [
    lambda: FLOW.sample,
    lambda: FLOW.sample_and_log_prob,
    lambda: fc.Normal(2).sample,
    lambda: fc.targets.torus().sample,
    lambda: fc.Mixture([fc.Normal(2), FLOW]).sample_and_log_prob,
    lambda: fc.Conditionals(fc.targets.torus()).given({0: 1.0}).sample,
    lambda: fc.FlowDensity().fit(np.random.default_rng(0).normal(size=(20, 2))).sample,
    lambda: tabular().sample,
    lambda: Inference.of(FLOW, FLAT, 50).resample,
]
EVALUATED = [
    MADE(2, context_dim=2), fc.Normal(2).log_prob, FULL.from_data(EYE, 1).log_prob,
    fc.Mixture([fc.Normal(2), FLOW]).log_prob, FULL.from_data(EYE, 1).given({0: 1.0}).log_prob,
    *(getattr(flow, name) for flow in (FLOW, CONDITIONAL)
      for name in ("log_prob", "prob", "to_latent", "from_latent")),
    *(getattr(READER, name + end) for name in ("forward", "inverse")
      for end in ("", "_log_det", "_and_log_det")),
]  # fmt: skip


def residual(*widths):
    """The three that take `residual`, one after the other, as one call that must fail in each."""
    makes = (MADE, lambda d, **o: MLP(d, (2,), **o), Coupling)
    return [lambda make=make: make(3, hidden=[*widths], residual=True) for make in makes]


VALUE = [
    # networks
    (lambda: MADE(0), "dim must be an integer >= 1, not 0"),
    (lambda: MADE(2, [8, 0]), "width of a hidden layer must be an integer >= 1, not 0"),
    (lambda: MADE(2, [4], order="sideways"), "'sideways'"),
    (lambda: MADE(3, [4], order=[0, 1, 2]), r"1\.\.3, not \[0, 1, 2\]"),
    (lambda: MADE(2, [4], degrees="even"), "'even'"),
    (lambda: MADE(2, [4], degrees=[[1, 1]]), r"lengths \[4\].*\[2\]"),
    (lambda: MADE(2, [2], degrees=[[0.5, 1]]), "integer"),
    (lambda: MADE(2, [2], degrees=[[-1, 1]]), "negative"),
    (lambda: MADE(3, [3, 2, 3], degrees=[[1, 2, 1], [1, 2], [1, 1, 2]], residual=True),
     r"the same degrees; got \[\[1, 2, 1\], \[1, 1, 2\]\]"),
    (lambda: MADE(2, [4], activation="gelu"), "'gelu'"),
    (lambda: MADE(2, [4], context_layers="last"), "'last'"),
    (lambda: MADE(2, [4], context_dim=-1), "-1"),
    (lambda: MADE(2, [4], dtype=int), "float32 or float64, not int"),
    (lambda: MADE(3, [8] * 3, residual=2), "must be True or False, not 2"),
    *((make, r"hidden=\[64, 64, 64\]: hidden=\[8\] has 1") for make in residual(8)),
    *((make, "odd number of hidden layers.*has 4") for make in residual(8, 8, 8, 8)),
    *((make, r"not \[8, 8, 7\] \(hidden=\[8, 5, 8, 5, 7\]") for make in residual(8, 5, 8, 5, 7)),
    (lambda: NET.with_weights([(W1 + FORBIDDEN, B1), (W2, B2)]),
     "layer 0: W has 1 non-zero entries where the mask forbids"),
    (lambda: NET.with_weights([(W1, B1), (W2.T, B2)]), r"layer 1: W .* \(4, 6\), not \(6, 4\)"),
    (lambda: NET.with_weights([(W1, B1[:2]), (W2, B2)]), r"layer 0: b must have shape \(4,\)"),
    (lambda: NET.with_weights([(W1, B1, np.ones((1, 4))), (W2, B2)]), r"C .* None, not \(1, 4\)"),
    (lambda: MADE(3, [4], context_dim=2).with_weights(NET.weights()), r"C .* \(2, 4\), not None"),
    # transformers
    (lambda: fc.Affine(0), "positive"),
    (lambda: fc.RationalQuadratic(0), "bins"),
    (lambda: fc.RationalQuadratic(tail=0), "tail"),
    (lambda: fc.RationalQuadratic(tail=(5, -4)), r"low < high, not \(5, -4\)"),
    (lambda: fc.RationalQuadratic(8, min_width=0.2), "min_width.*8 bins"),
    (lambda: fc.RationalQuadratic(min_slope=1.0), "min_slope"),
    (lambda: SPLINE.forward_and_log_det(X, np.zeros((5, 2, 7))),
     r"phi of shape \(\.\.\., 8\).*argument \(5, 2\)"),
    (lambda: fc.MixtureOfGaussians(0), "components"),
    *((lambda b=b: fc.MixtureOfGaussians(2, b), "log_scale_bound must be within") for b in (0, 21)),
    # bijectors
    (lambda: fc.MaskedAutoregressiveFlow(MADE(2, [4]), fc.Shift()),
     r"Shift\(\) needs n_out=1 .* n_out=2"),
    (lambda: fc.MaskedAutoregressiveFlow(MADE(2, [4]), method="loop"), "method must be .*'loop'"),
    (lambda: RealNVP(1), "dim >= 2, not 1.*MaskedAutoregressiveFlow"),
    *((lambda n=n: Coupling(3, num_masked=n), rf"1\.\.2 .*not {n}") for n in (0, 3, -3, INF, 1.5)),
    (lambda: Coupling(3, fraction_masked=0.1), "fraction_masked=0.1"),
    (lambda: Coupling(3, fraction_masked=1.5), "fraction_masked must lie between -1 and 1"),
    (lambda: Coupling(3, num_masked=1, fraction_masked=0.5), "not both"),
    (lambda: Coupling(3, 1, conditioner=MADE(2, [4])), "must map 1"),
    (lambda: Coupling(4, 2, conditioner=MLP(2, (2, 1), [4])), r"\(2, 2\)"),
    (lambda: fc.Permute([0, 0, 1]), r"\[0, 0, 1\]"),
    (lambda: fc.Chain([]), "at least one"),
    (lambda: fc.Chain([fc.Permute([0]), fc.Permute([0, 1])]), r"dim: \[1, 2\]"),
    (lambda: fc.Chain([maf(2, context_dim=1), maf(2, context_dim=2)]), r"\[1, 2\]"),
    (lambda: CHAIN.forward(X, context=C), r"\(\.\.\., 3\), not \(5, 2\)"),
    (lambda: CHAIN.forward(np.zeros(3), np.zeros(3), C),
     rf"{CHAIN.n_params} parameters.*not \(3,\)"),
    (lambda: CHAIN.forward(np.zeros(3)), r"needs context=.*\(\.\.\., 2\)"),
    (lambda: CHAIN.forward(np.zeros(3), context=np.zeros(3)),
     r"context.*\(\.\.\., 2\), not \(3,\)"),
    (lambda: maf(1).inverse(np.zeros(10)), r"x\[:, None\]"),
    (lambda: fc.Standardize.from_data([[1.0, 2.0], [1.0, 3.0]]), r"column \[0\]"),
    (lambda: fc.Standardize(1).initialize_inverted([[0.0], [1e-310]]), "must be finite"),
    (lambda: fc.Standardize(1).initialize([[-1.7e308], [-1.7e308], [1.7e308]]), "too large"),
    (lambda: fc.Sigmoid(2, 1.0, 1.0), "low must be less than high, not 1.0 and 1.0"),
    (lambda: fc.Sigmoid(2, -INF), r"low must be finite, a number or of shape \(2,\): -inf"),
    (lambda: fc.Softplus(2, 0.0), "hinge_softness must be positive, a number .*: 0.0"),
    (lambda: fc.SinhArcsinh(2, tailweight=[1.0, -1.0]), "tailweight must be positive"),
    (lambda: fc.SinhArcsinh(2, tailweight=51.0), "at most 50"),
    (lambda: fc.ElementwiseAffine(C, 0.0), "scale must not be 0: 0.0"),
    (lambda: fc.ElementwiseAffine(1.0, 2.0), "must be a vector of length D"),
    (lambda: fc.Blockwise([fc.Exp(2)], [1]), r"sizes are \[1\], but the bijectors' dims \[2\]"),
    (lambda: fc.LULinear(3, [0, 0, 1]), "permutation of 0..D-1"),
    (lambda: fc.LULinear(3, "reversed"), "'reversed'"),
    (lambda: fc.LULinear(2, signs=[1, 0]), r"1 or -1, not \[1, 0\]"),
    (lambda: fc.LULinear(2, log_scale_bound=0.0), "positive number or None, not 0.0"),
    (lambda: fc.LULinear.from_lu([[1.0, 2.0]]), "square matrix"),
    (lambda: fc.LULinear.from_lu([[1.0, 2.0], [3.0, 0.0]]), "not 0 on its diagonal"),
    *((lambda s=s: fc.LULinear.from_lu([[s]]), "larger log_scale_bound") for s in (1e10, -1e-10)),
    (lambda: fc.StandardizeContext(RealNVP(2, hidden=[8])),
     r"reads no context \(context_dim 0\)"),
    (lambda: fc.StandardizeContext(READER, fc.Standardize(3)),
     "the Standardize has dim 3, but the bijector context_dim 2"),
    (lambda: fc.EmbedContext(READER, fc.MLP(5, (3,))),
     "the network returns 3 numbers, but the bijector has context_dim 2"),
    (lambda: fc.EmbedContext(READER, fc.MLP(5, (2,), context_dim=1)), "without a context of its"),
    (lambda: flows.maf(2, context_dim=3, context_net=fc.MLP(5, (2,))),
     "context_dim=3, but context_net reads 5 numbers"),
    (lambda: fc.StandardizeContext(READER).initialize(X),
     "is initialised with the context of its data"),
    *((lambda k=k, x=x, m=m: k(3).initialize_inverted(x), m) for k in (fc.Standardize, fc.ActNorm)
      for x, m in ((X, r"\(\.\.\., 3\), not \(5, 2\)"), (np.ones((4, 9, 3)), "at least two rows"),
                   (np.ones((1, 3)), "at least two rows"), (np.ones((0, 3)), "at least two rows"),
                   ([[1, 2, 3], [NAN, 3, 4]], r"NaN or inf in row 1 \(column 0\)"))),
    # bases
    (lambda: fc.Normal(2).sample(-3), "integer >= 0, not -3"),
    (lambda: fc.MultivariateNormalDiag([0, 0], [1, 1, 1]), r"\(2,\)"),
    (lambda: fc.MultivariateNormalDiag(0.0), r"not of shape \(\)"),
    (lambda: fc.Uniform(5, 1), "needs low < high, not 5 and 1"),
    (lambda: fc.Uniform(2, 1, [2, 1]), r"low must be less than high.*\[2"),
    (lambda: fc.Uniform(1, -1e308, 1e308), "high - low must be finite"),
    (lambda: fc.Laplace(2, 0, [1, 0]), r"scale must be positive.*\[1, 0\]"),
    (lambda: fc.StudentT(2, 0), "df must be positive.*0"),
    (lambda: fc.GaussianMixture([[0], [1]], 1, [1e308, 1e-308]), "sum to 1"),
    (lambda: fc.GaussianMixture([1.0, 2.0]), r"shape \(K, D\)"),
    (lambda: fc.GaussianMixture(MEANS, [1, 2]), r"of \(3, 2\)"),
    (lambda: fc.GaussianMixture(MEANS, 1, [1, 1]), "weights must be 3"),
    (lambda: fc.GaussianMixture.from_data(MEANS, 4), "X has 3"),
    (lambda: fc.VonMises([[0.0]]), "loc must be a vector of length D"),
    (lambda: fc.Product([fc.Normal(1), CONDITIONAL]), "densities without a context"),
    (lambda: FULL([0.0, 1.0], [[[1.0]]] * 2), r"means must be finite, of shape \(K, D\)"),
    (lambda: FULL.from_data([0.0, 1.0, 2.0]), r"X must be rows \(n, D\)"),
    (lambda: FULL.from_data(MEANS, 4), "4 components need as many rows: X has 3"),
    (lambda: FULL.from_data(EYE, 1).marginal([[0]]), "columns must be a list of numbers"),
    (lambda: fc.GaussianMixture.from_data([[1, 0], [2, 0]], 1), r"column \[1\]"),
    (lambda: FULL.from_data(MEANS, 1, [0, 0, 0]), "sample_weight"),
    (lambda: FULL.from_data(MEANS, "aic"), "n_components must"),
    (lambda: FULL([[0, 0]], [np.ones((2, 2))]), "lower"),
    (lambda: FULL(MEANS, np.eye(2)), r"not \(3, 2, 2\)"),
    # flows
    (lambda: FLOW.sample((2, -1)), "not -1"),
    *((lambda of=of, n=n: of()(n), "not .*: pass a whole number, such as 10")
      for of in COUNTED for n in (10.0, 2.5, np.float64(3))),
    # a context in the second place, where other libraries take it
    *((lambda call=call: call(X, X), r"shape \(\d+,\), not \(5, 2\); .* passed as context=")
      for call in EVALUATED),
    (lambda: FLOW.sample((2**32, 2**32)), r"\(4294967296, 4294967296\) samples of 2 numbers"),
    (lambda: FLOW.log_prob(np.zeros((4, 3))), r"\(\.\.\., 2\), not \(4, 3\)"),
    (lambda: FLOW.sample(2, context=C), "takes no context"),
    (lambda: CONDITIONAL.sample(2), "needs context="),
    (lambda: CONDITIONAL.log_prob(X, context=np.zeros((4, 2))), "leading axes"),
    (lambda: fc.TransformedDistribution(fc.Normal(3), fc.Permute([1, 0])), "dim=3.*dim=2"),
    (lambda: COLUMNS.sample(5, rng=0), r"must return shape \(5, 2\).*not \(5, 1\)"),
    (lambda: COLUMNS.log_prob(X), r"must return shape \(5,\).*not \(5, 1\)"),
    (lambda: with_standardized_context(Reads(), fc.Standardize(2)),
     r"Reads\(2\) reads a context: standardise it in there"),
    (lambda: flows.maf(2, layers=0), "layers must be an integer >= 1, not 0"),
    (lambda: flows.realnvp(1), "dim >= 2, not 1"),
    (lambda: flows.realnvp(2, order=[2, 1]), r"order of couplings must be .*, not \[2, 1\]"),
    (lambda: flows.maf(2, base="t"), "one of .*normal.* or a Distribution, not"),
    (lambda: flows.maf(2, hidden=64), r"\[64, 64\]"),
    (lambda: flows.nsf(2, kind="iaf"), "kind must be one of .*not 'iaf'"),
    # discrete, metrics
    (lambda: Dequantize(0.0), "step must be positive .*: 0.0"),
    (lambda: Dequantize([[1.0]]), r"of shape \(D,\)"),
    (lambda: Dequantize([1.0, 2.0], [0.0] * 3), r"step has shape \(2,\), low \(3,\)"),
    (lambda: Dequantize()([[0.0, 1.0], [2.0, 1.011]]), "not on the grid of step=1.0.*1 of 4 val"),
    (lambda: Dequantize().log_prob(fc.Normal(1), [[0]], draws=0), "draws must be .*, not 0"),
    (lambda: Dequantize([1.0, 2.0])(np.zeros((3, 1))), r"\(3, 1\) is not \(..., D\).* \(2,\)"),
    (lambda: fc.logit_preprocessing(1, 256, 0.5), r"squash must be in \(0, 1/2\), not"),
    (lambda: fc.logit_preprocessing(1, 0), "levels must be positive"),
    *((lambda f=f, n=n: f(fc.Normal(2), n=n), f"n must be an integer >= 2, not {n}")
      for n in (1, 2.5)
      for f in (log_density_floor, lambda p, n: kl_to_truth(p, p, n),
                lambda p, n: stray_mass(p, p, n=n))),
    (lambda: stray_mass(fc.Normal(2), fc.Normal(2), 1), "kept must lie .*, not 1"),
    (lambda: kl_to_truth(fc.Normal(3), fc.Normal(2)), "the flow has dim=3, the target dim=2"),
    (lambda: stray_mass(fc.Normal(3), fc.Normal(2)), "the flow has dim=3, the truth dim=2"),
    (lambda: fc.fit_matching(flows.continuous(2, context_dim=2), EYE, context=EYE,
                             pairing="optimal"), "takes no context"),
    # optimisers
    (lambda: Adam().start(C).step(np.zeros(2), np.zeros(3)), r"gradient has shape \(3,\), theta"),
    (lambda: Adam(-1e-3), "learning_rate must be a positive number .* got -0.001"),
    (lambda: Adam(beta1=1.0), r"beta1 must lie in \[0, 1\): got 1.0"),
    (lambda: Adam(beta2=-0.1), "beta2"),
    (lambda: Adam(epsilon=0.0), "epsilon must be a positive number"),
    (lambda: Adam(weight_decay=-0.1), "weight_decay must be a number >= 0: got"),
    (lambda: cosine_decay(0.0, 10), "peak and steps must be positive numbers: got 0.0 and 10"),
    (lambda: cosine_decay(1e-3, 10, 10), "warm_up must be an integer >= 0 and < 10.*: got 10"),
    (lambda: constant(-1.0), "peak must be a positive number: got -1.0"),
]  # fmt: skip
TYPE = [
    (lambda: MADE(2, transformer=SPLINE), r"MADE takes no transformer=: .*AutoregressiveFlow\("),
    (lambda: fc.Normal(2, dtype=np.float32), r"Normal takes no dtype=: .*MADE\(dim, dtype="),
    (lambda: Coupling(3, transformer=fc.Affine), "Affine"),
    (lambda: fc.MaskedAutoregressiveFlow(MADE(2), "affine"), "'affine'"),
    (lambda: Coupling(4, 2, conditioner=lambda x: x), "conditioner"),
    (lambda: grad(lambda t: anp.sum(MADE(2, [4]).with_params(t)(np.ones(2))))(np.ones(32)),
     "params="),
    (lambda: fc.Chain([MADE(2, [4])]), "takes bijectors, not"),
    (lambda: fc.Blockwise([fc.Exp(2), 3]), "takes bijectors, not 3"),
    (lambda: fc.Bijector(2), "abstract"),
    (lambda: type("Silent", (fc.Distribution,), {"log_prob": Reads.log_prob})(), "without sample"),
    (lambda: fc.TransformedDistribution(fc.Normal(2), MADE(2, [4])),
     r"bijector must be a flowcore\.Bijector, not MADE"),
    (lambda: fc.StandardizeContext(3), "takes a bijector, not 3"),
    (lambda: fc.EmbedContext(READER, 3), "the context passes through an MLP, not 3"),
    (lambda: fc.StandardizeContext(READER, fc.Exp(2)), "takes a Standardize or a Whiten, not Exp"),
    (lambda: fc.testing.check_bijector(FLOW), r"takes a flowcore\.Bijector, not Transformed"),
]  # fmt: skip
UNKNOWN = [(fc.targets.torus().mean, "angles have no mean"),
           *((lambda of=of: of(fc.targets.two_moons()), f"TwoMoons has no {of.__name__}")
             for of in (fc.targets.Target.mean, fc.targets.Target.std))]  # fmt: skip
TABLE = [(call, error, message) for error, rows in (
    (ValueError, VALUE), (TypeError, TYPE), (NotImplementedError, UNKNOWN))
    for call, message in rows]  # fmt: skip


@pytest.mark.parametrize("call, error, message", TABLE, ids=lambda v: v if type(v) is str else "")
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("of", COUNTED)
def test_numpys_integers_are_numbers_of_rows(of):
    found = of()(np.int64(3))
    assert len(found[0] if isinstance(found, tuple) else found) == 3
