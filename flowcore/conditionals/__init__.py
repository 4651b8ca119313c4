"""Conditionals and marginals of any joint density, and rows with holes.

conditionals.py questions to a density of numbers    conditional.py  their answers, as densities
question.py     known and unknown values, as arrays  answering.py    by weighted draws
numbers.py      numbers, as they are drawn           angles.py       angles, within one turn
proposal.py     where draws start                    weights.py      how far they can be trusted
annealing.py    where weights fail                   explaining.py   which cell is improbable
curves.py       one unknown column: quadrature

`tables` answers questions about codes and numbers by the same draws.
"""

from .answering import Answers
from .conditional import Conditional, Marginal
from .conditionals import Conditionals
from .curves import Posterior
from .explaining import Explanation

__all__ = [
    "Answers",
    "Conditional",
    "Conditionals",
    "Explanation",
    "Marginal",
    "Posterior",
]
