"""Questions to a joint density: some columns given others, and how probable these are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import generators, imported, warn
from ..core.inputs import check_dim, check_event, column_labels, in_order, named, where
from ..distributions.columns import column_numbers, known_row
from ..training.checks import check_finite
from .angles import OneTurn, turned
from .answering import answered, blocks_of
from .conditional import Conditional, Marginal
from .layer import autoregressive_layer
from .proposal import WithContext, fitted_proposal, with_donors
from .weights import Weighted, trusted

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Context, Seed
    from ..distributions import MultivariateTMixture

LEAST_DRAWS = 30  # of a row; fewer cannot be judged


@dataclass(frozen=True)
class Answers:
    """The answers for n rows with holes.

    Attributes
    ----------
    draws : numpy.ndarray
        (m, n, D), m completed tables; known values do not change. m = 0 after `log_prob`.
    log_p, error : numpy.ndarray
        (n,), the log-density of the known values of each row, in nats, and its standard error.
    ess, k_hat : numpy.ndarray
        (n,), the effective sample size and the Pareto k-hat. k-hat is -inf for exact answers, and
        the effective sample size is inf for rows without holes.
    annealed : numpy.ndarray
        (n,), True where the plain weights failed and annealed draws were used.

    Examples
    --------
    >>> import flowcore as fc
    >>> p = fc.MultivariateNormalMixture([[0.0, 5.0]], [[[1, 0], [0.8, 0.6]]])
    >>> answers = Conditionals(p).impute([[1.0, np.nan], [np.nan, 5.0]], n=3)
    >>> answers.draws.shape, answers.log_p.round(4), answers.trusted
    ((3, 2, 2), array([-1.4189, -0.9189]), array([ True,  True]))
    """

    draws: np.ndarray
    log_p: np.ndarray
    error: np.ndarray
    ess: np.ndarray
    k_hat: np.ndarray
    annealed: np.ndarray

    @property
    def trusted(self) -> np.ndarray:
        """(n,): k-hat is at most 0.7 and the effective sample size at least 30."""
        return trusted(self.ess, self.k_hat)


class Conditionals:
    """Answers to any question about the columns of a joint density p(x), by importance weights.

        p(x_a) = E_q p(x_a, x_b) / q(x_b | x_a)        x_b ~ q(x_b | x_a)

    The proposal q is a mixture of multivariate t densities with 5 degrees of freedom, fitted to
    8,000 draws of p; its conditionals are exact. The weights are Pareto smoothed. Where they fail
    (k-hat > 0.7, or an effective sample size below 30), annealed draws are used. Nothing is trained
    for a question, so answers about different columns agree with each other.

    Some densities need no weights, and their answers are exact: Gaussians, mixtures of Gaussians or
    t densities, and one autoregressive layer over a normal base, if its order begins with the known
    columns. The columns must be continuous, and range over the whole line; a bounded support is
    possible, but draws outside of it are wasted.

    Angles, in radians, are the columns in which log p repeats after 2 pi. Integrals over them are
    over one turn, known values may be in any turn, and draws are in [-pi, pi].

    Cost: seconds once, to fit the proposal; one `log_prob` of p for every draw of a question.
    Errors: ValueError for unknown columns, for infinite known values, for a period other than 2 pi,
    and if no column is unknown.

    Parameters
    ----------
    density : Distribution or your own
        Any object with `dim`, `sample(n, rng)` and `log_prob(x)`, with an optional `context=`.
    names : sequence of str, optional
        Names of the columns, for known values by name, and tables in any order of columns.
    proposal : MultivariateTMixture, optional
        A proposal to use instead of fitting one, such as `proposal` of an earlier object. Not used
        with a context.
    donors : array_like, optional
        Rows (m, D), such as training rows: half of the draws start from kernels around 200 of them.
        Not used with a context.

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

    def __init__(
        self, density: Any, names: Sequence[str] | None = None, proposal: Any = None,
        donors: ArrayLike | None = None,
    ):  # fmt: skip
        self.density, self.dim = density, density.dim
        self.names = None if names is None else list(names)
        if self.names and len(self.names) != self.dim:
            raise ValueError(f"{len(self.names)} names, but the density has {self.dim} columns")
        self.donors = donors
        self.layer = autoregressive_layer(density)
        if proposal is not None:
            self.proposal = self._with_donors(proposal)
        elif hasattr(density, "sample_given"):  # its conditionals are exact
            self.proposal = density

    @cached_property
    def proposal(self) -> Any:
        """The proposal of the draws: a mixture of t densities, fitted at its first use."""
        return self._with_donors(fitted_proposal(self.turn()))

    @property
    def kept_proposal(self) -> MultivariateTMixture | None:
        """The proposal, if it was fitted or passed; files keep it."""
        found = self.__dict__.get("proposal")
        return found if found is not self.density else None

    def turn(self, context: Context = None) -> OneTurn:
        """The density with its angles, which `angle` (D,) marks, within one turn."""
        return self._turn if context is None else OneTurn.of(self.density, self.known(context))

    @cached_property
    def _turn(self) -> OneTurn:
        return OneTurn.of(self.density)

    def given(
        self, known: ArrayLike | Mapping, n_draws: int = 1000, rng: Seed = 0,
        context: Context = None,
    ) -> Conditional:  # fmt: skip
        """p(x_b | x_a): the density of the other columns, given some known ones.

        known: {column: value}, by name or number, or a row (D,) with NaN for unknown values. A
        warning if the effective sample size or k-hat shows that the answer cannot be trusted.
        ValueError for known values with the density 0, for example outside of a support.
        """
        row = known_row(known, self.dim, self.names)
        return Conditional(self, row, n_draws, rng, context)

    def marginal(self, columns: Sequence) -> Marginal:
        """p(x_a): the density of some columns, by name or number, in this order."""
        columns = column_numbers(columns, self.dim, self.names)
        if not columns.size:
            raise ValueError("marginal: columns names none")
        return Marginal(self, columns)

    def log_prob(
        self, X: ArrayLike, n_draws: int = 200, rng: Seed = 0, context: Context = None,
        progress: bool = False,
    ) -> Answers:  # fmt: skip
        """The log-density of the known values (not NaN or None) of each row of X, with its error."""
        return self.impute(X, 0, n_draws, rng, context, progress)

    def impute(
        self, X: ArrayLike, n: int = 20, n_draws: int = 200, rng: Seed = 0,
        context: Context = None, progress: bool = False,
    ) -> Answers:  # fmt: skip
        """n draws of the unknown values of each row of X: n completed tables, (n, rows, D).

        n_draws: number of weighted draws per row, at least 30; n draws are taken from them. Rows
        are answered in blocks of bounded memory. The draws of a row depend on its known values and
        rng alone, not on other rows; those of equal rows are independent, if n > 0, and the first
        one has those of the row alone. With a context, the proposal depends on all contexts. A
        warning counts the rows whose answers cannot be trusted.
        """
        X, n = in_order("X", X, self.names, holes=True).astype(float), check_dim("n", n, least=0)
        check_event(X, self.dim, self.density)
        if X.ndim != 2:
            raise ValueError(f"X must be rows (n, D), not of shape {X.shape}")
        if np.isinf(X).any():
            raise ValueError(f"X is infinite {where(np.isinf(X))}: known values must be finite")
        found = Answers(
            np.repeat(X[None], n, axis=0), *np.zeros((4, len(X))), np.zeros(len(X), bool)
        )
        seeded = partial(generators, rng=rng, apart=n > 0)
        for index, rngs, block in self._answers(X, n_draws, seeded, context, progress):
            for name in ("log_p", "error", "ess", "k_hat", "annealed"):
                getattr(found, name)[index] = getattr(block, name)
            if n:
                found.draws[:, index] = block.resampled(n, rngs).transpose(1, 0, 2)
        bad = np.flatnonzero(~found.trusted)
        if bad.size:
            warn(
                f"{bad.size} of {len(X)} rows have answers that are not to be trusted (k-hat above "
                f"0.7, or fewer than 30 effective draws): {named('row', bad)}. Raise n_draws, or "
                "pass donors= to Conditionals"
            )
        return found

    def weighted(self, row: np.ndarray, n_draws: int, rng: Seed, context: Context) -> Weighted:
        """Weighted draws for one row (1, D); context (1, C) or None."""
        rng = np.random.default_rng(rng)
        ((_, _, found),) = self._answers(row, n_draws, lambda _: [rng], context)
        return found

    def _answers(self, X, n_draws, seeded, context, progress=False) -> Iterator:
        """(numbers of rows, their generators, their weighted draws) of each block of rows;
        seeded(rows): a generator for each row, with its context."""
        n_draws = check_dim("n_draws", n_draws, LEAST_DRAWS)
        blocks = blocks_of(X, n_draws)
        if progress:
            blocks = imported("tqdm.auto").tqdm(blocks, unit="blocks")
        context = None if context is None else self.known(context)
        turn, proposal_for, width = self.turn(context), self._proposal_for, 0
        density, rows = turn, turn.turned(X)
        log_window = turn.log_window(rows)
        if context is not None:
            width = context.shape[-1]
            context = np.broadcast_to(context, (len(X), width))
            density, rows = WithContext(turn, context), np.hstack([context, rows])
            proposal = fitted_proposal(density)
            proposal_for = lambda hole: proposal  # noqa: E731
        rngs = seeded(rows)
        for index in blocks:
            own = [rngs[i] for i in index]
            found = answered(rows[index], n_draws, own, density, proposal_for, width)
            known, x = X[index][:, None], turned(found.x[..., width:], turn.angle)
            x = np.where(np.isnan(known), x, known)
            yield index, own, replace(found, x=x, log_p=found.log_p - log_window[index])

    def known(self, context: Context) -> np.ndarray:
        """The context as finite numbers (..., C), its columns in the density's order."""
        found = in_order("context", context, getattr(self.density, "context_names", None))
        check_finite("context", np.atleast_2d(found), labels=column_labels(context))
        return found.astype(float)

    def _proposal_for(self, hole):
        return self.layer if self.layer and self.layer.begins_with(~hole) else self.proposal

    def _with_donors(self, proposal):
        return proposal if self.donors is None else with_donors(proposal, self.donors)

    def __repr__(self):
        return f"Conditionals({self.density!r})"
