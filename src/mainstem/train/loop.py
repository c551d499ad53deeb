"""The loop: step, evaluate, save, until the steps or the patience are used up.

Numbers stay tensors until they are written, so that a GPU is waited for once a line and no more.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..measure.evaluate import Abandoned
from ..runs import weights
from ..runs.listener import Listener
from ..runs.run_folder import RunFolder
from ..runs.state import Best, Scores, State
from . import culprit, diverged, keeping, left_out
from .cadence import due
from .console import Progress
from .learner import Learner
from .pace import Pace
from .phases import Clock
from .saver import Share
from .signals import SAVE, Requests, Stop
from .taken import Taken
from .task import Part
from .waiting import Waiting, watched


@dataclass
class Loop:
    """One run in progress, in a process that leads (by its `saver`, a `Saver`), or in one that does not.

    `state` and `best` are what a checkpoint holds besides what the learner knows.
    """

    learner: Learner
    state: State
    folder: RunFolder
    saver: Share | None
    listener: Listener
    progress: Progress
    requests: Requests
    clock: Clock
    best: weights.Tensors | None = None
    pace: Pace | None = None
    _waiting: Waiting = field(default_factory=Waiting, init=False)
    _saved: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        self._last = self.clock()
        self._began = self._last - self.state.seconds

    def go(self) -> str:
        """Train until something ends it, and return what: steps, patience, or pruned.

        Raises:
            Stop: where it was asked to leave.
        """
        with self.requests.finish_first():
            if self.state.step == 0 and self.state.start is None and self.learner.run.evaluate.start:
                self._start()
            while True:
                if self.saver is not None:
                    self.saver.check()
                if self.state.pending is not None:
                    self._evaluate()
                done, code = self._done(), self._asked()
                if not self._saved and (done or code or self._due()):
                    self.save()
                if code > SAVE:
                    self.written()
                    raise Stop(code, saved=True)
                if code:
                    self.requests.save = False
                if done and self.state.reached is not None:
                    self.written()
                    if (code := self._asked()) > SAVE:  # while the last checkpoint was written
                        raise Stop(code, saved=True)
                    return done
                if done:
                    self._reach()
                else:
                    self._step()

    def written(self) -> None:
        """Return when every checkpoint that was begun is on the disk; raise what went wrong with one."""
        if self.saver is not None:
            self.saver.wait()

    def abandon(self) -> None:
        """Wait for what this process writes, as the run is being left; raise what went wrong with it."""
        if self.saver is not None:
            self.saver.abandon()

    def save(self) -> None:
        """Begin to write a checkpoint of what is now."""
        self._tell_lines()
        self.learner.phases.skip()
        before = self.clock()
        self.state.seconds = before - self._began
        self._estimate()
        if self.saver is not None:
            self.saver.save(self.state, self.best)
        if self.pace is not None and not self.pace.knows:
            self.written()
        self._saved, self._last = True, self.clock()
        if self.pace is not None:
            self.pace.saved(self._last - before)
        self.learner.phases.mark("save")

    def _estimate(self) -> None:
        """Have a run with a budget end where that does; the checkpoint that is about to be written says so."""
        step, learner = self.state.step, self.learner
        if learner.run.train.budget is None:
            return
        if self._done() is None:
            steps = learner.world.first(learner.steps if self.pace is None else self.pace.fitting(learner, step), int)
            if steps != learner.steps:
                self.learner = learner.lasting(learner.length.anew(step, steps))
                self.listener.planned(steps)
        if self.saver is not None:
            self.saver.learner = self.learner
        if self.pace is not None:
            self.state.spent, self.state.costs = self.pace.spent(), self.pace.costs

    def _due(self) -> bool:
        """Return whether a checkpoint is due: by steps, by the minutes that have passed, or for an estimate."""
        save = self.learner.run.save
        if self.state.step % save.every == 0:
            return True
        if self.learner.run.train.budget is not None:
            late = self.pace is not None and self.pace.due(self.learner, self.state.step)
            if self.learner.world.agree(int(late)):
                return True
        late = save.minutes is not None and self.clock() - self._last >= 60 * save.minutes
        return save.minutes is not None and bool(self.learner.world.agree(int(late)))

    def _asked(self) -> int:
        """Return the exit code with which any process was asked to leave, `SAVE`, or 0 where nobody was asked."""
        return self.learner.world.agree(self.requests.asked)

    def _done(self) -> str | None:
        patience = self.learner.run.train.patience
        if self.state.step >= self.learner.steps:
            return "steps"
        if self.state.pruned:
            return "pruned"
        return "patience" if patience and self.state.waited >= patience else None

    def _step(self) -> None:
        every = self.learner.run.log.quantities
        step, self.state.reached = self.state.step + 1, None
        taken = self.learner.step(step, watch=bool(every) and step % every == 0)
        if self.pace is not None:
            self.pace.stepped()
        self.state.step, self._saved = step, False
        self.state.tokens += taken.tokens
        self._finish_step({"step": step, "lr": taken.lr, "tokens": self.state.tokens, **watched(taken)}, taken)

    def _finish_step(self, line: dict[str, Any], taken: Taken) -> None:
        run, step = self.learner.run, line["step"]
        line["seconds"] = round(self.clock() - self._began, 4)
        line["phases"] = self.learner.phases.take()
        self._waiting.add(taken, line)
        evaluated = due(step, self.learner.steps, run.evaluate.every)
        if not evaluated and taken.applied is not False and step % run.log.every:
            return
        last = self._tell_lines(keep_last=evaluated)
        if evaluated:
            self.state.pending = last

    def _tell_lines(self, keep_last: bool = False) -> dict[str, Any]:
        """Tell the lines that wait, or all but the last one, and return the last one complete."""
        line: dict[str, Any] = {}
        for line, numbers in self._waiting.ready():
            bad = left_out.note(self.learner.run, self.state, line, numbers, self.progress.warn)
            if bad is not None:
                where = culprit.find(self.learner, line["step"])
                raise self._diverged(line["step"], bad, numbers[bad], where)
            if not (keep_last and line["step"] == self.state.step):
                self.listener.stepped(line)
        return line

    def _start(self) -> None:
        """Measure the model before its first step, for reference."""
        found = self._pass(self.learner.task.sample(self.learner), self.learner.evaluate)
        if found is not None:
            self.state.start = Best.at(0, found)
            self._tell(self.state.start)
            if self.state.pruned:  # the weights before the first step are the best that there will be
                self._judge(self.state.start)
                self._saved = False

    def _evaluate(self) -> None:
        """Complete the pending line with a held-out pass; a request to leave in its middle leaves it pending."""
        line = self.state.pending
        assert line is not None
        found = self._pass(self.learner.task.sample(self.learner), self.learner.evaluate)
        if found is None:
            return
        now = Best.at(line["step"], found)
        self._judge(now)
        line.update(now.line())
        self.state.pending, self._saved = None, False
        line["seconds"] = round(self.clock() - self._began, 4)
        line["phases"] = {**line["phases"], **self.learner.phases.take()}
        self.listener.stepped(line)
        self._tell(now)

    def _tell(self, now: Best) -> None:
        """Tell listeners of a held-out pass; one of them may ask for an end, in all processes."""
        pruned = bool(self.listener.evaluated(now.step, now))
        self.state.pruned = bool(self.learner.world.agree(int(pruned)))

    def _reach(self) -> None:
        """Measure the best weights on all of the held-out part, where that does not take too long for this run."""
        best, model = self.state.best, self.learner.model
        assert best is not None
        assert self.best is not None
        part = self.learner.task.whole(self.learner, self.state.tokens)
        if part is None:
            self.state.reached = best
            return
        now = weights.take(model)
        weights.put(model, self.best, "the best weights")
        found = self._pass(part, functools.partial(self.learner.measure, part))
        self.state.reached = None if found is None else Best.at(best.step, found)
        weights.put(model, now, "the weights of the last step")
        self._saved = self.state.reached is None

    def _pass(self, part: Part, take: Callable[..., Scores]) -> Scores | None:
        """Return the scores that `take` finds on `part`; None where a request to leave came in the middle."""
        what, total = self.learner.task.score.title, part.tokens
        before = self.clock() if self.pace is not None else 0.0
        try:
            found = take(
                stop=lambda: self._asked() > SAVE,
                tell=lambda done: self.progress.measuring(what, min(done, total - 1), total),
            )
        except Abandoned:
            return None
        finally:
            self.progress.measuring(what, total, total)
        self.learner.phases.mark("evaluate")
        if self.pace is not None:
            self.pace.passed(total, self.clock() - before)
        value = found.values[self.learner.task.score.name]
        if not math.isfinite(value):
            raise self._diverged(self.state.step, "held_out", value)
        return found

    def _judge(self, now: Best) -> None:
        """Compare a pass with the best before it; both are over the same windows, of the weights that are kept."""
        best = self.state.best
        self.state.last = now
        if self.learner.task.score.better(now.values, None if best is None else best.values):
            self.state.best, self.state.waited = now, 0
            self.best = keeping.measured(self.learner)
        else:
            self.state.waited += 1

    def _diverged(self, step: int, name: str, value: float, where: str | None = None) -> Exception:
        self.written()  # so that it is known what is kept
        row = self.state.in_a_row
        return diverged.number(self.learner.run, step, name, value, self.folder.checkpoints, where, row)
