"""The output of `flowcore moons`, in its order."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from ...plots import stages
from ...spec.reference import numerical_jacobian
from ...training import History
from .data import N_DATA, N_FRESH, N_TRAIN, NOISE, Moons
from .pictures import Album, draw_flows, draw_losses, structure, titled
from .three import Result, Settings, contestants, nll, train


def run(settings: Settings, seed: int, out) -> None:
    """The whole story: lines on the screen, and pictures in the folder `out`."""
    started = time.perf_counter()
    moons, album = Moons.make(seed), Album(Path(out))
    print(
        f"Two moons: {N_DATA} points (noise {NOISE}, seed {seed}), standardised; {N_TRAIN} to train"
    )
    print(f"on, {N_DATA - N_TRAIN} for validation. Their exact entropy is", end=" ")
    print(f"{moons.entropy():.3f} nats: no\nhonest NLL lies below it.\n")
    three = contestants(moons, settings)
    results = [Result.of("before training", three[1].flow, moons)]
    for contestant in three:
        print(f"{contestant.title}: {contestant.flow.n_params:,} parameters", flush=True)
        results.append(train(contestant, moons, progress=True))
        _print_training(results[-1].history)
    _print_scores(results, moons)
    six = results[-2]
    _print_log_det(six.flow, moons.validation[0])

    what = "the truth and the three flows: densities on one scale; samples"
    album.add("three_flows", what, draw_flows(results, moons))
    what = "their losses in one frame, and the entropy"
    album.add("losses", what, draw_losses(results[1:], moons))
    if not settings.quick:
        what = f"{six.title}: the base and every stage; colours: quadrants of the base"
        album.add("six_stages", what, titled(stages(six.flow, rng=seed), what))
        for name, what, axes in structure(settings.flow):
            album.add(name, what, titled(axes, what))
    album.print_contents()
    print(f"Everything took {time.perf_counter() - started:.1f} s.")


def _print_training(history: History) -> None:
    line, best = f"  {len(history.train_nll)} epochs in {history.seconds:.1f} s", history.best_epoch
    if best is not None:
        line += f"; number {best + 1} is kept: the best validation NLL, {history.val_nll[best]:.3f}"
    print(line, flush=True)


def _print_scores(results, moons) -> None:
    print(f"\nOn {N_FRESH:,} fresh points of the truth  NLL (nats)   KL to the truth   seconds")
    for result in results:
        kl = f"{result.kl.kl:.3f} +- {result.kl.standard_error:.3f}"
        seconds = f"{result.history.seconds:.1f}" if result.history else ""
        print(f"  {result.title:34s} {result.nll:10.3f} {kl:>17s} {seconds:>9s}".rstrip())
    print(f"  {'the truth itself':34s} {nll(moons.truth(), moons.fresh()):10.3f} {0:8.3f}")
    print(f"  {'its entropy, exactly':34s} {moons.entropy():10.3f}")
    print("KL: the mean of log p_truth - log p_flow over these points, +- its standard error.")


def _print_log_det(flow, point):
    flow = flow.with_params(flow.params.astype(float))  # to compare digits, not rounding
    log_det = float(flow.bijector.inverse_log_det(point))
    jacobian = numerical_jacobian(flow.bijector.inverse, point, step=1e-8)  # kinks are further off
    brute = np.linalg.slogdet(jacobian)[1]
    print(
        f"\nlog |det dz/dx| of the six at x = ({point[0]:.3f}, {point[1]:.3f}):\n"
        f"  {log_det:.6f} by the flow, {brute:.6f} by the brute-force Jacobian"
    )
