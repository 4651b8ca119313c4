"""`flowcore moons`: the tutorial, from start to end."""

from __future__ import annotations


def run(out: str, seed: int, flow: str, quick: bool) -> None:
    """The story of one seed."""
    from ..moons import Settings
    from ..moons import run as tour

    tour(Settings(flow, quick=quick), seed, out)
