"""Who takes part in the comparison with the peers, and under which name."""

from .base import N_SAMPLES, Contestant, Flowcore
from .jax_flows import Flowjax, FlowjaxByHand
from .tensorflow_flows import Tfp, TfpXla
from .torch_flows import Nflows, NflowsCompiled, Normflows, Zuko, ZukoCompiled

__all__ = ["CONTESTANTS", "N_SAMPLES", "Contestant"]

CONTESTANTS: dict[str, type[Contestant]] = {
    "flowcore": Flowcore,
    "zuko": Zuko,
    "nflows": Nflows,
    "normflows": Normflows,
    "flowjax": Flowjax,
    "flowjax+jit": FlowjaxByHand,
    "zuko+compile": ZukoCompiled,
    "nflows+compile": NflowsCompiled,
    "tfp": Tfp,
    "tfp+xla": TfpXla,
}
