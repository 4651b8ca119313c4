"""A posterior whose moments somebody knows, and posteriordb, which has 45 of them.

https://github.com/stan-dev/posteriordb (Magnusson et al.): models, data, and 10,000 reference draws
of each. The models are written anew here, in autograd.numpy; data and draws are read from a clone.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flowcore.inference.space import Space, pulled_back
from flowcore.inference.unnormalised import LogTarget


class Posterior(NamedTuple):
    """support, log_p(p)  as `flowcore.infer` takes them; out(p) = {name in the reference: (n,)};
    back(reference) = p, to evaluate the port at reference draws."""

    support: Mapping
    log_p: Callable
    out: Callable
    back: Callable


class Reference(NamedTuple):
    """Means and standard deviations by name."""

    mean: dict
    sd: dict


def data_of(clone: Path, name: str) -> dict:
    """The data of a posterior."""
    return _zipped(clone / "posterior_database/data/data" / f"{name}.json.zip")


def draws_of(clone: Path, name: str) -> dict[str, np.ndarray]:
    """Its reference draws, by name, chains one after the other."""
    folder = clone / "posterior_database/reference_posteriors/draws/draws"
    chains = _zipped(folder / f"{name}.json.zip")
    return {key: np.concatenate([chain[key] for chain in chains]) for key in chains[0]}


def _zipped(path: Path):
    with zipfile.ZipFile(path) as folder:
        return json.loads(folder.read(folder.namelist()[0]))


def moments(draws: Mapping[str, np.ndarray]) -> Reference:
    return Reference(
        {k: v.mean() for k, v in draws.items()}, {k: v.std() for k, v in draws.items()}
    )


def score_of_the_port(posterior: Posterior, draws: Mapping[str, np.ndarray]) -> float:
    """The largest |mean of grad log p| over reference draws, in its standard errors.

    It is 0 up to chance for the density that the draws are of, in any coordinates.
    """
    space = Space(posterior.support, None)
    target = LogTarget(pulled_back(posterior.log_p, space.from_line), space.free)
    _, slope = target(space.to_line(posterior.back(draws)))
    return float(np.max(np.abs(slope.mean(axis=0)) / (slope.std(axis=0) / np.sqrt(len(slope)))))


def compared(found, posterior: Posterior, reference: Reference) -> tuple[float, float]:
    """(the worst error of a mean, in reference sds; the worst relative error of an sd)."""
    mean, _ = found.expectation(posterior.out)
    square, _ = found.expectation(
        lambda p: {k: (v - mean[k]) ** 2 for k, v in posterior.out(p).items()}
    )
    names = reference.mean.keys() & mean.keys()
    of_mean = [abs(mean[k] - reference.mean[k]) / reference.sd[k] for k in names]
    of_sd = [abs(np.sqrt(square[k]) / reference.sd[k] - 1) for k in names]
    return float(max(of_mean)), float(max(of_sd))
