"""The flow of the site's first page: fitted here, then run by docs/static/front_door.js.

    python docs/builder/front_door.py

It writes docs/static/front_door.json, the parameters. They are kept in the repository: a build
trains nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import flowcore as fc

STATIC = Path(__file__).resolve().parents[1] / "static"
LAYERS, HIDDEN = 8, 24


def fitted() -> tuple[fc.TransformedDistribution, float]:
    """A small MAF that has learned two moons, and its KL from them."""
    moons = fc.targets.two_moons()
    flow = fc.flows.maf(2, layers=LAYERS, hidden=[HIDDEN], activation="tanh", rng=0)
    flow, _ = fc.fit(flow, moons.sample(4000, rng=0), epochs=200, rng=0)
    return flow, fc.kl_to_truth(flow, moons, 20_000, rng=1).kl


def exported(flow: fc.TransformedDistribution) -> dict:
    """What the page needs of a MAF of two coordinates with one hidden layer.

    layers   from the base to the data, each
             first        the coordinate, 0 or 1, that waits for nobody: shift + exp(log_scale) z
             in           [w, b] of the hidden units, which read it:  h = tanh(w x + b)
             out          [v, c] twice: shift and raw log-scale of the other coordinate, v . h + c
    bound    B of the log-scale, B tanh(raw / B);   mean, scale   of the data
    """
    *layers, standardize = reversed(flow.bijector.parts)
    bound = layers[0].transformer.log_scale_bound
    return {
        "layers": [_layer(layer.made, bound) for layer in layers],
        "bound": bound,
        "mean": _rounded(standardize.mean),
        "scale": _rounded(standardize.scale),
    }


def _layer(made: fc.MADE, bound: float) -> dict:
    (w, b, _), (v, c, _) = made.weights()
    first = int(np.argmin(made.degrees[0]))
    second, own = 2 * (1 - first), 2 * first
    return {
        "first": first,
        "shift": float(c[own].round(4)),
        "log_scale": float((bound * np.tanh(c[own + 1] / bound)).round(4)),
        "in": [_rounded(w[first]), _rounded(b)],
        "out": [[_rounded(v[:, second + k]), float(c[second + k].round(4))] for k in (0, 1)],
    }


def _rounded(values) -> list[float]:
    return np.asarray(values, float).round(4).tolist()


def main() -> None:
    """Fit, write the file, print the KL."""
    flow, kl = fitted()
    found = exported(flow) | {"n_params": flow.n_params, "kl": round(kl, 3)}
    text = json.dumps(found, separators=(",", ":")) + "\n"
    (STATIC / "front_door.json").write_text(text, encoding="utf-8")
    print(f"{flow.n_params} parameters, KL {kl:.3f} nats")


if __name__ == "__main__":
    main()
