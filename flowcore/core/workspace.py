"""Bound once, run often: the meaning of `bind`, and the workspace of bound parts.

All built-in parts (transformers, networks, bijectors, densities, whole flows) have one method. A
class of your own may have it, too, if autograd is too slow for it:

    part.bind(at, ...) -> run, back

`bind` makes everything that depends only on the layout of theta and on the number of rows: views of
the parameters and of their gradient, work arrays, constants. It returns two functions that do
nothing but arithmetic: `run` computes the value, and `back` the gradient:

    bijector      bind(at, direction)   y = run(x, l)            x_bar = back(y_bar, l_bar)
    density       bind(at)              run(x, l)                x_bar = back(l_bar)
    network       bind(at)              phi = run(x)             x_bar = back(phi_bar)
    transformer   bind(at, direction, D)      y, log_det = run(x, phi)
                                              x_bar, phi_bar = back(y_bar, l_bar)

a_bar is the gradient dL/da of a scalar loss L. Arrays are (coordinates, rows): x is (D, N).
Log-dets and log-densities are added up in l (N,). There are six rules:

* run of a bijector or density adds to l; back writes its part of theta_bar, and adds to
  context_bar.
* back may run again with other cotangents: it overwrites nothing that run left.
* x and y may share memory: read x before you write y.
* x may have a wider dtype, and may be the caller's own array: cast it first, never write to it.
* The next run overwrites the results of run: the caller copies them.
* A bound part serves one call at a time (see `calls`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .parameters import Parametric


OBJECTS = 2**16  # bytes, about, of the Python objects of a bound part
Step = partial  # one NumPy call with its arrays: bound once, then only run


def copied(to: np.ndarray, source: np.ndarray) -> Step:
    """to[...] = source; it takes two thirds of the time of np.copyto for small arrays."""
    return Step(to.__setitem__, ..., source)


class Workspace:
    """The arrays of bound parts: a flat vector and its gradient, work arrays for a number of rows.

    theta, theta_bar       the vector of the whole tree, and its gradient
    n_rows, dtype          of all arrays here except the context
    context, context_bar   (C, N), or None; the context in float64, as a part may subtract first
    tape                   True: arrays made by `array` are kept for the way back
    inputs_bar             False: gradients with respect to x and the context are not needed
    log_det                False: no finite log-det is read; -inf marks a row without an image
    present                (D, N), 1 for the coordinates that a row has, else 0; None: all of them.
                           Set by `with_present` for the parts inside of a `Clamped`
    """

    log_det = True
    present: np.ndarray | None = None

    def __init__(
        self,
        root: Parametric,
        n_rows: int,
        dtype: DTypeLike,
        tape: bool,
        theta: np.ndarray | None = None,
        inputs_bar: bool = True,
    ):
        self.n_rows, self.dtype, self.tape = n_rows, np.dtype(dtype), tape
        self.inputs_bar = inputs_bar
        self.theta = np.empty(root.n_params, dtype) if theta is None else theta
        self.theta_bar = np.zeros(root.n_params, dtype)
        self.context = self.context_bar = None
        if root.context_dim:
            self.context = np.empty((root.context_dim, n_rows))
            self.context_bar = np.zeros(self.context.shape, dtype)
        self.nbytes = self.theta_bar.nbytes * 2 + OBJECTS  # and of all other arrays
        self._places, self._met = root.layout, set()
        self._ties: list[tuple[np.ndarray, np.ndarray]] = []
        self._shared: dict[tuple, np.ndarray] = {}
        self._refresh: list[Callable] = []

    def params(self, leaf: Parametric) -> tuple[np.ndarray, np.ndarray]:
        """(theta, theta_bar) of one leaf: views. If the leaf is met again, its theta_bar is a new
        vector, which `add_tied_gradients` adds to the first."""
        here = self._places[id(leaf)]
        theta, theta_bar = self.theta[here], self.theta_bar[here]
        if not theta.size:
            return theta, theta_bar
        if id(leaf) in self._met:
            again = np.zeros_like(theta_bar)
            self._ties.append((theta_bar, again))
            return theta, again
        self._met.add(id(leaf))
        return theta, theta_bar

    @property
    def has_way_back(self) -> bool:
        """True if a gradient of the parts that are bound so far is needed.

        Built-in parts are bound in the order in which they run, from x on. So if only the gradient
        by theta is needed, the way back ends at the first part that has parameters.
        """
        return self.inputs_bar or bool(self._met)

    def whenever_theta_changes(self, refresh: Callable) -> None:
        """Have `refresh` called whenever theta changes, to update what follows from theta alone."""
        self._refresh.append(refresh)

    def refresh(self) -> None:
        """Call this when theta has new values."""
        for refresh in self._refresh:
            refresh()

    def add_tied_gradients(self) -> None:
        """The end of the way back: add up the gradients of tied parameters."""
        for theta_bar, again in self._ties:
            theta_bar += again

    def with_own_context(self, width: int | None = None) -> Workspace:
        """The same workspace with a new context and context_bar, and nbytes from 0: for a part
        whose own parts read another context, perhaps of another width."""
        own, shape = copy(self), (width or len(self.context), self.n_rows)
        own.context, own.context_bar = np.empty(shape), np.zeros(shape, self.dtype)
        own.nbytes = own.context.nbytes + own.context_bar.nbytes
        return own

    def with_present(self, dim: int) -> Workspace:
        """The same workspace for parts that leave out the coordinates of `dim` that a row lacks."""
        own = copy(self)
        own.present = self.array("present", dim, self.n_rows)
        return own

    def array(self, name: str, *shape: int, dtype: DTypeLike = None) -> np.ndarray:
        """An array for `run` to write to: kept for the way back, if there is a tape."""
        if not self.tape:
            return self.scratch(name, *shape, dtype=dtype)
        array = np.empty(shape, dtype or self.dtype)
        self.nbytes += array.nbytes
        return array

    def scratch(self, name: str, *shape: int, dtype: DTypeLike = None) -> np.ndarray:
        """An array that all parts with this name and shape share: the next part overwrites it."""
        key = (name, shape, dtype)
        if key not in self._shared:
            self._shared[key] = np.empty(shape, dtype or self.dtype)
            self.nbytes += self._shared[key].nbytes
        return self._shared[key]

    def zeros(self, *shape: int) -> np.ndarray:
        """Zeros that all parts share: never write to them."""
        key = ("zeros", shape)
        if key not in self._shared:
            self._shared[key] = np.zeros(shape, self.dtype)
        return self._shared[key]

    def number(self, value: float) -> np.ndarray:
        """A constant as a 0-d array: NumPy is faster with it than with a Python number."""
        return np.array(value, self.dtype)


def require(cls: type, base: type, *names: str) -> None:
    """A TypeError unless cls has `bind`, or the methods from which autograd makes it."""
    missing = [name for name in names if getattr(cls, name) is getattr(base, name)]
    if missing and cls.bind is base.bind:
        raise TypeError(
            f"Can't instantiate abstract class {cls.__name__}: it must define {', '.join(missing)} "
            "(or bind, see flowcore.core.workspace)"
        )


def check_overrides(
    cls: type, base: type, methods: Sequence[str], derived: Sequence[str] = ()
) -> None:
    """A TypeError if cls overrides a method that flows would not run.

    A class has its computation in `bind`, or in the `methods`, from which the `bind` of `base` is
    made. A class with `bind` may also have the methods, as its twin; its subclasses must not
    override them. `derived` methods follow from the others and must never be overridden.
    """
    place = {
        name: next(i for i, c in enumerate(cls.__mro__) if name in vars(c))
        for name in ("bind", *methods, *derived)
    }
    writer = cls.__mro__[place["bind"]]
    for name in methods if writer is not base else ():
        if place[name] < place["bind"]:
            held = next(c for c in cls.__mro__[1:] if getattr(c, "bind", None) is cls.bind)
            raise TypeError(
                f"{cls.__name__} overrides {name}, but {held.__name__} computes it in bind, which "
                f"is what flows run: write a class of your own with parts = ({held.__name__}(...),)"
                f" and call the part's {name}, or override bind"
            )
    for name in derived:
        if place[name] < cls.__mro__.index(base):
            raise TypeError(
                f"{cls.__name__} overrides {name}, which follows from {' and '.join(methods)}: "
                "override these"
            )
