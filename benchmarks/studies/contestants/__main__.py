"""Train one contestant in this process, which does nothing else.

    python -m benchmarks.studies.contestants NAME DATA.npz SETTINGS

For `benchmarks.studies.time_to_trained`: full batches of the arrays train and validation; one line
of JSON as soon as the flow is trained, and a second one with its NLL on the array fresh. SETTINGS
is JSON: epochs, learning_rate, seed.
"""

import json
import sys
import time

import numpy as np

from ...support.cases import CASES
from . import CONTESTANTS


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
    name, data, settings = sys.argv[1:]
    moons(name, np.load(data), **json.loads(settings))
