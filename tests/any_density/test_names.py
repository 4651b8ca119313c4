"""Columns have names: a frame is read by them, in any order, wherever a density takes one.

One body for all places: the same rows with their columns in another order, and among other columns,
give the same numbers, bit for bit; a missing column is an error that names it.
"""

import pickle

import numpy as np
import pytest

import flowcore as fc
from flowcore import flows
from flowcore.core.labels import completed, frame_of
from flowcore.testing import randomize

pytestmark = pytest.mark.usefixtures("few_folds")

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
RNG = np.random.default_rng
SMALL = dict(layers=1, hidden=[8])
QUICK = dict(budget=0.002, n_jobs=1, random_state=0)
X, C = ["z", "u", "g"], ["seeing", "air"]


def table(n=60, seed=0):
    """x, then its context, whose columns differ in everything; the index is not 0, 1, ..."""
    c = RNG(seed).normal(size=(n, 2)) * [1, 10] + [0, 5]
    x = RNG(seed + 1).normal(size=(n, 3)) * [1, 5, 25] + [0, 20, 100] + c[:, :1]
    return pd.DataFrame(np.hstack([x, c]), [f"row {i}" for i in range(n)], X + C).round(3)


ROWS, MORE = table(), table(60, 7)
OLD = ROWS.to_numpy()


@pytest.fixture(scope="module")
def flow():
    start = flows.maf(3, context_dim=2, **SMALL)
    fitted, _ = fc.fit(start, ROWS[X], context=ROWS[C], epochs=1)
    return randomize(fitted, 0.3, rng=1)


@pytest.fixture(scope="module")
def joint():
    fitted, _ = fc.fit(flows.maf(3, **SMALL), ROWS[X], epochs=1)
    return randomize(fitted, 0.3, rng=1)


@pytest.fixture(scope="module")
def density():
    return fc.FlowDensity(**QUICK).fit(ROWS[X][:39])  # so few rows: no flow is tried


@pytest.fixture(scope="module")
def given():
    return fc.FlowDensity("small", **QUICK).fit(ROWS[X], context=ROWS[C])


def with_holes(frame):
    """A copy without the first two values of u."""
    u = np.where(np.arange(60) < 2, np.nan, frame["u"])
    return frame.assign(u=u) if isinstance(frame, pd.DataFrame) else frame.with_columns(u=u)


def refitted(flow, frame, **options):
    found, history = fc.fit(flow, frame, context=frame, epochs=2, **options)
    return found.params, history.val_nll


# name -> f(objects, frame): what it answers for the rows of a frame
PLACES = {
    "log_prob": lambda o, t: o.flow.log_prob(t, context=t),
    "prob": lambda o, t: o.flow.prob(t, context=t),
    "params=": lambda o, t: o.flow.log_prob(t, params=0.5 * o.flow.params, context=t),
    "to_latent": lambda o, t: o.flow.to_latent(t, context=t),
    "from_latent": lambda o, t: o.flow.from_latent(np.ones((60, 3)), context=t),
    "sample": lambda o, t: o.flow.sample(2, 0, context=t),
    "sample_and_log_prob": lambda o, t: o.flow.sample_and_log_prob(2, 0, context=t),
    "stages": lambda o, t: [z for _, z in o.flow.stages(np.ones((60, 3)), context=t)],
    "initialize": lambda o, t: o.flow.restandardized().initialize(t, t).log_prob(t, context=t),
    "fit": lambda o, t: refitted(o.flow, t),
    "validation_data": lambda o, t: refitted(o.flow, ROWS, validation_data=(t, t)),
    "mixture": lambda o, t: fc.Mixture([o.flow, o.flow]).log_prob(t, context=t),
    "Dequantize": lambda o, t: fc.Dequantize(step=[0, 0, 1e-3]).log_prob(o.flow, t, context=t),
    "given": lambda o, t: o.joint.given({"u": 20.0}, n_draws=50).log_prob(t),
    "marginal": lambda o, t: o.joint.marginal(["g", "z"]).log_prob(t),
    "Conditionals": lambda o, t: fc.Conditionals(o.joint).impute(with_holes(t), 2).draws,
    "diagnose": lambda o, t: list(
        map(str, fc.diagnose(o.joint, t, MORE[::-1], draws=1000).findings)
    ),
    "FlowDensity.impute": lambda o, t: o.density.impute(with_holes(t), 2).draws,
    "FlowDensity.marginal": lambda o, t: o.density.marginal(["g", "z"]).log_prob(t),
    "FlowDensity.explain": lambda o, t: o.density.explain(t).surprise,
    "FlowDensity.density_": lambda o, t: o.density.density_.log_prob(t),
    "FlowDensity.latent_": lambda o, t: o.density.latent_.to_latent(t),
    "context of scores": lambda o, t: o.given.score_samples(OLD[:, :3], context=t),
    "context of transform": lambda o, t: o.given.transform(OLD[:, :3], context=t),
    "context of sample": lambda o, t: o.given.sample(2, random_state=0, context=t),
    "context of impute": lambda o, t: o.given.impute(with_holes(t), 2, context=t).draws,
}
OF_CONTEXT = {"from_latent", "sample", "sample_and_log_prob", "stages"}  # alone
SLOW = "context of impute"  # a proposal is fitted to each table
POLARS = {"log_prob", "sample", "fit", "Conditionals", "context of scores"}


@pytest.fixture(scope="module")
def objects(flow, joint, density, given):
    from types import SimpleNamespace

    return SimpleNamespace(flow=flow, joint=joint, density=density, given=given)


def numbers(found):
    return [np.asarray(part) for part in (found if isinstance(found, (tuple, list)) else [found])]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # x is an array
@pytest.mark.parametrize(
    "place, library",
    [(p, "pandas") for p in PLACES if p != SLOW] + [(p, "polars") for p in sorted(POLARS)]
    + [pytest.param(SLOW, "pandas", marks=pytest.mark.slow)],
)  # fmt: skip
def test_a_frame_is_read_by_name(objects, place, library):
    def native(frame):
        return frame if library == "pandas" else pl.from_pandas(frame)

    expected = numbers(PLACES[place](objects, native(ROWS)))
    turned = ROWS[["air", "g", "u", "seeing", "z"]].assign(city="Bern")
    for one, other in zip(numbers(PLACES[place](objects, native(turned))), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    wrong = "seeing" if place in OF_CONTEXT or "context" in place else "z"
    with pytest.raises(ValueError, match=f"lacks '{wrong}': its columns are .*'other'"):
        PLACES[place](objects, native(ROWS.rename(columns={wrong: "other"})))


def test_a_frame_is_what_the_array_was(flow, joint):
    expected = flow.log_prob(OLD[:, :3], context=OLD[:, 3:])
    np.testing.assert_array_equal(flow.log_prob(ROWS, context=ROWS), expected)
    turned = ROWS[["g", "u", "z"]]
    unnamed = pd.DataFrame(OLD[:, :3])  # its labels are numbers: by position
    np.testing.assert_array_equal(joint.log_prob(unnamed), joint.log_prob(OLD[:, :3]))
    nameless = fc.Normal(3)  # nobody knows the names: by position
    np.testing.assert_array_equal(nameless.log_prob(turned), nameless.log_prob(turned.to_numpy()))
    one = ROWS[::-1].iloc[3]  # a row is a Series: its labels are names
    alone = flow.log_prob(one[::-1], context=one[::-1])
    np.testing.assert_allclose(alone, flow.log_prob(ROWS, context=ROWS)[-4], rtol=1e-12)


def test_names_are_kept(flow, tmp_path):
    start = flows.maf(3, context_dim=2, **SMALL)
    fc.save(flow, tmp_path / "flow.npz")
    found = {
        "with_params": flow.with_params(flow.params),
        "pickle": pickle.loads(pickle.dumps(flow)),
        "load": fc.load(tmp_path / "flow.npz"),
        "restandardized": flow.restandardized(),
        "initialize": flow.initialize(ROWS, ROWS),
        "rebuilt": flow.rebuilt({}),
        "fit of an array": fc.fit(flow, OLD[:, :3], context=OLD[:, 3:], epochs=1)[0],
    }
    for how, own in found.items():
        assert (own.names, own.context_names) == (X, C), how
    assert start.names is None and start.context_names is None
    assert "names=['z', 'u', 'g']" in repr(flow)
    assert flow.with_names(["a", "b", "c"]).context_names == C and flow.names == X
    matched, _ = fc.fit_matching(flows.continuous(3, hidden=[8] * 3), ROWS[X], epochs=1)
    assert matched.names == X
    seen = []
    fc.fit(start, ROWS[X], context=ROWS[C], epochs=1, callbacks=[lambda r: seen.append(r.flow)])
    assert seen[0].names == X  # also in the callbacks


def test_wrong_names(flow):
    twice = ROWS[["z", "u", "u"]]
    for fit in (fc.FlowDensity(**QUICK).fit, lambda x: fc.fit(flows.maf(3, **SMALL), x, epochs=1)):
        with pytest.raises(ValueError, match="X has 'u' more than once: its columns are 'z', 'u'"):
            fit(twice)
    with pytest.raises(ValueError, match="x has 'u' more than once"):
        flow.log_prob(pd.concat([ROWS, ROWS[["u"]]], axis=1), context=ROWS)
    flow.log_prob(pd.concat([ROWS, ROWS[["air"]]], axis=1), context=ROWS)  # it is not needed
    for names in (["a", "b"], ["a", "b", "a"], [0.0, 1.0, 2.0], [0, 1, True]):
        with pytest.raises(ValueError, match="names must be 3 different texts or integers: "):
            flow.with_names(names)
    turned = flow.with_names(["g", "u", "z"])
    with pytest.raises(ValueError, match="densities of a Mixture differ in names"):
        fc.Mixture([flow, turned])
    assert fc.Mixture([flow, flow.with_params(flow.params)]).context_names == C
    with pytest.raises(ValueError, match="validation_data lacks 'z'"):
        fc.fit(flows.maf(3, **SMALL), ROWS[X], validation_data=ROWS[["u", "g"]], epochs=1)


def test_questions_by_name(joint, density):
    for own in (joint, density, fc.Conditionals(joint)):
        given = own.given({"u": 20.0}, n_draws=50)
        assert given.columns == ["z", "g"] and own.marginal(["g"]).names == ["g"]
        with pytest.raises(ValueError, match="no column is named 'w': the columns are z, u, g"):
            own.given({"w": 1.0})
    renamed = fc.Conditionals(joint, names=["a", "b", "c"])  # names of its own come first
    assert renamed.given({"b": 20.0}, n_draws=50).columns == ["a", "c"]


def test_errors_of_scikit_learns_methods_name_the_selection(density):
    select = (
        r"match those that were passed during fit.[\s\S]*X\[list\(density.feature_names_in_\)\]"
    )
    for frame in (ROWS[["u", "z", "g"]], ROWS):
        for method in (density.score_samples, density.transform):
            with pytest.raises(ValueError, match=select):
                method(frame)
        density.score_samples(frame[list(density.feature_names_in_)])
    with pytest.raises(ValueError, match=r"now missing:\n- z\n$"):
        density.score_samples(ROWS[["u", "g"]])


# ------------------------------------------------------------------------ frames out


def test_completed_tables_are_like_the_caller_s(density):
    holes = ROWS[["g", "u", "z"]].assign(count=7, city="Bern")
    holes.iloc[:2, 1] = np.nan
    for table in density.impute(holes, 2).tables:
        assert list(table.index) == list(ROWS.index) and list(table) == list(holes)
        assert not table.u.isna().any() and table["count"].dtype == holes["count"].dtype
        pd.testing.assert_frame_equal(table.drop(columns="u"), holes.drop(columns="u"))
        pd.testing.assert_series_equal(table.u[2:], holes.u[2:])
    draws = density.impute(holes, 2).draws
    np.testing.assert_array_equal(density.impute(holes, 2).tables[1].u, draws[1, :, 1])
    other = pl.from_pandas(holes)
    assert density.impute(other, 1).tables[0].columns == other.columns
    plain = density.conditionals_.impute(holes[X].to_numpy(), 2)
    assert plain.tables[0].shape == (60, 3) and isinstance(plain.tables[0], np.ndarray)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_an_estimator_returns_frames_of_the_library_of_fit(library, tmp_path):
    pytest.importorskip(library)
    frame = frame_of(library, {name: OLD[:, j] for j, name in enumerate(X)})
    found = fc.FlowDensity(**QUICK).fit(frame[:30])
    fc.save(found, tmp_path / "found.npz")
    for own in (found, fc.load(tmp_path / "found.npz")):
        draws = own.sample(5, random_state=0)
        assert type(draws) is type(frame) and draws.shape == (5, 3)
        np.testing.assert_array_equal(draws, own.density_.sample(5, rng_of(own)))
        again = own.inverse_transform(own.transform(frame))
        assert type(again) is type(frame)
        np.testing.assert_allclose(again, frame, rtol=1e-6)
        assert np.isfinite(own.score_samples(draws)).all()  # without a warning
    assert isinstance(fc.FlowDensity(**QUICK).fit(OLD[:30]).sample(2), np.ndarray)


def rng_of(density):
    from flowcore.estimator.density import seed_sequence

    return RNG(seed_sequence(0))


def test_the_index_of_a_frame_is_kept(density, given):
    z = pd.DataFrame(density.transform(ROWS[X]), ROWS.index)
    assert list(density.inverse_transform(z).index) == list(ROWS.index)
    assert given.sample(2, context=ROWS).shape == (2, 60, 3)  # no table has three axes
    assert density.given({"z": 0.0}, n_draws=50).sample(3).shape == (3, 2)


def test_without_the_library_draws_are_arrays(density, monkeypatch):
    monkeypatch.setattr("flowcore.estimator.density.find_spec", lambda name: None)
    assert isinstance(density.sample(2), np.ndarray)


def test_an_estimator_answers_questions_given_a_context(given):
    known = {"u": 20.0}
    of_row = given.given(known, context=ROWS.iloc[0], n_draws=50)
    of_array = given.given(known, context=OLD[0, 3:], n_draws=50)
    assert of_row.log_marginal == of_array.log_marginal
    few = fc.FlowDensity(**QUICK).fit(ROWS[X][:30], context=ROWS[C][:30])
    assert few.density_.context_dim == 2
    assert few.given(known, context=ROWS.iloc[0], n_draws=50).columns == ["z", "g"]


def test_a_completed_table_of_numbered_columns():
    frame = pd.DataFrame([[1.0, np.nan]], ["a"])
    for hole in ([False, True], [True, True]):
        found = completed(frame, None, np.array(hole), np.array([[1.0, 2.0]]))
        pd.testing.assert_frame_equal(found, pd.DataFrame([[1.0, 2.0]], ["a"]))


def test_plots_match_columns_by_name(joint):
    turned = ROWS[["g", "z", "u"]]
    for found, other in zip(
        fc.teaching.log_dets(joint, ROWS[:3]).patches,
        fc.teaching.log_dets(joint, turned[:3]).patches,
        strict=True,
    ):
        assert found.get_height() == other.get_height()
    with pytest.raises(ValueError, match="samples lacks 'z'"):
        fc.plots.pairs(ROWS[X], ROWS[["u", "g"]].assign(w=0.0))


def test_known_columns_stay_as_they_are():
    """Their values and dtypes: only columns that have a hole are written anew."""
    frame = pd.DataFrame({"n": [2**60 + 1, 7], "a": [np.nan, 2.0], "b": np.float32([0.1, 0.2])})
    x = frame.to_numpy(float)
    x[0, 1] = 5.0
    filled = completed(frame, ["b", "a"], np.array([False, True]), x[:, [2, 1]])
    assert list(filled.dtypes) == list(frame.dtypes) and filled["a"].tolist() == [5.0, 2.0]
    assert filled[["n", "b"]].equals(frame[["n", "b"]])


def test_names_of_a_context_need_a_context():
    flow = flows.maf(2, **SMALL).with_names(["a", "b"], ["c"])
    assert flow.names == ["a", "b"] and flow.context_names is None
