"""`python -m benchmarks.synthetic`: see run.py."""

import sys

from .run import main

sys.exit(main())
