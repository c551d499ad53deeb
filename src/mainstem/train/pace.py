"""How fast a run goes, and how many steps fit into what is left of its budget. May import everything below the loop.

Steps are estimated anew just before a checkpoint is written, and the estimate stands in it: whatever ends the process,
the next one goes on with the same number of steps. Under a budget checkpoints are also written when it is time for an
estimate, and these come the closer together the less time is left.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field

from ..runs.state import Costs
from . import cadence
from .learner import Learner
from .phases import Clock

END = 3.0
"""Seconds that samples, the report and the exit take after the last pass; they get at most a tenth of a budget."""

_LEFT = 0.6
"""An estimate is due when this share is left of the time, or of the steps, that were left at the last one."""

_LAST = 0.02
"""Share of a budget that is left when nothing is estimated any more: what could still change is not worth it."""

_WINDOW = 0.1
"""Share of the time left in which a newly measured cost of a step counts as much as the one before it."""

_TARGET = 0.3
"""What a target takes in a pass, of what it takes in a step, where no pass has been made yet."""


def end(budget: float) -> float:
    """Return the seconds of a budget that are kept for what comes after the last pass."""
    return min(END, 0.1 * budget)


@dataclass
class Pace:
    """The clock of a run with a budget of `budget` seconds, which by `clock` began at `began`.

    What earlier processes have spent of it lies before `began`. `costs` are those of the last checkpoint, if any.
    """

    budget: float
    began: float
    clock: Clock
    costs: Costs | None = None
    _steps: int = field(default=0, init=False)
    _planned: int = field(default=0, init=False)
    _tail: float = field(default=0.0, init=False)
    _first: float | None = field(default=None, init=False)
    _slower: float = field(default=1.0, init=False)
    _warm: bool = field(default=False, init=False)
    _target: float | None = field(default=None, init=False)
    _save: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._window = self.clock()
        self._asked = self.left()

    def spent(self) -> float:
        """Return how much of the budget has been used."""
        return self.clock() - self.began

    def left(self) -> float:
        """Return how much of it is left for steps, passes and checkpoints."""
        return self.budget - self.spent() - self._slower * end(self.budget)

    def stepped(self) -> None:
        """Count a step. The first one of a process may compile or be slow in other ways, and is left out."""
        if self._warm:
            self._steps += 1
        else:
            self._warm, self._window = True, self.clock()

    def passed(self, targets: int, seconds: float) -> None:
        """Hear that a pass over so many targets took `seconds`, which no step did."""
        self._window += seconds
        self._target = seconds / max(1, targets)

    def saved(self, seconds: float) -> None:
        """Hear that a checkpoint took `seconds`."""
        self._window += seconds
        self._save = seconds

    def due(self, more: int) -> bool:
        """Return whether it is time for an estimate, and so for a checkpoint, in a run that is to take `more` steps."""
        left = self.left()
        self._planned = max(self._planned, more)
        if more > 1 and left <= self._tail:  # there is no time for more than the last step and what follows it
            return True
        late = left <= _LEFT * self._asked or more <= _LEFT * self._planned
        return self._steps > 0 and left > _LAST * self.budget and late

    def fitting(self, learner: Learner, step: int) -> int:
        """Return how many steps there are in all for a run that has taken `step`, one more at least."""
        left = self.left()
        costs = self._measured(learner, left)
        self._asked, self._planned = left, 0
        if costs is None:
            return learner.steps
        self.costs, self._steps, self._window = costs, 0, self.clock()
        room = left - costs.save * self._estimates(left)
        most = max(1, int(room / max(costs.step, 1e-9)))
        more = bisect_right(range(1, most + 1), room, key=lambda number: _seconds(learner, step, number, costs))
        total = step + max(1, more)
        self._tail = _seconds(learner, total - 1, 1, costs)
        return total

    def _measured(self, learner: Learner, left: float) -> Costs | None:
        """Return the costs of before, brought up to date; None where no step has been measured in any process."""
        before, step = self.costs, None
        seconds = self.clock() - self._window
        if self._steps:
            step = seconds / self._steps
            if before is not None:
                new = seconds / (seconds + _WINDOW * max(left, 0.0) + 1e-9)
                step = new * step + (1 - new) * before.step
        elif before is not None:
            step = before.step
        if step is None:
            return None
        targets = learner.run.train.batch * learner.task.targets(learner.model)
        self._first = self._first or step
        self._slower = max(1.0, step / self._first)
        known = before or Costs(step, _TARGET * step / targets, 0.0)
        return Costs(
            step,
            known.target if self._target is None else self._target,
            known.save if self._save is None else self._save,
        )

    def _estimates(self, left: float) -> int:
        """Return how many more estimates there will be where so many seconds are left."""
        last = _LAST * self.budget
        return int(math.log(left / last) / -math.log(_LEFT)) if left > last else 0


def _seconds(learner: Learner, step: int, more: int, costs: Costs) -> float:
    """Return how long `more` steps behind `step` take, with the passes and checkpoints among and behind them."""
    run, task, total = learner.run, learner.task, step + more
    whole = task.whole(learner, total * run.train.batch * task.targets(learner.model))
    passes = max(1, cadence.passes(total, run.evaluate.every) - step // run.evaluate.every)
    targets = passes * task.sample(learner).tokens + (0 if whole is None else whole.tokens)
    saves = 2 + total // run.save.every - step // run.save.every
    return more * costs.step + targets * costs.target + saves * costs.save
