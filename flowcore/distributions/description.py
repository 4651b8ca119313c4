"""How a flow is printed: its parts in the order in which z passes them, one line a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bijectors.conditioning import OtherContext

if TYPE_CHECKING:
    from .transformed import TransformedDistribution


def description(flow: TransformedDistribution) -> str:
    """The lines that `print(flow)` writes: base, bijectors with their places, and parameters.

    Equal parts share a line, with the places of all of them.
    """
    given = f" given a context ({flow.context_dim},)" if flow.context_dim else ""
    lines = [
        f"x ({flow.dim},){given}: {flow.n_params:,} parameters, {flow.params.dtype}",
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
    lines += [_line(_listed(at), text, n, len(at)) for (text, n), at in places.items()]
    return "\n".join(lines)


def _line(head: str, text: str, n_params: int, times: int = 1) -> str:
    count = f"{n_params:,} parameters" + (" each" if times > 1 else "")
    return f"  {head}: {text}" + (f"  [{count}]" if n_params else "")


def _listed(places: list[int]) -> str:
    return ", ".join(map(str, places))
