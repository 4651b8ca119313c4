"""The tables: on which page each stands, from which JSON it is made, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ... import moons_seeds, spline_step
from .. import components, cost_growth, joint_tails, learning_curves
from . import beside_peers, costs, imputation, quality, synthetic
from .jobs import JOBS, POWER, RESULTS
from .source import source


@dataclass(frozen=True)
class Table:
    """`render` is handed the JSON of all `jobs`, in their order; a line below states the source."""

    name: str
    render: Callable[..., str]
    jobs: tuple[str, ...]

    def made(self, folder: Path = RESULTS) -> str | None:
        """The Markdown; None while a JSON is missing."""
        documents = [JOBS[name].stored(folder) for name in self.jobs]
        if any(document is None for document in documents):
            return None
        return self.render(*documents) + source(*documents)


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table("maf-iaf-cost", costs.maf_iaf_cost, ("maf_iaf_cost",)),
        Table("iaf-step", beside_peers.iaf_step, ("peers",)),
        Table("spline-step", spline_step.rendered, ("spline_step",)),
        Table("floor", costs.floor, ("floor",)),
        Table("peers", beside_peers.peers, ("peers",)),
        Table("peers-64", beside_peers.ratios, ("peers-64",)),
        Table("splines-1", beside_peers.ratios, ("splines-1",)),
        Table("cost-growth", cost_growth.rendered, ("cost_growth",)),
        Table("moons", moons_seeds.rendered, ("moons_seeds", "moons")),
        Table("toy-targets", quality.toy_targets, ("toy_targets",)),
        Table("power", quality.power, tuple(job.name for job in POWER)),
        Table("mnist", quality.mnist, ("mnist",)),
        Table("estimator", quality.estimator, ("estimator",)),
        Table("learning-curves", learning_curves.rendered, ("learning_curves",)),
        Table("outliers", quality.outliers, ("outliers",)),
        Table("outlier-kinds", quality.outlier_kinds, ("outlier_kinds",)),
        Table("joint-tails", joint_tails.rendered, ("joint_tails",)),
        Table("components", components.rendered, ("components",)),
        Table("synthetic", synthetic.means, ("synthetic",)),
        Table("imputation", imputation.by_table, ("imputation",)),
        Table("published", imputation.published, ("published",)),
    )
}


def all_made(folder: Path = RESULTS) -> dict[str, str]:
    """{name: Markdown} of every table whose JSON is stored."""
    made = {name: table.made(folder) for name, table in TABLES.items()}
    return {name: text for name, text in made.items() if text is not None}
