"""Masks, and the order in which the sequential direction computes a network's units."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

import flowcore as fc

from .recipes import build
from .settings import ONE_PASS, Settings
from .training import Training

VARIABLES = (2, 8)  # of the network that is shown


def network(settings: Settings, variables: int = 2) -> dict:
    """The masks of one MADE, or which coordinates a coupling keeps; a velocity reads them all.

    layers   [{"from": degrees, "to": degrees, "rows", "columns", "mask": flat 0 and 1}, ...]
    The last layer has two columns for each variable: its shift and its log-scale.
    reach    (variables x variables), flat: may output i (column) depend on input j (row)?
    kept, all   how many connections there are, with the masks and without them
    """
    _check(variables)
    if settings.flow in ONE_PASS:
        kept = 0 if settings.flow == "continuous" else variables // 2
        reach = np.zeros((variables, variables), bool)
        reach[: kept or None, kept:] = True
        return {"kind": "coupling" if kept else "velocity", "kept": kept,
                "variables": variables, "layers": [], "reach": _bits(reach)}  # fmt: skip
    made = fc.MADE(variables, hidden=settings.hidden)
    of_inputs = np.arange(1, variables + 1)
    degrees = [
        of_inputs,
        *made.degrees[1 : 1 + len(settings.hidden)],
        np.repeat(of_inputs, made.n_out),
    ]
    reach = np.eye(variables, dtype=int)
    for mask in made.masks:
        reach = np.minimum(reach @ mask.astype(int), 1)
    reach = reach[:, :: made.n_out]  # shift and log-scale depend on the same
    return {
        "kind": "made",
        "variables": variables,
        "layers": [
            {"from": a.tolist(), "to": b.tolist(), "rows": len(a), "columns": len(b),
             "mask": _bits(mask)}
            for a, b, mask in zip(degrees[:-1], degrees[1:], made.masks, strict=True)
        ],
        "reach": _bits(reach),
        "kept": int(sum(mask.sum() for mask in made.masks)),
        "all": int(sum(mask.size for mask in made.masks)),
    }  # fmt: skip


def _check(variables: int) -> None:
    low, high = VARIABLES
    if not low <= variables <= high:
        raise ValueError(f"a network of {low} to {high} variables can be shown, not {variables}")


def _bits(mask: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(mask, np.uint8).ravel()


def walk(settings: Settings, variables: int = 2) -> dict:
    """How the sequential direction of a MADE goes: what is computed, step by step.

    steps      [{"units": [(layer, unit), ...], "variable": the one that is known after it, or 0}]
    computed   how many hidden units are computed in all, again and again counted
    Layers are hidden layers, from 0; variables count from 1, in the order of the degrees.
    """
    _check(variables)
    if settings.flow in ONE_PASS:
        return {"steps": [], "computed": 0}
    made = fc.MADE(variables, hidden=settings.hidden)
    hidden = made.degrees[1 : 1 + len(settings.hidden)]
    units = [(k, i) for k, layer in enumerate(hidden) for i in range(len(layer))]
    if settings.method == "loop":
        steps = [{"units": units, "variable": d} for d in range(1, variables + 1)]
    else:
        steps = [{"units": [], "variable": 1}]
        for d in range(1, variables):
            now = [(k, i) for k, i in units if hidden[k][i] == d]
            if settings.method == "unit_by_unit":
                steps += [{"units": [unit], "variable": 0} for unit in now]
                now = []
            steps.append({"units": now, "variable": d + 1})
    return {"steps": steps, "computed": sum(len(step["units"]) for step in steps)}


def sequential_seconds(training: Training, n: int, repeats: int = 3) -> dict:
    """Measured here and now: the sequential direction for n rows, by degree and by the loop.

    That is sampling, or, of IAF, the density.
    """
    settings, rows, found = training.settings, training.data.shown(n), {}
    for method in ("by_degree", "loop"):
        flow = build(replace(settings, method=method)).initialize(training.data.two_rows)
        flow = flow.with_params(training.flow.params)
        run = flow.to_latent if settings.flow == "iaf" else flow.from_latent
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            run(rows)
            times.append(time.perf_counter() - start)
        found[method] = min(times)
    return found
