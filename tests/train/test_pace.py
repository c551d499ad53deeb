"""A run with a budget ends in time, by a clock that steps, passes and checkpoints move; nothing is really trained."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from learners import made

from mainstem.runs.listener import Listener
from mainstem.runs.run_folder import RunFolder
from mainstem.runs.state import Length, Scores, State
from mainstem.train import Learner, cadence, keeping, pace
from mainstem.train.console import Plain
from mainstem.train.language import Language
from mainstem.train.loop import Loop
from mainstem.train.pace import Pace
from mainstem.train.saver import Saver
from mainstem.train.signals import Requests, Stop
from mainstem.train.taken import Taken

STEP, SAVE, READ, END = 0.12, 0.1, 4.0, 2.5
PASS = 0.3 * STEP / 64
"""Seconds of a step, of a checkpoint, before the first step, after the last pass, and of a target in a pass."""


class Time:
    """A clock that stands still unless something is done; from `busy` on all takes `slower` times as long."""

    def __init__(self, busy: float = float("inf"), slower: float = 1.0) -> None:
        self.now = 0.0
        self.steps = 0.0
        self.busy, self.slower = busy, slower

    def __call__(self) -> float:
        return self.now

    def take(self, seconds: float) -> float:
        seconds *= self.slower if self.now >= self.busy else 1.0
        self.now += seconds
        return seconds


@dataclasses.dataclass
class Kept(Saver):
    """A saver that writes nothing; `kept` are the lengths and states that its checkpoints would have."""

    time: Time | None = None
    kept: list[tuple[Length, State]] = dataclasses.field(default_factory=list)

    def save(self, state: State, best: Any) -> None:
        assert self.time is not None
        self.time.take(SAVE)
        self.kept.append((self.learner.length, msgspec.convert(msgspec.to_builtins(state), State)))


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()

    def step(self: Learner, number: int, *, watch: bool = False) -> Taken:
        found.steps += found.take(STEP)
        numbers = {"loss": torch.tensor(1.0), "grad_norm": torch.tensor(1.0)}
        return Taken(numbers, self.length.progress(number), 64, True, None)

    def evaluate(self: Language, learner: Learner, part: Any, stop: Any = None, tell: Any = None) -> Scores:
        found.take(PASS * part.tokens)
        return Scores(values={"nats_per_token": 1.0, "bits_per_byte": 1.0}, tokens=part.tokens)

    monkeypatch.setattr(Learner, "step", step)
    monkeypatch.setattr(Language, "evaluate", evaluate)
    return found


class Rates(Listener):
    """The progress of every step, and how many steps there were to be."""

    def __init__(self) -> None:
        self.progress: list[float] = []
        self.planned_steps: list[int] = []

    def stepped(self, line: dict[str, Any]) -> None:
        self.progress.append(line["lr"])

    def planned(self, steps: int) -> None:
        self.planned_steps.append(steps)


class Quiet(Plain):
    def __init__(self) -> None:
        super().__init__(None)

    def say(self, text: str) -> None:
        pass

    def measuring(self, what: str, done: int, total: int) -> None:
        pass


def loop(tmp_path: Path, time: Time, budget: float, steps: int, state: State | None = None) -> Loop:
    """Return a run of `steps` steps at first, with a budget that begins before the text is read."""
    learner = made(tmp_path, steps=steps)
    section = msgspec.structs.replace(learner.run.train, budget=f"{budget:g}s", patience=0)
    run = msgspec.structs.replace(
        learner.run, train=section, log=msgspec.structs.replace(learner.run.log, every=1, quantities=0)
    )
    state = State() if state is None else state
    began = time() - state.spent
    time.take(READ)
    best = None if state.best is None else keeping.measured(learner)
    saver = Kept(None, learner.named(run), metrics=None, decisive={}, time=time)  # type: ignore[arg-type]
    pace = Pace(budget, began, time, state.costs)
    folder = RunFolder(tmp_path / "run")
    return Loop(saver.learner, state, folder, saver, Rates(), Quiet(), Requests(), time, best, pace)


def finished(found: Loop, time: Time) -> float:
    assert found.go() == "steps"
    time.take(END)
    return time.now


@pytest.mark.parametrize("budget", [40.0, 120.0, 600.0, 3600.0])
@pytest.mark.parametrize("guess", [0.3, 0.8, 1.3, 3.0])
def test_a_run_ends_with_its_budget_however_wrong_the_first_guess_was(
    tmp_path: Path, time: Time, budget: float, guess: float
) -> None:
    found = loop(tmp_path, time, budget, max(1, int(guess * (budget - READ - END) / STEP)))
    wall = finished(found, time)
    assert 0.9 * budget <= wall <= 1.03 * budget + 2
    assert time.steps >= (0.75 if budget == 40 else 0.85) * budget
    assert found.learner.steps == found.state.step


@pytest.mark.parametrize("budget", [40.0, 120.0, 600.0, 3600.0])
@pytest.mark.parametrize("slower", [0.6, 1.5, 2.0])
@pytest.mark.parametrize("half", [0.45, 0.5])
def test_a_machine_that_is_busy_from_halfway_on_costs_little_more(
    tmp_path: Path, time: Time, budget: float, slower: float, half: float
) -> None:
    time.busy, time.slower = half * budget, slower
    wall = finished(loop(tmp_path, time, budget, int((budget - READ - END) / STEP)), time)
    assert 0.9 * budget <= wall <= 1.08 * budget


def test_progress_is_one_curve_that_ends_at_one(tmp_path: Path, time: Time) -> None:
    found = loop(tmp_path, time, 120.0, 300)
    finished(found, time)
    curve = found.listener.progress  # type: ignore[attr-defined]
    assert len(curve) == found.state.step
    assert curve[-1] == 1.0
    assert all(0 < after - before for before, after in itertools.pairwise(curve))
    assert curve[0] == 1 / 300
    planned = found.listener.planned_steps  # type: ignore[attr-defined]
    assert 800 < planned[-1] == found.learner.steps < 1000
    # Between two estimates it is a straight line to 1, as the rule for one step says.
    lengths = [length for length, _ in found.saver.kept]  # type: ignore[attr-defined]
    for length in lengths:
        p = length.progress(length.since + 1)
        assert p == pytest.approx(length.progress_then + (1 - length.progress_then) / (length.steps - length.since))


def test_an_estimate_stands_in_the_checkpoint_and_is_gone_on_with(tmp_path: Path, time: Time) -> None:
    """A kill behind any checkpoint: the next process takes the same steps up to its own next estimate."""
    whole = loop(tmp_path, time, 120.0, 500)
    finished(whole, time)
    kept: list[tuple[Length, State]] = whole.saver.kept  # type: ignore[attr-defined]
    curve = whole.listener.progress  # type: ignore[attr-defined]
    lengths = [length for length, _ in kept]
    assert len({length.steps for length in lengths}) > 2
    for (length, state), (_, behind) in itertools.pairwise(kept):
        if state.step == behind.step:
            continue
        later = Time()
        again = loop(tmp_path, later, 120.0, 500, msgspec.convert(msgspec.to_builtins(state), State))
        again.learner = again.saver.learner = again.learner.lasting(length)
        assert [again.learner.length.progress(step) for step in range(state.step + 1, behind.step + 1)] == (
            curve[state.step : behind.step]
        )


def test_what_an_earlier_process_spent_counts(tmp_path: Path, time: Time) -> None:
    found = loop(tmp_path, time, 120.0, 900)
    time.busy, time.slower = 70.0, 1.0
    requests = found.requests
    stepped = found.listener.stepped

    def leave(line: dict[str, Any]) -> None:
        stepped(line)
        if time.now > 70 and requests.code is None:
            requests.code = 130

    found.listener.stepped = leave  # type: ignore[method-assign]
    with pytest.raises(Stop):
        found.go()
    length, state = found.saver.kept[-1]  # type: ignore[attr-defined]
    assert state.spent == pytest.approx(70, abs=1)
    time.now += 10_000  # until somebody goes on
    before = time.now
    again = loop(tmp_path, time, 120.0, 900, state)
    again.learner = again.saver.learner = again.learner.lasting(length)
    wall = state.spent + finished(again, time) - before
    assert 0.9 * 120 <= wall <= 1.03 * 120 + 2


def test_a_budget_that_is_used_up_takes_one_more_step(tmp_path: Path, time: Time) -> None:
    time.busy, time.slower = 20.0, 1000.0
    found = loop(tmp_path, time, 40.0, 250)
    finished(found, time)
    assert found.state.step < 250
    assert found.saver.kept[-1][0].progress(found.state.step) == 1.0  # type: ignore[attr-defined]


def test_costs_follow_the_machine_the_faster_the_less_time_is_left(tmp_path: Path, time: Time) -> None:
    learner = made(tmp_path)
    found = Pace(1000.0, 0.0, time, compiles=True)
    assert found.fitting(learner, 0) == learner.steps  # nothing was measured yet
    time.take(50.0)
    found.stepped()  # compiles
    for _ in range(100):
        time.take(1.0)
        found.stepped()
    found.passed(100, time.take(10.0))
    found.saved(time.take(5.0))
    assert found.fitting(learner, 101) > 101
    assert found.costs is not None
    assert (found.costs.step, found.costs.target, found.costs.save) == (1.0, 0.1, 5.0)
    for _ in range(10):
        time.take(3.0)
        found.stepped()
    found.fitting(learner, 111)
    early = found.costs.step
    assert 1 < early < 3
    time.now = 990.0
    found._window = time.now
    for _ in range(2):
        time.take(3.0)
        found.stepped()
    found.fitting(learner, 113)
    assert found.costs.step == pytest.approx(3.0, abs=0.1)


def test_checkpoints_for_estimates_come_closer_together(tmp_path: Path, time: Time) -> None:
    found = loop(tmp_path, time, 3600.0, 28_000)
    every = found.learner.run.save.every
    finished(found, time)
    states = [state for _, state in found.saver.kept]  # type: ignore[attr-defined]
    extra = [state.spent for state in states if state.step % every]
    assert 1 <= len(extra) <= 12
    assert cadence.passes(1, every) == 1
    assert pace.end(20.0) == 2.0
    assert pace.end(3600.0) == pace.END


def test_what_is_left_at_last_is_for_the_end(time: Time) -> None:
    found = Pace(100.0, 0.0, time)
    time.take(96.9)
    assert not found.over()
    time.take(0.2)
    assert found.over()


def test_more_networks_take_longer_at_the_end(time: Time) -> None:
    found = Pace(100.0, 0.0, time, members=3)
    time.take(95.9)
    assert not found.over()
    time.take(0.2)
    assert found.over()


def test_a_text_is_seen_no_more_often_than_is_said(tmp_path: Path, time: Time) -> None:
    found = loop(tmp_path, time, 600.0, 300)
    section = msgspec.structs.replace(found.learner.run.train, passes=5.0)
    run = msgspec.structs.replace(found.learner.run, train=section)
    found.learner = found.saver.learner = found.learner.named(run)  # type: ignore[union-attr]
    finished(found, time)
    assert found.state.step == -(-5 * found.learner.task.size(found.learner.data) // 64) == found.learner.steps
    assert time.now < 300
    assert found.listener.progress[-1] == 1.0  # type: ignore[attr-defined]
