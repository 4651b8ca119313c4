"""`python -m benchmarks.studies.inference`: see run.py."""

import sys

from .run import main

sys.exit(main())
