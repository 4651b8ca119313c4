"""Oracles of names: no column is silently another one, wherever a frame goes in.

Every call of CALLS and ESTIMATOR gets the same rows three times: as arrays in the order of `fit`
(of which scikit-learn warns an estimator), as frames in this order, and as frames with their
columns turned round, among others. The answers are equal, and nothing warns of frames. Without one
of the columns a call raises ValueError, by name. Columns have different units, so a mistake is
another number.

scikit-learn's checks want an estimator to refuse another order in its own methods (IN_ORDER): there
the error has the line that selects.
"""

from __future__ import annotations

import pickle
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal as assert_equal

import flowcore as fc
from flowcore import flows
from flowcore.core.labels import completed, frame_of

polars = pytest.importorskip("polars")
pytestmark = pytest.mark.usefixtures("few_folds")

X_NAMES, C_NAMES = ["mass", "size", "age"], ["u", "g"]
QUICK = {"epochs": 2, "validation_split": 0, "rng": 0}
LIBRARIES = {"pandas": pd.DataFrame, "polars": lambda a, columns: polars.DataFrame(a, columns)}


def table(n=80, seed=0):
    """x (n, 3) and a context (n, 2), in units that differ."""
    rng = np.random.default_rng(seed)
    c = rng.normal([20.0, 500.0], [1.0, 30.0], size=(n, 2))
    x = rng.normal([0.0, 1e3, -5.0], [1.0, 50.0, 0.01], size=(n, 3))
    x[:, 0] += c[:, 0] - 20
    x[:, 1] += 40 * x[:, 0]
    return x, c


def framed(a, names, library, turned):
    """A frame with these names, or if turned in the opposite order and with a column of text."""
    if not turned:
        return LIBRARIES[library](a, columns=names)
    frame = LIBRARIES[library](np.ascontiguousarray(a[:, ::-1]), columns=names[::-1])
    if library == "polars":
        return frame.with_columns(city=polars.lit("Bern"))
    return frame.assign(city="Bern").set_index(pd.Index([f"row {i}" for i in range(len(a))]))


@cache
def fitted(library="pandas", with_context=True):
    x, c = table()
    flow = flows.maf(3, layers=2, hidden=[8], context_dim=2 * with_context, rng=0)
    context = framed(c, C_NAMES, library, False) if with_context else None
    return fc.fit(flow, framed(x, X_NAMES, library, False), context=context, **QUICK)[0]


@cache
def one_column(library="pandas"):
    x, c = table()
    flow = flows.nsf(1, layers=2, hidden=[8], context_dim=2, rng=0)
    x, c = framed(x[:, :1], X_NAMES[:1], library, False), framed(c, C_NAMES, library, False)
    return fc.fit(flow, x, context=c, **QUICK)[0]


@cache
def estimator(library="pandas", with_context=True):
    x, c = table()
    context = framed(c, C_NAMES, library, False) if with_context else None
    new = fc.FlowDensity("small", budget=1e-3, n_jobs=1, random_state=0)
    return new.fit(framed(x, X_NAMES, library, False), context=context)


# a call of rows x and their contexts: its answer as an array
CALLS = {
    "log_prob": lambda x, c: fitted().log_prob(x, context=c),
    "prob": lambda x, c: fitted().prob(x, context=c),
    "params=": lambda x, c: fitted().log_prob(x, params=0.5 * fitted().params, context=c),
    "initialize": lambda x, c: fitted().restandardized().initialize(x, c).log_prob(x, context=c),
    "Mixture": lambda x, c: fc.Mixture([fitted(), fitted()]).log_prob(x, context=c),
    "Dequantize": lambda x, c: fc.Dequantize(step=[0, 0, 1e-3]).log_prob(
        fitted(), x.round(3), context=c
    ),
    "from_latent": lambda x, c: fitted().from_latent(np.ones((20, 3)), context=c),
    "stages": lambda x, c: [z for _, z in fitted().stages(np.ones((20, 3)), context=c)],
    "to_latent": lambda x, c: fitted().to_latent(x, context=c),
    "sample": lambda x, c: fitted().sample(2, 0, context=c),
    "sample_and_log_prob": lambda x, c: fitted().sample_and_log_prob(2, 0, context=c)[1],
    "posterior": lambda x, c: fitted().posterior(x, "size", context=c).density,
    "pit": lambda x, c: one_column().pit(column(x, "mass"), context=c),
    "quantiles": lambda x, c: one_column().quantiles([0.1, 0.9], context=c),
    "posterior of one column": lambda x, c: one_column().posterior(context=c).density,
    "without a context": lambda x, c: fitted(with_context=False).log_prob(x),
    "posterior without a context": lambda x, c: (
        fitted(with_context=False).posterior(x, "size").density
    ),
    "given without a context": lambda x, c: (
        fitted(with_context=False).given({"size": 1e3}, n_draws=50).log_prob(mass_and_age(x))
    ),
    "marginal without a context": lambda x, c: (
        fitted(with_context=False).marginal(["mass", "age"]).log_prob(mass_and_age(x))
    ),
    "diagnose without a context": lambda x, c: (
        judged(fitted(with_context=False), x[:10], x[10:])
    ),
    "conditionals": lambda x, c: (
        fc.Conditionals(fitted(with_context=False)).log_prob(holed(x), n_draws=30).log_p
    ),
    "fit once more": lambda x, c: fc.fit(fitted(), x, context=c, **QUICK)[0].params,
    "validation rows": lambda x, c: [
        fc.fit(fitted(), *table()[:1], context=table()[1],
               **QUICK | {"validation_data": (x, c)})[1].val_nll
    ],
}  # fmt: skip
ESTIMATOR = {
    "score_samples": lambda x, c: estimator().score_samples(x, c),
    "score": lambda x, c: estimator().score(x, context=c),
    "transform": lambda x, c: estimator().transform(x, c),
    "explain": lambda x, c: estimator().explain(x, c).surprise,
    "explain without a context": lambda x, c: estimator(with_context=False).explain(x[:2]).surprise,
    "sample": lambda x, c: estimator().sample(2, 0, context=c),
    "posterior": lambda x, c: estimator().posterior(x, "size", context=c).density,
    "impute": lambda x, c: estimator().impute(holed(x), 2, n_draws=30, rng=0, context=c).draws,
    "impute without a context": lambda x, c: (
        estimator(with_context=False).impute(holed(x), 2, n_draws=30, rng=0).draws
    ),
    "posterior without a context": lambda x, c: (
        estimator(with_context=False).posterior(x, "size").density
    ),
    "marginal without a context": lambda x, c: (
        estimator(with_context=False).marginal(["mass", "age"]).log_prob(mass_and_age(x))
    ),
    "density_": lambda x, c: estimator().density_.log_prob(x, context=c),
    "latent_": lambda x, c: estimator().latent_.to_latent(x, context=c),
    "diagnose": lambda x, c: fc.diagnose(estimator(with_context=False), x).mean,
}
IN_ORDER = [f"FlowDensity.{name}" for name in
            ("score_samples", "score", "transform")]  # fmt: skip
ALL = {**CALLS, **{f"FlowDensity.{name}": call for name, call in ESTIMATOR.items()}}
untrusted = pytest.mark.filterwarnings("ignore:.*not to be trusted")


def column(x, name):
    return x[:, :1] if isinstance(x, np.ndarray) else x[[name]]


def mass_and_age(x):
    """For a density of these two columns; of a frame they are found by name."""
    return x[:, ::2] if isinstance(x, np.ndarray) else x


def judged(density, held_out, train):
    return [f.effect for f in fc.diagnose(density, held_out, train, draws=1000).findings]


def holed(x):
    """x without `mass` in the first row."""
    if isinstance(x, np.ndarray):
        x = x.copy()
        x[0, 0] = np.nan
        return x
    if isinstance(x, pd.DataFrame):
        return x.assign(mass=x["mass"].where(np.arange(len(x)) > 0))
    values = [float("nan"), *x["mass"].to_list()[1:]]
    return x.with_columns(polars.Series("mass", values))


def as_array(answer):
    return np.stack([np.asarray(one, float) for one in answer]) if isinstance(answer, list) else (
        np.asarray(answer, float)
    )  # fmt: skip


OF_ALL = [(name, "pandas") for name in ALL]
OF_ALL += [(name, "polars") for name in
           ("log_prob", "posterior", "pit", "quantiles", "conditionals", "fit once more",
            "FlowDensity.impute", "FlowDensity.posterior")]  # fmt: skip


SLOW = {"posterior", "FlowDensity.posterior", "FlowDensity.impute", "FlowDensity.explain",
        "conditionals", "FlowDensity.posterior without a context"}  # fmt: skip
OF_ALL = [
    pytest.param(name, library, marks=[pytest.mark.slow] * (name in SLOW))
    for name, library in OF_ALL
]


@untrusted
@pytest.mark.parametrize(("name", "library"), OF_ALL)
def test_columns_are_read_by_name(name, library):
    x, c = table(20, seed=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*feature names")
        expected = as_array(ALL[name](x, c))
    for turned in (False, True):
        frames = framed(x, X_NAMES, library, turned), framed(c, C_NAMES, library, turned)
        if turned and name in IN_ORDER:
            for rows in (frames[0].drop(columns="city"), frames[0].assign(city=1.0)):
                with pytest.raises(ValueError, match=r"X\[list\(density.feature_names_in_\)\]"):
                    ALL[name](rows, frames[1])
            continue
        found = ALL[name](*frames)
        if name.endswith("transform") or "impute" in name or name == "to_latent":
            assert np.shape(found)[-1] == 3
        np.testing.assert_allclose(as_array(found), expected, rtol=1e-9, err_msg=f"{turned}")


READS_NONE = ["sample", "sample_and_log_prob", "quantiles", "posterior of one column",
              "from_latent", "stages", "FlowDensity.sample"]  # fmt: skip
READS_X = [name for name in ALL if name not in READS_NONE]
WITHOUT_CONTEXT = [name for name in ALL if "without" in name or name in
                   ("conditionals", "FlowDensity.diagnose")]  # fmt: skip


@untrusted
@pytest.mark.parametrize("name", READS_X)
def test_a_missing_column_is_named(name):
    x, c = table(12, seed=1)
    frame = pd.DataFrame(x, columns=X_NAMES).rename(columns={"age": "epoch"})
    if "pit" in name:
        with pytest.raises(ValueError, match="'mass'"):
            one_column().pit(frame[["epoch"]], context=c)
        return
    with pytest.raises(ValueError, match="age"):
        ALL[name](frame, c)


@untrusted
@pytest.mark.parametrize("name", [name for name in ALL if name not in WITHOUT_CONTEXT])
def test_a_missing_column_of_a_context_is_named(name):
    x, c = table(20, seed=1)
    frame = pd.DataFrame(c, columns=["u", "r"])
    with pytest.raises(ValueError, match="'g'"):
        ALL[name](pd.DataFrame(x, columns=X_NAMES), frame)


@untrusted
@pytest.mark.parametrize("name", ["log_prob", "posterior", "FlowDensity.score_samples", "fit",
                                  "FlowDensity.fit"])  # fmt: skip
def test_a_column_that_is_there_twice_is_refused(name):
    x, c = table(12, seed=1)
    frame = pd.DataFrame(np.column_stack([x, x[:, 0]]), columns=[*X_NAMES, "mass"])
    fits = {"fit": lambda x, c: fc.fit(flows.maf(4, layers=1), x, **QUICK),
            "FlowDensity.fit": lambda x, c: fc.FlowDensity("small").fit(x)}  # fmt: skip
    with pytest.raises(ValueError, match="'mass'"):
        (ALL | fits)[name](frame, c)
    frame.columns = [*X_NAMES, "other"]  # it is not needed, and may be there twice
    fitted().log_prob(pd.concat([frame, frame[["other"]]], axis=1), context=c)


@pytest.mark.slow
def test_a_frame_may_lack_the_column_of_the_curve():
    x, c = table(6, seed=2)
    frame, context = pd.DataFrame(x, columns=X_NAMES), pd.DataFrame(c, columns=C_NAMES)
    lacks = frame.drop(columns="size")[["age", "mass"]]
    for density in (fitted(), estimator()):
        expected = density.posterior(frame, "size", context=context)
        found = density.posterior(lacks, "size", context=context)
        np.testing.assert_array_equal(found.density, expected.density)
        assert found.column in ("size", 1)
        with pytest.raises(ValueError, match="'age'"):
            density.posterior(lacks[["mass"]], "size", context=context)
        with pytest.raises(ValueError, match="weight"):
            density.posterior(frame, "weight", context=context)


@untrusted
def test_given_and_marginal_take_names():
    density, flow = estimator(with_context=False), fitted(with_context=False)
    x = table(1, seed=3)[0][0]
    for one in (density, density.conditionals_, flow, fc.Conditionals(flow)):
        given = one.given({"age": x[2], "mass": x[0]})
        assert given.columns == ["size"]
        same = one.given({0: x[0], 2: x[2]})
        np.testing.assert_allclose(given.log_prob([[900.0]]), same.log_prob([[900.0]]))
        marginal = one.marginal(["size", "mass"])
        turned = pd.DataFrame([[x[0], x[1]]], columns=["mass", "size"])
        np.testing.assert_allclose(marginal.log_prob(turned), marginal.log_prob([[x[1], x[0]]]))
        with pytest.raises(ValueError, match="named 'weight': the columns are mass, size, age"):
            one.given({"weight": 1.0})
    renamed = fc.Conditionals(flow, names=["a", "b", "c"])  # names of its own come first
    assert renamed.given({"b": x[1]}, n_draws=50).columns == ["a", "c"]


def test_an_estimator_answers_questions_given_a_context():
    x, c = table(1, seed=3)
    context = framed(c, C_NAMES, "pandas", True)
    found = [estimator().given({"size": x[0, 1]}, context=own, n_draws=50)
             for own in (context.iloc[0], c[0])]  # fmt: skip
    assert found[0].log_marginal == found[1].log_marginal
    assert found[0].columns == ["mass", "age"]


# ---------------------------------------------------------------- frames out


@pytest.mark.parametrize("library", LIBRARIES)
def test_completed_tables_are_like_the_caller_s(library):
    """Its type, order, index, and columns that the density does not know; only holes are filled."""
    density, x = estimator(library, with_context=False), table(6, seed=4)[0]
    frame = holed(framed(x, X_NAMES, library, True))
    answers = density.impute(frame, 3, n_draws=30, rng=0)
    assert answers.draws.shape == (3, 6, 3) and len(answers.tables) == 3
    for k, table_ in enumerate(answers.tables):
        assert type(table_) is type(frame) and list(table_.columns) == [*X_NAMES[::-1], "city"]
        assert_equal(table_[X_NAMES].to_numpy(), answers.draws[k])
        assert_equal(table_["age"].to_numpy(), x[:, 2])
        assert_equal(table_["city"].to_numpy(), frame["city"].to_numpy())
        if library == "pandas":
            assert list(table_.index) == list(frame.index)
    arrays = density.impute(holed(x), 2, n_draws=30, rng=0).tables
    assert all(isinstance(one, np.ndarray) for one in arrays)


def test_known_columns_stay_as_they_are():
    """Their values and dtypes: only columns that have a hole are written anew."""
    frame = pd.DataFrame({"n": [2**60 + 1, 7], "a": [np.nan, 2.0], "b": np.float32([0.1, 0.2])})
    x = frame.to_numpy(float)
    x[0, 1] = 5.0
    filled = completed(frame, ["b", "a"], np.array([False, True]), x[:, [2, 1]])
    assert list(filled.dtypes) == list(frame.dtypes) and filled["a"].tolist() == [5.0, 2.0]
    assert filled[["n", "b"]].equals(frame[["n", "b"]])
    numbered = pd.DataFrame([[1.0, np.nan]], ["a"])
    for hole in ([False, True], [True, True]):
        found = completed(numbered, None, np.array(hole), np.array([[1.0, 2.0]]))
        pd.testing.assert_frame_equal(found, pd.DataFrame([[1.0, 2.0]], ["a"]))


@pytest.mark.parametrize("library", [*LIBRARIES, "pyarrow"])
def test_an_estimator_returns_frames_of_the_library_of_fit(library, tmp_path):
    pytest.importorskip(library)
    x = table()[0]
    frame = frame_of(library, {name: x[:, j] for j, name in enumerate(X_NAMES)})
    found = fc.FlowDensity(budget=0.002, n_jobs=1, random_state=0).fit(frame[:30])
    fc.save(found, tmp_path / "found.npz")
    for own in (found, fc.load(tmp_path / "found.npz")):
        draws = own.sample(5, random_state=0)
        assert type(draws) is type(frame) and draws.shape == (5, 3)
        again = own.inverse_transform(own.transform(frame))
        assert type(again) is type(frame)
        np.testing.assert_allclose(again, frame, rtol=1e-6)
        assert np.isfinite(own.score_samples(draws)).all()  # without a warning
    assert isinstance(found.set_params(budget=0.002).fit(x[:30]).sample(2), np.ndarray)


def test_draws_have_the_index_and_the_library_that_there_are(monkeypatch):
    density, context = estimator(with_context=False), pd.DataFrame(table(6)[1], columns=C_NAMES)
    rows = framed(table(6)[0], X_NAMES, "pandas", False)
    z = pd.DataFrame(density.transform(rows), [7, 3, 9, 1, 0, 2])
    assert list(density.inverse_transform(z).index) == [7, 3, 9, 1, 0, 2]
    assert estimator().sample(2, context=context).shape == (2, 6, 3)  # no table has three axes
    assert density.given({"mass": 0.0}, n_draws=50).sample(3).shape == (3, 2)
    monkeypatch.setattr("flowcore.estimator.density.find_spec", lambda name: None)
    assert isinstance(density.sample(2), np.ndarray)


# ---------------------------------------------------------------- names are kept, or refused


def test_names_are_kept(tmp_path):
    flow, (x, c) = fitted(), table()
    start, frame = flows.maf(3, layers=1, hidden=[8]), framed(x, X_NAMES, "pandas", False)
    for name, own in (("flow", flow), ("estimator", estimator()), ("one", one_column())):
        fc.save(own, tmp_path / f"{name}.npz")
    found = {
        "with_params": flow.with_params(flow.params),
        "with_names": flow.with_names(X_NAMES),
        "pickle": pickle.loads(pickle.dumps(flow)),
        "load": fc.load(tmp_path / "flow.npz"),
        "load of an estimator": fc.load(tmp_path / "estimator.npz").density_,
        "restandardized": flow.restandardized(),
        "initialize": flow.initialize(x, c),
        "rebuilt": flow.rebuilt({}),
        "fit of an array": fc.fit(flow, x, context=c, **QUICK)[0],
    }
    for how, own in found.items():
        assert (own.names, own.context_names) == (X_NAMES, C_NAMES), how
    assert fc.load(tmp_path / "estimator.npz").context_names_in_ == C_NAMES
    assert fc.load(tmp_path / "one.npz").names == ["mass"]
    assert "names=['mass', 'size', 'age']" in repr(flow)
    assert fc.Mixture([flow, found["pickle"]]).context_names == C_NAMES
    matched, _ = fc.fit_matching(flows.continuous(3, hidden=[8] * 3), frame, epochs=1)
    assert matched.names == X_NAMES
    seen = []
    fc.fit(start, frame, epochs=1, callbacks=[lambda r: seen.append(r.flow)])
    assert seen[0].names == X_NAMES and start.names is None  # also in the callbacks


def test_names_by_hand():
    flow = fitted()
    for names in (["a", "b"], ["a", "b", "a"], [0.0, 1.0, 2.0], [0, 1, True]):
        with pytest.raises(ValueError, match="names must be 3 different texts or integers: "):
            flow.with_names(names)
    with pytest.raises(ValueError, match="densities of a Mixture differ in names"):
        fc.Mixture([flow, flow.with_names(X_NAMES[::-1])])
    free = flows.maf(3, layers=1).with_names(X_NAMES, ["c"])
    assert free.names == X_NAMES and free.context_names is None  # it takes no context
    rows = framed(table()[0], X_NAMES, "pandas", False)
    with pytest.raises(ValueError, match="validation_data lacks 'mass'"):
        fc.fit(free, rows, validation_data=rows[["size", "age"]], epochs=1)


def test_a_frame_is_what_the_array_was():
    """Only the rows are a frame, or the context, or one frame has both; also a row of it."""
    flow, (x, c) = fitted(), table(6, seed=1)
    frame, context = framed(x, X_NAMES, "pandas", True), framed(c, C_NAMES, "pandas", True)
    both, expected = frame.join(context[C_NAMES]), flow.log_prob(x, context=c)
    for rows, given in ((frame, c), (x, context), (both, both)):
        assert_equal(flow.log_prob(rows, context=given), expected)
    row = both.iloc[3]
    np.testing.assert_allclose(flow.log_prob(row, context=row), expected[3:4], rtol=1e-12)


def test_plots_match_columns_by_name():
    flow, frame = fitted(with_context=False), pd.DataFrame(table(3)[0], columns=X_NAMES)
    bars = [[bar.get_height() for bar in fc.teaching.log_dets(flow, rows).patches]
            for rows in (frame, frame[X_NAMES[::-1]])]  # fmt: skip
    assert bars[0] == bars[1]
    with pytest.raises(ValueError, match="samples lacks 'mass'"):
        fc.plots.pairs(frame, frame[["size", "age"]].assign(w=0.0))


# ---------------------------------------------------------------- labels that are no text

LABELS = {
    "integers": [5, 2, 0],
    "numbers turned round": [2, 0, 1],
    "tuples": [("a", 1), ("a", 2), ("b", 1)],
    "text beside an integer": ["mass", "size", 0],  # which scikit-learn refuses
}
OF_LABELS = [(labels, "flow") for labels in LABELS]
OF_LABELS += [(labels, "estimator") for labels in LABELS if "text" not in labels]


def labelled(a, labels, places=(0, 1, 2)):
    """A frame with some columns of a, by their places in `labels`."""
    columns = [LABELS[labels][j] for j in places]
    return pd.DataFrame({column: a[:, j] for column, j in zip(columns, places, strict=True)})


@cache
def of_labels(labels, which):
    """A density that was fitted to a frame with such labels, and the same without names."""
    frame = labelled(table(30)[0], labels)
    if which == "flow":
        density, _ = fc.fit(flows.maf(3, layers=1, hidden=[8], rng=0), frame, **QUICK)
        return density, fc.TransformedDistribution(density.base, density.bijector)
    density = fc.FlowDensity("small", budget=1e-3, n_jobs=1, random_state=0).fit(frame)
    own = density.density_
    return density, fc.TransformedDistribution(own.base, own.bijector)


conditionals = cache(fc.Conditionals)


def asked(density, *methods):
    """The first of these methods that a flow, its `Conditionals`, or an estimator has."""
    owners = density, conditionals(getattr(density, "density_", density))
    return next(getattr(own, name) for own in owners for name in methods if hasattr(own, name))


# f(density, table of x, its labels of the columns 0, 1, 2): an array
QUESTIONS = {
    "log_prob": lambda p, x, n: asked(p, "score_samples", "log_prob")(x),
    "impute": lambda p, x, n: asked(p, "impute")(without(x, n[0]), 2, n_draws=30, rng=0).draws,
    "posterior": lambda p, x, n: p.posterior(x, n[1]).density,
    "given": lambda p, x, n: p.given({n[2]: -5.0, n[0]: 0.2}, n_draws=50).quantiles([0.1, 0.9]),
    "marginal": lambda p, x, n: p.marginal([n[2], n[0]]).sample(4, 0),
    "diagnose": lambda p, x, n: fc.diagnose(p, x, draws=1000).mean,
}


def without(x, column):
    """x without the first value of a column."""
    x = x.copy()
    if isinstance(x, np.ndarray):
        x[0, column] = np.nan
    else:
        x.loc[0, [column]] = np.nan
    return x


@untrusted
@pytest.mark.parametrize(("labels", "which"), OF_LABELS)
def test_labels_that_are_no_text_are_names(labels, which):
    density, nameless = of_labels(labels, which)
    x, own = table(12, seed=1)[0], LABELS[labels]
    more = labelled(x, labels, (2, 0, 1))
    more[("b", 2) if labels == "tuples" else "another"] = 1.0
    for name, ask in QUESTIONS.items():
        expected = ask(nameless, x, [0, 1, 2])
        for frame in (labelled(x, labels), more, more[own[::-1]]):
            np.testing.assert_allclose(ask(density, frame, own), expected, 1e-9, err_msg=name)
        if name in ("given", "marginal"):
            continue
        with pytest.raises(ValueError, match="lacks"):
            ask(density, more.drop(columns=[own[2]]), own)


def test_an_integer_is_a_label_where_there_are_integer_labels():
    density, nameless = of_labels("integers", "flow")
    x = table(3, seed=1)[0]
    for wrong in (lambda: density.given({1: 2.0}), lambda: density.marginal([2, 1]),
                  lambda: density.posterior(labelled(x, "integers"), 1)):  # fmt: skip
        with pytest.raises(ValueError, match="no column is named 1: the columns are 5, 2, 0"):
            wrong()
    assert density.given({0: -5.0}).columns == [5, 2] and nameless.given({0: 0.2}).columns == [1, 2]
    with pytest.raises(ValueError, match="x lacks 5: its columns are 0, 1, 2"):
        density.log_prob(pd.DataFrame(x))  # where the label 0 is at another place
    tuples, _ = of_labels("tuples", "flow")
    assert tuples.given({0: 0.2}).columns == LABELS["tuples"][1:]  # a position
    assert_equal(tuples.log_prob(pd.DataFrame(x)), tuples.log_prob(x))


def test_numbers_in_another_order_are_turned_back_without_names():
    """Also by a density that knows no frame, such as one that was fitted to arrays."""
    x, c = table(12, seed=1)
    frame = pd.DataFrame(x)[[2, 0, 1]]
    flow, _ = fc.fit(flows.maf(3, layers=1, hidden=[8], context_dim=2), x, context=c, **QUICK)
    assert not flow.names and not flow.context_names
    expected, context = flow.log_prob(x, context=c), pd.DataFrame(c)[[1, 0]]
    assert_equal(flow.log_prob(frame, context=context), expected)
    assert_equal(flow.log_prob(frame.iloc[4], context=c[4]), expected[4:5])
    diagonal = fc.MultivariateNormalDiag([0.0, 1e3, -5.0], [1.0, 50.0, 0.01])
    rest = diagonal.given({0: 0.0}), diagonal.marginal([2, 1])
    for own, columns in zip(rest, ([1, 2], [2, 1]), strict=True):
        expected = own.log_prob(x[:, columns])
        for turned in (columns, columns[::-1]):
            assert_equal(own.log_prob(frame[turned]), expected)
    first = diagonal.marginal([1, 0])  # the labels are its own columns, and no positions in it
    assert_equal(first.log_prob(frame[[1, 0]]), first.log_prob(x[:, [1, 0]]))
    filled = fc.Conditionals(diagonal).impute(without(frame, 0), 1, n_draws=30, rng=0)
    (filled,) = filled.tables
    assert list(filled.columns) == [2, 0, 1]
    assert_equal(filled[[1, 2]], x[:, 1:])
    lacks = diagonal.posterior(frame[[2, 1]], 0), diagonal.posterior(x, 0)
    assert_equal(lacks[0].density, lacks[1].density)
    text = frame.rename(columns={0: "a", 1: "b", 2: "c"})
    assert_equal(diagonal.log_prob(text), diagonal.log_prob(x[:, [2, 0, 1]]))


@untrusted
@pytest.mark.parametrize("labels", LABELS)
def test_a_series_is_a_row_by_its_labels(labels):
    density, nameless = of_labels(labels, "flow")
    x, own = table(1, seed=3)[0], LABELS[labels]
    row = labelled(x, labels, (2, 0, 1)).iloc[0]
    assert_equal(density.log_prob(row), nameless.log_prob(x[0]))
    row[[own[1]]] = np.nan
    assert density.given(row).columns == [own[1]]
    assert density.given(row[[own[2], own[0]]]).columns == [own[1]]
    one = fc.Normal(1)
    with pytest.raises(ValueError, match=r"write one column of numbers as x\[:, None\]"):
        one.log_prob(pd.Series([1.0, 2.0, 3.0], index=[2, 0, 1]))  # rows, in their order
    with pytest.raises(ValueError, match="text"):
        nameless.given(pd.Series({"text": 1.0}))


WRONG = {
    "dates": pd.date_range("2020-01-01", periods=3), "floats": [0.5, 1.5, 2.5],
    "booleans": [True, False, "c"], "NaN": ["a", np.nan, "c"],
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_labels_that_are_no_names_are_refused(kind):
    x = table(30)[0]
    frame = pd.DataFrame(x, columns=WRONG[kind])
    estimator, flow = fc.FlowDensity("small", budget=1e-3, n_jobs=1), flows.maf(3, hidden=[8])
    for fit in (lambda: estimator.fit(frame), lambda: fc.fit(flow, frame, **QUICK)):
        with pytest.raises((ValueError, TypeError), match=r"rename the columns|astype\(str\)"):
            fit()
    with pytest.raises(ValueError, match=r"context has a column called .*: rename the columns"):
        fc.fit(flows.maf(3, hidden=[8], context_dim=3), x, context=frame, **QUICK)
    with pytest.raises(ValueError, match="x lacks 'mass'"):
        fitted(with_context=False).log_prob(frame)
    alone = frame.iloc[:, [1]]  # one column has no order
    assert fc.fit(flows.maf(1, layers=1, hidden=[8]), alone, **QUICK)[0].names is None


def test_labels_are_kept(tmp_path):
    """By files, draws, validation rows, noise, and the way back; not as scikit-learn's names."""
    x = table(12, seed=1)[0]
    for labels in ("integers", "tuples"):
        own, frame = LABELS[labels], labelled(x, labels, (2, 0, 1))
        for which in ("flow", "estimator"):
            density, _ = of_labels(labels, which)
            fc.save(density, tmp_path / "density.npz")
            again = fc.load(tmp_path / "density.npz")
            assert getattr(again, "density_", again).names == own
            found = asked(again, "score_samples", "log_prob")(frame)
            assert_equal(found, asked(density, "score_samples", "log_prob")(frame))
        assert not hasattr(density, "feature_names_in_")
        assert list(density.sample(2)) == own
        assert list(density.impute(frame, 1).tables[0]) == list(frame)  # as it came
        turned = density.inverse_transform(density.transform(frame))
        np.testing.assert_allclose(turned[own], x, rtol=1e-6)
    start, rows = flows.maf(3, layers=1, hidden=[8]), labelled(x, "integers")
    for turned in (labelled(x, "integers", (2, 0, 1)), rows):
        noise = pd.Series({0: 1e-3, 5: 0.1, 2: 1.0})
        flow, history = fc.fit(start, rows, noise=noise, **QUICK | {"validation_data": turned})
        same, expected = fc.fit(start, x, noise=[0.1, 1.0, 1e-3], **QUICK | {"validation_data": x})
        assert history.val_nll == expected.val_nll and flow.names == LABELS["integers"]
        assert_equal(flow.params, same.params)
