"""Files that flowcore 0.4.0 wrote, one of each format: later versions load them."""

import numpy as np
import pytest
from support.kept_files import FOLDER, computed


@pytest.fixture(scope="module")
def found():
    return computed(FOLDER)


@pytest.mark.parametrize("name", ["flow", "table", "estimator", "found", "schema"])
def test_files_of_the_first_promised_version_compute_what_they_did(name, found):
    with np.load(FOLDER / "expected.npz") as expected:
        if name == "schema":
            assert found[name].tolist() == expected[name].tolist()
        else:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, atol=1e-6)
