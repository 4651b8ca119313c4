"""What the page may call: one function for each wish, over one bench with one flow on it.

    call("build", {...})   ->  a plain dict: numbers, strings, lists, flat arrays

A mistake of the user's is {"error": what to do about it}; anything else is an exception.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

import autograd.numpy as anp
import numpy as np

import flowcore as fc
from flowcore import teaching
from flowcore.training.columns import few_valued_columns

from . import cell, densities, drawings, recipes, tasks, views, walks
from .settings import DATA, FLOWS, LIMITS, METHODS, ONE_PASS, Settings
from .training import Training

MOST_STEPS = 100_000  # of one call


class Bench:
    """What is on the bench now: settings, data, a flow in training, and the names of the cell."""

    def __init__(self):
        self.painted: np.ndarray | None = None  # (n, 2), as the page has sent them last
        self.table: dict | None = None  # see `read_table`
        self.names: dict = {}  # what cells have defined
        self.floor: dict | None = None
        self.set_up(Settings())

    def set_up(self, settings: Settings) -> None:
        """A new flow for these settings; what was there stays if that fails."""
        training = Training(settings, self._data(settings))
        self.settings, self.training, self.floor = settings, training, None

    def _data(self, settings: Settings) -> densities.Data:
        if settings.data == "painted":
            if self.painted is None:
                raise ValueError("nothing is painted yet: paint some points first")
            return densities.of_rows(self.painted, "the painting", settings.seed)
        if settings.data == "table":
            if self.table is None:
                raise ValueError("no table is here: drop a CSV file on the page first")
            return densities.of_rows(self.table["rows"], "the table", settings.seed)
        return densities.of_target(settings.data, settings.points, settings.seed)


_bench: list[Bench] = []  # one, made when it is first needed


def _on_the_bench() -> Bench:
    if not _bench:
        _bench.append(Bench())
    return _bench[0]


# ------------------------------------------------------------ what can be asked for


def about() -> dict:
    """What can be chosen, and the tasks: for the page's own controls."""
    return {
        "version": fc.__version__,
        "data": list(DATA),
        "flows": list(FLOWS),
        "one_pass": list(ONE_PASS),
        "methods": list(METHODS),
        "limits": {name: list(limits) for name, limits in LIMITS.items()},
        "usual": asdict(Settings()),
        "variables": list(walks.VARIABLES),
        "side": drawings.SIDE,
        "tasks": [tasks.shown(task) for task in tasks.TASKS.values()],
    }


def walk_by(method: str) -> dict:
    """Another method of the sequential direction; what was trained stays."""
    bench = _on_the_bench()
    settings = replace(bench.settings, method=method)
    bench.training.walk_by(settings)
    bench.settings = settings
    return described()


def build(settings: Mapping, painted=None) -> dict:
    """A new flow; painted: flat x, y, x, y, ... if points were painted. What was there stays if
    the settings are refused."""
    bench = _on_the_bench()
    if painted is not None:
        bench.painted = np.array(painted, float).reshape(-1, 2)
    bench.set_up(Settings.of(dict(settings)))
    return described()


def described() -> dict:
    """What is on the bench."""
    bench = _on_the_bench()
    training, data = bench.training, bench.training.data
    return {
        "settings": asdict(bench.settings),
        "flow": repr(training.start.bijector),
        "n_params": training.start.n_params,
        "frame": data.frame,
        "rows": None if data.rows is None else len(data.rows),
        "shown": np.ascontiguousarray(data.shown(), np.float32).ravel(),
        "known": data.truth is not None,
        "columns": bench.table["chosen"] if bench.settings.data == "table" else ["x1", "x2"],
        "step": training.step,
        **views.distance(training),
    }


def floor() -> dict:
    """The KL below which this architecture cannot come, if one is known: {"kl": None} if not."""
    bench = _on_the_bench()
    if bench.floor is None:
        found = recipes.floor(bench.settings, bench.training.data.truth)
        bench.floor = {"kl": None, "why": ""} if found is None else found
    return bench.floor


def train(steps: int = 1, seconds: float | None = None) -> dict:
    """Take at most so many steps, in at most so many seconds."""
    training = _on_the_bench().training
    done = training.steps(min(int(steps), MOST_STEPS), np.inf if seconds is None else seconds)
    return {"step": training.step, "done": done, "loss": training.losses[-1][1]}


def look(size: int = 48, grid: bool = True, dots: int = views.DOTS) -> dict:
    """The pictures now: density on size x size cells, the grid through all layers, in lines of so
    many dots, the distance."""
    training = _on_the_bench().training
    size = int(size) // 2 if training.matches else int(size)  # a density costs 32 passes there
    found = {"density": views.density(training.flow, training.data.frame, size), "size": size}
    found["density"] = found["density"].astype(np.float32)
    if grid:
        found["stages"] = views.stages(training, int(dots))
    found.update(views.distance(training))
    found["losses"] = np.array(training.losses, np.float32).ravel()
    return found


def truth(size: int = 48) -> dict:
    """The true density on the same cells; {"density": None} if it is not known."""
    data = _on_the_bench().training.data
    if data.truth is None:
        return {"density": None, "size": size}
    found = views.density(data.truth, data.frame, int(size))
    return {"density": found.astype(np.float32), "size": size}


def point(x) -> dict:
    """One point's way to the base, what each layer adds to its log p, and the Jacobian there."""
    return views.point(_on_the_bench().training, x)


def measure(n: int = 20_000, rng: int = 1) -> dict:
    """KL(truth || flow) on n fresh draws. Errors: ValueError where the truth is not known."""
    training = _on_the_bench().training
    if training.data.truth is None:
        raise ValueError("the truth is not known here, so the distance to it is not, either")
    return views.measure(training, int(n), int(rng))


def network(variables: int = 2) -> dict:
    """The masks of the conditioner, or of a like one of more variables; and the walk through it."""
    settings = _on_the_bench().settings
    return {
        **walks.network(settings, int(variables)),
        "walk": walks.walk(settings, int(variables)),
    }


def sequential_seconds(n: int = 2000) -> dict:
    """The sequential direction for n rows, timed by degree and by the textbook's loop."""
    bench = _on_the_bench()
    if bench.settings.flow in walks.ONE_PASS:
        raise ValueError("this flow has no sequential direction: no variable waits for another")
    return walks.sequential_seconds(bench.training, int(n))


def read(text: str) -> dict:
    """The number that somebody typed, {"value": 2.5}; or {"problem": why it is none}."""
    try:
        value = teaching.read_number(text)
    except ValueError as problem:
        return {"problem": str(problem)}
    return {"value": value} if math.isfinite(value) else {"problem": "type a finite number."}


def judge(task: int, answer) -> dict:
    """The verdict on a prediction: a number, or the cells of a drawing."""
    verdict = tasks.judge(int(task), answer)
    return {"right": verdict.right, "message": verdict.message}


def question(exercise: str, seed: int) -> dict:
    """The text of an exercise with the numbers of a seed; "" if it has no others."""
    text = teaching.question(exercise, seed)
    return {"text": "" if text == teaching.question(exercise) else text}


def check(exercise: str, code: str | None, seed: int | None = None) -> dict:
    """What the course answers to a number, rows of them, or a function's code: for the boxes.

    None asks for the answer and its reason. Errors: ValueError for text that is none of these, or
    code that fails.
    """
    own = teaching.EXERCISES[exercise].variant(seed)
    if code is None:
        shown = teaching.solution(exercise, seed)
        code = f"{shown}\n\nOne solution:\n\n{own.solution}"
        shown = code if own.inputs else f"the answer is {shown}"
        return {"right": None, "message": f"{exercise}: {shown}"}
    if own.inputs:
        answer = cell.value(code, {**vars(math), "fc": fc, "np": np, "anp": anp})
    else:
        answer = own.read(code)
    verdict = teaching.check(exercise, answer, seed)
    return {"right": bool(verdict), "message": str(verdict)}


def overlap(drawing) -> dict:
    """How much of a drawn density is where the flow's is now: from 0 to 1."""
    training = _on_the_bench().training
    return {"overlap": drawings.overlap(drawing, training.flow, training.data.frame)}


def read_table(text: str, columns=None) -> dict:
    """Two columns of a CSV, which "table" as data then means; `few`: those with few values."""
    table = densities.read_table(text, columns)
    bench = _on_the_bench()
    bench.table = table
    few, *_ = few_valued_columns(table["rows"], np.arange(len(table["rows"])))
    return {"names": table["names"], "chosen": table["chosen"], "of": table["of"],
            "rows": len(table["rows"]), "few": [table["chosen"][k] for k in few]}  # fmt: skip


def run(code: str) -> dict:
    """A cell of Python: `flow`, `data`, `truth`, `step`, `fc`, `np` and `anp` are there."""
    bench = _on_the_bench()
    training = bench.training
    bench.names.update(
        fc=fc, np=np, anp=anp, flow=training.flow, data=training.data.shown(2000),
        truth=training.data.truth, step=training.step,
    )  # fmt: skip
    return cell.run(code, bench.names)


CALLS: Mapping[str, Callable[..., dict]] = {
    function.__name__: function
    for function in (
        about, build, walk_by, described, floor, train, look, truth, point, measure, network,
        sequential_seconds, read, judge, question, check, overlap, read_table, run,
    )
}  # fmt: skip


def call(name: str, arguments: Mapping | None = None) -> dict:
    """Do what the page asks for. A ValueError, or a loss that is not finite, returns as "error"."""
    try:
        return CALLS[name](**(arguments or {}))
    except (ValueError, FloatingPointError) as problem:
        return {"error": str(problem)}
