"""Tables of how good the densities are."""

from __future__ import annotations

import numpy as np

from ..tabular.models import MODELS
from ..tabular.run import show
from .markdown import table

GAUSSIAN = "full-covariance Gaussian"


def toy_targets(document) -> str:
    """KL to the truth, medians over the seeds and the worst, two targets a line."""
    targets: dict[str, list[dict]] = {}
    for row in document["rows"]:
        targets.setdefault(row["target"], []).append(row)
    cells = []
    for name, rows in targets.items():
        kl = [row["kl"] for row in rows]
        value = f"{np.median(kl):.3f} ({max(kl):.3f})"
        entropy = f"{rows[0]['entropy']:.3f}"
        cells.append([name.replace("_", " "), f"`{rows[0]['recipe']}`", entropy, value])
    half = (len(cells) + 1) // 2
    right = cells[half:] + [[""] * 4] * (2 * half - len(cells))
    header = ["target", "recipe", "entropy", "KL (worst)"]
    lines = [[*a, "", *b] for a, b in zip(cells[:half], right, strict=True)]
    return table([*header, "", *header], lines)


def power(*documents) -> str:
    """One line for each model; the Gaussian first."""
    gaussian = documents[0]["gaussian"]
    lines = [[GAUSSIAN, show(gaussian), _two(gaussian["published"]), "", ""]]
    rows = {row["model"]: row for document in documents for row in document["rows"]}
    for name in (name for name in MODELS if name in rows):
        row = rows[name]
        minutes = f"{row['minutes']:.0f}"
        published = _two(row["published"])
        lines.append([MODELS[name].row, show(row), published, row["epochs"], minutes])
    return table(["model", "flowcore", "published", "epochs", "minutes"], lines)


def other_tables(*documents) -> str:
    """One line for each table of data, one column for each model."""
    names = [name for name in MODELS if any(name == r["model"] for r in documents[0]["rows"])]
    lines = []
    for document in documents:
        rows = {row["model"]: row for row in document["rows"]}
        scores = [show(rows[name]) if name in rows else None for name in names]
        lines.append([document["data"], show(document["gaussian"]), *scores])
    return table(["", GAUSSIAN, *(MODELS[name].row for name in names)], lines)


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
