"""`python -m benchmarks.studies.estimator`: see run.py."""

import sys

from .run import main

sys.exit(main())
