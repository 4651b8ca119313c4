"""Train one contestant on the two moons, in this process, which does nothing else.

    python -m benchmarks.contestants NAME DATA.npz EPOCHS SEED

DATA holds the arrays train, validation, fresh. Prints one line of JSON as soon as the flow is
trained, and a second one with its NLL on the fresh rows. `benchmarks.time_to_trained` starts it.
"""

import json
import sys
import time

import numpy as np

from ..cases import CASES
from . import CONTESTANTS

LEARNING_RATE = 1e-3


def main(name: str, data: str, epochs: str, seed: str) -> None:
    times = [time.perf_counter()]
    moons = np.load(data)
    flow = CONTESTANTS[name](CASES["B"], x=moons["train"], rate=LEARNING_RATE, seed=int(seed))
    times.append(time.perf_counter())
    flow.train(moons["validation"], int(epochs))
    times.append(time.perf_counter())
    import_and_build, training = np.diff(times).tolist()
    tell(import_and_build=import_and_build, training=training)
    log_prob = np.asarray(flow.log_prob(flow.put(moons["fresh"])), float)
    tell(nll=-float(log_prob.mean()), peak_mb=peak_megabytes())


def tell(**facts) -> None:
    print(json.dumps(facts), flush=True)


def peak_megabytes() -> float:
    """The most memory that this process ever had; NaN where the system does not say."""
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main(*sys.argv[1:])
