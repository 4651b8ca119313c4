"""The foundation: one flat vector, one input gate, binding, one primitive, rows in blocks.

parameters.py   the flat vector                     workspace.py a part's computation, bound once
calls.py        plans, and autograd's primitive     own_parts.py the same for a user's classes
inputs.py       the input gate; labels.py           errors.py    errors and warnings
rows.py         tables of rows, checked             deadline.py  limits of time; log_sum_exp.py
blocks.py       rows in blocks; blas.py, cores.py   threads.py   a few kept threads
generators.py   a random generator for every row    typing.py

These imports are the interface of the room.
"""

# ruff: noqa: F401

from .._imports import imported
from .blas import BLAS
from .blocks import LARGE, MANY, ROWS
from .calls import Plan, call, evaluate
from .cores import ENVIRONMENT, n_threads
from .deadline import OutOfTime, check_time, limit, moment_after, until
from .errors import elsewhere, warn, with_fix, without_warnings
from .generators import generators, row_hashes
from .inputs import as_numbers
from .log_sum_exp import log_sum_exp
from .own_parts import by_autograd, is_built_in, vjp_of
from .parameters import Parametric, frozen
from .threads import in_threads
from .workspace import Step, Workspace, check_overrides, copied, require
