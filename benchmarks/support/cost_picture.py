"""The picture of `maf_iaf_cost`: passes and seconds over D, log-log: O(D^k) is a slope of k."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

# markers shrink in the order of drawing, so that curves on top of each other stay visible
STYLES = {
    "MAF": {"color": "#1f77b4", "marker": "o", "markersize": 8},
    "IAF": {"color": "#d62728", "marker": "s", "markersize": 7},
    "RealNVP": {"color": "#2ca02c", "marker": "^", "markersize": 5},
    "NICE": {"color": "#9467bd", "marker": "v", "markersize": 3.5},
}
LABELS = {
    "passes": "network passes (counted)",
    "seconds": "seconds of a call (hollow: extrapolated)",
}


def slope(rows: list[dict], column: str, quantity: str, over: str = "dim") -> float:
    """The slope of log(quantity) over log(D), or over another size, fitted to its larger half."""
    dims, values, _ = series(rows, column, quantity, over)
    half = len(dims) // 2
    if len(dims) - half < 2:
        return math.nan
    return float(np.polyfit(np.log(dims[half:]), np.log(values[half:]), 1)[0])


def series(rows: list[dict], column: str, quantity: str, over: str = "dim"):
    """(D, values, which are extrapolated) of one column, D (or another size) ascending."""
    own = sorted((row for row in rows if row["column"] == column), key=lambda row: row[over])
    dims = np.array([row[over] for row in own], float)
    if quantity == "passes":
        return dims, np.array([row["passes"] for row in own]), np.zeros(len(own), bool)
    guessed = np.array([bool(row.get("extrapolated")) for row in own])
    return dims, np.array([row["seconds"]["median"] for row in own]), guessed


def draw(rows: list[dict], path: Path, title: str) -> None:
    """Write the PNG: passes above, seconds below; density on the left, sampling on the right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7.5), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    for ax_row, quantity in zip(axes, LABELS, strict=True):
        for ax, operation in zip(ax_row, ("density", "sampling"), strict=True):
            _panel(ax, rows, quantity, operation)
        ax_row[0].set_ylabel(LABELS[quantity])
    for ax in axes[1]:
        ax.set_xlabel("D, the number of coordinates")
    figure.suptitle(f"What MAF and IAF cost: {title}")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _panel(ax, rows, quantity, operation) -> None:
    dims = np.unique([row["dim"] for row in rows]).astype(float)
    columns = dict.fromkeys(row["column"] for row in rows if f" {operation}" in row["column"])
    lowest = math.inf
    for column in sorted(columns, key=lambda name: list(STYLES).index(name.split()[0])):
        flow, _, method = column.replace(f" {operation}", "").partition(", ")
        _, values, guessed = series(rows, column, quantity)
        lowest = min(lowest, values.min())
        style = {"linestyle": "--" if method == "textbook" else "-", **STYLES[flow]}
        ax.plot(dims, values, label=f"{flow}, {method}" if method else flow, **style)
        hollow = {**style, "linestyle": "none", "markerfacecolor": "white"}
        ax.plot(dims[guessed], values[guessed], **hollow)
    ax.plot(dims, lowest * dims / dims[0], color="black", linewidth=0.8, label="slope 1: O(D)")
    ax.set(xscale="log", yscale="log", title=f"{operation}: {quantity}")
    ax.set_xticks(dims, [f"{dim:.0f}" for dim in dims])
    ax.minorticks_off()
    ax.grid(True, alpha=0.3)
    ax.legend(fontsize=8)
