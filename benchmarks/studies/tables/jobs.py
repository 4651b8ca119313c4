"""What is measured for the tables: one command for each JSON file."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ...support.common import write_json
from ...support.process import ROOT
from .. import environment

RESULTS = Path(__file__).resolve().parents[1] / "results"
IMAGES = Path("docs/images")
BEFORE = "6e28b98"  # the last commit before the engine was rebuilt
OTHERS = ("made", "maf5", "nsf_ar", "maf_mog5")  # of the tables without published numbers


@dataclass(frozen=True)
class Job:
    """One benchmark with its arguments; its JSON is `results`/NAME.json.

    minutes   about how long it takes on two quiet cores
    then      a further command, for a picture, that is run when the JSON is there
    """

    name: str
    module: str
    argv: tuple[str, ...]
    minutes: int
    then: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """As a reader would type it."""
        return shlex.join(["python", "-m", f"benchmarks.{self.module}", *self.argv])

    def stored(self, folder: Path = RESULTS) -> dict | None:
        """What was measured last; None if nothing was.

        Errors: ValueError if it is of a quick run, whose numbers mean nothing.
        """
        path = folder / f"{self.name}.json"
        if not path.exists():
            return None
        document = json.loads(path.read_text("utf-8"))
        if document.get("settings", document).get("quick"):
            raise ValueError(f"{path} is of a --quick run: delete it")
        return document

    def run(self, folder: Path = RESULTS) -> None:
        """Measure; the JSON takes its place when all went well.

        Until then it is kept outside of the source tree, where a benchmark that was stopped finds
        what it had. Errors: subprocess.CalledProcessError.
        """
        partial = environment.CACHE / "results" / f"{self.name}.json"
        partial.parent.mkdir(parents=True, exist_ok=True)
        where = {"cwd": ROOT, "check": True}
        module = [sys.executable, "-m", f"benchmarks.{self.module}"]
        subprocess.run([*module, *self.argv, "--json", str(partial)], **where)
        document = json.loads(partial.read_text("utf-8"))
        write_json(folder / f"{self.name}.json", {**document, "command": self.command})
        os.remove(partial)
        if self.then:
            subprocess.run([sys.executable, "-m", *self.then], **where)


def _power(model: str, minutes: int, epochs: int | None = None) -> Job:
    length = ("--minutes", str(minutes)) if epochs is None else ("--epochs", str(epochs))
    argv = ("power", "--models", model, *length)
    picture = ("benchmarks.studies.tables.power_picture",)
    return Job(f"power-{model}", "studies.tabular", argv, minutes, picture)


def _other(data: str) -> Job:
    argv = (data, "--models", *OTHERS, "--epochs", "60", "--patience", "15", "--minutes", "2")
    return Job(data, "studies.tabular", argv, 8)


POWER = (
    _power("made", 13, epochs=37),
    _power("made_mog", 5, epochs=40),
    _power("realnvp5", 31, epochs=100),
    _power("maf5", 90),
    _power("maf_mog5", 30, epochs=50),
    _power("nsf_coupling", 90),
    _power("nsf_ar", 90),
)
FEW = ("red wine 3-5", "abalone 9-18")
KINDS = ("labelled", "swapped", "clustered")  # of outliers
SPLINE_CASES = ("--cases", "FGHI", "--iaf-rows")

JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job("moons", "moons_seeds", ("--seeds", "1", "--first-seed", "0"), 1),
        Job("moons_seeds", "moons_seeds", (), 12),
        Job("floor", "studies.floor", (), 4),
        Job("spline_step", "spline_step", (), 4),
        Job(
            "maf_iaf_cost", "maf_iaf_cost", ("--picture", str(IMAGES / "maf_iaf_cost.png")), 12,
        ),
        Job("busy", "studies.busy", (), 10),
        Job("against", "against", (BEFORE,), 8),
        Job("peers", "studies.peers", ("--cases", "ABCD"), 20),
        Job("splines-1", "studies.peers", (*SPLINE_CASES, "--threads", "1"), 14),
        Job("splines-2", "studies.peers", (*SPLINE_CASES, "--threads", "2"), 14),
        Job("time_to_trained", "studies.time_to_trained", ("--with-tfp",), 8),
        Job(
            "toy_targets", "studies.toy_targets",
            ("--seeds", "3", "--first-seed", "10", "--picture", str(IMAGES / "toy_targets.png")),
            8,
        ),
        Job(
            "time_to_quality", "studies.time_to_quality",
            ("--picture", str(IMAGES / "time_to_quality.png")), 75,
        ), Job("outliers", "studies.outliers", (), 25), Job("outlier_kinds", "studies.outliers",
        ("--tables", *FEW, "--kinds", *KINDS), 6), Job("estimator", "studies.estimator", (), 150),
        Job("synthetic", "studies.synthetic", (), 30), Job("imputation",
        "studies.conditionals.imputation", ("--rows", "300", "--budget", "0.02"), 150),
        Job("published", "studies.conditionals.published", ("--budget", "0.02"), 90),
        _other("magic"), _other("galaxies"), *POWER,
    )
}  # fmt: skip
