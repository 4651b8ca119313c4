"""An `Inference` as data, which `save` writes and `load` reads: all but its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..files import Record
from ..training import History
from .modes import Modes
from .space import Space
from .unnormalised import LogTarget

if TYPE_CHECKING:
    from ..distributions import TransformedDistribution
    from .result import Inference

DRAWS = ("rows", "log_q", "log_p", "slope")
SPACE = ("support", "dim", "centres")
PLAIN = (bool, int, float, str, np.generic, type(None))  # other settings become texts


@dataclass(eq=False)
class InferenceRecord(Record):
    """An `Inference` as data. Its target is a function, which no file can hold.

    Parameters
    ----------
    flow : TransformedDistribution
        q, a density of y.
    draws : dict
        rows, log_q, log_p and slope, as in `Inference`.
    space : dict
        The arguments of `Space.of`.
    history, modes : dict or None
        The fields of `History` and `Modes`.
    """

    flow: TransformedDistribution
    draws: dict
    space: dict
    history: dict | None = None
    modes: dict | None = None

    @classmethod
    def of(cls, found: Inference) -> InferenceRecord:
        """The record of an `Inference`."""
        draws = {name: getattr(found, name) for name in DRAWS}
        space = {name: getattr(found.space, name) for name in SPACE}
        history = found.history and vars(found.history) | {"settings": _settings(found.history)}
        return cls(found.flow, draws, space, history, found.modes and found.modes._asdict())

    def restored(self) -> Inference:
        """The `Inference`, with a target that raises ValueError."""
        from .result import Inference

        history = self.history and History(**self.history)
        modes = self.modes and Modes(**self.modes)
        target, space = LogTarget(_missing, self.flow.dim), Space.of(**self.space)
        return Inference(self.flow, history, target, **self.draws, space=space, modes=modes)


def _missing(y):
    raise ValueError(
        "a file does not hold log_target: pass it, found = found.with_target(log_target)"
    )


def _settings(history: History) -> dict:
    return {k: v if isinstance(v, PLAIN) else str(v) for k, v in history.settings.items()}
