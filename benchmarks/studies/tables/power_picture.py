"""The picture of POWER, from what is stored: `python -m
benchmarks.studies.tables.power_picture`."""

from ..tabular.picture import collect, draw
from .jobs import IMAGES, POWER, RESULTS
from .pages import ROOT


def main() -> None:
    files = [RESULTS / f"{job.name}.json" for job in POWER]
    draw(*collect([file for file in files if file.exists()]), ROOT / IMAGES / "power.png")


if __name__ == "__main__":
    main()
