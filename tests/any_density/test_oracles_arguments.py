"""Every argument matters: two values of it give two answers, and a forgotten one gives the same.

Each public function and method with an argument of DIFFER or ALIKE needs a line in CALLS, or a
reason in LEFT_OUT: `inspect` finds those that have neither. Values of DIFFER change the answer, and
the same values give it again; those of ALIKE, such as threads, leave it bit for bit. The options of
the commands are held to the same, by what they print and write.
"""

import dataclasses
import importlib
import inspect
import io
import pickle
import re
from contextlib import redirect_stderr, redirect_stdout
from functools import cache, partial
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from support.families import over

import flowcore as fc
from flowcore import flows, plots, targets, teaching
from flowcore.adapters import FlowBackend
from flowcore.cli import main
from flowcore.cli.app import app
from flowcore.inference import Inference, Prior
from flowcore.tables import Schema, TableDensity, fit_table, learn_flow, read_blocks
from flowcore.testing import randomize

RNG = np.random.default_rng
X, C, W = RNG(0).normal(size=(30, 2)), RNG(1).normal(size=(30, 1)), np.linspace(1, 2, 30)
SMALL = {"layers": 1, "hidden": [4], "standardize": False}
GIVEN = {**SMALL, "context_dim": 1, "standardize_context": False}
FLOW, ONE = (randomize(flows.maf(dim, **GIVEN), 0.5, rng=0) for dim in (2, 1))
PLAIN = randomize(flows.maf(2, **SMALL), 0.5, rng=0)
MOVING = randomize(flows.continuous(2, hidden=[8] * 3, context_dim=1, standardize=False,
                                    standardize_context=False).bijector.bijectors[0])  # fmt: skip
DIFFER = {
    "batch_size": (8, 15), "columns": ([0], [1]), "context": (C, C + 1), "context_noise": (0.1, 1),
    "context_train": (C, C + 1), "decimal": (",", "."), "draws": (1000, 1500),
    "encoding": ("utf-8", "latin-1"), "header": (True, False), "ignore_extra": (True, False),
    "margins": ("model", "table"), "missing": ("drop", "error"), "missing_values": (["?"], ["-"]),
    "n_draws": (50, 60), "noise": (0.1, 1.0), "params": (FLOW.params, 2 * FLOW.params),
    "random_state": (0, 1), "rng": (0, 1), "rules": (True, False), "sample_weight": (W, W[::-1]),
    "seed": (1, 2), "separator": (";", ","), "strict": (False, True), "text": ((), ("x",)),
    "validation_data": ((X, C), (X + 1, C)), "weights": ([1, 2], [2, 1]),
}  # fmt: skip
ALIKE = {"block_bytes": (2**22, 1024), "max_seconds": (None, 1e6), "n_jobs": (1, 2),
         "progress": (False, True), "threads": (1, 2)}  # fmt: skip


class Drawn(fc.Bijector):
    """A part that starts from the context and from rng."""

    context_dim, initialized, shift = 1, False, 0.0

    def initialize(self, x, context=None, rng=None):
        new = Drawn(self.dim)
        new.initialized, new.shift = True, np.mean(context) + RNG(rng).normal()
        return new

    initialize_inverted = initialize

    def forward_and_log_det(self, z, params=None, context=None):
        return z + self.shift, 0.0 * z[..., 0]

    def inverse_and_log_det(self, x, params=None, context=None):
        return x - self.shift, 0.0 * x[..., 0]


WAITING = fc.Chain([fc.Permute([1, 0]), Drawn(2)])
STARTED = fc.TransformedDistribution(fc.Normal(2), WAITING)
MIX = fc.Mixture([FLOW, randomize(FLOW, 0.5, rng=1)], [1, 2])
MEANS, FACTORS = [[0, 0], [1, 2]], [np.eye(2), [[1, 0], [0.5, 1]]]
T = fc.MultivariateTMixture(MEANS, FACTORS, [1, 2])
QUICK = {"budget": 1e-4, "n_jobs": 1, "random_state": 0}
AT_0, JOINT = {0: 0.3}, fc.Conditionals(randomize(flows.maf(3, **GIVEN), 0.5, rng=0))
THREE = np.hstack([X[:, :1], np.full((30, 2), np.nan)])
HOLES = np.where(np.arange(60).reshape(30, 2) % 7 == 0, np.nan, X)
TABLE = pd.DataFrame({
    "a": np.exp(RNG(2).normal(size=140)), "n": RNG(3).integers(0, 9, 140),
    "c": [*"uv"] * 70, "d": [*"xy"] * 70,
})  # fmt: skip
GAPS = TABLE.assign(a=TABLE["a"].where(TABLE["n"] > 0), c=TABLE["c"].where(TABLE["n"] < 8))
ODD = TABLE.assign(n=TABLE["n"] - 1)
SCHEMA = Schema.from_data(TABLE).edit(a="continuous", n="integer(0)")
FEW, WEIGHT = TABLE[:30].drop(columns="d"), {"sample_weight": (W, W[::-1])}
TEXT = ("x;c\n" + "1,5;?\n2;-\n2,5;\u00e9\n3;a\n4;A\n" * 200).encode()


def gaussian(x, context=None, sample_weight=None, rng=0):
    return fc.MultivariateNormalMixture.from_data(x, 1, sample_weight)


@cache
def density(width=2):
    return fc.FlowDensity("small", **QUICK).fit(X[:, :width], context=C)


@cache
def table():
    return fit_table(TABLE, SCHEMA, learn=gaussian, rules=False)


def trained(**o):
    flow, history = fc.fit(flows.maf(2, **GIVEN), X, epochs=2, learning_rate=0.01, **o)
    return flow.params, history.train_nll, history.val_nll


@cache
def inferred(rng=0, draws=500):
    options = {"epochs": 1, "batches": 2, "rng": rng, "draws": draws}
    return fc.infer(fc.StudentT(2).log_prob, 2, flow=PLAIN, **options)


def estimated(**o):
    model = fc.FlowDensity("small", budget=1e-4, **o).fit(HOLES[:12])
    return model.score_samples(X)


def filled(**o):
    model = fc.FlowImputer(TableDensity(learn=gaussian, missing="drop"), bootstraps=0, **o)
    return model.fit(np.nan_to_num(HOLES, nan=-9.0)).transform(HOLES)


def answered(found):
    return found.draws, found.log_p


def read(**o):
    blocks = list(read_blocks(io.BytesIO(TEXT), **o))
    return [(name, [*chain(*(own[name].tolist() for own in blocks))]) for name in blocks[0].names]


def image(axes):
    np.ravel(axes)[0].figure.savefig(file := io.BytesIO(), format="raw", dpi=30)
    return file.getvalue()


def filmed(film):
    film._draw_was_started = True  # or matplotlib warns that nobody saved it
    film._func((1, 0.0))
    return image(film._fig.axes)


WAYS = ("forward", "forward_and_log_det", "forward_log_det",
        "inverse", "inverse_and_log_det", "inverse_log_det")  # fmt: skip
RECIPES = [
    name for name, one in vars(flows).items()
    if getattr(one, "__module__", "") == flows.__name__ and name[0] != "_"
]  # fmt: skip
CALLS = {
    **{f"Bijector.{way}": partial(getattr(FLOW.bijector, way), X) for way in WAYS},
    **{name: lambda name=name, **o: getattr(flows, name)(3, hidden=[8] * 3, **o).params
       for name in RECIPES},
    "BaseDistribution.sample": partial(fc.StudentT(2).sample, 5),
    "ClampedBase.sample": lambda **o: fc.ClampedBase(fc.Normal(2), 2).sample(5, **o),
    "Composite.initialize": lambda **o: WAITING.initialize(X, **o).forward(X, context=C),
    "Composite.initialize_inverted": lambda **o: fc.Invert(WAITING).initialize(X, **o).forward(
        X, context=C),
    "Conditional.__init__": lambda **o: JOINT.given(AT_0, **o).draws.x,
    "Conditional.sample": partial(JOINT.given(AT_0, context=[0.0]).sample, 5),
    "Conditionals.given": lambda **o: JOINT.given(AT_0, **o).draws.x,
    "Conditionals.impute": lambda **o: answered(JOINT.impute(THREE, 3, **o)),
    "Conditionals.known": JOINT.known,
    "Conditionals.log_prob": lambda **o: JOINT.log_prob(THREE, **o).log_p,
    "Conditionals.marginal": lambda **o: JOINT.marginal(**o).sample(5, 0, C[0]),
    "Conditionals.numbers": lambda **o: JOINT.numbers(n=30, **o).contexts,
    "Conditionals.posterior": lambda **o: JOINT.posterior(THREE[:, [0, 0, 0]], 1, **o).density,
    "ContinuousFlow.field": partial(MOVING.field, X, 0.5),
    "ContinuousFlow.of": lambda **o: fc.ContinuousFlow.of(2, [8] * 3, **o).params,
    "ContinuousFlow.path": partial(MOVING.path, X, [0.3, 1.0]),
    "ContinuousFlow.with_tolerance": lambda **o: MOVING.with_tolerance(X, 1e-6, **o).n_steps,
    "Coupling.with_weights": lambda **o: fc.Coupling(2).with_weights(**o).params,
    "Exercise.variant": lambda **o: teaching.EXERCISES["1a"].variant(**o).question,
    "Network.with_weights": lambda **o: fc.MADE(2).with_weights(**o).params,
    "Parametric.params_of": partial(FLOW.params_of, FLOW.bijector),
    "Schema.check_kinds": lambda **o: Schema.from_data(TABLE.assign(e=1)).check_kinds(**o),
    "TableDensity.sample_numbers": lambda rng: table().sample_numbers(
        np.eye(2, dtype=int), RNG(rng)),
    "TableDensity.sample_on_line": lambda rng: table().sample_on_line(
        np.eye(2, dtype=int), RNG(rng)),
    "grid_animation": lambda **o: filmed(teaching.grid_animation(FLOW, 3, **o)),
    "Coupling.__init__": lambda **o: fc.Coupling(2, hidden=[4], **o).params,
    "Dequantize.log_prob": partial(fc.Dequantize().log_prob, FLOW, np.rint(X)),
    "Distribution.log_prob": partial(FLOW.log_prob, X),
    "Distribution.prob": partial(FLOW.prob, X),
    "EllipticalMixture.__init__": lambda **o: fc.MultivariateNormalMixture(
        MEANS, FACTORS, **o).log_prob(X),
    "EllipticalMixture.components_given": partial(T.components_given, values=X[:, :1]),
    "EllipticalMixture.marginal": lambda **o: T.marginal(**o).log_prob(X[:, :1]),
    "EllipticalMixture.sample_components": lambda rng: T.sample_components(
        HOLES[:1], np.array([0]), RNG(rng)),
    "EllipticalMixture.sample_given": lambda rng: T.sample_given(HOLES[3:4], 5, RNG(rng)),
    "Exact.sample": partial(targets.two_moons().sample, 5),
    "FlowBackend.__init__": lambda **o: FlowBackend(PLAIN, **o).sample_and_log_prob(5),
    "FlowDensity.__init__": estimated,
    "FlowDensity.explain": lambda **o: density().explain(X, **o).gains,
    "FlowDensity.fit": lambda **o: fc.FlowDensity("small", **QUICK).fit(
        X, **o).score_samples(X, context=C),
    "FlowDensity.given": lambda **o: density().given(AT_0, n_draws=50, **o).draws.x,
    "FlowDensity.impute": lambda **o: answered(density().impute(HOLES, 3, n_draws=50, **o)),
    "FlowDensity.inverse_transform": lambda **o: density().inverse_transform(X, **o),
    "FlowDensity.marginal": lambda **o: density().marginal(**o).sample(5, 0, C[0]),
    "FlowDensity.pit": lambda **o: density(1).pit(X[:, :1], **o),
    "FlowDensity.posterior": lambda **o: density().posterior(X, 1, **o).density,
    "FlowDensity.quantiles": lambda **o: density(1).quantiles([0.3], **o),
    "FlowDensity.sample": lambda **o: density().sample(2, **o),
    "FlowDensity.score": lambda **o: density().score(X, **o),
    "FlowDensity.score_samples": lambda **o: density().score_samples(X, **o),
    "FlowDensity.transform": lambda **o: density().transform(X, **o),
    "FlowImputer.__init__": filled,
    "FlowImputer.fit": lambda **o: fc.FlowImputer(TableDensity(
        learn=gaussian, missing="drop"), bootstraps=1).fit(HOLES, **o).sample(2)[1],
    "FlowImputer.sample": lambda **o: fc.FlowImputer(TableDensity(
        learn=gaussian, missing="drop"), bootstraps=1).fit(HOLES).sample(2, **o)[1],
    "GaussianMixture.__init__": lambda **o: fc.GaussianMixture(MEANS, 1.0, **o).log_prob(X),
    "GaussianMixture.from_data": lambda **o: fc.GaussianMixture.from_data(X, 3, **o).means,
    "GaussianMixture.spread": lambda **o: fc.GaussianMixture.spread(3, 2, **o).means,
    "Inference.checked": lambda **o: inferred().checked(**o).moved,
    "Inference.columns": lambda **o: inferred().columns(5, **o)["x_1"],
    "Inference.hmc": lambda **o: inferred().hmc(3, 2, warm_up=2, **o),
    "Inference.metropolis": lambda **o: inferred().metropolis(20, **o),
    "Inference.of": lambda **o: Inference.of(PLAIN, inferred().target, 5, **o).rows,
    "Inference.resample": lambda **o: inferred().resample(5, **o),
    "LULinear.__init__": lambda **o: fc.LULinear(5, **o).forward(np.eye(5)),
    "MADE.__init__": lambda **o: fc.MADE(2, [4], **o).params,
    "MLP.__init__": lambda **o: fc.MLP(2, (2,), [4], **o).params,
    "Margins.from_data": lambda **o: fc.Margins.from_data(X, **o).inverse(X),
    "Marginal.__init__": lambda **o: JOINT.marginal(**o).sample(5, 0, C[0]),
    "Marginal.estimate": lambda **o: JOINT.marginal([0]).estimate(X[:, :1], **o).log_p,
    "Marginal.log_prob": partial(JOINT.marginal([0]).log_prob, X[:, :1]),
    "Marginal.sample": partial(JOINT.marginal([0]).sample, 5),
    "Mixture.__init__": lambda **o: fc.Mixture([fc.Normal(2), fc.Laplace(2)], **o).log_prob(X),
    "Mixture.initialize": lambda **o: fc.Mixture([STARTED, FLOW]).initialize(
        X, **o).log_prob(X, context=C),
    "Mixture.sample": partial(MIX.sample, 2),
    "Mixture.sample_and_log_prob": partial(MIX.sample_and_log_prob, 2),
    "MultivariateNormalMixture.from_data": lambda **o: fc.MultivariateNormalMixture.from_data(
        HOLES, 3, **o).means,
    "MultivariateTMixture.__init__": lambda **o: fc.MultivariateTMixture(
        MEANS, FACTORS, **o).log_prob(X),
    "MultivariateTMixture.from_data": lambda **o: fc.MultivariateTMixture.from_data(
        HOLES, 3, **o).means,
    "Planar.__init__": lambda **o: fc.Planar(2, **o).params,
    "Prior.sample": lambda **o: Prior("gamma", a=[1.0, 2.0]).sample(5, **o),
    "Product.sample": partial(fc.Product([fc.Normal(1), fc.UniformCircle(1)]).sample, 5),
    "Queries.cdf": partial(ONE.cdf, X[:, :1]),
    "Queries.marginal": lambda **o: FLOW.marginal(**o).sample(5, 0, C[0]),
    "Queries.pit": partial(ONE.pit, X[:, 0]),
    "Queries.posterior": lambda **o: FLOW.posterior(X, 1, **o).density,
    "Queries.ppf": partial(ONE.ppf, np.full((30, 1), 0.3)),
    "Queries.quantiles": partial(ONE.quantiles, [0.3]),
    "Radial.__init__": lambda **o: fc.Radial(2, **o).params,
    "Schema.from_data": lambda **o: str(Schema.from_data(GAPS, **o)),
    "Schema.select": lambda **o: SCHEMA.select(TABLE.assign(more=1.0), **o).names,
    "TableDensity.__init__": lambda **o: TableDensity(SCHEMA, gaussian, **o).fit(
        GAPS.assign(more=1.0)).log_prob(TABLE.assign(more=1.0)),
    "TableDensity.fit": lambda **o: TableDensity(learn=gaussian).fit(FEW, **o).log_prob(FEW),
    "TableDensity.given": lambda **o: table().given({"n": 3}, **o).draws.x,
    "TableDensity.impute": lambda **o: table().impute(GAPS.assign(n=ODD["n"]), 2, **o).tables[1],
    "TableDensity.log_prob": lambda **o: table().log_prob(GAPS, **o),
    "TableDensity.numbers_of": lambda **o: table().numbers_of(TABLE, **o).rows,
    "TableDensity.possible_rows": lambda **o: len(table().possible_rows(ODD, **o)),
    "TableDensity.sample": lambda **o: table().sample(9, **o),
    "TransformedDistribution.from_latent": partial(FLOW.from_latent, X),
    "TransformedDistribution.initialize": lambda **o: STARTED.initialize(X, **o).log_prob(
        X, context=C),
    "TransformedDistribution.sample": partial(FLOW.sample, 2),
    "TransformedDistribution.sample_and_log_prob": partial(FLOW.sample_and_log_prob, 2),
    "TransformedDistribution.stages": lambda **o: [one for _, one in FLOW.stages(X, **o)],
    "TransformedDistribution.to_latent": partial(FLOW.to_latent, X),
    "check": lambda **o: str(teaching.check("1a", -5.093, **o)),
    "densities": lambda **o: image(plots.densities({"one": FLOW}, n=9, **o)),
    "density": lambda **o: image(plots.density(FLOW, n=9, **o)),
    "diagnose": lambda **o: [f.effect for f in fc.diagnose(FLOW, X, X, **o).findings],
    "evidence": lambda **o: fc.evidence(
        PLAIN.sample(120, 0), PLAIN.log_prob, epochs=1, flow=PLAIN, **o),
    "fit": trained,
    "fit_reverse_kl": lambda **o: fc.fit_reverse_kl(
        PLAIN, fc.StudentT(2).log_prob, epochs=1, batches=2, **o)[0].params,
    "fit_table": lambda **o: fit_table(GAPS, SCHEMA, learn=gaussian, **o).log_prob(TABLE),
    "grid": lambda **o: image(teaching.grid(FLOW, 3, **o)),
    "infer": lambda **o: inferred(**o).rows,
    "jacobian": lambda **o: image(teaching.jacobian(FLOW, X[0], **o)),
    "kl_to_truth": lambda **o: fc.kl_to_truth(PLAIN, targets.banana(), 100, **o),
    "learn_flow": lambda **o: learn_flow(X, **o).log_prob(X, context=C),
    "log_dets": lambda **o: image(teaching.log_dets(FLOW, X[:5], **o)),
    "question": lambda **o: teaching.question("1a", **o),
    "read_blocks": read,
    "solution": lambda **o: teaching.solution("1a", **o),
    "stages": lambda **o: image(plots.stages(FLOW, 9, **o)),
    "stray_mass": lambda **o: fc.stray_mass(
        fc.Normal(2), targets.correlated_gaussian(), n=1000, **o),
}  # fmt: skip
OWN = {  # arguments of another form
    **{f"{name}.context": ([0.0], [1.0]) for name in (
        "Conditional.__init__", "Conditionals.given", "FlowDensity.given", "densities", "density",
        "grid", "grid_animation", "jacobian", "stages")},
    "ClampedBase.sample.context": (np.eye(2), np.ones((2, 2))),
    "Conditionals.marginal.columns": ([0], [1]),
    "FlowDensity.__init__.missing": ("learn", "error"),
    "MultivariateNormalMixture.from_data.missing": ("learn", "error"),
    "MultivariateTMixture.from_data.missing": ("learn", "error"),
    "TableDensity.log_prob.missing": ("marginal", "nan"),
    "Schema.from_data.missing": ("atom", "drop"), "read_blocks.columns": (["x", "c"], ["c"]),
    "read_blocks.strict": (True, False),
    "log_dets.context": (C[:5], C[:5] + 1), "ContinuousFlow.with_tolerance.context": (C, 9 * C),
    "Coupling.with_weights.weights": [fc.Coupling(2, rng=k).weights() for k in (0, 1)],
    "Network.with_weights.weights": [fc.MADE(2, rng=k).weights() for k in (0, 1)],
    "Dequantize.log_prob.draws": (1, 2), "infer.draws": (500, 600),
    "fit_table.sample_weight": (np.linspace(1, 2, 140), np.linspace(2, 1, 140)),
    "EllipticalMixture.sample_components.rng": (0, 1),
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
}


def contract():
    """{name: its arguments}, of every public function, method and constructor."""
    found = {}
    for room in ("", ".tables", ".inference", ".diagnosis", ".adapters", ".plots", ".teaching",
                 ".targets", ".mixtures", ".conditionals", ".estimator", ".flows"):  # fmt: skip
        module = importlib.import_module(f"flowcore{room}")
        for one in (getattr(module, name) for name in getattr(module, "__all__", RECIPES)):
            members = [one]
            if inspect.isclass(one):
                keys = [key for key in dir(one) if key[0] != "_"]
                keys += [] if dataclasses.is_dataclass(one) else ["__init__"]
                members = [getattr(one, key) for key in keys]
            for member in (inspect.unwrap(getattr(own, "__func__", own)) for own in members):
                if inspect.isfunction(member) and member.__module__.startswith("flowcore"):
                    found[member.__qualname__] = [*inspect.signature(member).parameters]
    return found


ARGUMENTS = {name: [one for one in names if one in DIFFER or one in ALIKE]
             for name, names in contract().items()}  # fmt: skip


def test_no_argument_is_forgotten():
    every = {f"{name}.{one}" for name, own in ARGUMENTS.items() for one in own}
    called = {one for one in every if one.rpartition(".")[0] in CALLS}
    left_out = {one for one in every if any(re.fullmatch(name, one) for name in LEFT_OUT)}
    assert every == called | left_out and CALLS.keys() <= ARGUMENTS.keys() and OWN.keys() <= called


def outcome(call, arguments):
    """What it answers, as bytes, or its error."""
    try:
        return pickle.dumps(call(**arguments))
    except ValueError as problem:
        return str(problem)


@pytest.mark.usefixtures("few_folds", "few_epochs")
@pytest.mark.filterwarnings("ignore")
@over(CALLS)
def test_every_argument_matters(name):
    names = [one for one in ARGUMENTS[name] if f"{name}.{one}" not in LEFT_OUT]
    pairs = {one: OWN.get(f"{name}.{one}", (DIFFER | ALIKE)[one]) for one in names}
    first = {one: pair[0] for one, pair in pairs.items()}
    answer = outcome(CALLS[name], first)
    if {"rng", "random_state"} & pairs.keys():
        assert outcome(CALLS[name], first) == answer
    for one, (_, other) in pairs.items():
        assert (outcome(CALLS[name], first | {one: other}) != answer) == (one in DIFFER), one
    plt.close("all")


IN_SHELL = {  # what is typed for an option of a command
    "auto": "--auto", "budget": "--budget 2", "columns": "-c a", "decimal": "--decimal ,",
    "encoding": "--encoding utf-16", "explain": "--explain", "fail": "--fail",
    "flow": "--flow small", "given": "--given c=u", "header": "--no-header", "hide": "--hide 0.2",
    "ignore_extra": "--ignore-extra", "json": "--json", "keep": "--keep more",
    "kind": "-k n=categorical", "margins": "--margins table", "missing": "--missing marginal",
    "missing_values": "--missing-values 6", "n": "-n 3", "quick": "--quick", "rules": "--no-rules",
    "schema": "--schema model.npz", "seed": "--seed 3", "separator": "--separator |",
    "strict": "--strict", "suggested": "--no-suggested", "text": "--text n", "train": "t.csv",
}  # fmt: skip
NOT_TYPED = {"data", "held_out", "model", "out", "progress"}
SHELL = {
    "diagnose": "model.npz DATA", "fit": "DATA -o new.npz --no-progress", "info": "model.npz",
    "impute": "model.npz DATA -o out.csv", "plot": "model.npz DATA -o out.png",
    "sample": "model.npz -o out.csv -n 9", "score": "model.npz DATA -o out.csv",
}  # fmt: skip
FILES = {"auto": "more.csv", "ignore_extra": "more.csv", "keep": "more.csv"}
FREE = ["moons.flow", "moons.quick", "moons.seed", "plot.text"]  # slow; a model knows its types


def typed(words):
    """What a command prints, its status and what it writes."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        status = main(words.split())
    return printed.getvalue(), status, [path.read_bytes() for path in sorted(Path().glob("out*"))]


@pytest.mark.usefixtures("few_folds")
def test_every_option_matters(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flowcore.cli.fit.FlowDensity", lambda *a, **o: print(a, o) or gaussian)
    fc.save(table(), "model.npz")
    TABLE[:60].to_csv("t.csv", index=False)
    TABLE[:60].assign(more=1).to_csv("more.csv", index=False)
    GAPS[:60].assign(n=ODD["n"]).to_csv("data.csv", index=False)
    forgotten = []
    for own in (one.callback for one in app.registered_commands):
        for option in inspect.signature(own).parameters.keys() - NOT_TYPED:
            data = FILES.get(option, "t.csv" if own.__name__ == "fit" else "data.csv")
            plain = f"{own.__name__} {SHELL.get(own.__name__, '')}".replace("DATA", data)
            if f"{own.__name__}.{option}" not in FREE:
                forgotten += [option] * (typed(plain) == typed(f"{plain} {IN_SHELL[option]}"))
    assert not forgotten
