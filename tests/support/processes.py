"""A pool of workers, `python -m support.processes FOLDER KIND`: prints nothing if all is well."""

import hashlib
import multiprocessing
import os
import sys
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

import flowcore
from flowcore.testing import randomize
from flowcore.training import TrainingDivergedError
from support.flows import Cliff

N = 5000  # rows: more than one block


def make_flow():
    flow = flowcore.flows.maf(3, layers=2, hidden=[16], standardize=False)
    return randomize(flow.initialize(rows(flow)), 0.3)


def rows(flow, n=N):
    return np.random.default_rng(3).normal(1.0, 2.0, (n, flow.dim))


def few_steps(flow):
    return flowcore.fit(flow, rows(flow, 60), epochs=2, batch_size=20, rng=1)[0]


def numbers(flow, folder):
    """What a process makes of a flow, as one digest: every bit counts."""
    path = os.path.join(folder, f"{os.getpid()}-{threading.get_ident()}.npz")
    flowcore.save(flow, path)
    loaded = flowcore.load(path)
    os.unlink(path)
    found = [
        flow.log_prob(rows(flow), threads=2),
        flow.sample(N, rng=2, threads=3),
        few_steps(flow).params,
        loaded.log_prob(rows(flow)[:50]),
    ]
    return hashlib.sha256(b"".join(a.tobytes() for a in found)).hexdigest()


def diverge(flow=None):
    x = np.random.default_rng(0).normal(size=(20, 2))
    flowcore.fit(Cliff(), x, epochs=99, batch_size=5, learning_rate=0.3)


def check(condition, what):
    if not condition:
        print(what, flush=True)


def workers(folder, kind):
    """A pool: the same numbers; errors come back with all that they hold."""
    flow = make_flow()
    expected = numbers(flow, folder)
    if kind in multiprocessing.get_all_start_methods():
        with ProcessPoolExecutor(1, multiprocessing.get_context(kind)) as pool:
            found = pool.submit(numbers, flow, folder).result(60)
            problem = pool.submit(diverge).exception(60)
        check_worker(kind, found == expected, problem)
    elif kind in ("loky", "threading"):
        with Parallel(2, backend=kind) as parallel:
            found = parallel(delayed(numbers)(flow, folder) for _ in range(3))
            try:
                parallel([delayed(diverge)()])
            except TrainingDivergedError as error:
                problem = error
        check_worker(kind, set(found) == {expected}, problem)
    if kind == "loky":
        get_reusable_executor().shutdown()


def check_worker(kind, same, problem):
    check(same, f"{kind}: other numbers")
    diverged = isinstance(problem, TrainingDivergedError) and problem.epoch >= 0
    check(diverged and isinstance(problem.flow, Cliff), f"{kind}: {problem!r}")
    check(diverged and np.isfinite(problem.flow.params).all(), f"{kind}: {problem!r}")


if __name__ == "__main__":
    warnings.simplefilter("error")
    workers(*sys.argv[1:])
