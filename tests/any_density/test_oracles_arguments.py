"""Every argument matters: two values of it give two answers, and a forgotten one gives the same.

Each public function and method with an argument of DIFFER or ALIKE needs a line in CALLS, or a
reason in LEFT_OUT: `inspect` finds those that have neither. Values of DIFFER change the answer, and
the same values give it again; those of ALIKE, such as threads, leave it bit for bit. The options of
the commands are held to the same, by what they print and write.
"""

import importlib
import inspect
import io
import pickle
import re
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import is_dataclass
from functools import cache, partial
from operator import attrgetter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.families import over

import flowcore as fc
from flowcore import flows, plots, targets, teaching
from flowcore.adapters import FlowBackend
from flowcore.cli import main
from flowcore.cli.app import app
from flowcore.inference import Inference, Prior
from flowcore.tables import Schema, TableDensity, fit_table, learn_flow, read_table
from flowcore.testing import randomize

RNG = np.random.default_rng
X, C = RNG(0).normal(size=(12, 2)), RNG(1).normal(size=(12, 1))
GIVEN = {"layers": 1, "hidden": [4], "standardize": False, "context_dim": 1,
         "standardize_context": False}  # fmt: skip
FLOW, ONE, THREE, MORE = (randomize(flows.maf(k, **GIVEN), 0.5, rng=k) for k in (2, 1, 3, 2))
PLAIN = randomize(flows.maf(2, layers=1, hidden=[4], standardize=False), 0.5, rng=0)
MOVING = randomize(flows.continuous(2, hidden=[8] * 3, context_dim=1, standardize=False,
                                    standardize_context=False).bijector.bijectors[0])  # fmt: skip
DIFFER = {
    "anneal": (0, 2), "average": (0.9, None), "batch_size": (5, 11), "chains": (2, 3),
    "columns": ([0], [1]), "context": (C, C + 1), "context_noise": (0.1, 1),
    "context_train": (C, C + 1), "decimal": (",", "."), "draws": (1000, 1500),
    "dtype": (float, np.float32), "encoding": ("utf-8", "latin-1"), "gradient": ("path", "total"),
    "grid": (None, np.linspace(-2, 2, 9)), "header": (True, False), "hide": (0, 0.3),
    "ignore_extra": (True, False), "leapfrogs": (2, 3), "margins": ("model", "table"),
    "missing": ("drop", "error"), "missing_values": (["?"], ["-"]), "n_draws": (50, 60),
    "nll_every": (1, 2), "noise": (0.1, 1.0), "pairing": ("random", "optimal"),
    "params": (FLOW.params, 2 * FLOW.params), "quasi_random": (False, True),
    "random_state": (0, 1), "rng": (0, 1), "rules": (True, False),
    "sample_weight": (1 + np.arange(12), 12 - np.arange(12)), "seed": (1, 2),
    "separator": (";", ","), "start": (None, X[:1] + 1), "strict": (False, True),
    "text": ((), ("x",)), "validation_data": ((X, C), (X + 1, C)),
    "weights": ([1, 2], [2, 1]),
}  # fmt: skip
ALIKE = {"block_bytes": (2**22, 1024), "max_seconds": (None, 1e6), "n_jobs": (1, 2),
         "progress": (False, True), "threads": (1, 2)}  # fmt: skip


class Drawn(fc.Standardize):
    """A part that starts from the context and from rng."""

    context_dim = 1

    def initialize(self, x, context=None, rng=None):
        return self.with_moments(np.mean(context) + RNG(rng).normal(size=2), np.ones(2))

    initialize_inverted = initialize


WAITING = fc.Chain([fc.Permute([1, 0]), Drawn(2)])
STARTED = fc.TransformedDistribution(fc.Normal(2), WAITING)
MEANS, FACTORS = [[0, 0], [1, 2]], [np.eye(2), [[1, 0], [0.5, 1]]]
T = fc.MultivariateTMixture(MEANS, FACTORS, [1, 2])
QUICK = {"budget": 1e-4, "n_jobs": 1, "random_state": 0}
AT_0, JOINT = {0: 0.3}, fc.Conditionals(THREE)
ALONE = np.hstack([X[:, :1], np.full((12, 2), np.nan)])  # one of three columns
HOLES = np.where(np.arange(24).reshape(12, 2) % 7 == 0, np.nan, X)
TABLE = pd.DataFrame({
    "a": np.exp(RNG(2).normal(size=140)), "n": RNG(3).integers(0, 9, 140),
    "c": [*"uv"] * 70, "d": [*"xy"] * 70,
})  # fmt: skip
GAPS = TABLE.assign(a=TABLE["a"].where(TABLE["n"] > 0), c=TABLE["c"].where(TABLE["n"] < 8))
ODD = TABLE.assign(n=TABLE["n"] - 1)
SCHEMA = Schema.from_data(TABLE).edit(a="continuous", n="integer(0)")
TEXT = ("x;c\n" + "1,5;?\n2;-\n2,5;\u00e9\n3;a\n4;A\n" * 200).encode()


def gaussian(x, context=None, sample_weight=None, rng=0):
    return fc.MultivariateNormalMixture.from_data(x, 1, sample_weight)


@cache
def density(width=2):
    return fc.FlowDensity(**QUICK).fit(X[:, :width], context=C)


@cache
def table():
    return fit_table(TABLE, SCHEMA, learn=gaussian, rules=False)


@cache
def inferred(rng=0, draws=500):
    return fc.infer(fc.StudentT(2).log_prob, 2, flow=PLAIN, epochs=1, batches=2, rng=rng,
                    draws=draws)  # fmt: skip


def image(axes):
    np.ravel(axes)[0].figure.savefig(file := io.BytesIO(), format="raw", dpi=30)
    return file.getvalue()


RECIPES = [
    name for name, one in vars(flows).items()
    if getattr(one, "__module__", "") == flows.__name__ and name[0] != "_"
]  # fmt: skip
CALLS = {
    **{f"Bijector.{way}": partial(getattr(FLOW.bijector, way), X) for way in (
        "forward", "forward_and_log_det", "forward_log_det", "inverse", "inverse_and_log_det",
        "inverse_log_det")},
    **{name: lambda name=name, **o: getattr(flows, name)(3, hidden=[8] * 3, **o).params
       for name in RECIPES},
    **{f"{one.__name__}.__init__": lambda one=one, own=own, **o: one(*own, **o).params
       for one, own in {fc.MADE: (2,), fc.MLP: (2, (2,)), fc.Coupling: (2,), fc.Planar: (2,),
                        fc.Radial: (2,), fc.ActNorm: (2,), fc.Elementwise: (2, fc.Affine()),
                        fc.StudentT: (2, 5.0, True)}.items()},
    **{f"TransformedDistribution.{name}": partial(getattr(FLOW, name), 5 if "sample" in name else X)
       for name in ("from_latent", "sample", "sample_and_log_prob", "to_latent")},
    **{f"Distribution.{name}": partial(getattr(FLOW, name), X) for name in ("log_prob", "prob")},
    **{f"Mixture.{name}": partial(getattr(fc.Mixture([FLOW, MORE]), name), 5)
       for name in ("sample", "sample_and_log_prob")},
    **{f"FlowDensity.{name}": lambda name=name, **o: getattr(density(), name)(X, **o)
       for name in ("inverse_transform", "score", "score_samples", "transform")},
    **{f"Inference.{name}": lambda name=name, **o: getattr(inferred(), name)(20, **o)
       for name in ("columns", "metropolis", "resample")},
    **{f"TableDensity.{name}": lambda rng, name=name: getattr(table(), name)(
        np.eye(2, dtype=int), RNG(rng)) for name in ("sample_numbers", "sample_on_line")},
    **{f"{name}.marginal": lambda own=own, **o: own.marginal(**o).sample(5, 0, C[0])
       for name, own in (("Conditionals", JOINT), ("Queries", FLOW))},
    **{name: partial(getattr(teaching, name), "1a") for name in ("question", "solution")},
    **dict.fromkeys(["Conditional.__init__", "Conditionals.given"],
                    lambda **o: JOINT.given(AT_0, **o).draws.x),
    "BaseDistribution.sample": partial(fc.StudentT(2).sample, 5),
    "check": lambda **o: str(teaching.check("1a", -5.093, **o)),
    "ClampedBase.sample": lambda **o: fc.ClampedBase(fc.Normal(2), 2).sample(5, **o),
    "Composite.initialize": lambda **o: WAITING.initialize(X, **o).forward(X, context=C),
    "Composite.initialize_inverted": lambda **o: fc.Invert(WAITING).initialize(X, **o).forward(
        X, context=C),
    "Conditional.sample": partial(JOINT.given(AT_0, context=[0.0]).sample, 5),
    "Conditionals.impute": lambda **o: attrgetter("draws", "log_p")(
        JOINT.impute(ALONE, 3, **o)),
    "Conditionals.known": JOINT.known,
    "Conditionals.log_prob": lambda **o: JOINT.log_prob(ALONE, **o).log_p,
    "Conditionals.numbers": lambda **o: JOINT.numbers(n=12, **o).contexts,
    "Conditionals.posterior": lambda **o: JOINT.posterior(X[:, [0, 1, 0]], 1, **o).density,
    "ContinuousFlow.field": partial(MOVING.field, X, 0.5),
    "ContinuousFlow.of": lambda **o: fc.ContinuousFlow.of(2, [8] * 3, **o).params,
    "ContinuousFlow.path": partial(MOVING.path, X, [0.3, 1.0]),
    "ContinuousFlow.with_tolerance": lambda **o: MOVING.with_tolerance(X, 1e-6, **o).n_steps,
    "Coupling.with_weights": lambda **o: fc.Coupling(2).with_weights(**o).params,
    "densities": lambda **o: image(plots.densities({"one": FLOW}, n=9, **o)),
    "density": lambda **o: image(plots.density(FLOW, n=9, **o)),
    "Dequantize.log_prob": partial(fc.Dequantize().log_prob, FLOW, np.rint(X)),
    "diagnose": lambda **o: [f.effect for f in fc.diagnose(FLOW, X, X, **o).findings],
    "EllipticalMixture.__init__": lambda **o: fc.MultivariateNormalMixture(
        MEANS, FACTORS, **o).log_prob(X),
    "EllipticalMixture.components_given": partial(T.components_given, values=X[:, :1]),
    "EllipticalMixture.marginal": lambda **o: T.marginal(**o).log_prob(X[:, :1]),
    "EllipticalMixture.sample_components": lambda rng: T.sample_components(
        HOLES[:1], np.array([0]), RNG(rng)),
    "EllipticalMixture.sample_given": lambda rng: T.sample_given(HOLES[3:4], 5, RNG(rng)),
    "evidence": lambda **o: fc.evidence(
        PLAIN.sample(120, 0), PLAIN.log_prob, epochs=1, flow=PLAIN, **o),
    "Exact.sample": partial(targets.two_moons().sample, 5),
    "Exercise.variant": lambda **o: teaching.EXERCISES["1a"].variant(**o).question,
    "fit": lambda **o: attrgetter("train_nll", "val_nll")(fc.fit(
        flows.maf(2, **GIVEN), X, epochs=2, learning_rate=0.01, **o)[1]),
    "fit_matching": lambda **o: [str(fc.fit_matching(flows.continuous(
        2, hidden=[8] * 3), X, epochs=2, **o)[1].settings[key]) for key in ("nll", "n_steps")],
    "fit_reverse_kl": lambda **o: fc.fit_reverse_kl(
        flows.maf(2, layers=1, hidden=[4]), fc.StudentT(2).log_prob, epochs=3, batches=2, **o
    )[0].log_prob(X),
    "fit_table": lambda **o: fit_table(GAPS, SCHEMA, learn=gaussian, **o).log_prob(TABLE),
    "FlowBackend.__init__": lambda **o: FlowBackend(PLAIN, **o).sample_and_log_prob(5),
    "FlowDensity.__init__": lambda **o: fc.FlowDensity(budget=1e-4, **o).fit(
        HOLES[:12]).score_samples(X),
    "FlowDensity.explain": lambda **o: density().explain(X, **o).gains,
    "FlowDensity.fit": lambda **o: fc.FlowDensity(**QUICK).fit(
        X, **o).score_samples(X, context=C),
    "FlowDensity.given": lambda **o: density().given(AT_0, n_draws=50, **o).draws.x,
    "FlowDensity.impute": lambda **o: density().impute(HOLES, 3, n_draws=50, **o).draws,
    "FlowDensity.marginal": lambda **o: density().marginal(**o).sample(5, 0, C[0]),
    "FlowDensity.pit": lambda **o: density(1).pit(X[:, :1], **o),
    "FlowDensity.posterior": lambda **o: density().posterior(X, 1, **o).density,
    "FlowDensity.quantiles": lambda **o: density(1).quantiles([0.3], **o),
    "FlowDensity.sample": lambda **o: density().sample(2, **o),
    "FlowImputer.__init__": lambda **o: fc.FlowImputer(TableDensity(
        learn=gaussian, missing="drop"), bootstraps=0, **o).fit(
        np.nan_to_num(HOLES, nan=-9.0)).transform(HOLES),
    "FlowImputer.fit": lambda **o: fc.FlowImputer(TableDensity(
        learn=gaussian, missing="drop"), bootstraps=1).fit(HOLES, **o).sample(2)[1],
    "FlowImputer.sample": lambda **o: fc.FlowImputer(TableDensity(
        learn=gaussian, missing="drop"), bootstraps=1).fit(HOLES).sample(2, **o)[1],
    "GaussianMixture.__init__": lambda **o: fc.GaussianMixture(MEANS, 1.0, **o).log_prob(X),
    "GaussianMixture.from_data": lambda **o: fc.GaussianMixture.from_data(X, 3, **o).means,
    "GaussianMixture.spread": lambda **o: fc.GaussianMixture.spread(3, 2, **o).means,
    "grid": lambda **o: image(teaching.grid(FLOW, 3, **o)),
    "grid_animation": lambda **o: image(teaching.grid_animation(FLOW, 3, **o)._fig.axes),
    "infer": lambda **o: inferred(**o).rows,
    "Inference.checked": lambda **o: inferred().checked(**o).moved,
    "Inference.hmc": lambda **o: inferred().hmc(3, warm_up=2, **o),
    "Inference.of": lambda **o: Inference.of(PLAIN, inferred().target, 5, **o).rows,
    "jacobian": lambda **o: image(teaching.jacobian(FLOW, X[0], **o)),
    "kl_to_truth": lambda **o: fc.kl_to_truth(PLAIN, targets.banana(), 100, **o),
    "learn_flow": lambda **o: learn_flow(X, **o).log_prob(X, context=C),
    "log_dets": lambda **o: image(teaching.log_dets(FLOW, X[:5], **o)),
    "LULinear.__init__": lambda **o: fc.LULinear(5, **o).forward(np.eye(5)),
    "Marginal.__init__": lambda **o: JOINT.marginal(**o).sample(5, 0, C[0]),
    "Marginal.estimate": lambda **o: JOINT.marginal([0]).estimate(X[:, :1], **o).log_p,
    "Marginal.log_prob": partial(JOINT.marginal([0]).log_prob, X[:, :1]),
    "Marginal.sample": partial(JOINT.marginal([0]).sample, 5),
    "Margins.from_data": lambda **o: fc.Margins.from_data(X, **o).inverse(X),
    "Mixture.__init__": lambda **o: fc.Mixture([fc.Normal(2), fc.Laplace(2)], **o).log_prob(X),
    "Mixture.initialize": lambda **o: fc.Mixture([STARTED, FLOW]).initialize(
        X, **o).log_prob(X, context=C),
    "MultivariateNormalMixture.from_data": lambda **o: fc.MultivariateNormalMixture.from_data(
        HOLES, 3, **o).means,
    "MultivariateTMixture.__init__": lambda **o: fc.MultivariateTMixture(
        MEANS, FACTORS, **o).log_prob(X),
    "MultivariateTMixture.from_data": lambda **o: fc.MultivariateTMixture.from_data(
        HOLES, 3, **o).means,
    "Network.with_weights": lambda **o: fc.MADE(2).with_weights(**o).params,
    "Parametric.params_of": partial(FLOW.params_of, FLOW.bijector),
    "Prior.sample": lambda **o: Prior("gamma", a=[1.0, 2.0]).sample(5, **o),
    "Product.sample": partial(fc.Product([fc.Normal(1), fc.UniformCircle(1)]).sample, 5),
    "Queries.cdf": partial(ONE.cdf, X[:, :1]), "Queries.pit": partial(ONE.pit, X[:, 0]),
    "Queries.posterior": lambda **o: FLOW.posterior(X, 1, **o).density,
    "Queries.ppf": partial(ONE.ppf, np.full((12, 1), 0.3)),
    "Queries.quantiles": partial(ONE.quantiles, [0.3]),
    "read_blocks": lambda **o: [(name, values.tolist()) for name, values in dict(
        read_table(io.BytesIO(TEXT), **o)).items()],
    "Schema.check_kinds": lambda **o: Schema.from_data(TABLE.assign(e=1)).check_kinds(**o),
    "Schema.from_data": lambda **o: str(Schema.from_data(GAPS, **o)),
    "Schema.select": lambda **o: SCHEMA.select(TABLE.assign(more=1.0), **o).names,
    "stages": lambda **o: image(plots.stages(FLOW, 9, **o)),
    "stray_mass": lambda **o: fc.stray_mass(
        fc.Normal(2), targets.correlated_gaussian(), n=1000, **o),
    "TableDensity.__init__": lambda **o: TableDensity(SCHEMA, gaussian, **o).fit(
        GAPS.assign(more=1.0)).log_prob(TABLE.assign(more=1.0)),
    "TableDensity.fit": lambda **o: TableDensity(learn=gaussian).fit(X, **o).log_prob(X),
    "TableDensity.given": lambda **o: table().given({"n": 3}, **o).draws.x,
    "TableDensity.impute": lambda **o: table().impute(GAPS.assign(n=ODD["n"]), 2, **o).tables[1],
    "TableDensity.log_prob": lambda **o: table().log_prob(GAPS, **o),
    "TableDensity.numbers_of": lambda **o: table().numbers_of(TABLE, **o).rows,
    "TableDensity.possible_rows": lambda **o: len(table().possible_rows(ODD, **o)),
    "TableDensity.sample": lambda **o: table().sample(9, **o),
    "TransformedDistribution.initialize": lambda **o: STARTED.initialize(X, **o).log_prob(
        X, context=C),
    "TransformedDistribution.stages": lambda **o: [one for _, one in FLOW.stages(X, **o)],
}  # fmt: skip
OWN = {  # arguments of another form
    **{f"{name}.context": ([0.0], [1.0]) for name in (
        "Conditional.__init__", "Conditionals.given", "FlowDensity.given", "densities", "density",
        "grid", "grid_animation", "jacobian", "stages")},
    "ClampedBase.sample.context": (np.eye(2), np.ones((2, 2))),
    "FlowDensity.__init__.missing": ("learn", "error"),
    "MultivariateNormalMixture.from_data.missing": ("learn", "error"),
    "MultivariateTMixture.from_data.missing": ("learn", "error"),
    "TableDensity.log_prob.missing": ("marginal", "nan"),
    "Schema.from_data.missing": ("atom", "drop"), "read_blocks.columns": (["x", "c"], ["c"]),
    "read_blocks.strict": (True, False),
    "log_dets.context": (C[:5], C[:5] + 1), "ContinuousFlow.with_tolerance.context": (C, 9 * C),
    "evidence.chains": (np.arange(120) // 60, np.zeros(120)),
    "Coupling.with_weights.weights": [fc.Coupling(2, rng=k).weights() for k in (0, 1)],
    "Network.with_weights.weights": [fc.MADE(2, rng=k).weights() for k in (0, 1)],
    "Dequantize.log_prob.draws": (1, 2), "infer.draws": (500, 600),
    "fit_table.sample_weight": (1 + np.arange(140), 141 - np.arange(140)),
    "FlowImputer.__init__.missing_values": (-9.0, -1.0),
}  # fmt: skip
LEFT_OUT = {  # patterns of names, and why
    r"(ActNorm|Bijector|Margins|Standardization)\.initialize.*": "constants of the rows alone",
    r"(Distribution|Target)\.sample\.rng": "abstract",
    r"Bijector\.__init__\.params|.*\.(with_rules\.rules|with_parts\.margins)": "kept as it is",
    r"(Exercise\.read|Kind\.parse|read_number)\.text": "the very thing that is read",
    r"Conditionals\.turn\.context": "of angles alone: test_conditionals_angles",
    "diagnose.strict": "of tables alone: the command below",
    r"Inference\.refit\.rng": "560,000 rows",
    r"infer\.start": "of a search: test_modes",
    r"moons\.(flow|quick|seed)|plot\.text": "slow; of columns that are not drawn",
}


def contract():
    """{name: its arguments in question}, of every public function, method and constructor."""
    rooms = [importlib.import_module(f"flowcore{room}") for room in (
        "", ".tables", ".inference", ".diagnosis", ".adapters", ".plots", ".teaching", ".targets",
        ".mixtures", ".conditionals", ".estimator", ".flows")]  # fmt: skip
    own = [getattr(room, name) for room in rooms for name in getattr(room, "__all__", RECIPES)]
    own += [getattr(one, key) for one in own if inspect.isclass(one) for key in dir(one)
            if key[0] != "_" or (key == "__init__" and not is_dataclass(one))]  # fmt: skip
    own = [inspect.unwrap(getattr(one, "__func__", one)) for one in own]
    own = [one for one in own if inspect.isfunction(one) and "flowcore" in one.__module__]
    return {one.__qualname__: [argument for argument in inspect.signature(one).parameters
                               if argument in DIFFER | ALIKE] for one in own}  # fmt: skip


def left_out(name):
    return any(re.fullmatch(one, name) for one in LEFT_OUT)


ARGUMENTS = contract()


def test_no_argument_is_forgotten():
    every = {f"{name}.{one}" for name, own in ARGUMENTS.items() for one in own}
    assert not {one for one in every if one.rpartition(".")[0] not in CALLS and not left_out(one)}
    assert CALLS.keys() <= ARGUMENTS.keys() and OWN.keys() <= every


def outcome(call, arguments):
    """What it answers, as bytes, or its error."""
    try:
        return pickle.dumps(call(**arguments))
    except ValueError as problem:
        return str(problem)


@pytest.mark.usefixtures("few_folds", "few_epochs")
@pytest.mark.filterwarnings("ignore")
@over(CALLS)
def test_every_argument_matters(name, monkeypatch):
    monkeypatch.setattr("flowcore.conditionals.proposal.DRAWS", 200)
    pairs = {one: OWN.get(f"{name}.{one}", (DIFFER | ALIKE)[one]) for one in ARGUMENTS[name]
             if not left_out(f"{name}.{one}")}  # fmt: skip
    first = {one: pair[0] for one, pair in pairs.items()}
    answer = outcome(CALLS[name], first)
    if {"rng", "random_state"} & pairs.keys():
        assert outcome(CALLS[name], first) == answer
    for one, (_, other) in pairs.items():
        assert (outcome(CALLS[name], first | {one: other}) != answer) == (one in DIFFER), one


OPTIONS = {  # of recipes, none of them a default
    "activation": "softplus", "affine": False, "base": fc.Laplace(3), "bins": 3,
    "bounded": (-9.0, 9.0), "circular": [1], "components": 2, "context_dim": 2,
    "context_net": fc.MLP(1, (2,), [3]), "dtype": np.float32, "frequencies": 1, "hidden": [5] * 3,
    "kind": "coupling", "layers": 2, "log_scale_bound": 1.5, "n_steps": 3,
    "order": "right-to-left", "residual": True, "rng": 1, "standardize": "whiten",
    "standardize_context": False, "tail": 2.0, "transformer": fc.Affine(1.5),
}  # fmt: skip


@over(RECIPES)
def test_every_option_of_a_recipe_matters(name):
    recipe = getattr(flows, name)

    def made(**options):
        return pickle.dumps(recipe(3, **{"hidden": [4] * 3, "context_dim": 1, **options}))

    plain = made()
    values = OPTIONS | ({"order": 4, "residual": False} if name == "continuous" else {})
    assert made() == plain
    for one in [*inspect.signature(recipe).parameters][1:]:
        assert made(**{one: values[one]}) != plain, one


IN_SHELL = {  # what is typed for an option of a command
    "auto": "--auto", "budget": "--budget 2", "columns": "-c a", "decimal": "--decimal ,",
    "encoding": "--encoding utf-16", "explain": "--explain", "fail": "--fail",
    "fit.missing": "--missing learn",
    "flow": "--flow small", "given": "--given c=u", "header": "--no-header", "hide": "--hide 0.2",
    "ignore_extra": "--ignore-extra", "json": "--json", "keep": "--keep more",
    "kind": "-k n=categorical", "margins": "--margins table", "missing": "--missing marginal",
    "missing_values": "--missing-values 6", "n": "-n 3", "quick": "--quick", "rules": "--no-rules",
    "schema": "--schema model.npz", "seed": "--seed 3", "separator": "--separator |",
    "strict": "--strict", "suggested": "--no-suggested", "text": "--text n",
    "train": "--train t.csv",
}  # fmt: skip
NOT_TYPED = {"data", "held_out", "model", "out", "progress"}
SHELL = {
    "diagnose": "model.npz DATA", "fit": "t.csv -o new.npz --no-progress", "info": "model.npz",
    "impute": "model.npz DATA -o out.csv", "plot": "model.npz DATA -o out.png -c n",
    "sample": "model.npz -o out.csv -n 9", "score": "model.npz DATA -o out.csv",
}  # fmt: skip


@cache
def typed(words):
    """What a command prints, its status and what it writes."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        status = main(words.split())
    return printed.getvalue(), status, status or [
        Path(word).read_bytes() for word in words.split() if word[:3] == "out"]  # fmt: skip


@pytest.mark.usefixtures("few_folds")
@pytest.mark.parametrize("own", [command.callback for command in app.registered_commands])
def test_every_option_matters(own, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flowcore.cli.fit.FlowDensity", lambda *a, **o: print(a, o) or gaussian)
    fc.save(table(), "model.npz")
    TABLE[:60].to_csv("t.csv", index=False)
    TABLE[:60].assign(more=1).to_csv("more.csv", index=False)
    GAPS[:60].assign(n=ODD["n"]).to_csv("data.csv", index=False)
    forgotten = []
    name = own.__name__
    for option in inspect.signature(own).parameters.keys() - NOT_TYPED:
        data = "more.csv" if option in ("ignore_extra", "keep") else "data.csv"
        plain = f"{name} {SHELL.get(name)}".replace("DATA", data)
        if not left_out(f"{name}.{option}"):
            words = IN_SHELL.get(f"{name}.{option}") or IN_SHELL[option]
            forgotten += [f"{name}.{option}"] * (typed(plain) == typed(f"{plain} {words}"))
    assert not forgotten
