"""A conditional and a marginal of a joint density, as densities of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import warn
from ..core.inputs import as_probabilities, check_count, check_dim, check_event, in_order
from .angles import circular_mean, turned
from .answering import LEAST_DRAWS, answer_block, different_draws
from .weights import Judged, quantiles

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, Context, Seed
    from .conditionals import Answers, Conditionals

ROUNDING = 1e-3  # nats: a smaller standard error is none
FEW = 100  # effective draws, of which a warning follows


class DrawnConditional(Judged):
    """What conditionals of numbers and of tables share: weighted draws, and how good they are.

    A subclass has `columns`, the names of x_b, and `_draw(n, rng)`, n `Weighted` draws, by
    `different_draws` if `different=True`.
    Attributes: `draws`, one row of `Weighted`; `log_marginal`, log p(x_a) in nats, and `error`, its
    standard error; `ess`, the effective sample size; `k_hat`; `annealed`.
    """

    exact = "exact"  # how an answer without an error is printed

    def _set_draws(self, known: Mapping, n_draws: int, rng: Seed) -> None:
        """The first draws, and their attributes; known: name -> value, for messages.

        Errors: ValueError for known values with the density 0. A warning if the answer cannot be
        trusted.
        """
        self.n_draws = check_dim("n_draws", n_draws, LEAST_DRAWS)
        self._known = ", ".join(f"{name} = {_shown(value)}" for name, value in known.items())
        self.draws = answer = self._draw(self.n_draws, np.random.default_rng(rng))
        self.log_marginal, self.error = float(answer.log_p[0]), float(answer.error[0])
        self.ess, self.k_hat = float(answer.ess[0]), float(answer.k_hat[0])
        self.annealed = bool(answer.annealed[0])
        if self.log_marginal == -np.inf:
            raise ValueError(
                f"the density of what is known is 0, or too small to be found by {n_draws} draws: "
                f"{self._known:.200}"
            )
        if not self.trusted or self.is_of_few:
            warn(f"{self}. Raise n_draws")

    @property
    def is_of_few(self) -> bool:
        """Whether fewer than 100 effective draws decide the answer, of twice as many or more."""
        return self.ess < min(FEW, self.n_draws / 2)

    def __repr__(self):
        title = f"p({', '.join(map(str, self.columns))} | {self._known})"
        if self.error < ROUNDING:
            return f"{title}: {self.exact}"
        word = "few draws decide it: " if self.is_of_few else ""
        word = word if self.trusted else "not to be trusted: "
        how = "annealed draws" if self.annealed else f"of {self.n_draws} draws"
        return f"{title}: {word}effective sample size {self.ess:.0f} {how}, k-hat {self.k_hat:.2f}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{value[0]}..{value[1]}"
    return f"{value:.4g}" if isinstance(value, float) else f"{value}"


class Conditional(DrawnConditional):
    """p(x_b | x_a): the density of the unknown columns, by weighted draws. Made by `given`.

        log p(x_b | x_a) = log p(x_a, x_b) - log p(x_a)

    Attributes: `columns`, the names or numbers of x_b; `dim`, how many there are; `log_marginal`,
    log p(x_a) in nats; `error`, its standard error; `ess`, the effective sample size; `k_hat`;
    `annealed`, True where plain weights failed.

    Examples
    --------
    >>> import flowcore as fc
    >>> p = fc.MultivariateNormalMixture([[0.0, 5.0]], [[[1, 0], [0.8, 0.6]]])
    >>> given = fc.Conditionals(p, names=["a", "b"]).given({"a": 1.0})
    >>> print(given)
    p(b | a = 1): exact
    >>> given.log_prob([[5.8]]).round(4), given.sample(5, rng=0).shape
    (array([-0.4081]), (5, 1))
    """

    def __init__(
        self, joint: Conditionals, row: np.ndarray, n_draws: int, rng: Seed, context: Context
    ):
        self.joint, self.known, self._numbers = joint, row, joint.numbers(context, 1)
        self.hole = np.isnan(row)
        self.angle = self._numbers.angle[-len(row) :][self.hole]
        self.dim = int(self.hole.sum())
        labels = joint.names or range(len(row))
        self.columns = [labels[i] for i in np.flatnonzero(self.hole)]
        known = {labels[i]: row[i] for i in np.flatnonzero(~self.hole)}
        self._set_draws(known, n_draws, rng)

    def _draw(self, n, rng, different=False):
        draw = different_draws if different else answer_block
        draws = draw(self._numbers, self._numbers.question(self.known[None]), n, [rng])
        return replace(draws, x=draws.x[..., self._numbers.width :])

    def log_prob(self, x: ArrayLike) -> np.ndarray:
        """log p(x_b | x_a) of x (..., dim), in nats; all values share the error of log p(x_a)."""
        x = in_order("x", x, self.columns).astype(float)
        check_event(x, self.dim, self)
        rows = np.broadcast_to(self.known, (*x.shape[:-1], len(self.known))).copy()
        rows[..., self.hole] = x
        context = {"context": self._numbers.contexts[0]} if self._numbers.width else {}
        return self.joint.density.log_prob(rows, **context) - self.log_marginal

    def sample(self, n: int = 1, rng: Seed = None) -> np.ndarray:
        """n new draws (n, dim): 4 n weighted draws are resampled, and moved if these repeat."""
        rng, n = np.random.default_rng(rng), check_count(n, "n")
        draws = self._draw(max(n, self.n_draws), rng, different=True)
        return draws.resampled(n, [rng])[0][:, self.hole]

    def mean(self) -> np.ndarray:
        """E(x_b | x_a), (dim,); for an angle the circular mean, in [-pi, pi]."""
        x, share = self.draws.x[0][:, self.hole], self.draws.share[0]
        return np.where(self.angle, circular_mean(x, share), share @ x)

    def quantiles(self, q: ArrayLike) -> np.ndarray:
        """The quantiles of every column, (len(q), dim).

        Those of an angle are within half a turn of its circular mean, so they may lie outside of
        [-pi, pi].
        """
        x = turned(self.draws.x[0][:, self.hole], self.angle, self.mean())
        return quantiles(x, self.draws.share[0], as_probabilities(q))


class Marginal:
    """p(x_a): the density of some columns of a joint density. Made by `marginal`.

    Cost: 200 evaluations of the joint density per row of `log_prob`; one draw of it per row of
    `sample`.

    Examples
    --------
    >>> import flowcore as fc
    >>> p = fc.Conditionals(fc.targets.two_moons(noise=0.1)).marginal([1])
    >>> p.dim, p.sample(3, rng=0).shape, p.log_prob([[0.0], [50.0]]).shape
    (1, (3, 1), (2,))
    """

    def __init__(self, joint: Conditionals, columns: np.ndarray):
        self.joint, self.columns, self.dim = joint, columns, len(columns)
        self.names = [(joint.names or range(joint.dim))[i] for i in columns]

    def estimate(
        self, x: ArrayLike, n_draws: int = 200, rng: Seed = 0, context: Context = None
    ) -> Answers:
        """log p(x_a) of rows x (n, dim), with errors, effective sample sizes and k-hats."""
        x = in_order("x", x, self.names).astype(float)
        check_event(x, self.dim, self)
        rows = np.full((len(x), self.joint.dim), np.nan)
        rows[:, self.columns] = x
        return self.joint.log_prob(rows, n_draws, rng, context)

    def log_prob(self, x: ArrayLike, context: Context = None) -> np.ndarray:
        """log p(x_a) of x (..., dim), in nats; see `estimate` for its error."""
        x = in_order("x", x, self.names).astype(float)
        check_event(x, self.dim, self)
        rows = x.reshape((-1, self.dim))
        return self.estimate(rows, context=context).log_p.reshape(x.shape[:-1])

    def sample(self, n: int = 1, rng: Seed = None, context: Context = None) -> np.ndarray:
        """Draws of these columns, (n, dim)."""
        given = {} if context is None else {"context": context}
        x = self.joint.density.sample(n, rng, **given)
        return turned(x, self.joint.turn(context).angle)[..., self.columns]

    def __repr__(self):
        return f"Marginal({self.joint.density!r}, columns={self.columns.tolist()})"
