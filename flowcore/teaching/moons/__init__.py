"""The tutorial, end to end: flows learn scikit-learn's two moons (`flowcore moons`).

The story always has three flows, on the same 800 points: the tutorial's one bijector; its six, with
the coordinates swapped between them (both full batch, Adam at 1e-3, as in the tutorial for
TensorFlow Probability that flowcore grew out of); and flowcore's own recipe. Because the density of
the moons is known, each can be compared with the truth:

    KL(truth || flow) = E[log p_truth(x) - log p_flow(x)]     over fresh points x of the truth
"""

from .data import Moons
from .story import run
from .three import TUTORIAL, Result, Settings, build, contestants, finite_share, nll, train

__all__ = [
    "TUTORIAL", "Moons", "Result", "Settings", "build", "contestants", "finite_share", "nll",
    "run", "train",
]  # fmt: skip
