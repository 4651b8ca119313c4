"""Who takes part in the comparison with the peers, and under which name."""

from .base import N_SAMPLES, Contestant, Library
from .flowcore_flow import Flowcore
from .hand_jitted import HandJitted
from .jax_flows import Flowjax, FlowjaxByHand, FlowjaxScan
from .straight_line import Floor
from .torch_flows import Nflows, Normflows, Zuko, ZukoCompiled

__all__ = ["CONTESTANTS", "LIBRARIES", "N_SAMPLES", "US", "YARDSTICKS", "Contestant", "Flowcore",
           "Library"]  # fmt: skip

US = "flowcore"

LIBRARIES: dict[str, type[Library]] = {
    US: Flowcore,
    "zuko": Zuko,
    "zuko+compile": ZukoCompiled,
    "nflows": Nflows,
    "normflows": Normflows,
    "flowjax": Flowjax,
    "flowjax+jit": FlowjaxByHand,
    "flowjax+scan": FlowjaxScan,
}
YARDSTICKS: dict[str, type[Contestant]] = {  # a step by hand, which nobody offers to anybody
    "floor": Floor,
    "hand-jitted": HandJitted,
}
CONTESTANTS: dict[str, type[Contestant]] = {**LIBRARIES, **YARDSTICKS}
