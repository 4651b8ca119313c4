"""The exercises of lesson 9: continuous flows and flow matching."""

from __future__ import annotations

from functools import partial

import numpy as np

from .constants import N_0
from .exercise import but, decimals, exercise, given, numbers


@numbers(a=decimals(0.5, 6, 0.1), b=range(1, 10), d=decimals(-6, -0.5, 0.1))
def _trace(a=1, b=5, d=-3):
    total, det = round(a + d, 1), abs(a * d)
    return exercise(
        "9a",
        f"In the plane, dx/dt = A x with A = [[{a}, {b}], [0, {d}]], for t from 0 to 1. What is "
        "log |det dx/dz|?",
        float(total),
        f"The integral of the divergence, the trace of A at every x and t: {a} - {-d}.",
        "Which sum of derivatives does a small step's determinant have, to first order in h?",
        (np.log(det), "This is log |det A|; but A is the velocity, not the map."),
        (-float(total), "This is the way back, from x to z."),
        (float(a + b + d), "All entries are summed; the divergence has only dv_d / dx_d, the "
         "diagonal."),
        ([float(a * d), float(det)], "This is det A, or its size. A step is x + h A x, whose "
         "determinant is 1 + h trace A + ..."),
        (np.log(abs(total)) if total else -np.inf, "The divergence is the log-determinant "
         "already: no logarithm is taken."),
        (float(abs(a) + abs(d)), "The diagonal is added with its signs."),
        ([float(a), float(d)], "Both coordinates count: the diagonal has two entries."),
        (float(b), "An entry off the diagonal is a shear, as in lesson 2."),
        (0.5 * total, "The integral over t of a constant is the constant: no 1/2."),
        (np.log(1 + abs(a)) + (np.log(abs(1 + d)) if d != -1 else -np.inf), "One step with h = 1 "
         "is not the motion: let h go to 0."),
    )  # fmt: skip


@numbers(k=decimals(0.1, 4, 0.05))
def _sink(k=1):
    shown = "" if k == 1 else f"{k:g} "
    return exercise(
        "9b",
        f"z ~ N(0, 1), and dx/dt = -{shown}x, for t from 0 to 1. What is log p(x = 0) at t = 1?",
        k + N_0,
        f"log N(0) - (integral of the divergence) = -0.919 + {k:g}: a sink collects mass.",
        "log p falls by the divergence along the path; the point 0 does not move.",
        (N_0 - k, "The sign: a negative divergence draws mass together."),
        (N_0, "The point does not move, but its neighbours come nearer."),
        (float(k), "This is the part of the log-determinant; log N(0; 0, 1) is missing."),
        (-float(k), "This is log |dx/dz| alone: turn its sign, and add log N(0; 0, 1)."),
        (N_0 * np.exp(k), f"log p is not multiplied by exp({k:g}): the divergence is subtracted "
         "from it."),
        (N_0 * np.exp(-k), f"log p is not multiplied by exp({-k:g}): the divergence is subtracted "
         "from it."),
        ([N_0 + np.exp(-k), N_0 - np.exp(-k)], "The divergence itself is integrated, not x(1)."),
        (N_0 + np.exp(k), "log p changes by the divergence itself, not by its exponential."),
        (np.exp(N_0 + k), "This is the density; its logarithm is asked for."),
        (N_0 + 0.5 * k, "The integral over t of a constant is the constant: no 1/2."),
        (N_0 + 2 * k, f"Lengths shrink by exp({-k:g}); the variance does not count."),
        (0.0, "Neither part is 0: take log N(0; 0, 1), and the divergence."),
        (-np.inf, f"At t = 1 the mass is not in one point: x(1) = exp({-k:g}) z."),
    )  # fmt: skip


@numbers(t=decimals(0.1, 0.9, 0.05), x=decimals(0.4, 3, 0.1))
def _regression(t=0.25, x=1):
    variance = (1 - t) ** 2 + t**2
    right = (2 * t - 1) / variance * x
    return exercise(
        "9c",
        "z ~ N(0, 1) and x ~ N(0, 1) are paired at random, and x_t = (1 - t) z + t x. Which "
        f"velocity does the regression find at t = {t:g}, x_t = {x}?",
        right,
        "E[x - z | x_t] = (2 t - 1) / ((1 - t)^2 + t^2) x_t: the regression of x - z on x_t.",
        "All are Gaussian: Cov(x - z, x_t) / Var(x_t), times x_t.",
        (0.0, "This is the mean of x - z over all pairs. Given x_t, z tends to be where x_t is."),
        ((2 * t - 1) * x, "This is the covariance times x_t; divide by the variance of x_t, which "
         f"is {variance:g}."),
        (-right, "The sign: compute the covariance of x - z and x_t."),
        (-float(x), "That is at t = 0, where x_t is z."),
        (float(x), "That is at t = 1, where x_t is x."),
        ((2 * t - 1) / np.sqrt(variance) * x, "Divide by the variance of x_t, not by its "
         "deviation."),
        ((2 * t - 1) * variance * x, "Divide by the variance of x_t."),
        (-(1 - t) / variance * x, "This is -E[z | x_t]; E[x | x_t] is missing."),
        (t / variance * x, "This is E[x | x_t]; subtract E[z | x_t]."),
        ((1 - t) / variance * x, "This is E[z | x_t]; subtract it from E[x | x_t]."),
        (-x / (1 - t), "This forgets x: x is random, too, and part of x_t."),
        (x / t, "This forgets z: z is random, too, and part of x_t."),
        ((1 - 2 * t) * x, "Turn the sign, and divide by the variance of x_t."),
        (1 - 2 * t, "Turn the sign, divide by the variance of x_t, and multiply by x_t."),
        (variance, "This is the variance of x_t."),
    )  # fmt: skip


_FLOOR_AT_HALF = exercise("9d",
    "Take the same pairs at t = 0.5. What is the least mean squared distance of any v(x_t) from x "
    "- z?",
    2.0,
    "x_t is half of z + x, which is independent of x - z: its whole variance stays.",
    "x and z are independent, Gaussian and equally wide. What do you know of x - z, given z + x?",
    (0.0, "Many pairs cross at one x_t, and v has one value there: the loss has a floor."),
    (1.0, "This is the variance of one of the two; x - z has both."),
    (np.sqrt(2.0), "This is a standard deviation; the loss is squared."),
    (0.5, "This is the variance of x_t; that of x - z, given x_t, is asked for."),
    (1.5, "x_t explains nothing: x_t and x - z are independent at t = 0.5."),
    (4.0, "x - z is a difference of two variables: add each variance once."),
    (0.25, "x - z does not depend on t, so no square of t occurs."),
    (-2.0, "A mean of squares is never negative."),
    (0.8, "That is the size of a velocity. Here take the squared distance from x - z."),
    (3.0, "The variance of x - z is that of x plus that of z, and no more."),
)  # fmt: skip


@numbers(t=decimals(0.1, 0.9, 0.05), s=decimals(1.5, 4, 0.5))
def _least_loss(t=0.5, s=1):
    if s == 1:
        return _FLOOR_AT_HALF
    variance, shared = (1 - t) ** 2 + t**2 * s**2, t * s**2 - (1 - t)
    explained = shared**2 / variance
    right = 1 + s**2 - explained
    return exercise(
        "9d",
        f"z ~ N(0, 1) and x ~ N(0, {s:g}^2) are paired at random, and x_t = (1 - t) z + t x. At t "
        f"= {t:g}, what is the least mean squared distance of any v(x_t) from x - z?",
        right,
        f"{1 + s**2:g} - (t {s:g}^2 - (1 - t))^2 / Var(x_t): the variance of x - z, minus what "
        "x_t explains.",
        "The regression subtracts Cov(x - z, x_t)^2 / Var(x_t) from the variance of x - z.",
        (1.0 + s**2, "This is the variance of x - z: a part of it is explained by x_t."),
        (0.0, "Many pairs cross at one x_t, and v has one value there: the loss has a floor."),
        (float(s**2), "This is the floor at t = 0, where x_t is z."),
        (1.0, "This is the floor at t = 1, where x_t is x."),
        (variance, "This is the variance of x_t; that of x - z, given x_t, is asked for."),
        (explained, "This is what x_t explains: subtract it from the variance of x - z."),
        (1 + s**2 - shared**2, "The covariance squared is divided by the variance of x_t."),
        (1 + s**2 - abs(shared) / variance, "The covariance is squared."),
        (1 + s**2 + explained, "Subtract the explained part; do not add it."),
        (s**2 - explained, "x - z has the variances of both."),
        (np.sqrt(right), "This is a standard deviation; the loss is squared."),
    )  # fmt: skip


def _velocity(x, t):
    return np.stack([np.sin(x[:, 0]) + t, x[:, 0] * x[:, 1]], axis=1)


def _divergence(x, t):
    return np.cos(x[:, 0]) + x[:, 0] + t


def push(z, v, div, n):
    """One right answer to 9e."""
    x, log_det, h = z, np.zeros(len(z)), 1 / n
    for k in range(n):
        log_det = log_det + h * div(x, k * h)
        x = x + h * v(x, k * h)
    return x, log_det


def _push(z, v, div, n, *, late=0, h_x=True, h_log=True, sign=1, after=False, last=0, start=0.0):
    x, log_det, h = z, np.zeros(len(z)), 1 / n
    for k in range(n - last):
        t = start if start else (k + late) * h
        new = x + (h if h_x else 1) * v(x, t)
        log_det = log_det + sign * (h if h_log else 1) * div(new if after else x, t)
        x = new
    return x, log_det


_PLANE = np.array([[0.3, -1.0], [1.2, 0.5], [-0.4, 0.8]])

_EULER = exercise("9e",
    "Write a function push(z, v, div, n) that takes n steps of Euler's method from t = 0 to 1. "
    "Each step is x <- x + h v(x, t), with h = 1/n and t at its beginning, and adds h div(x, t) to "
    "the log-det. v(x, t) is (n_rows, D), its divergence div(x, t) is (n_rows,). The function "
    "returns x at t = 1 and log |det dx/dz|.",
    push,
    "A chain of many small layers: log-dets add up, and each is h times the divergence.",
    "Two sums in one loop, with h = 1/n. In step k, which begins with k = 0, t is k h.",
    (partial(_push, h_log=False), "x is right. Each step's log-det is h times the divergence."),
    (partial(_push, sign=-1), "x is right. The log-det is that of dx/dz: + the divergence."),
    (partial(_push, after=True), "x is right. The divergence is taken before x moves, at the "
     "step's beginning."),
    (partial(_push, late=1), "You took t at the step's end. Take it at the beginning: it starts at "
     "0."),
    (partial(_push, late=0.5), "You took t in the step's middle. Take it at the beginning: it "
     "starts at 0."),
    (partial(_push, h_x=False), "Each step moves x by h v, not by v."),
    (partial(_push, h_x=False, h_log=False), "Each step counts h = 1/n, both for x and for the "
     "log-det."),
    (partial(_push, last=1), "One step is missing: there are n, and the last one begins at 1 - h."),
    (partial(_push, start=1e-9), "Your t stays 0, but t grows by h with each step."),
    (but(push, 1, lambda z, v, div, n: div(z, 0.0)), "x is right. Compute the divergence again in "
     "every step, at the current x."),
    (lambda z, v, div, n: (z + v(z, 0.0), div(z, 0.0)), "This is one step with h = 1."),
    (but(push, 1, lambda z, v, div, n: sum(div(z, k / n) / n for k in range(n))), "x is right. The "
     "divergence is taken at x, where the step begins, not at z."),
    (but(push, 1, lambda *given: push(*given)[1] - _push(*given, last=1)[1]), "x is right. This is "
     "the log-det of the last step alone: add them up."),
    (partial(_push, last=-1), "One step too many: there are n, and the last one begins at 1 - h."),
    inputs=[(_PLANE, _velocity, _divergence, 4), (_PLANE[:2], _velocity, _divergence, 10)],
)  # fmt: skip


def matching_loss(v, z, x, t):
    """One right answer to 9f."""
    t = t[:, None]
    x_t = (1 - t) * z + t * x
    return ((v(x_t, t) - (x - z)) ** 2).sum(axis=1).mean()


def _field(x, t):
    return np.sin(x) + t


def _at(point):
    """A mistake of 9f: v is taken at another point, a function of z, x and t (n, 1)."""
    return lambda v, z, x, t: matching_loss(lambda _, t: v(point(z, x, t), t), z, x, t)


def _on_the_lines(v, z, x, t):
    t = t[:, None]
    x_t = (1 - t) * z + t * x
    return v(x_t, t), z, x, x_t


def _squares(d):
    return (d**2).sum(axis=1).mean()


_matched = given(_on_the_lines)  # the velocities there, z, x and x_t
_T = np.array([0.1, 0.5, 0.8])
_STARTS = np.array([[0.3, -1.0, 0.9], [1.2, 0.5, -0.7], [-0.4, 0.8, 0.2]])
_ENDS = np.array([[2.0, 1.0, 0.4], [-0.5, 0.3, 1.3], [1.0, -2.0, -0.6]])

_MATCHING = exercise("9f",
    "Write a function matching_loss(v, z, x, t): z and x are (n, D), t is (n,). v takes points (n, "
    "D) and times of shape (n, 1), and returns velocities (n, D). The function returns the mean "
    "over the rows of |v(x_t, t) - (x - z)|^2.",
    matching_loss,
    "A regression: no density, no determinant, no equation.",
    "t[:, None] multiplies rows. The points lie on the lines, x_t = (1 - t) z + t x; sum over "
    "coordinates, then the mean over rows.",
    (_matched(lambda v, z, x, x_t: _squares(v - (z - x))), "The lines lead from z to x: their "
     "velocity is x - z."),
    (_matched(lambda v, z, x, x_t: _squares(v - x)), "The velocity of the line is x - z, not x."),
    (_matched(lambda v, z, x, x_t: _squares(v - x_t)), "v is compared with the velocity of the "
     "line, x - z, not with its point."),
    (_matched(lambda v, z, x, x_t: ((v - (x - z)) ** 2).mean()), "Squares are summed over the "
     "coordinates; only the rows are averaged."),
    (_matched(lambda v, z, x, x_t: ((v - (x - z)) ** 2).sum()), "The mean over the rows is asked "
     "for, not their sum."),
    (_matched(lambda v, z, x, x_t: np.linalg.norm(v - (x - z), axis=1).mean()), "The squared "
     "distance is asked for: no root."),
    (_at(lambda z, x, t: x), "v is taken at x_t, on the line, not at x."),
    (_at(lambda z, x, t: z), "v is taken at x_t, on the line, not at z."),
    (_at(lambda z, x, t: t * z + (1 - t) * x), "At t = 0 the point is z, at t = 1 it is x: "
     "x_t = (1 - t) z + t x."),
    (_at(lambda z, x, t: z + t * x), "The points are (1 - t) z + t x: z fades as x comes."),
    inputs=[(_field, _STARTS, _ENDS, _T), (_field, _STARTS[:2], _ENDS[1:], _T[1:])],
)  # fmt: skip

VELOCITIES = (_trace, _sink, _regression, _least_loss, _EULER, _MATCHING)
