"""Any question to a joint density: conditionals, marginals, rows with holes."""

from .conditional import Conditional, Marginal
from .conditionals import Answers, Conditionals

__all__ = ["Answers", "Conditional", "Conditionals", "Marginal"]
