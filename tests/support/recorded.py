"""Answers as they were recorded: a number that nobody meant to change is a fault.

`recorded({"log_prob": ..., "report": ...})` in a test compares numbers, texts, tables and dicts of
them with `data/recorded/<module>.<test>.json`. Where a change is wanted, the test writes it again,

    FLOWCORE_RECORD=1 python -m pytest tests/tables/test_x.py

and the difference is there to be reviewed. What is recorded has to be the same on every machine: no
flow that was trained, but flows of random parameters, mixtures and moments.
"""

import json
import os
import re

import numpy as np
import pandas as pd
import pytest

from .places import DATA

NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.?\d+)(?:e[-+]?\d+)?(?![\w.])")


def recorder(request):
    """The function `recorded` of a test."""
    name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    file = DATA / "recorded" / f"{request.module.__name__.rpartition('.')[2]}.{name}.json"

    def recorded(answers, rtol=1e-6, atol=1e-9):
        found = {key: plain(answer) for key, answer in answers.items()}
        if os.environ.get("FLOWCORE_RECORD"):
            file.parent.mkdir(exist_ok=True)
            lines = [f"{json.dumps(key)}: {json.dumps(found[key])}" for key in found]
            file.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
        if np.lib.NumpyVersion(np.__version__) < "2.0.0":
            pytest.skip("Of an older NumPy some numbers differ")
        former = json.loads(file.read_text("utf-8"))
        assert found.keys() == former.keys()
        differ = {
            key: {"recorded": former[key], "now": found[key]}
            for key in found
            if not alike(found[key], former[key], rtol, atol)
        }
        assert not differ, json.dumps(differ, indent=1)

    return recorded


def plain(answer):
    """The same in JSON, numbers to ten digits."""
    if isinstance(answer, pd.DataFrame):
        answer = answer.to_dict("list")
    if isinstance(answer, dict):
        return {str(key): plain(value) for key, value in answer.items()}
    if isinstance(answer, (list, tuple, np.ndarray, pd.Series, pd.Index)):
        return [plain(one) for one in answer]
    if isinstance(answer, (bool, np.bool_)) or answer is None:
        return None if answer is None else bool(answer)
    if isinstance(answer, (int, float, np.number)):
        value = float(answer)
        return float(f"{value:.10g}") if np.isfinite(value) else str(value)
    return str(answer)


def alike(found, former, rtol, atol):
    """Whether two of them are equal: numbers by the tolerances, in a text by its last digit."""
    if isinstance(found, float) and isinstance(former, float):
        return bool(np.isclose(found, former, rtol, atol))
    if type(found) is not type(former):
        return False
    if isinstance(found, dict):
        return found.keys() == former.keys() and all(
            alike(found[key], former[key], rtol, atol) for key in found
        )
    if isinstance(found, list):
        return len(found) == len(former) and all(
            alike(one, other, rtol, atol) for one, other in zip(found, former, strict=True)
        )
    if isinstance(found, str):
        numbers, others = NUMBER.findall(found), NUMBER.findall(former)
        return NUMBER.sub("#", found) == NUMBER.sub("#", former) and all(
            np.isclose(float(one), float(other), rtol, 1.01 * last_digit(other))
            for one, other in zip(numbers, others, strict=True)
        )
    return found == former


def last_digit(number):
    """What one unit of the last digit that is printed is worth."""
    digits, _, power = number.partition("e")
    return 10.0 ** (int(power or 0) - len(digits.partition(".")[2])) if "." in number else 0.0
