"""Train one library on a table in batches, in this process, which does nothing else.

    python -m benchmarks.contestants.learn NAME DATA.npz SETTINGS

DATA holds the arrays train and validation, SETTINGS is JSON: layers, hidden, epochs, batch_size,
learning_rate, seed. Prints one line of JSON after every epoch: the mean log-density of the
validation rows. `benchmarks.time_to_quality` starts it.
"""

import json
import math
import sys

import numpy as np

from ..cases import Case
from . import LIBRARIES, FlowcoreForTables


def main(name: str, data: str, settings: str) -> None:
    table, s = np.load(data), json.loads(settings)
    train, batch_size, epochs = table["train"], s["batch_size"], s["epochs"]
    case = Case("table", train.shape[1], s["layers"], tuple(s["hidden"]), batch_size)
    library = {**LIBRARIES, "flowcore": FlowcoreForTables}[name]
    steps = epochs * math.ceil(len(train) / batch_size)
    flow = library(case, x=train, rate=s["learning_rate"], decay=steps, seed=s["seed"])
    flow.learn(table["validation"], epochs, batch_size, tell)


def tell(validation: float) -> None:
    print(json.dumps({"validation": validation}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
