"""When and how a run's checkpoints and its best model are written.

A checkpoint is written beside the training, from copies (`keeping.state`). Where a model lies in parts over processes
that share the folder each of them writes its own; where they do not, the leading one writes the whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from ..runs import checkpoint, publish, weights
from ..runs.disk import disk
from ..runs.metrics import Metrics
from ..runs.run_folder import RunFolder
from ..runs.state import State
from . import diverged, keeping
from .keeping import Kept
from .learner import Learner
from .processes.failure import Lost
from .processes.parts import Parts
from .writing import Writing


@dataclass
class Share:
    """What every process of a run does for its checkpoints; one that does not lead does no more.

    `learner` is what is saved, `parts` is there where each process writes its own part into `folder`.
    """

    folder: RunFolder
    learner: Learner
    parts: Parts | None = None
    _offered: int | None = field(default=None, init=False)
    _writing: Writing = field(default_factory=Writing, init=False)

    def save(self, state: State, best: weights.Tensors | None) -> None:
        """Begin to write what this process has of a checkpoint, once that of the one before has been written."""
        kept, _ = self._take(state, best)
        if self.parts is not None:
            self._writing.begin(partial(self.parts.write, self.parts.coming(), state.step, kept.tensors))

    def check(self) -> None:
        """Raise what went wrong with a checkpoint, if that is known by now."""
        self._writing.check()

    def wait(self) -> None:
        """Return when all that was begun is on the disk; raise what went wrong."""
        self._writing.wait()

    def abandon(self) -> None:
        """Wait for what this process writes, and for no other one: the run is being left, and something else says why.

        Raises:
            RunFailed: where the disk has not taken it.
        """
        if self.parts is not None:
            self.parts.left = True
        with contextlib.suppress(Lost):
            self.wait()

    def _take(self, state: State, best: weights.Tensors | None) -> tuple[Kept, weights.Tensors | None]:
        """Return what this process has to write, and the best weights whole where they are to be offered anew.

        Raises:
            RunFailed: where a number is not finite, or the disk has not taken the checkpoint before.
        """
        self.wait()
        kept, offer = keeping.state(self.learner, best), None
        if (name := diverged.first(kept.tensors)) is not None:
            raise diverged.tensor(self.learner.run, state.step, name, self.folder.checkpoints)
        if state.best is not None and best is not None and state.best.step != self._offered:
            offer, self._offered = keeping.whole(self.learner, best), state.best.step
        return kept, offer


@dataclass
class Saver(Share):
    """Writes to `folder` what `learner` has learned; `decisive` is what every manifest says of the run."""

    metrics: Metrics = field(kw_only=True)
    decisive: dict[str, Any] = field(kw_only=True)

    def save(self, state: State, best: weights.Tensors | None) -> None:
        """Begin to write a checkpoint of what is now, and behind it the best model so far, where it is a new one."""
        kept, offer = self._take(state, best)
        with disk("metrics.jsonl", self.folder.path):
            record = self.metrics.record()
        now, length = msgspec.to_builtins(state), msgspec.to_builtins(self.learner.length)  # the next step changes them
        content = {"metrics": record, "state": now, "optimizer": kept.settings, "length": length, **self.decisive}
        tensors, others, keep = kept.tensors, None, self.learner.run.save.keep
        if self.parts is not None:
            tensors, others = self.parts.named(tensors), partial(self.parts.collected, self.parts.coming())
        step, offered = state.step, self._publisher(state, offer)

        def write() -> None:
            with disk("metrics.jsonl", self.folder.path):
                self.metrics.settle()
            checkpoint.save(self.folder.checkpoints, step, tensors, content, keep, others)
            offered()

        self._writing.begin(write)

    def _publisher(self, state: State, tensors: weights.Tensors | None) -> Callable[[], None]:
        """Return what writes the best model so far, `tensors`; nothing, where that is there already."""
        best = state.best
        if best is None or tensors is None:
            return lambda: None
        name, settings = self.learner.task.name, self.learner.task.settings(self.learner.model)

        def write() -> None:
            with disk("the best model", self.folder.path):
                publish.model(self.folder.path, name, settings, tensors, best)

        return write
