"""What is measured: the cases, their flows and data, products counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

DTYPES = {"float32": np.float32, "float64": np.float64}
BINS, TAIL = 8, 5.0  # of all splines: so many bins on [-5, 5]
SPLINES = {"nsf": "autoregressive", "nsf_coupling": "coupling"}


@dataclass(frozen=True)
class Case:
    """`layers` autoregressive layers (or couplings) with these hidden widths, trained on `batch`
    rows. `kind`: "maf", "iaf", "realnvp", "nice", and with splines "nsf" and "nsf_coupling"."""

    name: str
    dim: int
    layers: int
    hidden: tuple[int, ...]
    batch: int
    kind: str = "maf"

    def flow(
        self, kind: str | None = None, dtype=np.float64, method: str | None = None, *,
        rng: int = 0, noise: float = 0.01,
    ):  # fmt: skip
        """The flow, of its own kind or of another one. What noise adds to the parameters takes it
        away from the identity, which a new flow is."""
        import flowcore as fc

        kind = self.kind if kind is None else kind
        options = {"standardize": False, "activation": "relu", "dtype": dtype, "rng": rng}
        if kind in SPLINES:
            recipe = fc.flows.nsf
            options.update(kind=SPLINES[kind], bins=BINS, tail=TAIL, affine=False, base="normal")
        else:
            recipe = getattr(fc.flows, kind)
            if kind != "nice":
                options.update(transformer=fc.Affine(2.0))
        flow = recipe(self.dim, self.layers, list(self.hidden), **options)
        if noise:
            added = np.random.default_rng(1).normal(0.0, noise, flow.n_params)
            flow = flow.with_params((flow.params + added).astype(dtype))
        return flow if method is None else with_method(flow, method)

    def data(self, n: int | None = None, dtype=np.float64) -> np.ndarray:
        """n rows (default: one batch) of standard normal numbers."""
        shape = (self.batch if n is None else n, self.dim)
        return np.random.default_rng(2).standard_normal(shape).astype(dtype)

    @property
    def shape(self) -> str:
        return f"{self.name}: D={self.dim}, {self.layers} x {list(self.hidden)}"

    def __str__(self):
        return f"{self.shape}, batch {self.batch}"


CASES = {
    case.name: case
    for case in (
        Case("A", 2, 1, (16, 16), 800),
        Case("B", 2, 6, (256, 256), 800),
        Case("C", 6, 5, (100, 100), 100),
        Case("D", 43, 5, (512, 512), 100),
        Case("E", 784, 1, (1024,), 100),
        Case("F", 6, 5, (100, 100), 100, "nsf"),
        Case("G", 43, 5, (256, 256), 100, "nsf"),
        Case("H", 6, 5, (100, 100), 100, "nsf_coupling"),
        Case("I", 43, 5, (256, 256), 100, "nsf_coupling"),
        Case("J", 43, 1, (512, 512), 100, "iaf"),
        Case("L", 63, 5, (256, 256), 512),
    )
}


def measured(letters: str) -> Iterator[tuple[str, Any, np.ndarray]]:
    """("A float32", flow, a batch), ...: these cases in both precisions."""
    for letter in letters:
        for dtype, numpy_type in DTYPES.items():
            case = CASES[letter]
            yield f"{letter} {dtype}", case.flow(dtype=numpy_type), case.data(dtype=numpy_type)


def with_method(flow, method: str):
    """The same flow, its sequential directions taken by `method` ("by_degree", "sequential")."""
    import flowcore as fc

    def rebuilt(part):
        if isinstance(part, fc.MaskedAutoregressiveFlow):
            return fc.MaskedAutoregressiveFlow(part.made, part.transformer, method)
        if isinstance(part, fc.Invert):
            return fc.Invert(rebuilt(part.bijector))
        if isinstance(part, fc.Chain):
            return fc.Chain([rebuilt(p) for p in part.bijectors])
        return part

    return fc.TransformedDistribution(flow.base, rebuilt(flow.bijector))


def adam_alone(flow) -> Callable[[], None]:
    """A function that makes the last part of a training step: Adam's update, with some gradient."""
    import flowcore as fc

    theta = np.array(flow.params)
    state, gradient = fc.Adam(1e-7).start(theta), np.ones_like(theta)
    return lambda: state.step(theta, gradient)


def count_multiply_adds(operation: Callable, flow) -> int:
    """The multiply-adds of all matrix products of operation(flow).

    What a flow has bound holds on to np.dot as it was: so it is counted of a copy, which has bound
    nothing yet, and is thrown away.
    """
    with CountedProducts() as products:
        operation(flow.with_params(flow.params))
    return products.multiply_adds


class CountedProducts:
    """Counts the multiply-adds of every `np.dot` and `np.matmul` that is looked up while it is
    open: then `.multiply_adds`. See `count_multiply_adds`."""

    def __enter__(self):
        self._counts: list[int] = []  # several threads may append to it
        self._plain = {name: getattr(np, name) for name in ("dot", "matmul")}
        for name, plain in self._plain.items():
            setattr(np, name, self._counting(plain))
        return self

    def _counting(self, plain: Callable) -> Callable:
        def counting(a, b, *args, **kwargs):
            out = plain(a, b, *args, **kwargs)
            self._counts.append(int(np.size(out)) * np.shape(a)[-1])
            return out

        return counting

    def __exit__(self, *problem):
        for name, plain in self._plain.items():
            setattr(np, name, plain)

    @property
    def multiply_adds(self) -> int:
        return sum(self._counts)
