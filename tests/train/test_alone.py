"""What one member needs by itself is measured on the windows that the mean was measured on, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_run

from mainstem import measure
from mainstem.runs.state import Best
from mainstem.train import alone


@pytest.mark.parametrize("held_out", [3, 1 << 20])
def test_it_is_measured_on_the_windows_of_the_pass(tmp_path: Path, held_out: int) -> None:
    given = tiny_run.run(tiny_run.text(tmp_path), "none", model={"members": 2}, data={"documents": "mask"})
    learner, _ = tiny_run.learner(given, tmp_path / "cache")
    learner.step(1)
    best = Best.at(1, learner.measure(learner.task.sample(learner)._replace(held_out=held_out)))
    found = alone.alone(learner, best)
    first = learner.model.get_submodule("members.0")
    expected = measure.evaluate(first, learner.data.held_out, windows=held_out, documents=True).bits_per_byte
    assert found == {"ensemble": {"members": 2, "one_bpb": pytest.approx(expected, rel=1e-6)}}
    assert alone.alone(learner, best, late=lambda: True) == {}


def test_of_one_network_there_is_nothing_to_say(tmp_path: Path) -> None:
    learner, _ = tiny_run.learner(tiny_run.run(tiny_run.text(tmp_path), "none"), tmp_path / "cache")
    best = Best.at(0, learner.measure(learner.task.sample(learner)))
    assert alone.alone(learner, best) == {}


def test_a_mean_that_is_worse_is_said() -> None:
    assert alone.line({"members": 2, "one_bpb": 2.0}, 2.1).endswith("all of them 5.0% more")
