"""Values of TensorFlow Probability; data/README.md has their source."""

import json

import numpy as np

from support.places import DATA

GOLDEN = dict(np.load(DATA / "golden.npz"))
CONFIG = json.loads((DATA / "golden_manifest.json").read_text())
MADES = ["made_l2r", "made_r2l", "made_arr", "made_seed3"]  # shift and log-scale
NVPS = ["nvp_num2", "nvp_numm2", "nvp_frac", "nvp_fracneg"]


def close(actual, expected, tol=1e-10):
    """Equal to tol, and of the same shape, a golden scalar log-det (constant Jacobian) apart."""
    expected = np.broadcast_to(expected, np.shape(actual)) if np.ndim(expected) == 0 else expected
    assert np.shape(actual) == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=tol, atol=tol)


def weights_of(name):
    """[(W, b), ...] of a case."""
    layers = sum(key.startswith(f"{name}/W") for key in GOLDEN)
    return [(GOLDEN[f"{name}/W{i}"], GOLDEN[f"{name}/b{i}"]) for i in range(layers)]
