"""The pictures of the page, as numbers: grids, densities, one point's way, a distance."""

from __future__ import annotations

from functools import cache

import numpy as np
from autograd import jacobian

import flowcore as fc

from .recipes import TIMES
from .training import Training

REACH = 3.0  # of the grid in the base, on both sides
LINES, DOTS = 13, 49  # lines in each direction, and points on a line, unless more are asked for
CLOUD = 250  # base samples that travel with the grid
FEW_JUDGES = 250  # rows on which a continuous flow is judged: its density costs 32 passes
ARROWS = 13  # along each side, of a velocity field
FRAME = 4.0  # half a side of a frame around the base, and around all layers below the data


@cache
def grid_of_base(dots: int = DOTS) -> np.ndarray:
    """(2 LINES, dots, 2): lines of constant z1, then lines of constant z2."""
    fixed, free = np.linspace(-REACH, REACH, LINES), np.linspace(-REACH, REACH, dots)
    upright = np.stack(np.broadcast_arrays(fixed[:, None], free), axis=-1)
    return np.concatenate([upright, upright[..., ::-1]])


@cache
def cloud_of_base() -> np.ndarray:
    """(CLOUD, 2) samples of the base, the same for every flow."""
    return np.random.default_rng(7).normal(size=(CLOUD, 2))


def stages(training: Training, dots: int = DOTS) -> dict:
    """The grid and the cloud in the base, and after every layer up to the data; of a continuous
    flow at TIMES + 1 times, and in the data.

    names   of the stages, the base first;   frames   [left, right, bottom, top] of each
    lines   (stages, 2 LINES, dots, 2);   cloud   (stages, CLOUD, 2)
    field   None, or the velocity on ARROWS x ARROWS points of the square, (stages, ARROWS^2, 2), as
            cells are ordered, the last one empty
    """
    z = np.concatenate([grid_of_base(dots).reshape(-1, 2), cloud_of_base()])
    with np.errstate(all="ignore"):
        found = _stages(training, z)
    n = len(z) - CLOUD
    square = [-FRAME, FRAME, -FRAME, FRAME]
    frames = [square] * (len(found) - 1) + [training.data.frame]
    return {
        "names": [name for name, _ in found],
        "frames": frames,
        "shape": [len(found), 2 * LINES, dots],
        "lines": _float32([x[:n] for _, x in found]),
        "cloud": _float32([x[n:] for _, x in found]),
        "field": _field(training.flow, square) if training.matches else None,
    }


def _stages(training: Training, z: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """(name, points) of the base and after every layer; of a continuous flow at every time."""
    if not training.matches:
        return training.flow.stages(z)
    standardize, continuous = training.flow.bijector
    times = np.arange(TIMES + 1) / TIMES
    path = continuous.with_steps(1).path(z, times[1:])  # the solver's own steps
    named = [(f"t = {t:.2f}", x) for t, x in zip(times, [z, *path], strict=True)]
    return [*named, ("Standardize", standardize.forward(path[-1]))]


def _field(flow, square) -> np.ndarray:
    places, continuous = cells(square, ARROWS)[0], flow.bijector[1]
    times = [np.full(len(places), t) for t in np.arange(TIMES + 1) / TIMES]
    return _float32([*(continuous.field(places, t) for t in times), np.zeros_like(places)])


def cells(frame, size: int) -> tuple[np.ndarray, float]:
    """(the middles of size x size cells, from the top row down, (size^2, 2); a cell's area)."""
    left, right, bottom, top = frame
    width, height = (right - left) / size, (top - bottom) / size
    x = left + width * (np.arange(size) + 0.5)
    y = top - height * (np.arange(size) + 0.5)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), width * height


def density(density, frame, size: int) -> np.ndarray:
    """p at the middles of size x size cells of the frame, the top row first, (size^2,)."""
    with np.errstate(all="ignore"):
        return np.exp(density.log_prob(cells(frame, size)[0]))


def point(training: Training, x) -> dict:
    """One point's way from x back to z: where it passes, what each layer adds to log p(x).

        log p(x) = log p(z) + sum of the layers' log |det dz/dx|,      p(z) the base's density

    stages   (stages, 2), z first;   parts   [(name, nats), ...], the base first
    jacobian   dx/dz at z, (2, 2);   log_det   log |det dx/dz|
    """
    flow, x = training.flow, np.asarray(x, float).reshape(2)
    way, log_dets = [x], []
    with np.errstate(all="ignore"):
        for part, direction in flow.bijector.steps("inverse"):
            moved, log_det = getattr(part, f"{direction}_and_log_det")(way[-1])
            way.append(moved)
            log_dets.append(float(log_det))
        back = jacobian(flow.bijector.inverse)(x)
        log_base = float(flow.base.log_prob(way[-1]))
        names = [name for name, _ in flow.stages(way[-1])[1:]]
        shown = way[::-1]
        if training.matches:
            shown = [x for _, x in _stages(training, way[-1][None])]
    return {
        "stages": _float32(shown),
        "z": way[-1].tolist(),
        "parts": [("base", log_base), *zip(names, log_dets[::-1], strict=True)],
        "log_p": log_base + sum(log_dets),
        "jacobian": _inverse(back).tolist(),
        "log_det": -sum(log_dets),
    }


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Of a 2 x 2 matrix, by hand: where a triangle has a zero, its inverse has one, exactly."""
    (a, b), (c, d) = matrix
    with np.errstate(all="ignore"):
        return np.array([[d, -b], [-c, a]]) / (a * d - b * c) + 0.0  # no zero of the other sign


def distance(training: Training) -> dict:
    """How good the flow is, on rows that no step has seen, in nats.

    nll, nll_error   mean -log q and its standard error
    kl, kl_error     KL(truth || flow) and its standard error; entropy   of the truth, H(p)
                     None, all three, where the truth is not known
    matches          whether the loss that is trained is another one than the NLL
    """
    data, flow = training.data, training.flow
    n = FEW_JUDGES if training.matches else None
    with np.errstate(all="ignore"):
        log_q = np.asarray(flow.log_prob(data.judges[:n]), float)
    found = {"kl": None, "kl_error": None, "entropy": data.entropy, "step": training.step}
    found["matches"] = training.matches
    controls = None if data.controls is None else data.controls[:n]
    found["nll"], found["nll_error"] = _mean_and_error(-log_q, controls)
    if data.truth is not None:
        found["kl"] = found["nll"] - data.entropy
        found["kl_error"] = found["nll_error"]
    return found


def measure(training: Training, n: int, rng: int) -> dict:
    """The same, of a known truth, on n fresh draws: `flowcore.kl_to_truth`."""
    kl, error = fc.kl_to_truth(training.flow, training.data.truth, n, rng)
    return {"kl": kl, "kl_error": error, "step": training.step}


def _mean_and_error(values: np.ndarray, controls: np.ndarray | None) -> tuple[float, float]:
    """The mean and its standard error, with control variates (n, k) whose true means are 0."""
    if controls is not None and np.isfinite(values).all():
        centred = controls - controls.mean(axis=0)
        slopes = np.linalg.lstsq(centred, values - values.mean(), rcond=None)[0]
        values = values - controls @ slopes
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def _float32(arrays) -> np.ndarray:
    """One flat float32 array: half as much to send as float64."""
    return np.ascontiguousarray(np.concatenate([np.ravel(a) for a in arrays]), np.float32)
