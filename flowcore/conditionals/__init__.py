"""Conditionals and marginals of any joint density, and rows with holes."""

from .answering import Answers
from .conditional import Conditional, Marginal
from .conditionals import Conditionals
from .explaining import Explanation

__all__ = ["Answers", "Conditional", "Conditionals", "Explanation", "Marginal"]
