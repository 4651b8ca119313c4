"""`flowcore info`: what a model is."""

from __future__ import annotations

import json

from .model import read_model
from .report import report_of
from .telling import told_in_one_line


def run(model: str, as_json: bool) -> int:
    """Tell it."""
    with told_in_one_line():
        report = report_of(model, read_model(model))
        print(json.dumps(report.to_dict()) if as_json else report)
    return 0
