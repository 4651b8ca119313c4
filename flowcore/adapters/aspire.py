"""`AspireFlow`: flows in aspire, which reuses draws of one posterior for the next."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import imported
from ..files import load, save
from .backend import FlowBackend

if TYPE_CHECKING:
    from ..core.typing import ArrayLike, DTypeLike
    from .backend import Pair


class AspireFlow:
    """A flow of flowcore in aspire: `Aspire(..., flow_backend="flowcore")`.

    The entry point `flowcore` of the group `aspire.flows` names this class. aspire makes the object
    and calls its methods. Points pass through aspire's own transform first, which maps bounded
    parameters to the line. In aspire, "forward" is the direction from x to z.

    Parameters
    ----------
    dims : int
        D.
    device : object
        Not used: flowcore computes on the CPU.
    data_transform : BaseTransform
        A transform of aspire; None: the identity.
    dtype : dtype
        float64 (None) or float32.
    recipe : str
        The name of a recipe of `flowcore.flows`.
    seed : int
        Seed of the weights, fits and draws.
    **options :
        Options of the recipe. Pass those of `flowcore.fit`, such as epochs, to `Aspire.fit`.

    References
    ----------
    Williams, "Accelerated sequential posterior inference via reuse", 2025.

    Examples
    --------
    >>> AspireFlow.xp.__name__, AspireFlow.forward.__name__
    ('numpy', 'forward')
    """

    xp = np

    def __init__(
        self, dims: int, device: Any = None, data_transform: Any = None, dtype: DTypeLike = None,
        recipe: str = "nsf", seed: int = 0, **options: Any,
    ):  # fmt: skip

        if data_transform is None:
            from aspire.transforms import IdentityTransform

            data_transform = IdentityTransform(np)
        options = {"rng": seed, "dtype": float if dtype is None else np.dtype(dtype), **options}
        self.dims, self.data_transform = dims, data_transform
        make = getattr(imported("flowcore.flows"), recipe)
        self.backend = FlowBackend(make(dims, **options), seed)

    def fit(self, x: ArrayLike, **options: Any) -> Any:
        """Fit to x, and return aspire's FlowHistory. options: options of `flowcore.fit`."""
        from aspire.history import FlowHistory

        history = self.backend.fit(self.data_transform.fit(np.asarray(x)), **options)
        return FlowHistory(history.train_nll, history.val_nll)

    def log_prob(self, x: ArrayLike, xp: Any = np) -> Any:
        """log q(x), (n,), in arrays of xp."""
        y, log_det = self.data_transform.forward(np.asarray(x))
        return xp.asarray(self.backend.log_prob(y) + log_det)

    def sample(self, n_samples: int, xp: Any = np) -> Any:
        """Draws (n, D) of q."""
        return self.sample_and_log_prob(n_samples, xp)[0]

    def sample_and_log_prob(self, n_samples: int, xp: Any = np) -> Pair:
        """Draws (n, D) of q, and log q of each."""
        y, log_q = self.backend.sample_and_log_prob(n_samples)
        x, log_det = self.data_transform.inverse(y)
        return xp.asarray(x), xp.asarray(log_q - log_det)

    def forward(self, x: ArrayLike, xp: Any = np) -> Pair:
        """z (n, D), and log |det dz/dx|: aspire's forward is flowcore's inverse."""
        y, log_det = self.data_transform.forward(np.asarray(x))
        z, own = self.backend.to_latent(y)
        return xp.asarray(z), xp.asarray(log_det + own)

    def inverse(self, z: ArrayLike, xp: Any = np) -> Pair:
        """x (n, D), and log |det dx/dz|."""
        y, own = self.backend.from_latent(np.asarray(z))
        x, log_det = self.data_transform.inverse(y)
        return xp.asarray(x), xp.asarray(log_det + own)

    def save(self, h5_file: Any, path: str = "flow") -> None:
        """Write the flow (the bytes of `flowcore.save`) and aspire's transform to HDF5."""
        group = h5_file.create_group(path)
        self.data_transform.save(group, "data_transform")
        with TemporaryDirectory() as folder:
            file = Path(folder) / "flow.npz"
            save(self.backend.flow, file)
            group["flow"] = np.frombuffer(file.read_bytes(), np.uint8)

    @classmethod
    def load(cls, h5_file: Any, path: str = "flow") -> AspireFlow:
        """The flow that `save` wrote; its draws start at seed 0."""
        from aspire.transforms import BaseTransform

        group = h5_file[path]
        with TemporaryDirectory() as folder:
            file = Path(folder) / "flow.npz"
            file.write_bytes(group["flow"][()].tobytes())
            flow = load(file)
        new = cls(flow.dim, data_transform=BaseTransform.load(group, "data_transform"))
        new.backend = FlowBackend(flow)
        return new
