"""Virtual environments for the peers: outside the source tree, made once, then used again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ..support.process import ROOT

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flowcore"
PEERS, OUTLIERS = CACHE / "peers", CACHE / "outliers"
SYNTHETIC, SAMPLERS, MATCHING = CACHE / "synthetic", CACHE / "samplers", CACHE / "matching"
REDSHIFT = CACHE / "redshift"
ALL = (PEERS, OUTLIERS, SYNTHETIC, SAMPLERS, MATCHING, REDSHIFT)
REQUIREMENTS = {env.name: f"requirements-{env.name}.txt" for env in ALL}
NEWEST = "python3.13"  # JAX and PyTorch come for it in newer releases than for older Pythons
STAMP = "installed-for-flowcore-benchmarks.txt"


def python_of(env: Path) -> Path:
    """The interpreter of a virtual environment."""
    return env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_complete(env: Path, kind: str) -> bool:
    """Was it made by `ensure` from the present requirements, to the end?"""
    stamp = env / STAMP
    return stamp.exists() and stamp.read_text("utf-8") == _wanted(kind)


def ensure(env: Path, kind: str) -> Path:
    """Its interpreter; makes or completes the environment first. kind: "peers",
    "outliers", "synthetic", "samplers", "matching" or "redshift".

    flowcore itself goes in too, from the source folder, editable: what is measured is this clone.
    Errors: ValueError if `env` is a folder that holds something else.
    """
    env = Path(env).expanduser().absolute()
    if is_complete(env, kind):
        return python_of(env)
    if env.exists() and any(env.iterdir()) and not (env / "pyvenv.cfg").exists():
        raise ValueError(f"{env} is not empty and not a virtual environment: choose another --env")
    print(f"Installing {REQUIREMENTS[kind]} into {env}: minutes, and up to 2 GB.", flush=True)
    if not python_of(env).exists():
        python = newest_python() if kind == PEERS.name else sys.executable
        subprocess.run([python, "-m", "venv", str(env)], check=True)
    pip = [str(python_of(env)), "-m", "pip", "install", "-q"]
    requirements = str(ROOT / "benchmarks" / "studies" / REQUIREMENTS[kind])
    subprocess.run([*pip, "-r", requirements, "-e", str(ROOT)], check=True)
    (env / STAMP).write_text(_wanted(kind), "utf-8")
    return python_of(env)


def newest_python() -> str:
    """`NEWEST`, if there is one that runs; otherwise this interpreter."""
    found = shutil.which(NEWEST)
    quietly = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    runs = found and subprocess.run([found, "-c", "import venv"], **quietly).returncode == 0
    return found if runs else sys.executable


def run_inside(env: Path, kind: str, module: str, argv: list[str] | None) -> None:
    """Nothing, if this process already is in an environment (see `ensure`). Otherwise
    `python -m module argv` runs there, and this process ends with its exit code."""
    python = ensure(env, kind)
    if Path(sys.prefix).resolve() != python.parents[1].resolve():
        argv = sys.argv[1:] if argv is None else argv
        sys.exit(subprocess.run([str(python), "-m", module, *argv], cwd=ROOT).returncode)


def _wanted(kind: str) -> str:
    return (ROOT / "benchmarks" / "studies" / REQUIREMENTS[kind]).read_text("utf-8")
