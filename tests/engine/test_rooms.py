"""The order of flowcore's rooms: each stands on those above it, so none needs one below."""

import ast
import re

import pytest
from support.places import ROOT

from flowcore.core import Parametric, Workspace
from flowcore.distributions import Distribution

PACKAGE = ROOT / "flowcore"
ORDER = """
    _version _imports
    core
    networks transformers
    bijectors
    distributions
    mixtures
    flows
    files
    training
    spec
    pareto
    metrics discrete testing
    targets
    plots
    conditionals
    inference
    adapters
    estimator
    diagnosis
    tables
    distributed
    teaching
    moons
    cli
    __main__
"""
# what a room below lends to a method, imported when that is called
LATE = {
    ("core", "spec"): "second derivatives go through the plain twins",
    ("distributions", "conditionals"): "density.given and density.marginal",
    ("training", "plots"): "the picture of a history in a notebook",
}
LINE = {room: k for k, rooms in enumerate(ORDER.strip().split("\n")) for room in rooms.split()}


def imports(path):
    """What a file imports from flowcore when it runs, in functions and by name (a string), too:
    ("bijectors", line)."""
    package = ["flowcore", *path.relative_to(PACKAGE).parent.parts]
    todo = [ast.parse(path.read_text("utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else []
            module = [*start, *(node.module or "").split(".")]
            names = [[*filter(None, module), alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.Constant) and re.fullmatch(r"flowcore(\.\w+)+", str(node.value)):
            names = [node.value.split(".")]
        else:
            todo += ast.iter_child_nodes(node)
            continue
        yield from (
            (name[1], node.lineno) for name in names if name[:1] == ["flowcore"] and name[1:]
        )


def test_rooms_stand_on_those_above_them():
    wrong = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for other, line in imports(path):
            if room not in ("__init__", other) and LINE.get(other, -1) >= LINE[room]:
                wrong[room, other] = f"{path.relative_to(PACKAGE)}:{line} imports {other}"
    assert not {pair: wrong[pair] for pair in wrong.keys() - LATE.keys()}
    assert wrong.keys() >= LATE.keys()


# what every part carries: a feature that needs one more is a part of its own
ATTRIBUTES = {
    Workspace: """
        add_tied_gradients array has_way_back log_det number params present refresh scratch
        whenever_theta_changes with_own_context with_present zeros""",
    Parametric: """
        check_fitted context_dim dtype fitted initialized layout leaves n_params param_scale params
        params_of parts rebuilt with_params""",
    Distribution: """
        bind cdf clampable context_names dim given log_prob marginal names pit posterior ppf prob
        quantiles sample""",
}


@pytest.mark.parametrize("cls", ATTRIBUTES)
def test_a_feature_adds_no_attribute(cls):
    names = {name for name in (*dir(cls), *cls.__annotations__) if not name.startswith("_")}
    inherited = ATTRIBUTES[Parametric].split() if cls is Distribution else []
    assert names == {*ATTRIBUTES[cls].split(), *inherited}
