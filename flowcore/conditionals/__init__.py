"""Any question to a joint density: conditionals, marginals, rows with holes."""

from .conditional import Conditional, Marginal
from .conditionals import Answers, Conditionals
from .explaining import Explanation

__all__ = ["Answers", "Conditional", "Conditionals", "Explanation", "Marginal"]
