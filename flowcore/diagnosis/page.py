"""The page: the verdict, rows and draws in pairs, the histograms, the worst rows, the losses."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from ..plots import losses, pairs
from ..plots.drawing import BLACK, BLUE, GREY, PALE, SMALL, VERMILLION, limits_of, new_figure
from ..plots.pairs import grid_of
from .advice import advice_of
from .findings import Findings, Uniformity
from .rows import SHARE
from .verdict import headline_of, sentences_of
from .words import short

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FEW_ROWS = 200  # for 20 bars
MOST_COLUMNS = 12  # in pairs
MOST_HISTOGRAMS, COLUMNS = 8, 4
NEXT = "What to do next"
WIDE, HIGH, LEFT = 15.0, 9.6, 9.3  # inches: the page, and the part that the pairs have
LETTERS, LINE = 84, 0.172  # of a line of the verdict: characters, and inches


def page(report: Findings) -> Figure:
    """One figure, laid out by hand: constrained layout takes long for so many panels."""
    figure = new_figure((WIDE, HIGH), None)
    left, right = figure.subfigures(1, 2, width_ratios=[LEFT, WIDE - LEFT], wspace=0)
    _pairs(left, report)
    histograms = _histograms_of(report)
    rows = -(-len(histograms) // COLUMNS)
    lines = _lines(report)
    low, each = 2.9, 0.95  # inches: for the last row, and for a row of histograms
    room = HIGH - low - 0.45
    each = min(max(each, (room - LINE * (len(lines) + 2)) / rows), 1.5)
    heights = [room - each * rows, each * rows + 0.45, low]
    words, flat, last = right.subfigures(3, 1, height_ratios=heights, hspace=0)
    _words(words, lines, int((heights[0] - 0.2) / LINE))
    _flat(flat, report, histograms, rows, heights[1])
    if report.history is not None and report.history.train_nll:
        edges = {"left": 0.01, "right": 0.98, "bottom": 0.17, "top": 0.9, "wspace": 0.3}
        where, curve = last.subplots(1, 2, gridspec_kw={**edges, "width_ratios": [1.5, 1]})
        losses(report.history, ax=curve)
        curve.set_ylabel("NLL (nats)", fontsize=SMALL)
        above = curve.get_title(loc="left").replace(", up", ",\nup")  # epochs above the frame
        curve.set_title(above, loc="left", fontsize=SMALL - 1, color=GREY)
        curve.legend(fontsize=SMALL - 1)
        curve.tick_params(labelsize=SMALL)
    else:
        where = last.subplots(gridspec_kw={"left": 0.01, "right": 0.8, "bottom": 0.1, "top": 0.9})
    _worst(where, report)
    return figure


def _pairs(figure, report):
    chosen = _worst_columns(report)
    names = [report.names[j] for j in chosen]
    if len(chosen) == 1:
        ax = figure.subplots(gridspec_kw={"left": 0.05, "right": 0.97, "top": 0.9})
        _one_column(ax, report, names[0])
        return
    pairs(report.rows[:, chosen], report.drawn[:, chosen], names,
          grid_of(figure, len(chosen), LEFT, HIGH))  # fmt: skip
    if len(chosen) < len(report.names):
        text = f"the {len(chosen)} columns of the largest KS, of {len(report.names)}"
        figure.text(0.01, 0.985, text, fontsize=SMALL, color=GREY, va="top")


def _one_column(ax, report, name):
    both = np.concatenate([report.rows, report.drawn]).ravel()
    low, high = limits_of(np.stack([both, both], axis=1))[0]
    edges = np.linspace(low, high, 61)
    ax.hist(report.rows[:, 0], edges, density=True, color=BLUE, alpha=0.45, label="data")
    ax.hist(report.drawn[:, 0], edges, density=True, histtype="step", color=VERMILLION,
            label="samples")  # fmt: skip
    ax.set(xlabel=name.replace("$", r"\$"), yticks=[], xlim=(low, high))
    ax.legend(frameon=False)


def _worst_columns(report) -> list[int]:
    """At most 12 columns, in their own order: those that are furthest from right."""
    by_ks = np.argsort([-found.ks for found in report.columns], kind="stable")
    return sorted(by_ks[:MOST_COLUMNS].tolist())


def _lines(report) -> list[tuple[str, str]]:
    """The verdict and what to do next, in lines of one width; (text, weight) each."""
    lines = [(line, "bold") for line in wrap(headline_of(report), LETTERS - 8)]
    for sentence in sentences_of(report):
        mark = "\N{MINUS SIGN} " if sentence.fault else "+ "
        told = wrap(sentence.text, LETTERS, initial_indent=mark, subsequent_indent="   ")
        lines += [(line, "normal") for line in told]
    advices = advice_of(report)
    if advices:
        lines += [("", "normal"), (NEXT, "bold")]
    for advice in advices:
        told = wrap(advice, LETTERS, initial_indent="* ", subsequent_indent="   ")
        lines += [(line, "normal") for line in told]
    return [(line.replace("`", "").replace("$", r"\$"), weight) for line, weight in lines]


def _words(figure, lines, most: int):
    if len(lines) > most:
        lines = lines[: most - 1]
        while lines[-1][0] in ("", NEXT):
            del lines[-1]
        lines.append(("   ... (print the report for the rest)", "normal"))
    for k, (line, weight) in enumerate(lines):
        place = 0.01, 1 - (0.15 + k * LINE) / (figure.bbox.height / figure.dpi)
        figure.text(*place, line, va="top", fontsize=SMALL + 0.5, weight=weight)


def _histograms_of(report) -> list[tuple[str, Uniformity]]:
    """log p itself, then columns and latent coordinates, the worst first."""
    found = [(f.name, f) for f in report.columns]
    found += [(f"{f.name} | rest" if f.given else f"latent {f.name}", f)
              for f in report.latents or ()]  # fmt: skip
    if len(found) > MOST_HISTOGRAMS - 1:
        kept = sorted(found, key=lambda pair: -pair[1].ks)[: MOST_HISTOGRAMS - 1]
        found = [pair for pair in found if pair in kept]
    return [("log p", report.own_level), *found]


def _flat(figure, report, histograms, rows, high):
    """Each should be flat: 95% of the bars of one that is end in the band."""
    edges = {"left": 0.03, "right": 0.98, "bottom": 0.2 / high, "top": 1 - 0.5 / high}
    axes = figure.subplots(rows, COLUMNS, squeeze=False,
                           gridspec_kw={**edges, "hspace": 0.6, "wspace": 0.14})  # fmt: skip
    title = "Where rows stand among draws (PIT), and KS: flat is right"
    figure.text(0.01, 1, title, fontsize=SMALL + 0.5, va="top", weight="bold")
    for ax in axes.flat[len(histograms) :]:
        ax.axis("off")
    for ax, (name, found) in zip(axes.flat, histograms, strict=False):
        counts = np.asarray(found.counts)
        if found.n < FEW_ROWS:
            counts = counts.reshape((-1, 2)).sum(axis=1)
        heights = counts * len(counts) / max(found.n, 1)
        wide = 1.96 * np.sqrt((len(counts) - 1) / found.n)
        bad = found.adjusted < report.alpha
        ax.axhspan(max(1 - wide, 0), 1 + wide, color=PALE, lw=0)
        ax.stairs(heights, np.linspace(0, 1, len(counts) + 1), fill=True, alpha=0.7,
                  color=VERMILLION if bad else BLUE)  # fmt: skip
        ax.set(xlim=(0, 1), ylim=(0, max(2.0, 1.1 * heights.max())), xticks=[0, 1], yticks=[0, 1])
        ax.tick_params(labelsize=SMALL - 2, length=2, pad=1)
        title = f"{short(name, 18)}: {found.ks:.2f}".replace("$", r"\$")
        ax.set_title(title, fontsize=SMALL, pad=2, weight="bold" if bad else "normal")


def _worst(ax, report):
    """The least probable rows as a table."""
    ax.axis("off")
    ax.set_title("the least probable rows", fontsize="medium")
    head = ["row", "log p", "draws below", "furthest out in"]
    cells = [
        [f"{row.index}", f"{row.log_p:.4g}", _share(row.level, report.draws),
         f"{short(row.column, 17)} = {row.value:.4g}"]
        for row in report.worst
    ]  # fmt: skip
    table = ax.table(cells, colLabels=head, loc="upper center", colWidths=[0.12, 0.16, 0.26, 0.46],
                     colLoc="left",
                     cellLoc="left", edges="horizontal")  # fmt: skip
    table.auto_set_font_size(False)
    table.set_fontsize(SMALL)
    for (line, _), cell in table.get_celld().items():
        cell.set(edgecolor=PALE, height=1 / (len(cells) + 1.5))
        text = cell.get_text()
        text.set_text(text.get_text().replace("$", r"\$"))
        if line and report.worst[line - 1].level < SHARE:
            text.set_color(VERMILLION)
        elif not line:
            text.set_color(BLACK)


def _share(level: float, draws: int) -> str:
    return f"< {1 / draws:.2g}" if level < 1 / draws else f"{level:.2%}"
