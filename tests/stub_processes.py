"""What processes of the tests do: `python stub_processes.py SCENARIO FOLDER ARGUMENTS`.

A scenario runs in a process of its own, so that forks, threads, signals and the end of the
interpreter are its own, too. It prints nothing if all is well.
"""

import atexit
import contextlib
import hashlib
import importlib
import json
import multiprocessing
import os
import pickle
import random
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from stub_flows import Cliff

import flowcore
from flowcore.testing import randomize
from flowcore.training import TrainingDivergedError

N = 5000  # rows: more than one block
PATIENCE = 60.0  # seconds: a child that hangs does so for ever, one that starves comes back


def make_flows():
    """Small, trained by nobody; the second one imports SciPy where it is first used."""
    flows = [
        flowcore.flows.maf(3, layers=2, hidden=[16], standardize=False),
        flowcore.flows.made_mog(2, components=2, hidden=[8], standardize=False),
    ]
    return [randomize(flow.initialize(rows(flow)), 0.3) for flow in flows]


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


def blas_threads():
    """Of NumPy's BLAS. (SciPy may have one of its own, if it is imported.)"""
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [pool["num_threads"] for pool in pools if "numpy" in pool["filepath"]]


def check(condition, what):
    if not condition:
        print(what, flush=True)


# ---------------------------------------------------------------- forks


def forked(f):
    """f() in a forked child: its result; "hangs" after a while, "died" if there is none."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():  # from Python 3.12 on: a fork with threads is at one's own risk
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, json.dumps(f()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    end = time.monotonic() + PATIENCE
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(reader)
            return "hangs"
        time.sleep(0.002)
    with os.fdopen(reader) as pipe:
        return json.loads(pipe.read() or '"died"')


@contextlib.contextmanager
def busy_threads(*jobs):
    """Threads that do these jobs over and over."""
    stop, problems = threading.Event(), []

    def work(job):
        try:
            while not stop.is_set():
                job()
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        check(not problems, f"in a thread: {problems}")


def fork_beside_threads(folder, pickled, n_forks, seed):
    """Children forked at random moments, also of the very first calls, have the same numbers."""
    flows, chance = pickle.loads(pickled), random.Random(seed)
    saved = [os.path.join(folder, f"{os.getpid()}-{i}.npz") for i in range(len(flows))]
    for flow, path in zip(flows, saved, strict=True):
        flowcore.save(flow, path)
    jobs = [lambda flow=flow: flow.log_prob(rows(flow), threads=2) for flow in flows]
    jobs += [lambda: few_steps(flows[0]), lambda: [flowcore.load(path) for path in saved]]

    def child():
        return [blas_threads(), [numbers(flow, folder) for flow in flows], blas_threads()]

    found = []
    with busy_threads(*jobs):
        for _ in range(n_forks):
            time.sleep(chance.uniform(0, 0.03))
            found.append(forked(child))
    free = blas_threads()
    expected = [free, [numbers(flow, folder) for flow in flows], free]
    wrong = [answer for answer in found if answer != expected]
    check(not wrong, f"{len(wrong)} of {n_forks} children: {wrong[:2]}, not {expected}")


def fork(folder, n_fresh, n_forks, seed):
    """Several processes that have never called anything, and what they fork."""
    with open(os.path.join(folder, "flows"), "rb") as file:
        pickled = file.read()
    for k in range(int(n_fresh)):
        run = (folder, pickled, int(n_forks), f"{seed} {k}")
        answer = forked_within(lambda run=run: fork_beside_threads(*run))
        check(answer is None, answer)


def forked_within(f):
    """f() in a forked child that may take as long as all of its own children."""
    global PATIENCE
    own, PATIENCE = PATIENCE, 600.0

    def with_own_patience():
        global PATIENCE
        PATIENCE = own
        f()

    try:
        return forked(with_own_patience)
    finally:
        PATIENCE = own


def fork_inside(folder):
    """f forks in the middle of a run, and the child goes on: no row is missing."""
    from flowcore.core.blocks import BLAS, map_blocks

    x, parent, me = np.arange(float(N)), os.getpid(), threading.get_ident()
    reader, writer = os.pipe()
    free = blas_threads()
    pid = None

    def double(rows):
        nonlocal pid
        if threading.get_ident() == me and pid is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
        time.sleep(0.01)
        return [2 * rows]

    (found,) = map_blocks(double, (x,), threads=3)
    check(np.array_equal(found, 2 * x), f"{os.getpid() == parent}: {found}")
    check(blas_threads() == free and not BLAS._users, f"{blas_threads()}, not {free}")
    if os.getpid() != parent:
        os.write(writer, b"child")
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    check(os.read(reader, 9) == b"child", "the child did not come to the end")


# ---------------------------------------------------------------- the first use of a name


def anew():
    """flowcore, imported as if for the first time."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "flowcore"]:
        del sys.modules[name]
    return importlib.import_module("flowcore")


def find_all(package, seed):
    for name in random.Random(seed).sample(package.__all__, len(package.__all__)):
        getattr(package, name)
    return True


def first_use(folder, times):
    """Threads are the first to use names, each another one, and children forked meanwhile go on."""
    importlib.import_module("concurrent.futures.thread")  # or it comes between a fork's two hooks
    for k in range(int(times)):
        package = anew()
        with busy_threads(*(partial(find_all, package, f"{k} {j}") for j in range(3))):
            time.sleep(random.Random(k).uniform(0, 0.2))
            found = forked(partial(find_all, package, k))
        check(found is True, f"time {k}: a child {found}")


# ---------------------------------------------------------------- workers


def workers(folder, *kinds):
    """Pools of processes: the same numbers; errors come back with all that they hold."""
    flow = make_flows()[0]
    expected = numbers(flow, folder)
    for kind in kinds:
        if kind in multiprocessing.get_all_start_methods():
            with ProcessPoolExecutor(1, multiprocessing.get_context(kind)) as pool:
                found = pool.submit(numbers, flow, folder).result(60)
                problem = pool.submit(diverge).exception(60)
            check_worker(kind, found == expected, problem)
    for kind in {"loky", "threading"} & set(kinds):
        from joblib import Parallel, delayed

        with Parallel(2, backend=kind) as parallel:
            found = parallel(delayed(numbers)(flow, folder) for _ in range(3))
            try:
                parallel([delayed(diverge)()])
            except TrainingDivergedError as error:
                problem = error
        check_worker(kind, set(found) == {expected}, problem)
    if "loky" in kinds:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown()


def check_worker(kind, same, problem):
    check(same, f"{kind}: other numbers")
    diverged = isinstance(problem, TrainingDivergedError) and problem.epoch >= 0
    check(diverged and isinstance(problem.flow, Cliff), f"{kind}: {problem!r}")
    check(diverged and np.isfinite(problem.flow.params).all(), f"{kind}: {problem!r}")


# ---------------------------------------------------------------- the end of the interpreter


def at_exit(folder):
    """Where no thread may be started any more."""
    flow = make_flows()[0]
    expected = numbers(flow, folder)
    atexit.register(lambda: check(numbers(flow, folder) == expected, "other numbers at exit"))


def first_call_at_exit(folder):
    flow = make_flows()[0]
    atexit.register(lambda: check(flow.log_prob(rows(flow), threads=2).size == N, "at exit"))


def daemons(folder, seconds):
    """The process ends while daemon threads compute."""
    flows = make_flows()

    def work(flow):
        while True:
            flow.log_prob(rows(flow), threads=2)
            few_steps(flow)

    for flow in flows * 2:
        threading.Thread(target=work, args=[flow], daemon=True).start()
    time.sleep(float(seconds))


SCENARIOS = {
    f.__name__: f
    for f in (
        fork, fork_inside, first_use, workers, at_exit, first_call_at_exit, daemons,
    )
}  # fmt: skip

if __name__ == "__main__":
    warnings.simplefilter("error")
    scenario, folder, *arguments = sys.argv[1:]
    SCENARIOS[scenario](folder, *arguments)
