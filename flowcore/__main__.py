"""`python -m flowcore` is the command `flowcore`."""

import sys

from .cli import main

sys.exit(main())
