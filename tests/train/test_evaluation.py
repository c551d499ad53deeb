"""What a pass of a run takes, when it is due, and what it comes to."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from learners import made

from mainstem.train import evaluation
from mainstem.train.evaluation import Windows, due, passes


@given(st.integers(1, 400), st.integers(1, 60))
@example(6, 4)
@example(5, 4)
def test_passes_are_counted_and_none_falls_next_to_the_last(steps: int, every: int) -> None:
    found = [step for step in range(1, steps + 1) if due(step, steps, every)]
    assert len(found) == passes(steps, every)
    assert found[-1] == steps
    assert all(step % every == 0 and 2 * (steps - step) >= every for step in found[:-1])
    assert not due(steps + 1, steps, 10**9)


def test_a_pass_in_between_takes_a_fixed_number_of_tokens(tmp_path: Path) -> None:
    learner, held_out = made(tmp_path)
    assert evaluation.sample(learner, held_out) == Windows(10, 10, 320)
    told: list[int] = []
    found = evaluation.taken(learner, held_out, evaluation.sample(learner, held_out), 7, tell=told.append)
    again = evaluation.taken(learner, held_out, evaluation.sample(learner, held_out), 7)
    assert found == again
    assert (found.step, found.tokens, told[-1]) == (7, 160, 320)
    assert told == sorted(told)
    assert found.error is not None and found.error > 0
    assert found.gap is not None
    assert found.gap.held_out == found.nats_per_token
    assert found.gap.value == pytest.approx(found.nats_per_token - found.gap.training)
    assert found.gap.low < found.gap.value < found.gap.high


def test_a_small_held_out_part_is_measured_whole(tmp_path: Path) -> None:
    learner, held_out = made(tmp_path, sampled=10**6)
    windows = evaluation.sample(learner, held_out)
    assert windows.held_out == -(-(len(held_out) - 1) // 16)
    found = evaluation.taken(learner, held_out, windows, 1)
    assert (found.tokens, found.error) == (len(held_out) - 1, None)
    assert evaluation.last(learner, held_out, 10**9) is None  # it would be the same again


def test_the_last_pass_takes_all_where_training_took_ten_times_as_long(tmp_path: Path) -> None:
    learner, held_out = made(tmp_path)
    enough = int(len(held_out) / 0.3) + 60
    assert evaluation.last(learner, held_out, int(0.95 * len(held_out) / 0.3)) is None
    windows = evaluation.last(learner, held_out, enough)
    assert windows is not None
    assert (windows.held_out, windows.training) == (75, 10)
    most = evaluation.last(learner, held_out, 10**9)
    assert most is not None and most.training == most.held_out
    found = evaluation.taken(learner, held_out, windows, 3)
    assert (found.tokens, found.error) == (len(held_out) - 1, None)
    assert found.gap is not None


def test_a_line_of_metrics_has_tokens_and_error(tmp_path: Path) -> None:
    learner, held_out = made(tmp_path)
    found = evaluation.taken(learner, held_out, evaluation.sample(learner, held_out), 3)
    line = evaluation.line(found)
    assert line.keys() == {"held_out", "gap"}
    assert line["held_out"].keys() == {"nats_per_token", "bits_per_byte", "tokens", "error"}
    assert line["gap"].keys() == {"value", "low", "high", "training", "held_out"}
