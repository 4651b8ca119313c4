"""Model files that flowcore 0.1.0 wrote, one of every recipe, still load: with the same numbers."""

from pathlib import Path

import numpy as np
import pytest

import flowcore

FOLDER = Path(__file__).parent / "data" / "saved_by_0_1"
KNOWN = dict(np.load(FOLDER / "log_prob.npz"))
X, CONTEXT = KNOWN.pop("x"), KNOWN.pop("context")


@pytest.mark.parametrize("recipe", KNOWN)
def test_a_file_of_the_first_format_loads(recipe):
    flow = flowcore.load(FOLDER / f"{recipe}.npz")
    context = CONTEXT if flow.context_dim else None
    single = flow.params.dtype == np.float32
    found, expected = flow.log_prob(X, context=context), KNOWN[recipe]
    assert found.dtype == expected.dtype == flow.params.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5 if single else 1e-11)


def test_all_recipes_are_there():
    recipes = {"maf", "iaf", "realnvp", "nice", "nsf", "made", "made_mog", "maf_mog", "glow"}
    assert set(KNOWN) == recipes == {path.stem for path in FOLDER.glob("*.npz")} - {"log_prob"}
