"""Errors of measurement: `fit(noise=, context_noise=)`, and a NaN in a context."""

import numpy as np
import pandas as pd
import pytest
from support.flows import EVERYTHING, STILL, Conditional, Gaussian, Spy, banana_data
from support.flows import textbook_fit as fit
from support.runs import assert_same

import flowcore as fc
from flowcore.training import table as tables

X = banana_data()
C = np.random.default_rng(1).normal(size=(300, 1))
SCALES = np.random.default_rng(2).uniform(0, 0.5, X.shape)
ONCE = {"epochs": 3, "batch_size": 64, "learning_rate": STILL, "rng": 0}


def shaken(rows, rng):
    """Noise that depends on the value."""
    return rows + 0.1 * np.abs(rows) * rng.standard_normal(rows.shape)


def batches_of(X, batch_size=64, n_epochs=3, **options):
    """(training batches of each epoch, validation blocks) of a fit that changes nothing."""
    spy = Spy()
    fit(spy, X, **{**ONCE, "batch_size": batch_size, "epochs": n_epochs, **options})
    train = spy.seen("train")
    step = len(train) // n_epochs
    return [train[k * step : (k + 1) * step] for k in range(n_epochs)], spy.seen("score")


# ---------------------------------------------------------------- the oracle: y = x + e
#
# x ~ N(0, 1), e ~ N(0, T^2), and x is observed with an error N(0, S^2). Then
# y | x_obs ~ N(x_obs / (1 + S^2), S^2 / (1 + S^2) + T^2). docs/use/measurement_errors.md has it

S, T = 1.0, 0.5
SHRINK, VARIANCE = 1 / (1 + S**2), S**2 / (1 + S**2) + T**2


def linear(n, seed):
    """x, y, and x with its error."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 1))
    return x, x + T * rng.normal(size=(n, 1)), x + S * rng.normal(size=(n, 1))


def log_normal(y, mean, variance):
    return -0.5 * ((y - mean) ** 2 / variance + np.log(2 * np.pi * variance))[:, 0]


def kl(log_q, n=20_000):
    """KL(p || q) of p(y | x_obs), averaged over x_obs."""
    _, y, seen = linear(n, seed=99)
    return np.mean(log_normal(y, SHRINK * seen, VARIANCE) - log_q(y, seen))


@pytest.mark.parametrize("seed", [2, 3])
def test_training_with_noise_learns_p_of_y_given_noisy_x(seed):
    """On 300 rows, where one fixed draw of the noise overfits."""
    x, y, seen = linear(300, seed)
    flow = fc.flows.nsf(1, layers=1, hidden=[64], context_dim=1, rng=0)
    options = {"epochs": 60, "batch_size": 100, "learning_rate": 0.01, "validation_split": 0.0}
    fresh, _ = fc.fit(flow, y, context=x, context_noise=S, rng=seed, **options)
    assert kl(lambda y, c: fresh.log_prob(y, context=c)) < 0.03
    fixed, _ = fc.fit(flow, y, context=seen, rng=seed, **options)
    assert kl(lambda y, c: fixed.log_prob(y, context=c)) > 0.04


def test_errors_as_context():
    """s differs from row to row: one conditional density for every s."""
    n, rng = 3000, np.random.default_rng(5)
    x, y, _ = linear(n, 5)
    s = rng.uniform(0.1, 1.5, (n, 1))
    flow = fc.flows.maf(1, layers=1, hidden=[32], context_dim=2, rng=0)
    scales = np.hstack([s, np.zeros((n, 1))])
    flow, _ = fc.fit(flow, y, context=np.hstack([x, s]), context_noise=scales, epochs=40, rng=0)
    x, y, _ = linear(n, 6)
    for s in (0.2, 1.4):
        seen = x + s * rng.normal(size=x.shape)
        log_q = flow.log_prob(y, context=np.hstack([seen, np.full((n, 1), s)]))
        shrink = 1 / (1 + s**2)
        gap = log_normal(y, shrink * seen, s**2 * shrink + T**2) - log_q
        assert gap.mean() < 0.05


def test_the_page_is_right_about_averages():
    """Averages of p(y | x) over the error lack p(x); weights by p(x) mend them."""
    assert kl(lambda y, seen: log_normal(y, seen, T**2)) == pytest.approx(1.45, abs=0.03)
    average = kl(lambda y, seen: log_normal(y, seen, S**2 + T**2))
    assert average == pytest.approx(0.255, abs=0.01)
    draws = 1.5 + S * np.random.default_rng(0).normal(size=200_000)  # around x_obs = 1.5
    share = np.exp(-0.5 * draws**2)
    share /= share.sum()
    mean = share @ draws
    assert abs(mean - SHRINK * 1.5) < 0.01
    assert abs(share @ (draws - mean) ** 2 + T**2 - VARIANCE) < 0.01


SDS = {"a number": 0.75, "a column": [0.75], "of each value": np.full((4000, 1), 0.75)}


@pytest.mark.parametrize("name", SDS)
def test_the_density_is_that_of_rows_with_noise(name):
    """N(3, 1), and an affine flow, which contains every Gaussian density."""
    x = np.random.default_rng(0).normal(3.0, 1.0, size=(4000, 1))
    flow = fc.flows.maf(1, layers=1, hidden=[8], base="normal", activation="tanh")
    options = {"epochs": 60, "batch_size": 256, "learning_rate": 0.01, "rng": 0}
    flow, _ = fc.fit(flow, x, noise=SDS[name], **options)
    draws = flow.sample(20_000, 5)
    assert draws.mean() == pytest.approx(3.0, abs=0.08)
    assert draws.std() == pytest.approx(1.25, abs=0.06)


# ---------------------------------------------------------------- what training sees


@pytest.mark.parametrize("noise", [0.3, [0.0, 0.3], SCALES, shaken])
@pytest.mark.parametrize("batch_size", [64, None])
def test_noise_is_fresh_in_every_epoch_and_validation_rows_keep_theirs(noise, batch_size):
    epochs, held = batches_of(X, batch_size, noise=noise, shuffle=False)
    first, second, _ = (np.concatenate(batches) for batches in epochs)
    if batch_size is not None and not isinstance(noise, np.ndarray):  # new in every batch, too
        same = batches_of(np.tile(X[:1], (300, 1)) + np.arange(300)[:, None] * 1e-9, noise=noise)
        assert abs(np.corrcoef(same[0][0][0][:, 1], same[0][0][1][:, 1])[0, 1]) < 0.5
    moved = second != first
    assert moved[:, 1].mean() > 0.99
    assert moved[:, 0].any() != isinstance(noise, list)
    plain = np.concatenate(batches_of(X, batch_size, noise=0.0, shuffle=False)[0][0])
    assert np.isin(plain, X).all()  # the same split, since the seed is the same
    error = (first - plain)[:, 1] / (noise[1] if isinstance(noise, list) else 1)
    assert 0.02 < error.std() < 1.1 and abs(error.mean()) < 4 * error.std() / len(error) ** 0.5
    for block in held[1:]:
        np.testing.assert_array_equal(block, held[0])
    assert not np.isin(held[0][:, 1], X).any()


def test_the_rows_keep_their_own_errors():
    """Through the split, the weights, shuffled batches and a short last one."""
    rows = np.stack([np.arange(300.0), np.zeros(300)], axis=1)
    scales = np.stack([np.zeros(300), np.arange(300) % 3], axis=1)
    weight = np.arange(300.0) % 5
    epochs, held = batches_of(rows, noise=scales, sample_weight=weight)
    for block in [*epochs[0], *epochs[1], held[0]]:
        number = block[:, 0].astype(int)
        assert (weight[number] > 0).all()
        np.testing.assert_array_equal(block[:, 1] == 0, number % 3 == 0)
    seen = np.concatenate([block for epoch in epochs for block in epoch])
    assert np.std(seen[seen[:, 0] % 3 == 2, 1]) == pytest.approx(2.0, rel=0.15)


def test_initialize_sees_noisy_rows():
    flow, _ = fit(fc.flows.maf(2, layers=1, hidden=[4]), X, noise=[0.0, 20.0], **ONCE)
    scale = flow.bijector.parts[0].scale
    assert scale[0] < 1 and scale[1] == pytest.approx(20, rel=0.2)


@pytest.mark.parametrize("noise", [0.3, SCALES, shaken, lambda rows, rng: rows.__iadd__(1.0)])
def test_the_table_is_not_changed(noise):
    mine = X.copy()
    fit(Gaussian(), mine, noise=noise, epochs=2, **EVERYTHING)
    np.testing.assert_array_equal(mine, X)


@pytest.mark.parametrize("noise", [0.3, SCALES, shaken])
def test_a_memmap_gives_the_same_bits(noise, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BLOCK", 40)
    np.save(tmp_path / "X.npy", X)
    options = {**ONCE, "learning_rate": 0.1, "validation_split": 0.4, "noise": noise}
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert_same(fit(fc.flows.maf(2, layers=1, hidden=[4]), mapped, **options),
                fit(fc.flows.maf(2, layers=1, hidden=[4]), X, **options))  # fmt: skip


@pytest.mark.parametrize("noise", [0.3, SCALES, shaken])
def test_float32_stays_float32(noise):
    epochs, held = batches_of(X.astype(np.float32), noise=noise)
    assert epochs[0][0].dtype == held[0].dtype == np.float32


# ---------------------------------------------------------------- equal rows, grids


def test_rows_are_equal_if_their_errors_are():
    again, scales = np.repeat(X, 2, axis=0), np.repeat(SCALES, 2, axis=0)
    _, history = fit(Gaussian(), again, noise=scales, epochs=1)
    assert history.settings["distinct_rows"] == 300
    scales[1::2] += 0.1
    _, history = fit(Gaussian(), again, noise=scales, epochs=1)
    assert "distinct_rows" not in history.settings
    context = np.repeat(C, 2, axis=0)
    other = {"context": context, "context_noise": scales[:, :1], "epochs": 1}
    _, history = fit(Conditional(), again[:, :1], **other)
    assert "distinct_rows" not in history.settings


def test_noise_dequantises():
    """Without a warning, and every row counts: 2,000 rows of one column have 6 values."""
    counts = np.random.default_rng(0).binomial(5, 0.4, size=(2000, 1))
    flow = fc.flows.nsf(1, layers=1, hidden=[8])
    fitted, history = fit(flow, counts, noise=fc.Dequantize(), epochs=5, batch_size=200)
    assert "distinct_rows" not in history.settings
    inside = fitted.prob(np.linspace(0, 6, 6001)[:, None]).mean() * 6
    assert 0.9 < inside < 1.01
    with pytest.warns(UserWarning, match=r"few distinct values in column 1 "):
        two = np.hstack([counts, counts[::-1]])
        fit(fc.flows.maf(2, layers=1, hidden=[4]), two, noise=[0.3, 0], epochs=1)
    fit(fc.flows.maf(1, layers=1, hidden=[4]), np.ones((50, 1)), noise=1.0, epochs=1)  # constant


# ---------------------------------------------------------------- names, validation data, others


def test_errors_go_by_the_names_of_the_columns():
    frame, scales = pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame(SCALES, columns=["a", "b"])
    expected = fit(Gaussian(), frame, noise=SCALES, epochs=2)
    assert_same(fit(Gaussian(), frame, noise=scales[["b", "a"]], epochs=2), expected)
    column = pd.Series({"b": 0.3, "a": 0.1})
    expected = fit(Gaussian(), frame, noise=[0.1, 0.3], epochs=2)
    assert_same(fit(Gaussian(), frame, noise=column, epochs=2), expected)
    with pytest.raises(ValueError, match="noise lacks 'b'"):
        fit(Gaussian(), frame, noise=scales[["a"]])
    context = pd.DataFrame({"u": C[:, 0]})
    with pytest.raises(ValueError, match="context_noise lacks 'u': its columns are 'v'"):
        fit(Conditional(), X[:, :1], context=context, context_noise=pd.DataFrame({"v": C[:, 0]}))


@pytest.mark.parametrize("noise", [0.3, shaken])
def test_validation_data_get_their_noise(noise):
    _, held = batches_of(X, validation_data=X[:20], noise=noise)
    assert len(held[0]) == 20 and not np.isin(held[0], X).any()
    np.testing.assert_array_equal(held[0], held[1])


def test_flow_matching_takes_noise():
    flow = fc.flows.continuous(1, hidden=[8] * 3, context_dim=1)
    options = {"epochs": 2, "rng": 0, "context": C}
    plain, _ = fc.fit_matching(flow, X[:, :1], context_noise=0.0, **options)
    noisy, _ = fc.fit_matching(flow, X[:, :1], context_noise=0.5, **options)
    assert (plain.params != noisy.params).any()


BAD = {
    "noise has negative standard deviations in row 0 \\(column 1\\)": {"noise": [0.1, -0.1]},
    "noise has NaN or infinite values in row 4 \\(column 0\\)": {
        "noise": np.where(np.arange(600).reshape(300, 2) == 8, np.nan, 1.0)
    },
    r"noise has shape \(3,\): pass one .* one a column \(2,\), .* X \(300, 2\)": {
        "noise": [1, 2, 3]
    },
    r"noise has shape \(300,\)": {"noise": SCALES[:, 0]},
    "context_noise needs context=": {"context_noise": 0.1},
    r"noise must return finite rows .*\(270, 2\)": {"noise": lambda rows, rng: rows[:, :1]},
    "noise must return finite rows": {"noise": lambda rows, rng: rows * np.nan},
    "leave it out, as validation_split": {"noise": SCALES, "validation_data": X},
}
NO_SD = [-1.0, np.nan, np.inf, [1.0, 2.0, 3.0], "much", np.ones((5, 1))]


@pytest.mark.parametrize("keyword", ["noise", "context_noise"])
@pytest.mark.parametrize("sd", NO_SD)
def test_noise_that_is_none_is_refused_by_name(keyword, sd):
    with pytest.raises((ValueError, TypeError), match=keyword):
        fit(Conditional(), X[:, :1], context=C, **{keyword: sd}, epochs=1)


@pytest.mark.parametrize("message", BAD)
def test_bad_noise(message):
    with pytest.raises(ValueError, match=message):
        fit(Gaussian(), X, epochs=1, **BAD[message])


def test_reverse_kl_has_no_rows_that_could_be_noisy():
    with pytest.raises(TypeError, match="has no rows: leave out noise"):
        fc.fit_reverse_kl(fc.flows.iaf(2), lambda x: -(x**2).sum(axis=1), noise=0.1)


# ---------------------------------------------------------------- checkpoints


def test_a_run_that_stops_within_an_epoch_goes_on_with_the_same_noise(tmp_path):
    path, calls = tmp_path / "run.npz", []

    def stopping(rows, rng):
        calls.append(len(rows))
        if len(calls) == 13:  # the third batch of the second epoch
            raise KeyboardInterrupt
        return shaken(rows, rng)

    options = {"epochs": 4, "batch_size": 50, "learning_rate": 0.1, "rng": 3}
    options |= {"checkpoint_key": "1", "checkpoint_every": 0.0}
    straight = fit(Gaussian(), X, noise=shaken, **options)
    _, history = fit(Gaussian(), X, noise=stopping, checkpoint=path, **options)
    assert history.interrupted and len(history.train_nll) == 1
    assert_same(fit(Gaussian(), X, noise=stopping, checkpoint=path, **options), straight)


def test_a_checkpoint_knows_its_noise(tmp_path):
    path, options = tmp_path / "run.npz", {"epochs": 2, "rng": 0}
    fit(Gaussian(), X, noise=SCALES, checkpoint=path, **options)
    fit(Gaussian(), X, noise=SCALES, checkpoint=path, **options)
    for other in (SCALES * 2, 0.1, None):
        with pytest.raises(ValueError, match="noise"):
            fit(Gaussian(), X, noise=other, checkpoint=path, **options)
    with pytest.raises(ValueError, match=r"cannot compare noise "):
        fit(Gaussian(), X, noise=shaken, checkpoint=tmp_path / "other.npz", **options)


# ---------------------------------------------------------------- NaN in a context


def test_nan_in_a_context_points_at_the_joint_density():
    flow = fc.flows.maf(2, layers=1, hidden=[4], context_dim=2, rng=0)
    context = pd.DataFrame({"u": C[:, 0], "g": C[::-1, 0]})
    flow, _ = fit(flow, X, context=context, epochs=1)
    bad = context.iloc[:6].copy()
    bad.iloc[[3, 5], 0] = np.nan
    x, hole = X[:6], np.full((6, 2), np.nan)
    calls = [
        lambda: fit(flow, x, context=bad),
        lambda: fit(flow, X, context=context, validation_data=(x, bad)),
        lambda: fc.FlowDensity().fit(x, context=bad),
        lambda: fc.Conditionals(flow).impute(hole, context=bad),
        lambda: fc.Conditionals(flow).log_prob(x, context=bad),
        lambda: flow.posterior(x, 0, context=bad),
    ]
    message = r"context.* has NaN .* in rows 3, 5 \(column 0 'u'\): .* the joint density of X and"
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match=r"in row 0 .*: .* the joint density of X and"):
        fc.Conditionals(flow).given({0: 1.0}, context=bad.iloc[3].to_numpy())
    np.testing.assert_array_equal(np.isnan(flow.log_prob(x, context=bad)), [0, 0, 0, 1, 0, 1])


def test_noise_without_names_belongs_to_the_columns_as_they_are_passed():
    """Of a flow that knows names, which reads a frame in another order."""
    x = np.random.default_rng(0).normal(size=(400, 2))
    frame = pd.DataFrame(x, columns=["a", "b"])
    flow, _ = fc.fit(fc.flows.maf(2, layers=1, hidden=[4]), frame, epochs=1)
    here, _ = fc.fit(flow, frame, noise=[0.5, 0.0], epochs=2, rng=0)
    other = frame.assign(text="-")[["text", "b", "a"]]
    there, _ = fc.fit(flow, other, noise=[1.0, 0.0, 0.5], epochs=2, rng=0)
    assert (here.params == there.params).all()
    with pytest.raises(ValueError, match="noise has 2 columns, but X has 3"):
        fc.fit(flow, other, noise=[0.0, 0.5], epochs=2, rng=0)
