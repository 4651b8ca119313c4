"""The picture of `time_to_quality`: validation NLL over the minutes since the process began."""

from __future__ import annotations

from pathlib import Path

COLOURS = {"flowcore": "#0072B2", "zuko": "#E69F00", "flowjax+jit": "#009E73"}
ROOM = 0.3  # nats above the highest threshold that are shown: beginnings are all alike


def draw(rows: list[dict], thresholds, path: Path) -> None:
    """Write the PNG: a curve for each library, a line for each threshold."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.2), layout="constrained")
    ax = figure.subplots()
    rows = [row for row in rows if row["curve"]]
    for row in rows:
        minutes, nll = zip(*((s / 60, -value) for s, value in row["curve"]), strict=True)
        ax.plot(minutes, nll, marker=".", linewidth=2, color=COLOURS.get(row["name"]),
                label=row["name"])  # fmt: skip
    for threshold in thresholds:
        ax.axhline(-threshold, color="0.35", linewidth=0.9, linestyle="--")
        ax.annotate(f"log-likelihood {threshold:g}", (1, -threshold), (-4, 3),
                    xycoords=("axes fraction", "data"), textcoords="offset points",
                    ha="right", fontsize=10, color="0.35")  # fmt: skip
    lowest = min([-value for row in rows for _, value in row["curve"]] + [-max(thresholds)])
    ax.set_ylim(lowest - 0.1 * ROOM, -min(thresholds) + ROOM)
    ax.set_xlim(left=0)
    ax.set_title("POWER: the same MAF, the same settings, three libraries", fontsize=14)
    ax.set_xlabel("minutes since the start of the process", fontsize=12)
    ax.set_ylabel("validation NLL in nats (lower is better)", fontsize=12)
    ax.grid(True, alpha=0.3)
    ax.legend(fontsize=12, loc="upper right")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140)
