"""What can be asked of a density beside log p: F and its inverse, conditionals and marginals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import imported, without_warnings
from ..core.inputs import as_column, as_probabilities
from .law import arguments, check_one_column, law_of

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Context, Law


class Queries:
    """Methods of `Distribution`: those of one column follow from its law, the others from
    `Conditionals`."""

    def cdf(self, x: ArrayLike, context: Context = None) -> np.ndarray:
        """F(x) = P(X <= x), coordinate by coordinate: (..., D), in [0, 1]; NaN stays NaN.

        It is exact for bases, for mixtures of one column, and for flows of one column:

            F(x | c) = F_base(f^-1(x; c) | c)            1 - F_base(f^-1(x; c) | c) if f decreases

        Cost: one inverse of the flow, and two forward passes for every row of the context. Errors:
        ValueError for flows and mixtures of several columns, for angles (which have no first
        value), and for a user's density without a cdf of its own: these have `posterior`.

        >>> import flowcore as fc
        >>> fc.Normal(1).cdf([[0.0], [np.inf]]).tolist()
        [[0.5], [1.0]]
        """
        x, context = arguments(self, x, context)
        with without_warnings():  # about the context: `arguments` has warned
            return self._law(context)[0](x)

    def ppf(self, q: ArrayLike, context: Context = None) -> np.ndarray:
        """F^-1(q), the quantiles of every coordinate, (..., D): the inverse of `cdf`.

        q = 0 and 1 give the ends of the support. Mixtures have a root search between the quantiles
        of their components, as precise as the numbers x. Cost: three forward passes of the flow; 10
        to 30 cdfs for a mixture. Errors: ValueError for q outside of [0, 1], and as in `cdf`.

        >>> import flowcore as fc
        >>> fc.Normal(1).ppf([[0.5], [0.975]]).round(4).tolist()
        [[0.0], [1.96]]
        """
        q, context = arguments(self, as_probabilities(q), context)
        if self._memo_new is self.parts:
            self._warn_of_its_base("quantiles")
        with without_warnings():
            return self._law(context)[1](q)

    def pit(self, y: ArrayLike, context: Context = None) -> np.ndarray:
        """The probability integral transform u = F(y | c) of one column, (n,).

        If the density is the truth, the u of held-out rows are uniform: see `plots.pit`.

        Parameters
        ----------
        y : array_like
            (n,), (n, 1), or a table with one column.
        context : array_like
            (n, C), for a conditional density.

        Examples
        --------
        >>> import flowcore as fc
        >>> fc.Normal(1).pit([0.0, 1.6449]).round(4)
        array([0.5 , 0.95])
        """
        check_one_column(self, "pit")
        return self.cdf(as_column("y", y), context)[..., 0]

    def quantiles(self, q: ArrayLike, context: Context = None) -> np.ndarray:
        """The quantiles of one column: (len(q), n) for n rows of a context, (len(q),) without.

        Parameters
        ----------
        q : array_like
            Probabilities in [0, 1], (len(q),), or one number.
        context : array_like
            (n, C), for a conditional density.

        Examples
        --------
        >>> import flowcore as fc
        >>> fc.Normal(1).quantiles([0.16, 0.5, 0.84]).round(3)
        array([-0.994,  0.   ,  0.994])
        """
        check_one_column(self, "quantiles")
        q = as_probabilities(q)[:, None]
        return self.ppf(q if context is None else q[:, None], context)[..., 0]

    def _law(self, context) -> Law:
        """F and F^-1 given a checked context. A class overrides this, or `cdf` and `ppf`."""
        if type(self).cdf is Queries.cdf or type(self).ppf is Queries.ppf:
            raise ValueError(
                f"{self!r:.80} has no cdf: integrate its density on a grid, by posterior(), or, in "
                "a class of your own, write cdf(x, context=None) and ppf(q, context=None)"
            )
        return law_of(partial(self.cdf, context=context), partial(self.ppf, context=context))

    def given(self, known: ArrayLike | Mapping, **options: Any) -> Any:
        """p(x_b | x_a): the density of the other columns, given some known ones.

        known: {column: value}, by number or name (`names`), or a row (D,) with NaN for unknown
        values. options: n_draws, rng, context. See `Conditionals`, which also takes rows with
        holes.
        """
        return self._memo_conditionals.given(known, **options)

    def marginal(self, columns: Sequence) -> Any:
        """p(x_a): the density of some columns, by number or name, in this order; `Conditionals`."""
        return self._memo_conditionals.marginal(columns)

    def posterior(
        self, rows: ArrayLike | None = None, column: Any = None, grid: ArrayLike | None = None,
        context: Context = None,
    ) -> Any:  # fmt: skip
        """p(x_k | rest): the density of one column given the others, as a curve for each row.

        See `Conditionals.posterior`.
        """
        return self._memo_conditionals.posterior(rows, column, grid, context)

    @cached_property
    def _memo_conditionals(self) -> Any:
        """With a proposal that is fitted once."""
        return imported("flowcore.conditionals").Conditionals(self)
