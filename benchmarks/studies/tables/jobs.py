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


@dataclass(frozen=True)
class Job:
    """One benchmark with its arguments; its JSON is `results`/NAME.json.

    minutes   about how long it takes on two quiet cores
    arguments as in `python -m benchmarks.ARGUMENTS`
    """

    name: str
    minutes: int
    arguments: str

    @property
    def command(self) -> str:
        """As a reader would type it."""
        return f"python -m benchmarks.{self.arguments}"

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
        command = [sys.executable, *shlex.split(self.command)[1:], "--json", str(partial)]
        subprocess.run(command, cwd=ROOT, check=True)
        document = json.loads(partial.read_text("utf-8"))
        write_json(folder / f"{self.name}.json", {**document, "command": self.command})
        os.remove(partial)


LIST = """
moons              1  moons_seeds --seeds 1 --first-seed 0
moons_seeds       12  moons_seeds
floor              4  studies.floor
spline_step        4  spline_step
maf_iaf_cost      12  maf_iaf_cost --picture docs/images/maf_iaf_cost.png
cost_growth        8  studies.cost_growth --picture docs/images/cost_growth.png
peers             30  studies.peers --cases ABCD
peers-64          10  studies.peers --cases ABCD --iaf-rows --dtype float64 --budget 5
splines-1         26  studies.peers --cases FGHI --iaf-rows --threads 1
toy_targets        8  studies.toy_targets --seeds 3 --first-seed 10 --picture docs/images/toy_targets.png
outliers          25  studies.outliers
outlier_kinds      6  studies.outliers --tables 'red wine 3-5' 'abalone 9-18' --kinds labelled swapped clustered
learning_curves   15  studies.learning_curves --picture docs/images/learning_curves.png
estimator         90  studies.estimator --folds 3
synthetic         30  studies.synthetic
joint_tails         5  studies.joint_tails
components        25  studies.components --budget 0.15
imputation       150  studies.conditionals.imputation --rows 300 --budget 0.02
published         90  studies.conditionals.published --budget 0.02
mnist             90  studies.mnist --models made made+class maf5 maf5+class made_mog maf_mog5 --picture docs/images
power-made        13  studies.tabular power --models made --epochs 37
power-made_mog     5  studies.tabular power --models made_mog --epochs 40
power-realnvp5    31  studies.tabular power --models realnvp5 --epochs 100
power-maf5        21  studies.tabular power --models maf5 --epochs 24
power-maf_mog5    10  studies.tabular power --models maf_mog5 --epochs 20
power-nsf_coupling  52  studies.tabular power --models nsf_coupling --epochs 24
power-nsf_ar      95  studies.tabular power --models nsf_ar --epochs 60
"""  # noqa: E501
JOBS: dict[str, Job] = {}
for line in LIST.strip().splitlines():
    name, minutes, arguments = line.split(maxsplit=2)
    JOBS[name] = Job(name, int(minutes), arguments)
POWER = [job for job in JOBS.values() if job.name.startswith("power-")]
