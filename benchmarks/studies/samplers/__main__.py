"""`python -m benchmarks.studies.samplers`: see run.py."""

import sys

from .run import main

sys.exit(main())
