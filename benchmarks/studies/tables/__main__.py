"""Every table of README.md and docs/ made again: `python -m benchmarks.studies.tables`."""

import sys

from .run import main

sys.exit(main())
