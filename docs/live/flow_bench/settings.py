"""What can be chosen on the page: a frozen record, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .densities import TARGETS

FLOWS = ("made", "maf", "iaf", "nice", "realnvp", "nsf", "continuous")
ONE_PASS = ("nice", "realnvp", "continuous")  # no direction goes variable by variable
DATA = (*TARGETS, "painted", "table")
METHODS = ("by_degree", "unit_by_unit", "loop")
LIMITS = {"layers": (1, 8), "width": (0, 128), "seed": (0, 2**31 - 1), "points": (0, 20_000)}


@dataclass(frozen=True)
class Settings:
    """One choice of everything that decides what is trained.

    data      a target's name, "painted" or "table"
    points    rows to learn from, drawn once; 0: fresh ones for every step (targets only)
    flow      "made" (one layer of MAF), "maf", "iaf", "nice", "realnvp", "nsf" or "continuous",
              which has a velocity instead of layers
    layers    of MADEs or couplings, 1 to 8
    width     of the hidden layers; 0: there are none, and networks are linear
    permute   whether the order turns from layer to layer
    method    how the sequential direction is walked: "by_degree", "unit_by_unit" (the same, shown
              a unit at a time) or "loop", the textbook's
    seed      of the weights and the batches
    """

    data: str = "two_moons"
    points: int = 0
    flow: str = "maf"
    layers: int = 4
    width: int = 32
    permute: bool = True
    method: str = "by_degree"
    seed: int = 0

    def __post_init__(self):
        for name, known in (("data", DATA), ("flow", FLOWS), ("method", METHODS)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}: not {value!r}")
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not (whole and low <= value <= high):
                raise ValueError(f"{name} must be an integer from {low} to {high}: not {value!r}")
        if not isinstance(self.permute, bool):
            raise ValueError(f"permute must be true or false: not {self.permute!r}")

    @classmethod
    def of(cls, given: dict) -> Settings:
        """From plain values; what is not given is as usual. Errors: ValueError."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise ValueError(f"there is no setting {unknown[0]!r}: there are {', '.join(known)}")
        return cls(**given)

    @property
    def one_order(self) -> bool:
        """Whether all layers have the same order, so that they collapse into one."""
        return self.n_layers == 1 or not self.permute

    @property
    def hidden(self) -> list[int]:
        """The widths of the hidden layers."""
        return [self.width] * 2 if self.width else []

    @property
    def n_layers(self) -> int:
        """MADE is one layer, and so is a continuous flow, whatever else is chosen."""
        return 1 if self.flow in ("made", "continuous") else self.layers
