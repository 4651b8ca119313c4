"""The picture of POWER, from stored JSON: `python -m benchmarks.studies.tables.power_picture`."""

from ...support.process import ROOT
from ..tabular.picture import collect, draw
from .jobs import POWER, RESULTS


def main() -> None:
    files = [RESULTS / f"{job.name}.json" for job in POWER]
    draw(*collect([file for file in files if file.exists()]), ROOT / "docs/images/power.png")


if __name__ == "__main__":
    main()
