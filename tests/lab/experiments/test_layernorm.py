"""Each arm is judged at the best of the same learning rates."""

import lab
import pytest

from mainstem.config import override
from mainstem.lab.experiments.layernorm import EXPERIMENT, RATES
from mainstem.lab.trial import Trial


def test_the_best_rate_counts_and_all_are_kept():
    cell = EXPERIMENT.cells[0]
    trial = lab.trial(cell, train__steps=4)
    found = EXPERIMENT.trial(trial)
    assert found["held_out"] == min(found["held_outs"])
    assert found["rate"] == RATES[found["held_outs"].index(found["held_out"])]
    run = override(trial.run, {"optim.lr": RATES[2]})
    alone = Trial(cell, run, trial.corpus).train().losses_of()
    assert found["held_outs"][2] == pytest.approx(alone["held_out"], rel=1e-6)
    assert found["trains"][2] == pytest.approx(alone["train"], rel=1e-6)
