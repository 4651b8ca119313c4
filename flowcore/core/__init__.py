"""What everything stands on: one flat vector, one gate, binding, one primitive, rows in blocks."""

from .._imports import imported, unforked
from .blas import BLAS
from .blocks import LARGE, MANY, ROWS, in_threads
from .calls import Plan, call, evaluate
from .cores import ENVIRONMENT, n_threads
from .derived import derived
from .errors import fixable, remaking, warn
from .inputs import as_numbers
from .log_sum_exp import log_sum_exp
from .own_parts import by_autograd, is_built_in, vjp_of
from .parameters import Parametric, frozen
from .workspace import Step, Workspace, check_overrides, copied, require

__all__ = [
    "BLAS",
    "ENVIRONMENT",
    "LARGE",
    "MANY",
    "ROWS",
    "Parametric",
    "Plan",
    "Step",
    "Workspace",
    "as_numbers",
    "by_autograd",
    "call",
    "check_overrides",
    "copied",
    "derived",
    "evaluate",
    "fixable",
    "frozen",
    "imported",
    "in_threads",
    "is_built_in",
    "log_sum_exp",
    "n_threads",
    "remaking",
    "require",
    "unforked",
    "vjp_of",
    "warn",
]
