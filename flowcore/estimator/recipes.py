"""The flows among the candidates, and what the argument `flow` of `FlowDensity` may be."""

from __future__ import annotations

from functools import partial

from ..distributions import TransformedDistribution
from ..flows import glow, iaf, made, made_mog, maf, maf_mog, nice, nsf, realnvp
from .candidates import FlowCandidate

FEW = 5000  # rows: in larger tables the candidates for few rows are left out

affine = partial(maf, base="student_t", activation="tanh")  # a base with tails, as that of `nsf`
spline = partial(nsf, activation="tanh")
FLOWS = {
    "spline": FlowCandidate("spline flow", spline, (1.2, 0.09, 0.002, 0.002)),
    "affine": FlowCandidate("affine flow", affine, (0.5, 0.015, 0.003, 0.0002)),
    "modes": FlowCandidate("spline flow of modes", partial(spline, layers=2),
                           (0.8, 0.05, 0.002, 0.001), modes=True, least_dim=2),
    "white": FlowCandidate("affine flow, white", partial(affine, layers=3),
                           (0.5, 0.015, 0.003, 0.0002), white=True, least_dim=3, below_rows=FEW),
    "small": FlowCandidate("small affine flow", partial(affine, layers=3, hidden=[32]),
                           (0.3, 0.01, 0.001, 0.0001), widens=False, below_rows=FEW),
}  # fmt: skip
RECIPES = {
    recipe.__name__: recipe
    for recipe in (glow, iaf, made, made_mog, maf, maf_mog, nice, nsf, realnvp)
}
COST = FLOWS["spline"].cost  # of a flow that nobody has measured


def as_candidates(flow, dim: int, context_dim: int) -> tuple[FlowCandidate, ...]:
    """The flows to try."""
    if isinstance(flow, TransformedDistribution):
        for what, wanted in (("dim", dim), ("context_dim", context_dim)):
            if getattr(flow, what) != wanted:
                has = getattr(flow, what)
                raise ValueError(f"flow has {what}={has}, but the data have {wanted}")
        return (FlowCandidate("your flow", partial(_own, flow), COST),)
    known = {name: (one,) for name, one in FLOWS.items()} | {"auto": tuple(FLOWS.values())}
    known |= {name: (FlowCandidate(name, recipe, COST),) for name, recipe in RECIPES.items()}
    if isinstance(flow, str) and flow in known:
        return known[flow]
    names = ", ".join(["auto", *FLOWS, *RECIPES])
    raise ValueError(f"flow must be one of {names}, or a TransformedDistribution: got {flow!r}")


def _own(flow, dim, **options) -> TransformedDistribution:
    return flow
