"""Contestants: each trains on one table of galaxies and is judged on another, in its own process.

PYTHON -m benchmarks.studies.redshift.contestants NAME QUICK IN.npz OUT.npz

IN.npz has `train` and `held_out`, rows of redshift, u, g, r, i, z, y. A contestant is a class:
`Contestant(train, quick)` trains, `curves(rows, grid=None)` returns (grid, densities, raw mass),
and `log_prob(rows)` is log p of the columns that it models: the redshift, or all seven (`joint`).
"""

from __future__ import annotations

import sys
import time

import numpy as np

from .metrics import Judged, judged, metrics

NAMES = ["redshift", "u", "g", "r", "i", "z", "y"]
BANDS = NAMES[1:]
GRID = np.linspace(0.0, 2.4, 2401)  # of 1,000 galaxies whose curves are timed on one grid
TIMED = 1000
BLOCK = 500  # galaxies whose curves are held at once


class FlowcoreFlow:
    """p(redshift | bands): `fit` of a spline flow, with the defaults."""

    joint, scaling = False, True

    def __init__(self, train: np.ndarray, quick: bool):
        import flowcore as fc

        options = {"epochs": 2} if quick else {}
        flow = fc.flows.nsf(1, context_dim=len(BANDS), standardize_context=self.scaling)
        self.density, _ = fc.fit(flow, train[:, :1], context=train[:, 1:], **options)

    def log_prob(self, rows):
        return self.density.log_prob(rows[:, :1], context=rows[:, 1:])

    def curves(self, rows, grid=None):
        found = self.density.posterior(grid=grid, context=rows[:, 1:])
        return found.grid, found.density, found.mass

    def exact(self, rows):
        """PIT and three quantiles of each galaxy."""
        self.density.pit(rows[:, :1], context=rows[:, 1:])
        self.density.quantiles([0.16, 0.5, 0.84], context=rows[:, 1:])


class FlowcoreWhitened(FlowcoreFlow):
    """The same over the principal axes of the bands."""

    scaling = "whiten"


class FlowcoreEstimator(FlowcoreFlow):
    """p(redshift | bands): `FlowDensity` with the defaults, in one process."""

    def __init__(self, train: np.ndarray, quick: bool):
        import flowcore as fc

        new = fc.FlowDensity("spline" if quick else "auto", random_state=0, n_jobs=1)
        self.density = new.fit(train[:, :1], context=train[:, 1:])

    def log_prob(self, rows):
        return self.density.score_samples(rows[:, :1], context=rows[:, 1:])


class FlowcoreJoint:
    """p(redshift, bands): `fit` of a spline flow over whitened columns."""

    joint = True

    def __init__(self, train: np.ndarray, quick: bool):
        import flowcore as fc

        options = {"epochs": 2} if quick else {}
        self.density, _ = fc.fit(fc.flows.nsf(7, standardize="whiten"), train, **options)

    def log_prob(self, rows):
        return self.density.log_prob(rows)

    def curves(self, rows, grid=None):
        found = self.density.posterior(rows, 0, grid)
        return found.grid, found.density, found.mass


class FlowcoreJointEstimator(FlowcoreJoint):
    """p(redshift, bands): `FlowDensity` with the defaults, in one process."""

    def __init__(self, train: np.ndarray, quick: bool):
        import flowcore as fc

        new = fc.FlowDensity("spline" if quick else "auto", random_state=0, n_jobs=1)
        self.density = new.fit(train)

    def log_prob(self, rows):
        return self.density.score_samples(rows)


class PzflowFlow:
    """p(redshift | bands): pzflow's `Flow` with its defaults, 100 epochs."""

    joint, columns, conditions = False, NAMES[:1], BANDS

    def __init__(self, train: np.ndarray, quick: bool):
        from pzflow import Flow

        self.flow = Flow(self.columns, conditional_columns=self.conditions)
        self.flow.train(self.frame(train), epochs=2 if quick else 100)

    def frame(self, rows):
        import pandas as pd

        return pd.DataFrame(rows, columns=NAMES)

    def log_prob(self, rows):
        return np.asarray(self.flow.log_prob(self.frame(rows)), float)

    def curves(self, rows, grid=None):
        grid = GRID if grid is None else grid
        found = self.flow.posterior(self.frame(rows), "redshift", grid, normalize=False)
        found = np.asarray(found, float)
        mass = np.sum(np.diff(grid) * (found[:, :-1] + found[:, 1:]) / 2, axis=1)
        return grid, found / mass[:, None], mass


class PzflowJoint(PzflowFlow):
    """p(redshift, bands): pzflow's `Flow` with its defaults, 100 epochs."""

    joint, columns, conditions = True, NAMES, None


CONTESTANTS = {
    "flowcore fit": FlowcoreFlow,
    "flowcore fit, whitened": FlowcoreWhitened,
    "flowcore FlowDensity": FlowcoreEstimator,
    "flowcore fit, whitened joint": FlowcoreJoint,
    "flowcore FlowDensity, joint": FlowcoreJointEstimator,
    "pzflow": PzflowFlow,
    "pzflow, joint": PzflowJoint,
}


class Clock:
    """CPU seconds of this process, all threads, since the last look."""

    def __init__(self):
        self.last = time.process_time()

    def __call__(self) -> float:
        before, self.last = self.last, time.process_time()
        return self.last - before


def measured(name: str, train: np.ndarray, held_out: np.ndarray, quick: bool) -> dict[str, float]:
    """The contestant's row: its metrics, and CPU seconds with imports and compilation."""
    row, clock = {}, Clock()
    contestant = CONTESTANTS[name](train, quick)
    row["fit, s"] = clock()
    contestant.curves(held_out[:1])
    row["first curve, s"] = clock()
    timed = held_out[:TIMED]
    if hasattr(contestant, "exact"):
        clock()
        contestant.exact(held_out)
        row["exact, s"] = clock()
    for block in blocks(timed):
        contestant.curves(block, GRID)
    row["curves, s"] = clock()
    parts, mass = [], []
    for block in blocks(held_out):
        grid, density, raw = contestant.curves(block)
        parts.append(judged(block[:, 0], grid, density))
        mass.append(np.asarray(raw, float))
    curves = Judged(*map(np.concatenate, zip(*parts, strict=True)))
    log_p, mass = contestant.log_prob(held_out), np.concatenate(mass)
    if contestant.joint:
        row["joint log p"] = float(log_p.mean())
        log_p = log_p - np.log(mass)
    else:
        row["largest |mass - 1|"] = float(np.abs(mass - 1).max())
    return row | metrics(held_out[:, 0], log_p, curves)


def blocks(rows: np.ndarray):
    for i in range(0, len(rows), BLOCK):
        yield rows[i : i + BLOCK]


def main(name: str, quick: str, source: str, to: str) -> None:
    with np.load(source) as tables:
        np.savez(to, **measured(name, tables["train"], tables["held_out"], quick == "quick"))


if __name__ == "__main__":
    main(*sys.argv[1:])
