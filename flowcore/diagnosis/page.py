"""The page: pairs of columns, ranks and shares, the least probable rows, the losses."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plots import losses, pairs
from ..plots.drawing import BLACK, BLUE, GREY, SMALL, VERMILLION, new_figure
from ..plots.pit import flat_histogram
from .findings import Finding
from .tests import SHARE, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST_COLUMNS = 12  # in pairs
MOST_HISTOGRAMS, MOST_BARS, COLUMNS = 8, 8, 4
SHORT = {"KS of ": "", "share of ": "", " given others": " | rest", " given seen cells": " | seen"}
SIZE, LETTERS = (15, 9.6), 160  # inches, and what is a line there


def page(report: Any) -> Figure:
    """One figure."""
    bars = [found for found in report.of("shares") if len(found.levels) > 1]
    bars = sorted(bars, key=lambda one: one.adjusted)[:MOST_BARS]
    figure = right = new_figure(SIZE, "constrained")
    _title(figure, fill(report.headline, LETTERS))
    if report.rows is not None:
        left, right = figure.subfigures(1, 2, width_ratios=[9, 6])
        _pairs(left, report)
    ranks, below = right.subfigures(2, 1, height_ratios=[2, 1])
    also = "\nshares of values: rows filled, draws as lines" * bool(bars)
    _title(ranks, f"Where rows stand among draws (PIT), KS: flat is right{also}")
    shown = _histograms(report) + bars
    axes = ranks.subplots(-(-len(shown) // COLUMNS), COLUMNS, squeeze=False).flat
    for ax, found in zip(axes, shown, strict=False):
        (_bars if found.levels else _histogram)(ax, found, report.alpha)
    for ax in axes[len(shown) :]:
        ax.remove()
    rows, curve = below.subplots(1, 2, width_ratios=[1.3, 1])
    if report.history is not None and report.history.train_nll:
        losses(report.history, ax=curve)
        curve.set_title(curve.get_title(loc="left"), loc="left", fontsize=SMALL - 2)
        curve.legend(fontsize=SMALL - 1)
    else:
        curve.remove()
    _worst(rows, report.worst, report.draws)
    return figure


def _pairs(figure, report: Any):
    """At most 12 columns, in their own order: those that are furthest from right."""
    by_ks = np.argsort([-found.effect for found in report.of("columns")], kind="stable")
    chosen = np.sort(by_ks[:MOST_COLUMNS])
    names = [report.names[j] for j in chosen]
    figure.suptitle(" ")  # room for the legend
    axes = figure.subplots(len(chosen), len(chosen), squeeze=False)
    pairs(report.rows[:, chosen], report.drawn[:, chosen], names, axes)
    if len(chosen) < len(report.names):
        text = f"the {len(chosen)} columns of the largest KS, of {len(report.names)}"
        figure.supxlabel(text, fontsize=SMALL, color=GREY)


def _histograms(report: Any) -> list[Finding]:
    """Histograms of log p, then of the columns and latent coordinates with the largest effects."""
    found = [one for kind in ("columns", "pit", "latents", "hidden") for one in report.of(kind)]
    kept = sorted(found, key=lambda one: -one.effect)[: MOST_HISTOGRAMS - 1]
    return report.of("level") + [one for one in found if one in kept]


def _histogram(ax: Axes, found: Finding, alpha: float):
    flat_histogram(ax, found.counts, VERMILLION if found.adjusted < alpha else BLUE)
    ax.set(xticks=[0, 1], yticks=[0, 1])
    _name(ax, found, alpha)


def _bars(ax: Axes, found: Finding, alpha: float):
    """The commonest values of a column: the share of rows, and as a line that of draws."""
    texts, rows, draws = zip(*found.levels, strict=True)
    places = np.arange(len(texts))
    ax.barh(places, rows, color=BLUE, alpha=0.45)
    ax.barh(places, draws, fill=False, edgecolor=VERMILLION)
    for place, text in zip(places, texts, strict=True):
        ax.text(0.03, place, _literal(f"{text:.20}"), va="center", fontsize=SMALL - 3,
                transform=ax.get_yaxis_transform())  # fmt: skip
    ax.invert_yaxis()
    ax.set(yticks=[])
    _name(ax, found, alpha)


def _name(ax: Axes, found: Finding, alpha: float):
    """The title of a panel: in bold if the finding is significant."""
    name = found.name
    for long, short in SHORT.items():
        name = name.replace(long, short)
    ax.tick_params(labelsize=SMALL - 2, length=2, pad=1)
    ax.set_title(_literal(f"{name:.14}: {found.effect:.2f}"), fontsize=SMALL,
                 weight="bold" if found.adjusted < alpha else "normal")  # fmt: skip


def _worst(ax: Axes, worst: tuple[Row, ...], n_draws: int):
    ax.set_title("the least probable rows", fontsize="medium")
    style = {"fontsize": SMALL - 0.5, "family": "monospace"}
    _text(ax, 0.95, f"{'row':>8}{'log p':>10}{'draws below':>13}  furthest out in", **style)
    for k, row in enumerate(worst, 1):
        share = f"< {1 / n_draws:.2g}" if row.level < 1 / n_draws else f"{row.level:.2%}"
        line = f"{row.index:>8}{row.log_p:>10.4g}{share:>13}  {row.column:.12} = "
        colour = VERMILLION if row.level < SHARE else BLACK
        _text(ax, 0.95 - k / (len(worst) + 2), f"{line}{row.value:.4g}", color=colour, **style)


def _title(figure, text: str):
    figure.suptitle(_literal(text), x=0.01, ha="left", fontsize=SMALL + 1, weight="bold")


def _text(ax: Axes, y: float, text: str, **style):
    ax.axis("off")
    ax.text(0, y, _literal(text), va="top", in_layout=False, **style)


def _literal(text: str) -> str:
    """No formula."""
    return text.replace("$", r"\$").replace("`", "")
