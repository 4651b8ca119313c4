"""Questions to a joint density: some columns given others, and the density of some columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import generators, without_warnings
from ..core.inputs import check_context, check_count, check_event, column_labels, in_order, where
from ..core.labels import completed
from ..core.rows import JOINT, check_finite
from ..distributions.columns import column_numbers, known_row
from .angles import OneTurn
from .answering import Answers, answers
from .conditional import Conditional, Marginal
from .curves import Posterior, posterior_of
from .numbers import Numbers
from .proposal import fitted_proposal

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Context, Seed
    from ..mixtures import MultivariateTMixture


class Conditionals:
    """Answers to any question about the columns of a joint density p(x), by weights and quadrature.

        p(x_a) = E_q p(x_a, x_b) / q(x_b | x_a)        x_b ~ q(x_b | x_a)

    x_a are the known columns, x_b the others. All answers use the same p, so they agree with each
    other. For Gaussians, and for mixtures of Gaussians or of t densities, they are exact. Otherwise
    draws come from a proposal q, a mixture of multivariate t densities that is fitted to draws of
    p, and get Pareto-smoothed weights p / q. Where the weights fail (k-hat > 0.7, or an effective
    sample size below 30), annealed draws are used.

    One unknown column is integrated by quadrature instead, on about 250 nodes a row, to about 0.001
    nats.

    Columns must be continuous; outside of a bounded support draws are wasted. A column is an angle,
    in radians, if log p repeats in it after 2 pi. Integrals over an angle cover one turn, known
    values may be in any turn, and draws are in [-pi, pi].

    Cost: seconds once, to fit the proposal; then one `log_prob` of p for every draw. Errors:
    ValueError for a column that does not exist, an infinite known value, a period other than 2 pi,
    and, in `given`, a question without unknown columns.

    Parameters
    ----------
    density : Distribution or your own
        Any object with `dim`, `sample(n, rng)` and `log_prob(x)`, with an optional `context=`.
    names : sequence, optional
        Names of the columns, texts or integers; None: those of the density. Known values can then
        be passed by name, and the columns of tables in any order, beside others.
    proposal : MultivariateTMixture, optional
        Replaces the fitted proposal: for example the `proposal` of an earlier object. Not used with
        a context.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao, Gabry, "Pareto smoothed importance sampling", JMLR 2024.

    Examples
    --------
    >>> import flowcore as fc
    >>> moons = Conditionals(fc.targets.two_moons(noise=0.1))
    >>> given = moons.given({0: 0.5})
    >>> given.columns, given.k_hat < 0.7, given.quantiles([0.1, 0.9]).shape
    ([1], True, (2, 1))
    """

    def __init__(self, density: Any, names: Sequence | None = None, proposal: Any = None):
        self.density, self.dim = density, density.dim
        names = getattr(density, "names", None) if names is None else names
        self.names = None if names is None else list(names)
        if self.names and len(self.names) != self.dim:
            raise ValueError(f"{len(self.names)} names, but the density has {self.dim} columns")
        if proposal is not None:
            self.proposal = proposal
        elif hasattr(density, "sample_given"):  # its conditionals are exact
            self.proposal = density

    @cached_property
    def proposal(self) -> Any:
        """The proposal of the draws: a mixture of t densities, fitted at its first use."""
        return fitted_proposal(self.numbers(None, 1))

    @property
    def kept_proposal(self) -> MultivariateTMixture | None:
        """The proposal, if it was fitted or passed; files keep it."""
        proposal = self.__dict__.get("proposal")
        return proposal if proposal is not self.density else None

    def turn(self, context: Context = None) -> OneTurn:
        """Which columns are angles, and the middles of their turns."""
        return self._turn if context is None else OneTurn.of(self.density, self.known(context))

    @cached_property
    def _turn(self) -> OneTurn:
        return OneTurn.of(self.density)

    def given(
        self, known: ArrayLike | Mapping, n_draws: int = 1000, rng: Seed = 0,
        context: Context = None,
    ) -> Conditional:  # fmt: skip
        """p(x_b | x_a): the density of the other columns, given some known ones.

        known: {column: value}, by name or number, or a row (D,) with NaN for unknown values. Warns
        if the answer cannot be trusted. Raises ValueError if the known values have the density 0.
        """
        row = known_row(known, self.dim, self.names)
        return Conditional(self, row, n_draws, rng, context)

    def marginal(self, columns: Sequence) -> Marginal:
        """p(x_a): the density of some columns, by name or number, in this order."""
        columns = column_numbers(columns, self.dim, self.names)
        if not columns.size:
            raise ValueError("marginal: columns names none")
        return Marginal(self, columns)

    def posterior(
        self, rows: ArrayLike | None = None, column: Any = None, grid: ArrayLike | None = None,
        context: Context = None,
    ) -> Posterior:  # fmt: skip
        """The density of one column given the others, p(x_k | rest), as a curve for each row.

        Cost: about 250 evaluations of log p a row.

        Errors: ValueError for unknown values in other columns, and for a grid that does not ascend,
        or covers more than one turn of an angle. Warnings: rows for which the caller's grid is too
        coarse or too short, and rows whose curve cannot be resolved.

        Parameters
        ----------
        rows : array_like
            (n, D). The values of the column are ignored, and may be NaN, or lack in a frame; the
            others are known. Not needed at dim 1.
        column : int or str
            The unknown column. Not needed at dim 1.
        grid : array_like
            (G,), ascending: the nodes of all curves. None: nodes of its own for each row.
        context : array_like
            (n, C), or (C,) for all rows.

        Returns
        -------
        Posterior
            The curves, with `mean()` and `quantiles(q)`.

        Examples
        --------
        >>> import flowcore as fc
        >>> found = Conditionals(fc.targets.torus()).posterior([[0.5, 0.0]], column=1)
        >>> found.angle, found.mean().shape
        (True, (1,))
        """
        if (rows is None or column is None) and self.dim > 1:
            raise ValueError(f"posterior of {self.dim} columns needs rows= and column=")
        (number,) = column_numbers([0 if column is None else column], self.dim, self.names)
        X = self._known_columns(rows, number, context)
        numbers = self.numbers(context, len(X))
        column = self.names[number] if self.names else int(number)
        return posterior_of(numbers, numbers.question(X).x, column, grid)

    def _known_columns(self, rows: ArrayLike | None, column: int, context: Context) -> np.ndarray:
        """Rows (n, D) with NaN in a column, and finite numbers elsewhere."""
        if rows is None:
            return np.full((1 if context is None else len(np.atleast_2d(context)), 1), np.nan)
        labels, names = column_labels(rows), self.names
        rest = [*(names or range(self.dim))]
        own = rest.pop(column)
        if labels is not None and own not in labels and {*rest} & {*labels}:
            X = in_order("rows", rows, rest, holes=True)
            X = np.insert(X.astype(float), column, np.nan, axis=1)
        else:
            X = in_order("rows", rows, names, holes=True).astype(float)
        check_event(X, self.dim, self.density)
        X = np.atleast_2d(X)
        X[:, column] = 0.0
        check_finite("rows", X, labels=names)
        X[:, column] = np.nan
        return X

    def log_prob(
        self, X: ArrayLike, n_draws: int = 200, rng: Seed = 0, context: Context = None,
        progress: bool = False,
    ) -> Answers:  # fmt: skip
        """The log-density of the known values (not NaN or None) of each row of X, and its error."""
        return self.impute(X, 0, n_draws, rng, context, progress)

    def impute(
        self, X: ArrayLike, n: int = 20, n_draws: int = 200, rng: Seed = 0,
        context: Context = None, progress: bool = False,
    ) -> Answers:  # fmt: skip
        """n draws of the unknown values of each row of X: n completed tables, (n, rows, D).

        For a frame, the `tables` of the result are frames, too, with all columns and the index of
        X.

        n_draws: number of weighted draws per row, at least 30; n draws are resampled from them. If
        the density is right, the k-th least and the k-th greatest of them hold the value with the
        probability 1 - 2 k / (n + 1): 90% for n = 19 and k = 1. The draws of a row depend only on
        its known values and rng, not on other rows; equal rows get independent draws. A warning
        counts the rows whose answers cannot be trusted.
        """
        table, n = X, check_count(n, "n")
        X = in_order("X", X, self.names, holes=True).astype(float)
        check_event(X, self.dim, self.density)
        if X.ndim != 2:
            raise ValueError(f"X must be rows (n, D), not of shape {X.shape}")
        if np.isinf(X).any():
            raise ValueError(f"X is infinite {where(np.isinf(X))}: known values must be finite")
        numbers = self.numbers(context, len(X))
        question = numbers.question(X)
        rngs = generators(numbers.in_turn(question.x), rng, apart=n > 0)
        result = answers(numbers, question, n, n_draws, rngs, progress)
        result.warn_untrusted(np.arange(len(X)))
        draws, hole = result.draws[..., numbers.width :], np.isnan(X).any(axis=0)
        return replace(result, draws=draws, as_table=partial(completed, table, self.names, hole))

    def numbers(self, context: Context, n: int) -> Numbers:
        """The object that answers questions about n rows, given the context."""
        context = np.zeros((n, 0)) if context is None else self.known(context)
        with without_warnings():  # `known` has warned
            turn = self.turn(context if context.shape[-1] else None)
        contexts = np.broadcast_to(context, (n, context.shape[-1]))
        return Numbers(self.density, turn, contexts, lambda: self.proposal)

    def known(self, context: Context) -> np.ndarray:
        """The context as finite numbers (..., C), its columns in the density's order."""
        names = getattr(self.density, "context_names", None)
        context = np.atleast_1d(in_order("context", context, names)).astype(float)
        check_finite("context", np.atleast_2d(context), labels=names, more=JOINT)
        if width := getattr(self.density, "context_dim", 0):
            check_context(context, width, self.density)  # warns where it is far from training rows
        return context

    def __repr__(self):
        return f"Conditionals({self.density!r})"
