"""What everything stands on: one flat vector, one gate, binding, one primitive, rows in blocks."""

from .blas import BLAS
from .blocks import LARGE, MANY, ROWS, in_threads
from .calls import Plan, as_written, call, evaluate, twins_are_found_by
from .cores import ENVIRONMENT, n_threads
from .derived import derived
from .forks import imported, unforked
from .inputs import as_numbers
from .log_sum_exp import log_sum_exp
from .notices import remaking, warn
from .own_parts import by_autograd, is_built_in, vjp_of
from .parameters import Layout, Parametric, frozen
from .workspace import Step, Workspace, copied, keep_overrides, require

__all__ = [
    "BLAS",
    "ENVIRONMENT",
    "LARGE",
    "MANY",
    "ROWS",
    "Layout",
    "Parametric",
    "Plan",
    "Step",
    "Workspace",
    "as_numbers",
    "as_written",
    "by_autograd",
    "call",
    "copied",
    "derived",
    "evaluate",
    "frozen",
    "imported",
    "in_threads",
    "is_built_in",
    "keep_overrides",
    "log_sum_exp",
    "n_threads",
    "remaking",
    "require",
    "twins_are_found_by",
    "unforked",
    "vjp_of",
    "warn",
]
