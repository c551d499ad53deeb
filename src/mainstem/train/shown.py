"""The console as a listener: the numbers of some steps, and how long is left."""

from __future__ import annotations

import math
from typing import Any

from ..runs.listener import Listener, Start
from .console import Progress
from .phases import Clock
from .task import Task


class Shown(Listener):
    """Show each step that is a multiple of `every`, and each that was followed by a held-out pass.

    `targets` is how many targets a step of `task` has.
    """

    def __init__(self, progress: Progress, every: int, targets: int, task: Task, clock: Clock) -> None:
        self._progress = progress
        self._every = every
        self._targets = targets
        self._task = task
        self._clock = clock

    def began(self, start: Start) -> None:
        self._steps = start.steps
        self._first = (start.step, self._clock())

    def planned(self, steps: int) -> None:
        self._steps = steps

    def evaluated(self, step: int, scores: Any) -> None:
        if step == 0:  # before the first step: that pass is no part of the speed
            self._first = (0, self._clock())

    def stepped(self, line: dict[str, Any]) -> None:
        step = line["step"]
        if step % self._every and "held_out" not in line:
            return
        done, seconds = step - self._first[0], self._clock() - self._first[1]
        measured = {}
        if "held_out" in line:
            held = line["held_out"]
            measured = {"held_out": held[self._task.score.name], "held_out_error": held["error"], "gap": line["gap"]}
        self._progress.show({
            "step": step, "steps": self._steps, "loss": math.nan if line["loss"] is None else line["loss"],
            "counted": self._task.counted,
            "rate": done * self._targets / max(seconds, 1e-9),
            "left": (self._steps - step) * seconds / max(done, 1), **measured,
        })  # fmt: skip
