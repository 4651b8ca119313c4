"""Model files written by earlier versions still load, and still compute the same numbers.

`data/models/write.py` wrote them, with random parameters: every recipe, and every class once.
"""

import numpy as np
import pytest
from support.places import DATA
from support.saved import CLASSES

from flowcore import Bijector, load, save

HERE = DATA / "models"
EXPECTED = np.load(HERE / "expected.npz") if (HERE / "expected.npz").exists() else {}
NAMES = sorted({key.split("/")[0] for key in EXPECTED})
BY_ROOT_SEARCH = ("planar", "radial", "elementwise")


def numbers(model, x, context=None) -> dict:
    """Everything that a model computes, in float64: a density, a bijector or a network."""
    options = {} if context is None else {"context": context}
    if hasattr(model, "sample"):
        found = {
            "log_prob": model.log_prob(x, **options),
            "samples": model.sample(4, rng=2, **options),
        }
    elif isinstance(model, Bijector):
        directions = {"forward": model.forward_and_log_det, "inverse": model.inverse_and_log_det}
        found = {}
        for name, run in directions.items():
            found[name], found[f"log_det_of_{name}"] = run(x, **options)
    else:
        found = {"output": model(x, **options)}
    return {name: np.asarray(value, float) for name, value in found.items()}


@pytest.mark.filterwarnings("ignore:.*have no image")  # a random flow under a Logit
@pytest.mark.parametrize("name", NAMES)
def test_the_same_numbers_as_when_it_was_saved(name, tmp_path):
    model = load(HERE / f"{name}.npz", CLASSES)
    expected = {key.split("/")[1]: EXPECTED[key] for key in EXPECTED if key.startswith(f"{name}/")}
    x, context = expected.pop("x"), expected.pop("context", None)
    found = numbers(model, x, context)
    assert found.keys() == expected.keys()
    save(model, tmp_path / "again.npz")
    again = numbers(load(tmp_path / "again.npz", CLASSES), x, context)
    assert all(again[what].tobytes() == value.tobytes() for what, value in found.items())
    float32 = getattr(model, "params", x).dtype == np.float32
    for what, value in expected.items():
        rtol = 1e-5 if float32 else 1e-12
        if what != "log_prob" and name.startswith(BY_ROOT_SEARCH):
            rtol = 1e-9
        size = np.abs(value[np.isfinite(value)]).max(initial=1.0)
        np.testing.assert_allclose(found[what], value, rtol, rtol * size, err_msg=what)


def test_every_file_is_tested():
    assert sorted(path.stem for path in HERE.glob("*.npz") if path.stem != "expected") == NAMES
    assert len(NAMES) > 40
