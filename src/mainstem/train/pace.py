"""How fast a run goes, and how many steps fit into what is left of its budget.

Steps are estimated anew just before a checkpoint is written, and the estimate stands in it: whatever ends the process,
the next one goes on with the same number of steps. Under a budget checkpoints are also written when it is time for an
estimate, and these come the closer together the less time is left.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field

from ..runs.state import Costs
from . import cadence, length
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

TARGET = 0.3
"""What a target takes in a pass, of what it takes in a step, where no pass has been made yet."""


_MEMBER = 0.5
"""Seconds that samples take longer for each further network of an ensemble."""


def end(budget: float, members: int = 1) -> float:
    """Return the seconds of a budget that are kept for what comes after the last pass, with so many networks.

    Example:
        >>> end(600.0), end(600.0, members=4), end(10.0)
        (3.0, 4.5, 1.0)
    """
    return min(END + _MEMBER * (members - 1), 0.1 * budget)


@dataclass
class Pace:
    """The clock of a run with a budget of `budget` seconds, which by `clock` began at `began`.

    What earlier processes have spent of it lies before `began`. `costs` are those of the last checkpoint, if any;
    `compiles` is whether the next step does that, which says nothing about those behind it. `members` are the networks
    of the model.
    """

    budget: float
    began: float
    clock: Clock
    costs: Costs | None = None
    compiles: bool = False
    members: int = 1
    _steps: int = field(default=0, init=False)
    _planned: int = field(default=0, init=False)
    _tail: float | None = field(default=None, init=False)
    _target: float | None = field(default=None, init=False)
    _save: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._window = self.clock()
        self._asked = self.left()

    def spent(self) -> float:
        """Return how much of the budget has been used."""
        return self.clock() - self.began

    def left(self) -> float:
        """Return how much of it is left for steps, passes and checkpoints; a slower machine needs more for the end."""
        slower = 1.0 if self.costs is None else max(1.0, self.costs.step / max(self.costs.first, 1e-9))
        return self.budget - self.spent() - slower * end(self.budget, self.members)

    def over(self) -> bool:
        """Return whether what is left is needed for samples, the report and the exit."""
        return self.left() <= 0

    def stepped(self) -> None:
        """Count a step. One that compiles is left out."""
        if self.compiles:
            self.compiles, self._window = False, self.clock()
        else:
            self._steps += 1

    def passed(self, targets: int, seconds: float) -> None:
        """Hear that a pass over so many targets took `seconds`, which no step did."""
        self._window += seconds
        self._target = seconds / max(1, targets)

    @property
    def knows(self) -> bool:
        """Whether this process has seen what a checkpoint takes."""
        return self._save is not None

    def saved(self, seconds: float) -> None:
        """Hear that a checkpoint took `seconds` of the training.

        The longest one counts: the last of all is waited for, as the first one is, and those between are not.
        """
        self._window += seconds
        self._save = max(seconds, self._save or 0.0)

    def due(self, learner: Learner, step: int) -> bool:
        """Return whether it is time for an estimate, and so for a checkpoint, in a run that has taken `step`."""
        left, more = self.left(), learner.steps - step
        self._planned = max(self._planned, more)
        if self._tail is None and self.costs is not None:
            self._tail = _seconds(learner, learner.steps - 1, 1, self.costs)
        if more > 1 and left <= (self._tail or 0.0):  # there is no time for more than the last step and what follows it
            return True
        late = left <= _LEFT * self._asked or more <= _LEFT * self._planned
        return self._steps > 0 and left > _LAST * self.budget and late

    def fitting(self, learner: Learner, step: int) -> int:
        """Return how many steps there are in all for a run that has taken `step`, one more at least."""
        costs = self._measured(learner)
        if costs is None:
            return learner.steps
        self.costs, self._steps, self._window = costs, 0, self.clock()
        self._asked, self._planned, self._tail = self.left(), 0, None
        room = self._asked - costs.save * self._estimates(self._asked)
        batch = learner.run.train.batch * learner.task.targets(learner.model)
        last = max(step + 1, length.most(learner.run.train, learner.task.size(learner.data), batch))
        most = max(1, int(room / max(costs.step, 1e-9)))
        more = bisect_right(range(1, most + 1), room, key=lambda number: _seconds(learner, step, number, costs))
        return min(step + max(1, more), last)

    def _measured(self, learner: Learner) -> Costs | None:
        """Return the costs of before, brought up to date; None where no step has been measured in any process."""
        before = self.costs
        if self._steps:
            seconds = self.clock() - self._window
            step = seconds / self._steps
            if before is not None:
                new = seconds / (seconds + _WINDOW * max(self.left(), 0.0) + 1e-9)
                step = before.step + new * (step - before.step)
        elif before is not None:
            step = before.step
        else:
            return None
        targets = learner.run.train.batch * learner.task.targets(learner.model)
        known = before or Costs(step, TARGET * step / targets, 0.0, step)
        return Costs(
            step,
            known.target if self._target is None else self._target,
            known.save if self._save is None else self._save,
            known.first,
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
