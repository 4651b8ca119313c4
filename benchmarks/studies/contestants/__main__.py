"""Train one contestant in this process, which does nothing else.

    python -m benchmarks.studies.contestants moons NAME DATA.npz SETTINGS
    python -m benchmarks.studies.contestants table NAME DATA.npz SETTINGS

moons (`benchmarks.studies.time_to_trained`): full batches of the arrays train and validation; one
line of JSON as soon as the flow is trained, and a second one with its NLL on the array fresh.
SETTINGS is JSON: epochs, learning_rate, seed. table (`benchmarks.studies.time_to_quality`): in
batches; one line after every epoch, the mean log-density of the validation rows. SETTINGS also has
layers, hidden, batch_size.
"""

import json
import math
import sys
import time

import numpy as np

from ...support.cases import CASES, Case
from . import CONTESTANTS, US, FlowcoreForTables


def moons(name: str, data, epochs: int, learning_rate: float, seed: int) -> None:
    times = [time.perf_counter()]
    flow = CONTESTANTS[name](CASES["B"], x=data["train"], rate=learning_rate, seed=seed)
    times.append(time.perf_counter())
    flow.train(data["validation"], epochs)
    times.append(time.perf_counter())
    import_and_build, training = np.diff(times).tolist()
    write(import_and_build=import_and_build, training=training)
    log_prob = np.asarray(flow.log_prob(flow.put(data["fresh"])), float)
    write(nll=-float(log_prob.mean()), peak_mb=peak_megabytes())


def table(
    name: str, data, epochs: int, learning_rate: float, seed: int, layers: int, hidden: list,
    batch_size: int,
) -> None:  # fmt: skip
    train = data["train"]
    case = Case("table", train.shape[1], layers, tuple(hidden), batch_size)
    library = {**CONTESTANTS, US: FlowcoreForTables}[name]
    steps = epochs * math.ceil(len(train) / batch_size)
    flow = library(case, x=train, rate=learning_rate, decay=steps, seed=seed)
    flow.learn(data["validation"], epochs, batch_size, lambda value: write(validation=value))


def write(**facts) -> None:
    print(json.dumps(facts), flush=True)


def peak_megabytes() -> float:
    """The most memory that this process ever had; NaN where the system does not report it."""
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    what, name, data, settings = sys.argv[1:]
    {"moons": moons, "table": table}[what](name, np.load(data), **json.loads(settings))
