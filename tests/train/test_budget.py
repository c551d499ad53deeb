"""How many steps a budget of wall time is."""

import dataclasses
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from learners import made

from mainstem.runs.state import Length
from mainstem.train import Learner, budget, cadence
from mainstem.train.budget import Costs
from mainstem.train.taken import Taken


def fixed(monkeypatch: pytest.MonkeyPatch, costs: Costs) -> None:
    monkeypatch.setattr(budget, "timed", lambda *_: costs)


def clock_at(now: float) -> Callable[[], float]:
    return lambda: now


def test_steps_passes_the_end_and_what_has_passed_fill_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = made(tmp_path)
    costs = Costs(step=1.0, token=0.01, once=7.0)
    fixed(monkeypatch, costs)
    every, tokens = learner.run.evaluate.every, 4 * 16
    for seconds in (30.0, 200.0, 1000.0, 4321.0):
        number = budget.steps(learner, seconds, began=-10.0, clock=clock_at(0.0))

        def spent(steps: int) -> float:
            end = learner.task.whole(learner, steps * tokens)
            passed = (1 + cadence.passes(steps, every)) * 320 + (0 if end is None else end.tokens)
            return 10 + 7 + steps + 0.01 * passed + 3

        assert spent(number) <= seconds < spent(number + 1)


def test_the_time_of_the_steps_that_fit_is_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = made(tmp_path)
    fixed(monkeypatch, Costs(step=1.0, token=0.01, once=7.0))
    number = budget.steps(learner, 1000.0, began=0.0, clock=clock_at(0.0))
    said = budget.estimate(learner.lasting(Length(number)), clock_at(0.0))
    assert said is not None
    assert said + 3 == pytest.approx(1000.0, abs=5)


def test_a_run_is_timed_where_that_is_worth_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = made(tmp_path)
    looks = iter(range(1000))
    assert budget.estimate(learner.lasting(Length(99)), lambda: 0.0) is None
    # A step takes a second between two looks of its own and those of its phases, so one is timed after the first.
    assert (budget.estimate(learner.lasting(Length(100)), lambda: float(next(looks))) or 0) > 100
    compiled = dataclasses.replace(learner, run=msgspec.structs.replace(
        learner.run, machine=msgspec.structs.replace(learner.run.machine, compile="inductor")))  # fmt: skip
    assert budget.estimate(compiled, lambda: 0.0) is None
    assert next(looks) < 30


def test_a_budget_that_has_passed_is_no_step(tmp_path: Path) -> None:
    learner = made(tmp_path)
    assert budget.steps(learner, 1.0, time.perf_counter() - 60, time.perf_counter) == 0


def test_what_is_compiled_is_counted_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = made(tmp_path)
    real, now = Learner.step, 0.0

    def step(self: Learner, number: int, **how: Any) -> Taken:
        nonlocal now
        now += 50.0 if number == 1 else 1.0
        return real(self, number, **how)

    monkeypatch.setattr(Learner, "step", step)
    costs = budget.timed(learner, 1000.0, lambda: now)
    assert costs == Costs(step=1.0, token=0.3 / 64, once=49.0)


def test_timing_leaves_the_model_as_it_was_and_says_how_far_it_is(tmp_path: Path) -> None:
    learner = made(tmp_path)
    weights = {name: value.clone() for name, value in learner.model.state_dict().items()}
    told: list[tuple[str, int, int]] = []
    clock = itertools.count(step=1e-5).__next__  # a slow machine would time fewer steps
    assert (budget.estimate(learner, clock, lambda *now: told.append(now)) or 0) > 0
    assert learner.model.training
    assert all(torch.equal(value, weights[name]) for name, value in learner.model.state_dict().items())
    assert [done for _, done, _ in told] == [*range(1, 22), 1]
    assert told[-1][1] == told[-1][2]
