"""`flowcore info`: what a model is."""

from __future__ import annotations

from .model import read_model
from .report import Report
from .telling import show, told_in_one_line


def run(model: str, as_json: bool) -> int:
    """Tell it."""
    with told_in_one_line():
        show(Report(model, read_model(model)), as_json)
    return 0
