"""`flowcore moons`: the tutorial, from start to end."""

from __future__ import annotations


def run(out: str, seed: int, epochs: int | None, flow: str, quick: bool, seeds: int | None) -> None:
    """The story of one seed, or the figures of several."""
    from ..moons import Settings, compare_seeds
    from ..moons import run as tour

    settings = Settings(flow, epochs, quick)
    if seeds:
        compare_seeds(settings, range(seed, seed + seeds))
    else:
        tour(settings, seed, out)
