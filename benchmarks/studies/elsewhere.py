"""Arrays there and back: a program that another interpreter runs.

PYTHON PROGRAM ... IN.npz OUT.npz
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from ..support.process import ROOT


def arrays_of(python: Path | str, program: list[str], **arrays) -> dict[str, np.ndarray]:
    """What a program makes of arrays.

    Errors: RuntimeError with the end of what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "in.npz", Path(folder) / "out.npz"]
        np.savez(files[0], **arrays)
        command = [Path(python).absolute(), *program, *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise RuntimeError(f"{' '.join(program)} failed: {done.stderr[-1000:]}")
        with np.load(files[1]) as made:
            return dict(made)
