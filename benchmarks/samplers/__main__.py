"""`python -m benchmarks.samplers`: see run.py."""

import sys

from .run import main

sys.exit(main())
