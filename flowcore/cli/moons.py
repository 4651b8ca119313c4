"""`flowcore moons`: the tutorial on two moons."""

from __future__ import annotations


def run(flow: str, epochs: int | None, quick: bool, seeds: int | None, seed: int, out: str) -> int:
    """Tables and pictures of one seed; or one line for each of several seeds."""
    from .. import moons

    settings = moons.Settings(flow, epochs, quick)
    if seeds:
        moons.compare_seeds(settings, range(seed, seed + seeds))
    else:
        moons.run(settings, seed, out)
    return 0
