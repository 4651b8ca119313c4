"""Quality is not lost unseen: held-out nats beside those of the last release."""

import json
from pathlib import Path

import numpy as np

from benchmarks import held_out
from benchmarks.against import LOSS, differences, loss
from benchmarks.support.process import ROOT

STORED = Path(__file__).with_name("held_out_0.4.0.json")  # of `python -m benchmarks.held_out`


def test_no_nats_are_lost_since_the_last_release():
    """Mean log p of fresh rows of two small and two middle tables."""
    stored = json.loads(STORED.read_text())
    assert sorted(stored) == sorted(held_out.SHORTEST)
    gains = [np.mean(held_out.measured(name, 0, None)["log_p"]) - stored[name] for name in stored]
    assert np.mean(gains) > -LOSS


def test_a_loss_is_in_the_mean_of_small_or_of_middle_tables():
    def rows(small, middle):
        return [{"n": 100, "gain": gain} for gain in small] + [
            {"n": 1000, "gain": gain} for gain in middle
        ]

    assert not loss(rows([-0.05, 0.0], [0.0]))
    assert loss(rows([-0.07, 0.0], [9.0])) and loss(rows([9.0], [-0.07, 0.0]))
    assert not loss([])


def test_the_same_checkout_has_the_same_nats(capsys):
    row, *others = differences(ROOT, ROOT, ["iris"])
    assert not others and row["gain"] == row["error"] == 0 and row["n"] == 112
    assert "| iris | 112 |" in capsys.readouterr().out
