"""What a pass of a language model takes, and what it comes to."""

from pathlib import Path

import pytest
from learners import made

from mainstem.train.task import Part


def test_a_pass_in_between_takes_a_fixed_number_of_tokens(tmp_path: Path) -> None:
    learner = made(tmp_path)
    assert learner.task.sample(learner) == Part(10, 10, 320)
    told: list[int] = []
    found = learner.measure(learner.task.sample(learner), tell=told.append)
    again = learner.measure(learner.task.sample(learner))
    assert found == again
    assert (found.tokens, told[-1]) == (160, 320)
    assert told == sorted(told)
    assert found.error is not None and found.error > 0
    assert found.gap is not None
    assert found.gap.held_out == found.values["nats_per_token"]
    assert found.gap.value == pytest.approx(found.values["nats_per_token"] - found.gap.training)
    assert found.gap.low < found.gap.value < found.gap.high


def test_a_small_held_out_part_is_measured_whole(tmp_path: Path) -> None:
    learner = made(tmp_path, sampled=10**6)
    windows = learner.task.sample(learner)
    assert windows.held_out == -(-(len(learner.data.held_out) - 1) // 16)
    found = learner.measure(windows)
    assert (found.tokens, found.error) == (len(learner.data.held_out) - 1, None)
    assert learner.task.whole(learner, 10**9) is None  # it would be the same again


def test_the_last_pass_takes_all_where_training_took_ten_times_as_long(tmp_path: Path) -> None:
    learner = made(tmp_path)
    enough = int(len(learner.data.held_out) / 0.3) + 60
    assert learner.task.whole(learner, int(0.95 * len(learner.data.held_out) / 0.3)) is None
    windows = learner.task.whole(learner, enough)
    assert windows is not None
    assert (windows.held_out, windows.training) == (75, 10)
    most = learner.task.whole(learner, 10**9)
    assert most is not None and most.training == most.held_out // 5
    found = learner.measure(windows)
    assert (found.tokens, found.error) == (len(learner.data.held_out) - 1, None)
    assert found.gap is not None


def test_a_line_of_metrics_has_tokens_and_error(tmp_path: Path) -> None:
    learner = made(tmp_path)
    found = learner.measure(learner.task.sample(learner))
    line = found.line()
    assert line.keys() == {"held_out", "gap"}
    assert line["held_out"].keys() == {"nats_per_token", "bits_per_byte", "tokens", "error"}
    assert line["gap"].keys() == {"value", "low", "high", "training", "held_out"}
