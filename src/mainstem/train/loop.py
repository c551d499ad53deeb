"""The loop: step, evaluate, save, until the steps or the patience are used up. May import everything but the cli.

Numbers stay tensors until they are written, so that a GPU is never waited for at every step; a loss that is not finite
is therefore found when its line is due, always before anything is saved.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from .. import config, data, optim
from ..measure.evaluate import Abandoned, evaluate
from . import checkpoint, diverged, gap, publish, weights
from .console import Progress
from .device import Place
from .metrics import Metrics
from .phases import Clock, Phases
from .run_folder import RunFolder
from .signals import Requests, Stop
from .state import Best, State
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
        train = self.parts.run.train
        with self.requests.finish_first():
            while True:
                if self.state.pending is not None:
                    self._evaluate()
                done = self._done()
                if not self._saved and (done or self.state.step % train.save_every == 0 or self.requests.code):
                    self.save()
                if self.requests.code:
                    raise Stop(self.requests.code, saved=True)
                if done:
                    return done
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
        with disk("metrics.jsonl", parts.folder):
            record = self.metrics.sync()
        content = {
            "metrics": record, "state": self.state, "optimizer": settings, "steps": parts.steps,
            "facts": parts.decisive,
        }  # fmt: skip
        checkpoint.save(parts.folder.checkpoints, self.state.step, tensors, content, run.train.keep)
        self._publish()
        self._saved = True
        self._phases.mark("save")

    def _publish(self) -> None:
        """Offer the best model so far, where it is not the one that is offered already."""
        best = self.state.best
        if best is not None and self.best is not None and best.step != self._published:
            with disk("the best model", self.parts.folder):
                publish.model(self.parts.folder.path, self.parts.model, self.best, best)
            self._published = best.step

    def _done(self) -> str | None:
        patience = self.parts.run.train.patience
        if self.state.step >= self.parts.steps:
            return "steps"
        return "patience" if patience and self.state.waited >= patience else None

    def _step(self) -> None:
        parts, every = self.parts, self.parts.run.log.quantities
        step = self.state.step + 1
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
        evaluated = step % run.train.eval_every == 0 or step >= self.parts.steps
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
        with disk("metrics.jsonl", self.parts.folder):
            self.metrics.append(line)
            if self.board is not None:
                self.board.add(line)

    def _evaluate(self) -> None:
        """Complete the pending line with a held-out pass; a request to leave in its middle leaves it pending."""
        parts, line = self.parts, self.state.pending
        assert line is not None
        how: dict[str, Any] = {
            "documents": parts.run.data.documents == "mask", "autocast": parts.place.autocast,
            "stop": lambda: self.requests.code is not None,
        }  # fmt: skip
        with parts.learner.averaged():
            try:
                held = evaluate(parts.model, parts.corpus.held_out, context=parts.context, **how)
                line["gap"] = gap.gap(parts.model, held, parts.corpus.train, parts.context, **how)
            except Abandoned:
                line.pop("gap", None)
                return
            if not math.isfinite(held.nats_per_token):
                found = line["step"], "held_out", held.nats_per_token
                raise diverged.number(parts.run, *found, parts.folder.checkpoints)
            line["held_out"] = {"nats_per_token": held.nats_per_token, "bits_per_byte": held.bits_per_byte}
            self._judge(Best(step=line["step"], **line["held_out"]))
        self.state.pending, self._saved = None, False
        self._phases.mark("evaluate")
        line["seconds"] = round(self.parts.clock() - self._began, 4)
        line["phases"] = {**line["phases"], **self._phases.take()}
        self._record(line)
        with disk("metrics.jsonl", parts.folder):
            self.metrics.flush()
        self._show(line)

    def _judge(self, now: Best) -> None:
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
            held = line["held_out"]["nats_per_token"]
            found = {"value": line["gap"], "low": line["gap"], "high": line["gap"], "held_out": held,
                   "training": held - line["gap"]}  # fmt: skip
            measured = {"held_out": held, "held_out_error": None, "gap": found}
        self.progress.show({
            "step": line["step"], "steps": self.parts.steps, "loss": line["loss"], "rate": tokens / seconds,
            "left": (self.parts.steps - line["step"]) * seconds / max(steps, 1), **measured,
        })  # fmt: skip


@contextlib.contextmanager
def disk(what: str, folder: RunFolder) -> Any:
    """Turn the failure of a write inside the ``with`` into a sentence."""
    try:
        yield
    except OSError as error:
        raise checkpoint.disk_failed(error, what, folder.path) from error


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
