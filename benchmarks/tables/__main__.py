"""Every table of README.md and docs/ made again: `python -m benchmarks.tables`."""

import sys

from .run import main

sys.exit(main())
