"""The pictures of the story."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...distributions import Normal
from ...plots import densities, losses, masks, scatter
from ...plots.drawing import new_figure
from ...testing import randomize
from ..pictures.jacobian import jacobian
from .data import N_TRAIN, Moons
from .three import Result, layer, nll

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...bijectors import Bijector

FRAME = (-2.6, 2.6), (-2.6, 2.6)  # of all pictures of densities and samples


def draw_flows(results, moons: Moons) -> Figure:
    """The densities of the truth and of all flows on one scale; below them, points of each."""
    figure = new_figure((9.0, 4.05))
    with _small_type():
        top, bottom = figure.subplots(2, 1 + len(results), sharex=True, sharey=True)
        shown = {"the truth": moons.truth(), **{result.title: result.flow for result in results}}
        densities(shown, *FRAME, n=150, ax=top)
        samples = [r.flow.sample(N_TRAIN, np.random.default_rng([moons.seed, 2])) for r in results]
        notes = [f"entropy {moons.entropy():.3f} nats", *(f"KL {_kl(r)}" for r in results)]
        for k, x in enumerate([moons.train, *samples]):
            scatter(x, ax=bottom[k], xlim=FRAME[0], ylim=FRAME[1])
            bottom[k].set_title(f"{N_TRAIN} samples" if k else f"{N_TRAIN} training points")
            top[k].set(xlabel=notes[k], ylabel="")
            bottom[k].set(xlabel="", ylabel="", xticks=[-2, 0, 2], yticks=[-2, 0, 2])
    return figure


def _kl(result: Result) -> str:
    return f"{result.kl.kl:.3f} \N{PLUS-MINUS SIGN} {result.kl.standard_error:.3f}"


def draw_losses(results, moons: Moons) -> Figure:
    """The losses of all flows in one frame, from where they begin down to the entropy."""
    figure = new_figure((9.0, 3.4))
    entropy, start = moons.entropy(), nll(Normal(2), moons.train)
    room = 0.08 * (start - entropy)
    with _small_type():
        axes = figure.subplots(1, len(results), sharey=True)
        for ax, result in zip(axes, results, strict=True):
            if result.history.train_nll:
                losses(result.history, entropy, ax, ylim=(entropy - room, start + room))
            ax.set_title(f"{result.title}\n{result.nll:.3f} nats on fresh points", pad=14)
            ax.label_outer()
            if ax is not axes[-1] and ax.get_legend():
                ax.get_legend().remove()
    return figure


def _small_type():
    from matplotlib import rc_context

    sizes = {"axes.titlesize": 9, "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8}
    return rc_context(sizes)


def titled(axes, title: str) -> Figure:
    figure = np.ravel(axes)[0].figure
    figure.suptitle(title, fontsize="medium")
    return figure


def structure(kind: str):
    """(name, what it shows, Axes) of what depends on what in a layer of this kind.

    Five coordinates show it better than two.
    """
    shown = example_layer(kind)
    if kind in ("maf", "iaf"):
        what = "the masks of a MADE, and their product: which output sees which input"
        yield "made_masks", what, masks((shown.bijector if kind == "iaf" else shown).made)
        what = f"the Jacobian of {'an IAF' if kind == 'iaf' else 'a MAF'} with that MADE"
    else:
        name, stay = type(shown).__name__, shown.num_masked
        what = f"the Jacobian of one coupling of {name}: {stay} of 5 stay"
    yield f"{kind}_jacobian", what, jacobian(shown, np.linspace(-1, 1, 5))


def example_layer(kind: str) -> Bijector:
    """A small layer of this kind in five dimensions, far from the identity."""
    return randomize(layer(kind, 5, [8, 8], activation="tanh"))


class Album:
    """A folder of pictures."""

    def __init__(self, folder: Path):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"--out {folder} is a file: name a folder")
        self.folder, self.contents = folder, {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, what: str, figure: Figure) -> None:
        """Save the picture; `what` it shows stands in the list of contents."""
        figure.get_layout_engine().execute(figure)  # once: saving would do it twice
        figure.set_layout_engine("none")
        figure.savefig(self.folder / f"{name}.png", dpi=150)
        self.contents[f"{name}.png"] = what

    def print_contents(self) -> None:
        print(f"\n{len(self.contents)} pictures in {self.folder}/:")
        for name, what in self.contents.items():
            print(f"  {name:24s} {what}")
