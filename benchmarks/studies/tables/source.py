"""A line below a table: where its numbers are from."""

from __future__ import annotations

from collections.abc import Mapping


def source(*documents: Mapping) -> str:
    """A line: when, where and how this was measured, and whether the machine was busy."""
    machine = documents[-1]["machine"]
    facts = [machine["date"][:10], machine["cpu"], _cores(machine["cores"]),
             f"Python {machine['python']}", f"NumPy {machine['numpy']}"]  # fmt: skip
    facts += packages(machine.get("versions", {}))
    if any(_unsteady(document.get("control")) for document in documents):
        facts.append("the machine was busy meanwhile")
    commands = [document["command"] for document in documents if "command" in document]
    how = f": `{commands[0]}`" if len(commands) == len(documents) == 1 else ""
    return f"\n*{', '.join(facts)}{how}.*\n"


def packages(versions: Mapping[str, str]) -> list[str]:
    """["torch 2.9", ...] of {contestant: "zuko 1.6, torch 2.9"}, each once; flowcore is known."""
    everything = (package for each in versions.values() for package in each.split(", "))
    known = ("flowcore ", "numpy ", "autograd ")
    return list(dict.fromkeys(package for package in everything if not package.startswith(known)))


def _cores(text: str) -> str:
    usable = text.split()[0]
    return f"{usable} core" if usable == "1" else f"{usable} cores"


def _unsteady(control: Mapping | None) -> bool:
    if not control or control["seconds"]["median"] is None:
        return False
    return control["seconds"]["q3"] > 1.3 * control["seconds"]["q1"]
