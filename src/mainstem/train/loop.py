"""The loop: step, evaluate, save, until the steps or the patience are used up. May import everything but the cli.

Numbers stay tensors until they are written, so that a GPU is never waited for at every step; a loss that is not finite
is therefore found when its line is due, always before anything is saved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from .. import config, data, optim
from ..measure.evaluate import Abandoned
from ..runs import checkpoint, facts, publish, weights
from ..runs.disk import disk
from ..runs.metrics import Metrics
from ..runs.run_folder import RunFolder
from ..runs.state import Best, State
from . import diverged, evaluation
from .console import Progress
from .device import Place
from .phases import Clock, Phases
from .signals import Requests, Stop
from .step import Learner
from .tensorboard import Board


@dataclass
class Parts:
    """What a loop works with; made by `assemble`, so that every part can also be had alone."""

    run: config.Run
    folder: RunFolder
    corpus: data.Corpus
    learner: Learner
    context: int
    steps: int
    clock: Clock = perf_counter
    facts: dict[str, Any] = field(default_factory=dict)
    decisive: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> nn.Module:
        """The model that is trained."""
        return self.learner.model

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Its optimizer."""
        return self.learner.optimizer

    @property
    def average(self) -> optim.averaging.Average | None:
        """The average of its weights, where there is one."""
        return self.learner.average

    @property
    def place(self) -> Place:
        """Where it computes."""
        return self.learner.place


@dataclass
class Loop:
    """One run in progress. `state` and `best` are what a checkpoint holds besides weights, moments and averages."""

    parts: Parts
    state: State
    metrics: Metrics
    progress: Progress
    requests: Requests
    best: weights.Tensors | None = None
    board: Board | None = None

    def __post_init__(self) -> None:
        self._phases = Phases(self.parts.clock)
        self._lines: list[tuple[dict[str, Any], dict[str, Tensor]]] = []
        self._began = self.parts.clock() - self.state.seconds
        self._first = (self.state.step, self.parts.clock())
        self._saved = True
        self._published: int | None = None

    def go(self) -> str:
        """Train until something ends it, and return what: steps, or patience. Raises `Stop` where it was asked to."""
        every = self.parts.run.save.every
        with self.requests.finish_first():
            if self.state.step == 0:
                self._start()
            while True:
                if self.state.pending is not None:
                    self._evaluate()
                done = self._done()
                if not self._saved and (done or self.state.step % every == 0 or self.requests.code):
                    self.save()
                if self.requests.code:
                    raise Stop(self.requests.code, saved=True)
                if done and self.state.reached is not None:
                    return done
                if done:
                    self._reach()
                else:
                    self._step()

    def save(self) -> None:
        """Write a checkpoint of what is now."""
        self._write_lines()
        parts, run = self.parts, self.parts.run
        self._phases.skip()
        moments, settings = optim.state.flatten(parts.optimizer, parts.model)
        tensors = {"model": weights.take(parts.model), "optimizer": moments}
        if parts.average is not None:
            tensors["average"] = parts.average.state()
        if self.best is not None:
            tensors["best"] = self.best
        if (name := diverged.first(tensors)) is not None:
            raise diverged.tensor(run, self.state.step, name, parts.folder.checkpoints)
        self.state.seconds = self.parts.clock() - self._began
        with disk("metrics.jsonl", parts.folder.path):
            record = self.metrics.sync()
        content = {
            "metrics": record, "state": self.state, "optimizer": settings, **parts.decisive
        }  # fmt: skip
        checkpoint.save(parts.folder.checkpoints, self.state.step, tensors, content, run.save.keep)
        self._publish()
        self._saved = True
        self._phases.mark("save")

    def _publish(self) -> None:
        """Offer the best model so far, where it is not the one that is offered already."""
        best = self.state.best
        if best is not None and self.best is not None and best.step != self._published:
            with disk("the best model", self.parts.folder.path):
                publish.model(self.parts.folder.path, self.parts.model, self.best, best)
            self._published = best.step

    def _done(self) -> str | None:
        patience = self.parts.run.train.patience
        if self.state.step >= self.parts.steps:
            return "steps"
        return "patience" if patience and self.state.waited >= patience else None

    def _step(self) -> None:
        parts, every = self.parts, self.parts.run.log.quantities
        step, self.state.reached = self.state.step + 1, None
        taken = parts.learner.step(step, parts.steps, self._phases, watch=bool(every) and step % every == 0)
        self.state.step, self._saved = step, False
        self.state.tokens += taken.tokens
        watched = {} if taken.watched is None else _depth(*taken.watched)
        self._finish_step({"step": step, "lr": taken.lr, "tokens": self.state.tokens, **watched}, taken.numbers)

    def _finish_step(self, line: dict[str, Any], found: dict[str, Tensor]) -> None:
        run, step = self.parts.run, line["step"]
        line["seconds"] = round(self.parts.clock() - self._began, 4)
        line["phases"] = self._phases.take()
        self._lines.append((line, found))
        evaluated = evaluation.due(step, self.parts.steps, run.evaluate.every)
        if not evaluated and step % run.log.every:
            return
        last = self._write_lines(keep_last=evaluated)
        if evaluated:
            self.state.pending = last
        else:
            self._show(last)

    def _write_lines(self, keep_last: bool = False) -> dict[str, Any]:
        """Write the lines that wait, or all but the last one, and return the last one complete."""
        line: dict[str, Any] = {}
        for line, numbers in zip([line for line, _ in self._lines], _numbers(self._lines), strict=True):
            for name, value in numbers.items():
                if not math.isfinite(value):
                    raise diverged.number(self.parts.run, line["step"], name, value, self.parts.folder.checkpoints)
            line.update(numbers)
            if not (keep_last and line["step"] == self.state.step):
                self._record(line)
        self._lines.clear()
        return line

    def _record(self, line: dict[str, Any]) -> None:
        with disk("metrics.jsonl", self.parts.folder.path):
            self.metrics.append(line)
            if self.board is not None:
                self.board.add(line)

    def _start(self) -> None:
        """Measure the model before its first step, for reference; facts.json has it from now on."""
        parts = self.parts
        self.state.start = found = self._pass(0, evaluation.sample(parts.learner, parts.corpus.held_out))
        if found is not None:
            parts.facts["start"] = msgspec.to_builtins(found)
            with disk(facts.NAME, parts.folder.path):
                facts.write(parts.folder.path / facts.NAME, parts.facts)
        self._first = (0, parts.clock())

    def _evaluate(self) -> None:
        """Complete the pending line with a held-out pass; a request to leave in its middle leaves it pending."""
        parts, line = self.parts, self.state.pending
        assert line is not None
        with parts.learner.averaged():
            found = self._pass(line["step"], evaluation.sample(parts.learner, parts.corpus.held_out))
            if found is None:
                return
            self._judge(found)
        line.update(evaluation.line(found))
        self.state.pending, self._saved = None, False
        line["seconds"] = round(self.parts.clock() - self._began, 4)
        line["phases"] = {**line["phases"], **self._phases.take()}
        self._record(line)
        with disk("metrics.jsonl", parts.folder.path):
            self.metrics.flush()
        self._show(line)

    def _reach(self) -> None:
        """Measure the best weights on all of the held-out part, where that does not take too long for this run."""
        parts, best = self.parts, self.state.best
        assert best is not None
        assert self.best is not None
        windows = evaluation.last(parts.learner, parts.corpus.held_out, self.state.tokens)
        if windows is None:
            self.state.reached = best
            return
        now = weights.take(parts.model)
        weights.put(parts.model, self.best, "the best weights")
        self.state.reached = self._pass(best.step, windows)
        weights.put(parts.model, now, "the weights of the last step")
        self._saved = self.state.reached is None

    def _pass(self, step: int, windows: evaluation.Windows) -> Best | None:
        """Return what the model's present weights come to; None where a request to leave came in the middle."""
        parts = self.parts
        what = "held-out loss"
        try:
            found = evaluation.taken(
                parts.learner, parts.corpus.held_out, windows, step,
                stop=lambda: self.requests.code is not None,
                tell=lambda done: self.progress.measuring(what, min(done, windows.tokens - 1), windows.tokens),
            )  # fmt: skip
        except Abandoned:
            return None
        finally:
            self.progress.measuring(what, windows.tokens, windows.tokens)
        self._phases.mark("evaluate")
        if not math.isfinite(found.nats_per_token):
            raise diverged.number(parts.run, step, "held_out", found.nats_per_token, parts.folder.checkpoints)
        return found

    def _judge(self, now: Best) -> None:
        """Compare a pass with the best before it; both are over the same windows."""
        best = self.state.best
        self.state.last = now
        if best is None or now.nats_per_token < best.nats_per_token:
            self.state.best, self.state.waited = now, 0
            self.best = weights.take(self.parts.model)
        else:
            self.state.waited += 1

    def _show(self, line: dict[str, Any]) -> None:
        steps, seconds = line["step"] - self._first[0], self.parts.clock() - self._first[1]
        tokens = steps * self.parts.run.train.batch * self.parts.context
        measured = {}
        if "held_out" in line:
            held = line["held_out"]
            measured = {"held_out": held["nats_per_token"], "held_out_error": held["error"], "gap": line["gap"]}
        self.progress.show({
            "step": line["step"], "steps": self.parts.steps, "loss": line["loss"], "rate": tokens / seconds,
            "left": (self.parts.steps - line["step"]) * seconds / max(steps, 1), **measured,
        })  # fmt: skip


def _numbers(lines: list[tuple[dict[str, Any], dict[str, Tensor]]]) -> list[dict[str, float]]:
    """Bring all tensors that wait to the host in one go."""
    flat = [value.detach().float() for _, found in lines for value in found.values()]
    values = iter(torch.stack(flat).tolist() if flat else [])
    return [{name: next(values) for name in found} for _, found in lines]


def _depth(norms: Any, ratio: float) -> dict[str, Any]:
    """Return what a measured step adds to its line; `gradient_slope` is the factor a residual on the way back."""
    from ..report.depth_figures import slope

    points = [(float(depth), value) for depth, value in enumerate(norms.gradient) if 0 < value < math.inf]
    factor = slope(points)
    named = {"update_ratio": ratio, "gradient_slope": math.nan if factor is None else 1 / factor}
    found = {name: value for name, value in named.items() if math.isfinite(value)}
    return {"stream": list(norms.stream), "gradient": list(norms.gradient), **found}
