"""Nine tasks, one for each of lessons 1 to 9: predict, train, see, and read the verdict.

Every number is computed here by the formula that the lesson derives. Three of the questions are
the course's own exercises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from flowcore.teaching import EXERCISES, Exercise, Mistake, Verdict

from . import drawings
from .densities import TARGETS, Data
from .settings import Settings


@dataclass(frozen=True)
class Task:
    """What is asked, on which settings, and where the answer will be seen.

    title, story   the lesson's question, and what is on the screen
    answer         an `Exercise`: question, answer, mistakes, hints; or None: it is drawn
    settings       what to set; the rest is as usual
    compare        what the prediction is laid over: "log_p", "log_det", "kl", "connections",
                   "units", "width" or "drawing"
    steps          of training, after which the answer can be seen; 0: it is there at once
    do             what to do then, and what to look at
    point          which point the small pictures show;   variables   of the network that is shown
    """

    number: int
    title: str
    story: str
    do: str
    compare: str
    settings: dict = field(default_factory=dict)
    answer: Exercise | None = None
    question: str = ""
    steps: int = 0
    point: tuple[float, float] | None = None
    variables: int = 2


LOG_2_PI = np.log(2 * np.pi)
RHO = 0.8
_MOONS = TARGETS["two_moons"]
_START = LOG_2_PI + 1 + np.log(_MOONS.std()).sum()  # NLL of N(mean, diag(std^2)), in raw units

_STRETCH = Exercise(
    "1",
    "This flow has learned nothing yet. All it does is x1 = 2 z1 and x2 = z2. What is log p(x) at "
    "x = (0, 0), in nats? (log is the natural logarithm.)",
    -LOG_2_PI - np.log(2),
    "log N(0; 0, I) = -1.838. The stretch thins the density out, so log 2 = 0.693 is subtracted.",
    [
        Mistake(-LOG_2_PI + np.log(2), "The sign: where z is stretched, the density gets thinner, "
                "so log 2 is subtracted."),
        Mistake(-LOG_2_PI, "This is log N(z) at z = (0, 0). The stretch is missing: it adds "
                "log |dz/dx| = -log 2."),
        Mistake(-0.5 * LOG_2_PI - np.log(2), "z has two coordinates, and each adds -0.919."),
        Mistake(-LOG_2_PI - 2 * np.log(2), "Only x1 is stretched: one log 2, not two."),
        Mistake(-LOG_2_PI - 1, "A logarithm to base 2 slipped in: in nats log 2 is 0.693, not 1."),
        Mistake(np.exp(-LOG_2_PI) / 2, "This is the density itself; its logarithm is asked for."),
        Mistake(0.5, "This is p / N(0; 0, I), a ratio. Take its logarithm, and add log N."),
    ],
    "Which z lands on x = (0, 0)? Take log N(z; 0, I) there, and add log |det dz/dx|.",
)  # fmt: skip
_DETERMINANT = Exercise(
    "2",
    "x1 and x2 have variance 1 and the correlation 0.8. One layer learns them: x1 = z1, and x2 = "
    "0.8 z1 + s z2. What will log |det dx/dz| be?",
    0.5 * np.log(1 - RHO**2),
    "Given x1, the variance of x2 is 1 - 0.64 = 0.36. So s = 0.6, and log 0.6 = -0.511. The 0.8 "
    "stands off the diagonal of a triangle, so it is not in the determinant.",
    [
        Mistake(0.0, "A shear keeps areas, but here z2 is squeezed, too: the variance of x2 is "
                "0.64 + s^2 = 1."),
        Mistake(np.log(RHO), "0.8 stands off the diagonal of the triangle: it tilts cells, and "
                "leaves their areas alone. Look for s."),
        Mistake(RHO, "The 0.8 stands off the diagonal of the triangle, so it is not in the "
                "determinant. Look for s, and take its logarithm."),
        Mistake(np.log(1 - RHO**2), "This is the logarithm of s^2. The diagonal has s."),
        Mistake(-0.5 * np.log(1 - RHO**2), "This is dz/dx, the way back: it has the opposite "
                "sign."),
        Mistake(np.log(1 - RHO), "Variances add up, not deviations: 0.64 + s^2 = 1."),
        Mistake(0.6, "This is the determinant; its logarithm is asked for."),
        Mistake(0.36, "This is s^2, a variance. The diagonal has s; take its logarithm."),
    ],
    "The Jacobian is a triangle, so its determinant is 1 * s. The variance of x2 is 0.64 + s^2, "
    "and it must be 1.",
)  # fmt: skip
_DISTANCE = Exercise(
    "3",
    f"Before the first step every flow is a Gaussian with the data's means and deviations. Here "
    f"its mean negative log-likelihood is {_START:.3f} nats, and the entropy of the moons is "
    f"{_MOONS.entropy():.3f}. Where does the gauge stand: what is KL(truth || flow)?",
    _START - _MOONS.entropy(),
    "NLL = entropy + KL. So the loss cannot fall below the entropy, and the KL is what lies above "
    "it.",
    [
        Mistake(_START, "This is the loss. The truth itself has a loss, too, the entropy: subtract "
                "it."),
        Mistake(_START + _MOONS.entropy(), "The sign: NLL = entropy + KL, so subtract the "
                "entropy."),
        Mistake(_MOONS.entropy(), "This is the entropy: the loss of the truth itself, where the KL "
                "is 0."),
        Mistake(0.0, "The KL is 0 only if the flow is the truth. This flow has not been trained."),
        Mistake(_MOONS.entropy() - _START, "A KL is never negative. You subtracted the loss "
                "from the entropy."),
    ],
    "The mean of -log q(x) is the entropy, which no flow can avoid, plus the KL.",
)  # fmt: skip
_UNITS = Exercise(
    "5",
    "Five variables, two hidden layers of 8 units. The textbook's loop runs the network once for "
    "every variable. How many hidden units are computed for one sample?",
    5 * 16,
    "Five passes of 16 units. By degree, each unit is computed once, as soon as its inputs are "
    "known: 16 in all.",
    [
        Mistake(16, "That is the walk by degree: every unit once. The loop runs the whole network "
                "for every variable."),
        Mistake(5, "This counts passes. Each of the five computes all 16 units."),
        Mistake(4 * 16, "The first variable costs a pass, too. Its shift and scale are only "
                "biases, but the loop makes no exception."),
        Mistake(5 * 8, "There are two hidden layers of 8."),
        Mistake(5 * 5 * 16, "A pass gives the parameters of all variables at once: one pass for "
                "each variable, not for each pair."),
    ],
    "How many units has the network, and how often does it run?",
)  # fmt: skip

_ISLANDS = {
    "nothing": "Nothing is drawn yet: paint where you expect the flow's density.",
    "islands": "Eight islands with nothing in between: that is the truth. A flow is a continuous "
    "map of one connected bell, and cannot tear it: some of its mass stays between the heaps. "
    "Draw that, too.",
    "ring": "You drew a closed ring, as dense between the heaps as on them. The flow does better. "
    "It pushes most of its mass onto the heaps, and only thin bridges stay.",
    "bell": "Much of this lies in the middle, where the bell is before training. The flow moves "
    "it away: no data are there.",
    "elsewhere": "Most of this lies where there are no data. A flow that misses a point pays "
    "-log q for it: look where the grey points are.",
}
_WIDTH = Exercise(
    "9",
    "How wide is the cloud of dots at t = 1/2, as a share of its width at t = 0? (Widths are "
    "standard deviations. Each base draw z is paired with a random row x: x_t = (1 - t) z + t x.)",
    np.sqrt(0.5),
    "x_1/2 = (z + x) / 2 has the variance (1 + 1) / 4 = 1/2, and the flow has the density of x_t "
    "at every t. So the dots crowd together, then spread again.",
    [
        Mistake(1.0, "Dots that stand still would fit the data, too. But the velocity is "
                "fitted to x_t, and x_1/2 is the middle of a random pair."),
        Mistake(0.5, "This is the variance; the width is its root."),
        Mistake(0.25, "z / 2 and x / 2 have the variance 1/4 each; the width is the root of the "
                "sum."),
        Mistake(2.0, "That is the variance of z + x; x_1/2 is half of it."),
        Mistake(np.sqrt(2), "That is the width of z + x; x_1/2 is half of it."),
        Mistake(0.0, "The middles of the pairs have the mean 0, but they are not all 0."),
    ],
    "What is the variance of (z + x) / 2, if z and x are independent and of variance 1?",
)  # fmt: skip

_BRIDGES = (
    "right. Eight heaps, and thin bridges between them: a continuous map cannot tear the bell, it "
    "can only stretch it thin. Training makes the bridges thinner, and never cuts them."
)

TASKS = MappingProxyType(
    {
        task.number: task
        for task in (
            Task(
                1, "What happens to a density when I stretch?",
                "The base, z ~ N(0, I), has a square grid. The layer called rescale stretches it "
                "by 2 along x1 and leaves x2 alone. The MAF before it has learned nothing yet.",
                "Drag the point. The bars show log p there, layer by layer, and only one of them "
                "changes. Why?",
                "log_p", {"data": "stretched_normal", "flow": "maf", "layers": 1},
                _STRETCH, point=(0.0, 0.0),
            ),
            Task(
                2, "Why a determinant, and why a triangle?",
                "The data lie along a diagonal. One layer of MAF will tilt the grid until it fits.",
                "Drag the point, and look at the Jacobian. One entry is always 0, and another is "
                "the 0.8. This MAF has no hidden units, so the shift is linear.",
                "log_det", {"data": "correlated_gaussian", "flow": "maf", "layers": 1, "width": 0},
                _DETERMINANT, steps=300, point=(0.0, 0.0),
            ),
            Task(
                3, "What is learned, and how good is it?",
                "The data are two moons. The flow has learned nothing yet. The gauge knows the "
                "truth, so it can measure how far the flow is from it.",
                "Train: the loss falls towards the entropy, the gauge towards 0. Then set Points "
                "to 100, and train again. The batch loss goes on falling, but the gauge soon "
                "rises: the flow overfits.",
                "kl", {"data": "two_moons", "flow": "maf", "layers": 4},
                _DISTANCE,
            ),
            Task(
                4, "How does a network keep an order?",
                "Below are the masks of a MADE of five variables with two hidden layers of 8 "
                "units. A coloured cell is an allowed connection. Count them, or find a shortcut.",
                "Set the number of variables to 2: all units have degree 1. What is left of the "
                "masks?",
                "connections", {"flow": "maf", "layers": 1, "width": 8},
                EXERCISES["4a"], variables=5,
            ),
            Task(
                5, "Which direction has to wait?",
                "To sample, x1 must be known before x2 can be computed. The textbook runs the "
                "whole network for each variable, and throws most of it away.",
                "Play the walk below: in the loop, units light up again and again. Then set "
                "Sequential to by degree, and count again.",
                "units",
                {"flow": "maf", "layers": 1, "width": 8, "method": "loop"},
                _UNITS, variables=5,
            ),
            Task(
                6, "Can both directions be cheap?",
                "NICE learns a checkerboard. Its couplings shift and never stretch, and are cheap "
                "in both directions. A guess is enough.",
                "Train, and watch the gauge: it cannot pass the mark of its floor. Then choose "
                "RealNVP, which may stretch.",
                "kl", {"data": "checkerboard", "flow": "nice", "layers": 4},
                EXERCISES["6c"], steps=400,
            ),
            Task(
                7, "Why compose, and why permute?",
                "The permutations are off, so all four layers of this MAF have the order x1, x2. A "
                "guess is enough.",
                "Train until the gauge stops. Then switch the permutations on, and train again.",
                "kl", {"data": "two_moons", "flow": "maf", "layers": 4, "permute": False},
                EXERCISES["7a"], steps=400,
            ),
            Task(
                8, "What stays impossible, and what helps?",
                "The data are eight separate heaps. The flow maps one bell onto them.",
                "Compare: your drawing lies over the density. Look between the heaps.",
                "drawing", {"data": "eight_gaussians", "flow": "maf", "layers": 4},
                question="Draw the density that the flow will have after 400 steps: darker where "
                "you expect more.",
                steps=400,
            ),
            Task(
                9, "And without layers?",
                "A velocity moves the dots from t = 0 to 1. Then they are rescaled to the data. "
                "Before the rescaling, base and data are both N(0, I), so the dots could stand "
                "still.",
                "Slide t, or press play. The arrows are velocities. Then choose two moons, and "
                "train again.",
                "width", {"data": "stretched_normal", "flow": "continuous"},
                _WIDTH, steps=400,
            ),
        )
    }
)  # fmt: skip


def find(number: int) -> Task:
    """The task of this number. Errors: ValueError."""
    if number not in TASKS:
        raise ValueError(f"there is no task {number!r}: there are 1 to {len(TASKS)}")
    return TASKS[number]


def judge(number: int, answer) -> Verdict:
    """The verdict on a prediction: a number, or a drawing's cells.

    Errors: ValueError for a task that there is not, or a drawing of another size.
    """
    task = find(number)
    if task.answer is not None:
        verdict = task.answer.check(answer)
        if task.compare == "kl" and verdict.message.endswith(task.answer.hint) and answer < 0:
            return Verdict(False, f"not yet. A KL is never negative. {task.answer.hint}")
        return Verdict(verdict.right, verdict.message.removeprefix(f"{task.answer.name}: "))
    kind = drawings.kind_of(answer, Data(None, TARGETS[task.settings["data"]]).frame)
    if kind == "bridges":
        return Verdict(True, _BRIDGES)
    return Verdict(False, f"not yet. {_ISLANDS[kind]}")


def shown(task: Task) -> dict:
    """A task as the page shows it, without its answer."""
    return {
        "number": task.number,
        "title": task.title,
        "story": task.story,
        "question": task.question or task.answer.question,
        "do": task.do,
        "compare": task.compare,
        "steps": task.steps,
        "point": None if task.point is None else list(task.point),
        "variables": task.variables,
        "settings": {**vars(Settings()), **task.settings},
    }
