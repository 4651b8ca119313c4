"""How a flow is printed: its parts in the order in which z passes them, one line a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..bijectors.conditioning import OtherContext

if TYPE_CHECKING:
    from .transformed import TransformedDistribution


def description(flow: TransformedDistribution) -> str:
    """The lines that `print(flow)` writes: base, bijectors with their places, and parameters.

    Equal parts share a line, with the places of all of them.
    """
    x, given = _columns("x", flow.dim, flow.names), ""
    if flow.context_dim:
        given = f" given {_columns('a context', flow.context_dim, flow.context_names)}"
    lines = [
        f"{x}{given}: {_counted(flow.n_params)}, {flow.params.dtype}",
        _line("z", repr(flow.parts[0]), flow.parts[0].n_params),
    ]
    places: dict[tuple[str, int], list[int]] = {}
    contexts = {}
    for place, (part, way) in enumerate(flow.bijector.steps("forward"), start=1):
        while isinstance(part, OtherContext):
            contexts[repr(part.parts[0])] = part.parts[0].n_params
            part = part.bijector
        text = repr(part) if way == "forward" else f"Invert({part!r})"
        places.setdefault((text, part.n_params), []).append(place)
    lines += [_line("context", text, n) for text, n in contexts.items()]
    lines += [_line(", ".join(map(str, at)), text, n, len(at)) for (text, n), at in places.items()]
    return "\n".join(lines)


def _columns(what: str, dim: int, names: Sequence | None) -> str:
    return f"{what} ({dim},)" + (f" of {', '.join(map(str, names)):.60}" if names else "")


def _counted(n_params: int) -> str:
    return f"{n_params:,} parameter{'s' * (n_params != 1)}"


def _line(head: str, text: str, n_params: int, times: int = 1) -> str:
    count = f"  [{_counted(n_params)}{' each' * (times > 1)}]" if n_params else ""
    return f"  {head}: {text}{count}"
