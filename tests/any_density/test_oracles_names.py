"""Oracles of names: no column is silently another one, wherever a frame goes in.

Every call of CALLS and ESTIMATOR gets the same rows three times: as arrays in the order of `fit`
(of which scikit-learn warns an estimator), as frames in this order, and as frames with their
columns turned round. The answers are equal, and nothing warns of frames. Without one of the columns
a call raises ValueError, by name. Columns have different units, so a mistake is another number.

scikit-learn's checks want an estimator to refuse another order in its own methods (IN_ORDER): there
the error has the line that selects.
"""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal as assert_equal

import flowcore as fc
from flowcore import flows

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
    """A frame with these names, its columns in the opposite order if turned."""
    step = -1 if turned else 1
    return LIBRARIES[library](np.ascontiguousarray(a[:, ::step]), columns=names[::step])


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
    "sample": lambda x, c: estimator().sample(2, 0, context=c),
    "posterior": lambda x, c: estimator().posterior(x, "size", context=c).density,
    "impute": lambda x, c: estimator().impute(holed(x), 2, n_draws=30, rng=0, context=c).draws,
    "impute without a context": lambda x, c: (
        estimator(with_context=False).impute(holed(x), 2, n_draws=30, rng=0).draws
    ),
    "posterior without a context": lambda x, c: (
        estimator(with_context=False).posterior(x, "size").density
    ),
    "diagnose": lambda x, c: fc.diagnose(estimator(with_context=False), x).mean,
}
IN_ORDER = [f"FlowDensity.{name}" for name in
            ("score_samples", "score", "transform")]  # fmt: skip
ALL = {**CALLS, **{f"FlowDensity.{name}": call for name, call in ESTIMATOR.items()}}
untrusted = pytest.mark.filterwarnings("ignore:.*not to be trusted")


def column(x, name):
    return x[:, :1] if isinstance(x, np.ndarray) else x[[name]]


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
    x, c = table(12, seed=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*feature names")
        expected = as_array(ALL[name](x, c))
    for turned in (False, True):
        frames = framed(x, X_NAMES, library, turned), framed(c, C_NAMES, library, turned)
        if turned and name in IN_ORDER:
            with pytest.raises(ValueError, match=r"X\[list\(density.feature_names_in_\)\]"):
                ALL[name](*frames)
            continue
        found = ALL[name](*frames)
        if name.endswith("transform") or "impute" in name or name == "to_latent":
            assert np.shape(found)[-1] == 3
        np.testing.assert_allclose(as_array(found), expected, rtol=1e-9, err_msg=f"{turned}")


READS_NONE = ["sample", "sample_and_log_prob", "quantiles", "posterior of one column",
              "FlowDensity.sample"]  # fmt: skip
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
    x, c = table(12, seed=1)
    frame = pd.DataFrame(c, columns=["u", "r"])
    with pytest.raises(ValueError, match="'g'"):
        ALL[name](pd.DataFrame(x, columns=X_NAMES), frame)


@untrusted
@pytest.mark.parametrize("name", ["log_prob", "posterior", "FlowDensity.score_samples"])
def test_a_column_that_is_there_twice_is_refused(name):
    x, c = table(12, seed=1)
    frame = pd.DataFrame(np.column_stack([x, x[:, 0]]), columns=[*X_NAMES, "mass"])
    with pytest.raises(ValueError, match="'mass'"):
        ALL[name](frame, c)


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
    density = estimator(with_context=False)
    x = table(1, seed=3)[0][0]
    for one in (density, density.conditionals_, fitted(with_context=False)):
        given = one.given({"age": x[2], "mass": x[0]})
        assert given.columns == ["size"]
        same = one.given({0: x[0], 2: x[2]})
        np.testing.assert_allclose(given.log_prob([[900.0]]), same.log_prob([[900.0]]))
        marginal = one.marginal(["size", "mass"])
        turned = pd.DataFrame([[x[0], x[1]]], columns=["mass", "size"])
        np.testing.assert_allclose(marginal.log_prob(turned), marginal.log_prob([[x[1], x[0]]]))
        with pytest.raises(ValueError, match="weight"):
            one.given({"weight": 1.0})


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_in_gives_a_frame_out(library):
    """Names are kept, and of pandas the index; arrays in give arrays out."""
    density = estimator(library, with_context=False)
    kind = {"pandas": pd.DataFrame, "polars": polars.DataFrame}[library]
    drawn = density.sample(5, 0)
    assert isinstance(drawn, kind) and list(drawn.columns) == X_NAMES and len(drawn) == 5
    x = table(6, seed=4)[0]
    frame = holed(framed(x, X_NAMES, library, True))
    if library == "pandas":
        frame.index = [7, 3, 9, 1, 0, 2]
    answers = density.impute(frame, 3, n_draws=30, rng=0)
    assert answers.draws.shape == (3, 6, 3) and len(answers.tables) == 3
    for k, completed in enumerate(answers.tables):
        assert isinstance(completed, kind) and list(completed.columns) == X_NAMES[::-1]
        np.testing.assert_array_equal(completed[X_NAMES].to_numpy(), answers.draws[k])
        np.testing.assert_array_equal(completed["age"].to_numpy(), x[:, 2])
        if library == "pandas":
            assert list(completed.index) == [7, 3, 9, 1, 0, 2]
    assert all(
        isinstance(one, np.ndarray) for one in density.impute(holed(x), 2, n_draws=30, rng=0).tables
    )


def test_a_fit_to_arrays_has_no_names_and_takes_frames_by_position():
    x, c = table()
    flow, _ = fc.fit(flows.maf(3, layers=1, hidden=[8], context_dim=2), x, context=c, **QUICK)
    assert not flow.names and not flow.context_names
    frame, context = framed(x, X_NAMES, "pandas", False), framed(c, C_NAMES, "pandas", False)
    np.testing.assert_array_equal(
        flow.log_prob(frame, context=context), flow.log_prob(x, context=c)
    )
    found = fc.FlowDensity("small", budget=1e-3, n_jobs=1, random_state=0).fit(x).sample(2, 0)
    assert isinstance(found, np.ndarray)


@pytest.mark.parametrize("which", ["flow", "estimator", "one column"])
def test_files_keep_names(which, tmp_path):
    x, c = table(5, seed=5)
    density = {"flow": fitted, "estimator": estimator, "one column": one_column}[which]()
    fc.save(density, tmp_path / "density.npz")
    again = fc.load(tmp_path / "density.npz")
    context = framed(c, C_NAMES, "pandas", True)
    if which == "estimator":
        frame = framed(x, X_NAMES, "pandas", True)
        found = again.score_samples(frame[list(again.feature_names_in_)], context)
        np.testing.assert_array_equal(found, density.density_.log_prob(x, context=c))
        curves = again.posterior(frame, "size", context=context)
        same = density.density_.posterior(x, 1, context=c)
        np.testing.assert_allclose(curves.mean(), same.mean(), rtol=1e-6)
        return
    x, names = (x, X_NAMES) if which == "flow" else (x[:, :1], X_NAMES[:1])
    assert again.names == names and again.context_names == C_NAMES
    turned = again.log_prob(framed(x, names, "pandas", True), context=context)
    np.testing.assert_array_equal(turned, density.log_prob(x, context=c))
    with pytest.raises(ValueError, match="'u'"):
        again.log_prob(x, context=context.rename(columns={"u": "v"}))


def test_names_by_hand():
    flow = flows.maf(2, layers=1, hidden=[8], context_dim=1).with_names(["a", "b"], ["c"])
    assert flow.names == ["a", "b"] and flow.context_names == ["c"]
    with pytest.raises(ValueError):
        flows.maf(2, layers=1, hidden=[8]).with_names(["a", "b", "c"], None)
    with pytest.raises(ValueError):
        flows.maf(2, layers=1, hidden=[8]).with_names(["a", "a"], None)
    changed = flow.with_params(flow.params)
    assert changed.names == ["a", "b"] and changed.context_names == ["c"]


def test_only_the_context_is_a_frame_or_only_the_rows():
    x, c = table()
    frame, context = framed(x, X_NAMES, "pandas", True), framed(c, C_NAMES, "pandas", True)
    flow = fitted()
    expected = flow.log_prob(x, context=c)
    np.testing.assert_array_equal(flow.log_prob(frame, context=c), expected)
    np.testing.assert_array_equal(flow.log_prob(x, context=context), expected)


def test_one_row_of_a_frame_is_read_by_name():
    """As a frame of one row; and a Series, whose index has the names, is never read by position."""
    x, c = table(1, seed=6)
    flow, frame = fitted(), framed(x, X_NAMES, "pandas", True)
    expected = flow.log_prob(x, context=c)
    np.testing.assert_array_equal(flow.log_prob(frame, context=c), expected)
    try:
        found = flow.log_prob(frame.iloc[0], context=c[0])
    except (ValueError, TypeError):
        return
    np.testing.assert_allclose(found, expected[0])


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
