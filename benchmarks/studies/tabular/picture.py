"""Ours against published, from the JSON of `python -m benchmarks.studies.tabular`: dots on one
axis.

1600 pixels wide. `python -m benchmarks.studies.tables.power_picture` draws POWER.
"""

from __future__ import annotations

import json
from pathlib import Path

from .models import BEST_KNOWN, MODELS

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "0.35"  # different for every kind of colour vision


def collect(files) -> tuple[dict, list[dict]]:
    """The Gaussian's row, and one row for each model in order of MODELS.

    Where two files hold a model, the later file's row is shown.
    """
    documents = [json.loads(Path(file).read_text("utf-8")) for file in files]
    rows = {row["model"]: row for document in documents for row in document["rows"]}
    return documents[-1]["gaussian"], [rows[name] for name in MODELS if name in rows]


def draw(gaussian: dict, rows: list[dict], path: Path) -> None:
    """Write the PNG: a line for each model, the published number hollow, ours full.

    The Gaussian is a remark: on the axis it would push all others together.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.0 + 0.5 * len(rows)), layout="constrained")
    ax = figure.subplots()
    for y, row in enumerate(rows):
        _line(ax, y, row)
    for model, nats in BEST_KNOWN.items():
        ax.axvline(nats, color=ORANGE, linestyle=":", label=f"best published ({model}: {nats})")
    ax.set_yticks(range(len(rows)), [MODELS[row["model"]].row for row in rows], fontsize=13)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="x", labelsize=12)
    ax.grid(True, axis="x", alpha=0.3)
    ax.margins(x=0.06)
    ax.set_xlabel(
        "test log-likelihood in nats of the standardised table (higher is better)\n"
        f"a full-covariance Gaussian: {_numbers(gaussian)}",
        fontsize=12,
    )
    ax.set_title("POWER: what flowcore reaches, and what was published", fontsize=15)
    figure.legend(*_legend(ax), loc="outside upper center", ncols=3, fontsize=12, frameon=False)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)


def _line(ax, y: int, row: dict) -> None:
    ours, published = row["test"], row["published"]
    ax.plot([ours, published], [y, y], color=GREY, linewidth=1.5, zorder=1)
    ax.scatter(
        published, y, s=190, facecolor="white", edgecolor=ORANGE, linewidth=2.5, zorder=2,
        label="published",
    )  # fmt: skip
    ax.errorbar(
        ours, y, xerr=2 * row["standard_error"], color=BLUE, marker="o", markersize=7, capsize=5,
        linestyle="none", zorder=3, label="flowcore, ± 2 standard errors",
    )  # fmt: skip
    # in a column of its own, right of the axis, where no number can hide a dot
    ax.text(1.015, y, _numbers(row), transform=ax.get_yaxis_transform(), va="center", fontsize=13)


def _numbers(row: dict) -> str:
    return f"{row['test']:.2f}  (published {row['published']:.2f})"


def _legend(ax) -> tuple[list, list]:
    """Every label once."""
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    return list(handles.values()), list(handles)
