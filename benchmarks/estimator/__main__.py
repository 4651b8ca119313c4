"""`python -m benchmarks.estimator`: see run.py."""

import sys

from .run import main

sys.exit(main())
