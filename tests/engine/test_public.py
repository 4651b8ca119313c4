"""What everybody sees: every public object is documented and annotated.

Docstrings are held to those of numpydoc's checks that help a reader, and to one of ours:

* everywhere there is a docstring (that of a method may be its parent class's), its summary is
  one line that ends in a period, and what it documents exists, in the order of the signature;
* a function documents every parameter, and what it returns; a class every parameter, with an
  example, `EX`. Methods need not: their arguments are the conventions', described once;
* every argument and every result has a type, `AN`.

`reference.py` is left out: its docstrings are the papers' formulas, in the papers' letters.
Left out, too: sections that would add nothing (See Also, extended summaries), and the
typography of descriptions. A summary may start with a formula: "x = f(z)".
"""

from __future__ import annotations

import ast
import inspect
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import flowcore
from flowcore import teaching

EVERYWHERE = {
    "GL05",  # no tabs
    "GL06",  # no unknown sections
    "GL07",  # sections in numpydoc's order
    "SS01",  # with a summary
    "SS03",  # that ends with a period
    "SS04",  # and starts where it should
    "SS06",  # in one line
    "PR02",  # no parameter that is not in the signature
    "PR03",  # in the order of the signature
    "PR07",  # each with a description
    "PR10",  # "name : type"
    "RT03",  # and so the result
}
FUNCTIONS = {"PR01", "RT01"}  # every parameter, and the result
CLASSES = {"PR01"}


def public_objects():
    """name -> object: what `flowcore` and its public modules offer, and the classes' methods."""
    lessons = {f"teaching.{name}": getattr(teaching, name) for name in teaching.__all__}
    found = {name: thing for name, thing in lessons.items() if inspect.isfunction(thing)}
    for name in set(flowcore.__all__) - {"reference"}:
        thing = getattr(flowcore, name)
        if isinstance(thing, ModuleType):
            found |= {f"{name}.{inner}": value for inner, value in _offered(thing)}
        else:
            found[name] = thing
    for name, thing in list(found.items()):
        if inspect.isclass(thing):
            found |= {f"{name}.{method}": value for method, value in _methods(thing)}
    return {f"flowcore.{name}": thing for name, thing in sorted(found.items())}


def _offered(module):
    for name, value in vars(module).items():
        thing = inspect.isfunction(value) or inspect.isclass(value)
        named = name in getattr(module, "__all__", [name]) and not name.startswith("_")
        if thing and named and value.__module__.startswith(module.__name__):  # not what it imports
            yield name, value


def _methods(cls):
    for name, value in vars(cls).items():
        value = getattr(value, "fget", value)
        if inspect.isfunction(value) and not name.startswith("_"):
            yield name, value


def faults(thing) -> set[str]:
    """The codes of the checks that an object fails."""
    from numpydoc.validate import validate

    wanted = set(EVERYWHERE)
    if inspect.isclass(thing):
        wanted |= CLASSES
    elif "." not in thing.__qualname__:
        wanted |= FUNCTIONS
    result = validate(f"{thing.__module__}.{thing.__qualname__}")
    codes = {code for code, _ in result["errors"]} & wanted
    codes |= set() if thing.__doc__ or _described_by_parent(thing) else {"GL08"}  # no docstring
    if inspect.isclass(thing) and [*inspect.signature(thing).parameters] == ["args", "kwargs"]:
        codes -= {"PR01", "PR02"}  # those of an abstract class's __new__, which mean nothing
    if inspect.isclass(thing) and not issubclass(thing, Exception):
        codes |= set() if ">>> " in (inspect.getdoc(thing) or "") else {"EX"}
    return codes | _unannotated(thing)


def _described_by_parent(thing) -> bool:
    owner, _, name = thing.__qualname__.rpartition(".")
    cls = getattr(sys.modules[thing.__module__], owner, None) if owner else None
    same = [vars(parent)[name] for parent in getattr(cls, "__mro__", ()) if name in vars(parent)]
    return any(value.__doc__ for value in same if callable(value) or isinstance(value, property))


def _unannotated(thing) -> set[str]:
    function = vars(thing).get("__init__") if inspect.isclass(thing) else thing
    if not inspect.isfunction(function) or getattr(thing, "_is_protocol", False):
        return set()  # the parent's, or typing's
    signature = inspect.signature(function)
    arguments = list(signature.parameters.values())
    arguments = arguments[1:] if "." in function.__qualname__ else arguments
    typed = all(argument.annotation is not argument.empty for argument in arguments)
    returns = function.__name__ == "__init__" or signature.return_annotation is not signature.empty
    return set() if typed and returns else {"AN"}


def test_public_objects_are_documented_and_annotated():
    gaps = {name: faults(thing) for name, thing in public_objects().items()}
    found = [f"{name}: {' '.join(sorted(codes))}" for name, codes in gaps.items() if codes]
    assert not found, "\n".join(["see the top of this file", *found])


# ---------------------------------------------------------------- names that are found when used


def loaded(code: str) -> set[str]:
    """The modules that a fresh process has loaded after this code, and had not before."""
    code = f"import sys; old = set(sys.modules); {code}; print(*set(sys.modules) - old)"
    run = [sys.executable, "-W", "error", "-c", code]
    return set(subprocess.run(run, capture_output=True, text=True, check=True).stdout.split())


def test_import_flowcore_loads_no_room_and_no_numpy():
    found = loaded("import flowcore; dir(flowcore)")
    assert "numpy" not in found
    assert {name for name in found if name.startswith("flowcore.")} == {"flowcore._version"}


def test_a_flow_loads_the_engine_and_nothing_around_it():
    found = loaded("import flowcore; flowcore.flows.maf(2)")
    parts = [name.split(".") for name in found]
    assert {part[1] for part in parts if part[0] == "flowcore" and len(part) > 1} == {
        *("_imports", "_version", "core", "networks", "transformers", "bijectors", "distributions"),
        "flows",
    }
    assert not {"scipy", "sklearn", "matplotlib", "joblib", "tqdm"} & {part[0] for part in parts}


def test_fit_sample_save_and_load_need_numpy_autograd_and_threadpoolctl_alone(tmp_path):
    found = loaded(
        "import numpy as np, flowcore as fc; x = np.random.default_rng(0).normal(size=(90, 2)); "
        "flow, _ = fc.fit(fc.flows.maf(2, layers=1, hidden=[4]), x, epochs=2, progress=False); "
        f"path = {str(tmp_path / 'flow.npz')!r}; fc.save(flow, path); fc.load(path).sample(3, 0)"
    )
    others = {"scipy", "sklearn", "matplotlib", "joblib", "tqdm", "filelock", "narwhals", "typer"}
    assert not others & {name.split(".")[0] for name in found}


def test_diagnose_loads_no_table_and_no_learner_before_it_is_called():
    found = loaded("import flowcore; flowcore.diagnose")
    assert not {"pandas", "narwhals", "sklearn", "matplotlib"} & found


def test_help_loads_little():
    found = loaded("import flowcore.cli.app as app; app.app")
    assert len({name for name in found if name.startswith("flowcore")}) <= 40
    assert not {"numpy", "pandas", "sklearn", "rich"} & found


def test_all_public_names_are_found():
    names = {}
    exec("from flowcore import *", names)
    assert set(flowcore.__all__) <= set(names) & set(dir(flowcore))
    assert len(set(flowcore.__all__)) == len(flowcore.__all__) > 60


@pytest.mark.parametrize("room", ["distributed", "estimator", "plots", "targets", "teaching"])
def test_names_that_are_imported_late_can_be_completed(room):
    module = getattr(flowcore, room)
    assert set(module.__all__) <= set(dir(module))


def test_no_module_asks_the_package_for_a_name_while_it_is_imported():
    """Else two threads could wait for each other: each has a lock, of names or of that module."""
    top = Path(flowcore.__file__).parent
    for path in top.rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom) and not node.module:
                assert node.level != len(path.relative_to(top).parts), f"{path}:{node.lineno}"


@pytest.mark.parametrize("name", ["Flow", "__main__", "_twins", "import_it"])
def test_other_names_are_not_found(name):
    with pytest.raises(AttributeError, match=f"^module 'flowcore' has no attribute '{name}'$"):
        getattr(flowcore, name)


def test_typed_use_runs(tmp_path):
    """What mypy checks in typed_use.py is also true."""
    names = runpy.run_path(str(Path(__file__).with_name("typed_use.py")))
    annotations = {name: eval(hint, names) for name, hint in names["__annotations__"].items()}
    for name, hint in annotations.items():
        assert isinstance(names[name], getattr(hint, "__origin__", hint)), name
    assert len(annotations) >= 10
    names["keep"](names["maf"], tmp_path)
