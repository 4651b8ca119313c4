"""`python -m benchmarks.studies.synthetic`: see run.py."""

import sys

from .run import main

sys.exit(main())
