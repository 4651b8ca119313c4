"""Inference: a density known up to a constant, as a flow that can be sampled and checked.

infer.py      `infer`: fit, importance weights, evidence, a verdict
evidence.py   `evidence`: of draws that somebody has, by bridge sampling over a flow
"""

from .evidence import evidence
from .infer import Inference, infer

__all__ = ["Inference", "evidence", "infer"]
