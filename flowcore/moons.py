"""The tutorial, end to end: flows learn scikit-learn's two moons (`flowcore moons`).

One bijector first, then six with the coordinates swapped between them; 800 points, full batch,
Adam at 1e-3, 600 epochs, as in the tutorial for TensorFlow Probability that flowcore grew out of.
Because the density of the moons is known, the result can be compared with the truth:

    KL(truth || flow) = E[log p_truth(x) - log p_flow(x)]     over fresh points x of the truth
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import flows
from .bijectors import (
    NICE,
    Bijector,
    Chain,
    Elementwise,
    ElementwiseAffine,
    Invert,
    MaskedAutoregressiveFlow,
    Permute,
    RealNVP,
)
from .distributions import Normal, TransformedDistribution
from .metrics import kl_to_truth
from .networks import MADE
from .reference import numerical_jacobian
from .targets import two_moons
from .testing import randomize
from .training import TrainingDivergedError, cosine_decay, fit
from .transformers import Scale

NOISE, N_DATA, N_TRAIN, N_FRESH = 0.05, 1000, 800, 20_000
FRAME = (-3, 3), (-3, 3)  # of the pictures of densities
PRINTED_EPOCHS = 8  # rows of the table of epochs


@dataclass(frozen=True)
class Settings:
    """What the command line chooses."""

    flow: str = "maf"
    epochs: int = 600
    quick: bool = False
    recipe: bool = False

    @property
    def recipe_epochs(self) -> int:
        return 30 if self.quick else 300

    @property
    def wide(self) -> list[int]:
        return [64, 64] if self.quick else [256, 256]


@dataclass(frozen=True)
class Moons:
    """The tutorial's data, and the truth in the same standardised units."""

    x: np.ndarray  # (1000, 2), standardised by their own mean and scale
    label: np.ndarray  # (1000,), which moon
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def make(cls, seed: int) -> Moons:
        from sklearn.datasets import make_moons

        x, label = make_moons(N_DATA, noise=NOISE, random_state=seed)
        mean, scale = x.mean(axis=0), x.std(axis=0)
        return cls((x - mean) / scale, label, mean, scale)

    @property
    def train(self):
        return self.x[:N_TRAIN]

    @property
    def validation(self):
        return self.x[N_TRAIN:]

    def truth(self) -> TransformedDistribution:
        """The density that the data come from, with the same exact log_prob as `two_moons`."""
        standardize = ElementwiseAffine(-self.mean / self.scale, 1 / self.scale)
        return TransformedDistribution(two_moons(NOISE), standardize)

    def entropy(self) -> float:
        """Exact entropy of the standardised moons in nats: no honest NLL lies below it."""
        return two_moons(NOISE).entropy() - float(np.log(self.scale).sum())

    def fresh(self, seed: int) -> np.ndarray:
        """20,000 new points of the truth, in the training data's units."""
        rng = np.random.default_rng([seed, 1])
        return (two_moons(NOISE).sample(N_FRESH, rng) - self.mean) / self.scale


def build(kind: str, layers: int, hidden, seed: int) -> TransformedDistribution:
    """`layers` bijectors of one kind with swaps between them; float32, as the tutorial has it."""
    parts: list[Bijector] = []
    seeds = np.random.default_rng(seed).integers(2**63, size=layers).tolist()
    for layer_seed in seeds:
        parts += [Permute([1, 0]), _layer(kind, hidden, layer_seed)]
    if kind == "nice":  # its layers keep volumes: one diagonal scaling next to the base
        parts[0] = Elementwise(2, Scale(), dtype=np.float32)
    else:
        del parts[0]
    return TransformedDistribution(Normal(2), Chain(parts[::-1]))


def _layer(kind: str, hidden, seed: int) -> Bijector:
    if kind in ("maf", "iaf"):
        maf = MaskedAutoregressiveFlow(MADE(2, hidden, rng=seed, dtype=np.float32))
        return Invert(maf) if kind == "iaf" else maf
    coupling = {"realnvp": RealNVP, "nice": NICE}[kind]
    return coupling(2, num_masked=1, hidden=hidden, rng=seed, dtype=np.float32)


def run(settings: Settings, seed: int, out) -> None:
    """The whole tutorial with tables on the screen and pictures in the folder `out`."""
    started = time.perf_counter()
    moons, name = Moons.make(seed), settings.flow.upper().replace("REALNVP", "RealNVP")
    album = Album(Path(out))
    entropy = moons.entropy()
    print(
        f"Two moons: {N_DATA} points (noise {NOISE}, seed {seed}), standardised; {N_TRAIN} to train"
    )
    print(f"on, {N_DATA - N_TRAIN} for validation. Their exact entropy is {entropy:.3f} nats: no")
    print("honest NLL lies below it.")
    which = np.where(moons.label == 0, "upper moon", "lower moon")
    album.add("data", "the data, standardised", "scatter", moons.x, which)

    results = []
    for layers, hidden in ((1, [16, 16]), (6, settings.wide)):
        before = build(settings.flow, layers, hidden, seed)
        title = f"one {name} {hidden}" if layers == 1 else f"six {name} {hidden} with swaps"
        after = _train(title, before, moons, settings)
        tag = "one" if layers == 1 else "six"
        for moment, flow in (("before", before), ("after", after[0])):
            samples = flow.sample(N_DATA, np.random.default_rng([seed, 2]))
            what = f"data beside samples of {title}, {moment} training"
            album.add(f"{tag}_samples_{moment}", what, "compare", moons.x, samples)
        if layers > 1:
            what = "the base and every stage; colours: quadrants of the base"
            album.add(f"{tag}_stages", what, "stages", after[0], rng=seed)
        album.add(f"{tag}_density", f"density of {title}", "density", after[0], *FRAME)
        album.add(f"{tag}_losses", f"losses of {title}", "losses", after[1], entropy=entropy)
        results.append((title, after[0]))
    flow = results[-1][1]
    if settings.recipe:
        title = f"flowcore's own recipe, {settings.recipe_epochs} epochs"
        print(f"\n{title}")
        results.append((title, train_recipe(moons, seed, settings.recipe_epochs)))
        what = f"density of {title}"
        album.add("recipe_density", what, "density", results[-1][1], *FRAME)

    _print_scores(results, moons, seed)
    _print_log_det(flow, moons.validation[0])
    _draw_structure(settings.flow, album)
    album.print_contents()
    print(f"Everything took {time.perf_counter() - started:.1f} s.")


def _draw_structure(kind: str, album: Album) -> None:
    """What depends on what in a layer of this kind. Five coordinates show it better than two."""
    if kind in ("maf", "iaf"):
        made = randomize(MADE(5, [8, 8], activation="tanh"))
        what = "the masks of a MADE, and their product: which output sees which input"
        album.add("made_masks", what, "masks", made)
        maf = MaskedAutoregressiveFlow(made)
        layer = Invert(maf) if kind == "iaf" else maf
        what = f"the Jacobian of {'an IAF' if kind == 'iaf' else 'a MAF'} with that MADE"
    else:
        coupling = {"realnvp": RealNVP, "nice": NICE}[kind]
        layer = randomize(coupling(5, hidden=[8, 8], activation="tanh"))
        what = f"the Jacobian of one coupling of {coupling.__name__}: {layer.num_masked} of 5 stay"
    album.add(f"{kind}_jacobian", what, "jacobian", layer, np.linspace(-1, 1, 5))


def _train(title, flow, moons: Moons, settings: Settings):
    print(f"\n{title}: {flow.n_params:,} parameters, {settings.epochs} epochs")
    try:
        flow, history = fit_like_the_tutorial(flow, moons, settings, progress=True)
    except TrainingDivergedError as problem:
        print(f"{problem}\nThe last finite parameters are used.")
        flow, history = problem.flow, problem.history
    print(" epoch   train NLL   val NLL")
    n = len(history.val_nll)
    best = history.best_epoch
    shown = {*np.linspace(0, n - 1, PRINTED_EPOCHS).astype(int).tolist(), best} if n else set()
    for epoch in sorted(shown - {None}):
        kept = "  kept: the best validation NLL" if epoch == best else ""
        print(
            f"{epoch + 1:6d} {history.train_nll[epoch]:11.3f} {history.val_nll[epoch]:9.3f}{kept}"
        )
    _whole(flow, history)
    print(f"Trained in {history.seconds:.2f} s.")
    return flow, history


def fit_like_the_tutorial(flow, moons: Moons, settings: Settings, progress: bool = False):
    """Training as the tutorial has it: full batch, Adam at 1e-3, the best validation kept."""
    return fit(
        flow,
        moons.train,
        epochs=settings.epochs,
        batch_size=None,
        learning_rate=1e-3,
        schedule="constant",
        average=None,
        validation_data=moons.validation,
        progress=progress,
    )


def train_recipe(moons: Moons, seed: int, epochs: int = 300) -> TransformedDistribution:
    """What we recommend for a few hundred rows: eight small layers with smooth units, minibatches,
    clipped gradients, a cosine schedule. (Chosen on seeds 10 to 17.)"""
    flow = flows.maf(2, layers=8, hidden=[64, 64], activation="tanh", rng=seed, dtype=np.float32)
    steps = epochs * -(-len(moons.train) // 100)
    return _whole(
        *fit(
            flow,
            moons.train,
            epochs=epochs,
            batch_size=100,
            learning_rate=cosine_decay(3e-3, steps),
            average=None,
            clip_norm=1.0,
            validation_data=moons.validation,
            rng=seed,
        )
    )


def _whole(flow, history):
    """The flow of a training that nobody interrupted: `fit` itself swallows the interrupt."""
    if history.interrupted:
        raise KeyboardInterrupt
    return flow


def _print_scores(results, moons, seed):
    fresh, truth = moons.fresh(seed), moons.truth()
    print(f"\nOn {N_FRESH:,} fresh points of the truth    NLL (nats)   KL to the truth")
    for title, flow in results:
        kl, error = kl_to_truth(flow, truth, N_FRESH, np.random.default_rng([seed, 1]))
        print(f"  {title:36s} {nll(flow, fresh):11.3f} {kl:9.3f} +- {error:.3f}")
    print(f"  {'the truth itself':36s} {nll(truth, fresh):11.3f} {0:9.3f}")
    print("KL: the mean of log p_truth - log p_flow over these points, +- its standard error.")
    print(
        "(A training NLL below the entropy is no miracle: that is overfitting. The validation NLL"
    )
    print("is a little too good, too, since the best epoch was chosen by it.)")


def _print_log_det(flow, point):
    flow = flow.with_params(flow.params.astype(float))  # to compare digits, not rounding
    log_det = float(flow.bijector.inverse_log_det(point))
    brute = np.linalg.slogdet(numerical_jacobian(flow.bijector.inverse, point))[1]
    print(
        f"\nlog |det dz/dx| at x = ({point[0]:.3f}, {point[1]:.3f}): {log_det:.6f} by the flow, "
        f"{brute:.6f} by the brute-force Jacobian"
    )


def compare_seeds(settings: Settings, seeds) -> None:
    """The same training for several seeds, without pictures: NLL on fresh points of each."""
    columns = {"one layer": (1, [16, 16]), "six layers": (6, settings.wide)}
    names = [*columns, *(["recipe"] if settings.recipe else [])]
    print("NLL in nats on 20,000 fresh points; finite cells of the grid [-5, 5]^2, 100 x 100")
    print("seed   entropy " + "".join(f"{name:>12s}" for name in names) + "   finite")
    table = []
    for seed in seeds:
        moons = Moons.make(seed)
        trained = []
        for layers, hidden in columns.values():
            flow = build(settings.flow, layers, hidden, seed)
            trained.append(_quiet_fit(flow, moons, settings))
        if settings.recipe:
            trained.append(train_recipe(moons, seed, settings.recipe_epochs))
        fresh = moons.fresh(seed)
        table.append([nll(flow, fresh) for flow in trained])
        finite = min(finite_share(flow) for flow in trained)
        row = "".join(f"{value:12.3f}" for value in table[-1])
        print(f"{seed:4d} {moons.entropy():9.3f} {row} {finite:8.2%}", flush=True)
    for name, summary in (("median", np.median(table, axis=0)), ("worst", np.max(table, axis=0))):
        print(f"{name:14s} " + "".join(f"{value:12.3f}" for value in summary))


def _quiet_fit(flow, moons, settings):
    try:
        return _whole(*fit_like_the_tutorial(flow, moons, settings))
    except TrainingDivergedError as problem:
        print(f"     ({problem}; the last finite parameters are used)")
        return problem.flow


def nll(flow, x) -> float:
    """Mean negative log-likelihood of the rows of x, in nats."""
    return -float(np.mean(flow.log_prob(x), dtype=float))


def finite_share(flow) -> float:
    """Share of the grid [-5, 5]^2 with a finite log-density."""
    axis = np.linspace(-5, 5, 100)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    return float(np.isfinite(flow.log_prob(grid)).mean())


class Album:
    """A folder of pictures; draws with the functions of `plots`, by name."""

    def __init__(self, folder: Path):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"--out {folder} is a file: name a folder")
        self.folder, self.contents = folder, {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, what: str, plot: str, *args, **options) -> None:
        """Draw and save the picture, with `what` it shows above it."""
        from . import plots

        axes = getattr(plots, plot)(*args, **options)
        figure = np.ravel(axes)[0].figure
        figure.suptitle(what, fontsize="medium")
        figure.savefig(self.folder / f"{name}.png", dpi=120)
        self.contents[f"{name}.png"] = what

    def print_contents(self) -> None:
        print(f"\n{len(self.contents)} pictures in {self.folder}/:")
        for name, what in self.contents.items():
            print(f"  {name:24s} {what}")
