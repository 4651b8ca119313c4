"""Pictures of a flow over digits: draws, the most and the least probable ones, completed halves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .digits import CLASSES, DIM, SIDE, Digits, bits_per_pixel, logits, shown
from .models import SEED

EACH = 10  # digits in a row of a panel
UPPER = DIM // 2  # pixels that are given


def draw(flow, test: Digits, folder: Path) -> None:
    """Write digits.png and halves.png, with a flow of one autoregressive layer in pixel order."""
    x = logits(test.pixels, np.random.default_rng(SEED))
    bits = np.argsort(bits_per_pixel(np.asarray(flow.log_prob(x), float), x))
    few = 4 * EACH
    panels = {
        "drawn": shown(flow.sample(few, rng=0)),
        "most probable test digits": test.pixels[bits[:few]],
        "least probable test digits": test.pixels[bits[-few:]],
    }
    _figure(panels, folder / "digits.png")
    _figure({"": halves(flow, test, x)}, folder / "halves.png")


def halves(flow, test: Digits, x: np.ndarray, n: int = 5) -> np.ndarray:
    """The first test digit of each class, its upper half alone, and n draws of the lower half.

    Rows 0 to 13 are the first half of the order of a single MADE, so the draws are exact.
    """
    first = [np.flatnonzero(test.labels == label)[0] for label in range(CLASSES)]
    z = np.stack([flow.to_latent(x[first])] * n)  # an upper half's z needs no lower
    z[..., UPPER:] = np.random.default_rng(0).standard_normal(z[..., UPPER:].shape)
    draws = flow.from_latent(z)
    upper = np.where(np.arange(DIM) < UPPER, test.pixels[first], 0)
    return np.concatenate([test.pixels[first], upper, *map(shown, draws)])


def _figure(panels: dict[str, np.ndarray], path: Path) -> None:
    """Panels side by side, ten digits a row, black on white."""
    from matplotlib.figure import Figure

    tiles = [_tiled(images) for images in panels.values()]
    size = 1.2 + sum(tile.shape[1] for tile in tiles) / 100, 0.6 + max(map(len, tiles)) / 100
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(tiles), squeeze=False)[0]
    for ax, tile, title in zip(axes, tiles, panels, strict=True):
        ax.imshow(tile, cmap="gray_r", vmin=0, vmax=255)
        ax.set_title(title, fontsize=11)
        ax.axis("off")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def _tiled(images: np.ndarray) -> np.ndarray:
    """(n, 784) as one image, EACH digits in a row."""
    grid = images.reshape(-1, EACH, SIDE, SIDE)
    return grid.swapaxes(1, 2).reshape(-1, EACH * SIDE)
