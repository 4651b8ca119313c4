"""What the argument `flow` of `FlowDensity` may be."""

from __future__ import annotations

from functools import partial

from ..distributions import TransformedDistribution
from ..flows import glow, iaf, made, made_mog, maf, maf_mog, nice, nsf, realnvp
from .candidates import Candidate, learn_flow
from .plan import FLOWS

RECIPES = {
    recipe.__name__: recipe
    for recipe in (glow, iaf, made, made_mog, maf, maf_mog, nice, nsf, realnvp)
}
COST = FLOWS["spline"].cost  # of a flow that nobody has measured


def as_candidates(flow, dim: int, context_dim: int) -> tuple[Candidate, ...]:
    """The flows to try."""
    if isinstance(flow, TransformedDistribution):
        for what, has, wanted in (("dim", flow.dim, dim), ("context_dim", flow.context_dim,
                                                           context_dim)):  # fmt: skip
            if has != wanted:
                raise ValueError(f"flow has {what}={has}, but the data have {wanted}")
        return (Candidate("your flow", learn_flow, True, COST, {"recipe": partial(_given, flow)}),)
    if isinstance(flow, str) and flow == "auto":
        return tuple(FLOWS.values())
    if isinstance(flow, str) and flow in FLOWS:
        return (FLOWS[flow],)
    if isinstance(flow, str) and flow in RECIPES:
        return (Candidate(flow, learn_flow, True, COST, {"recipe": RECIPES[flow]}),)
    names = ", ".join(["auto", *FLOWS, *RECIPES])
    raise ValueError(f"flow must be one of {names}, or a TransformedDistribution: got {flow!r}")


def _given(flow, dim, **options) -> TransformedDistribution:
    return flow
