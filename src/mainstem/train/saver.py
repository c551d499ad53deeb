"""When and how a run's checkpoints and its best model are written. May import `runs` and its siblings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..runs import checkpoint, publish, weights
from ..runs.disk import disk
from ..runs.metrics import Metrics
from ..runs.run_folder import RunFolder
from ..runs.state import State
from . import diverged
from .learner import Learner


@dataclass
class Saver:
    """Writes to `folder` what `learner` has learned; `decisive` is what every manifest says of the run."""

    folder: RunFolder
    learner: Learner
    metrics: Metrics
    decisive: dict[str, Any]
    _published: int | None = field(default=None, init=False)

    def save(self, state: State, best: weights.Tensors | None) -> None:
        """Write a checkpoint of what is now, then offer the best model so far.

        Raises:
            RunFailed: where a number is not finite, or the disk does not take it.
        """
        run = self.learner.run
        tensors, settings = self.learner.state()
        if best is not None:
            tensors = {**tensors, "best": best}
        if (name := diverged.first(tensors)) is not None:
            raise diverged.tensor(run, state.step, name, self.folder.checkpoints)
        with disk("metrics.jsonl", self.folder.path):
            record = self.metrics.sync()
        length = msgspec.to_builtins(self.learner.length)
        content = {"metrics": record, "state": state, "optimizer": settings, "length": length, **self.decisive}
        checkpoint.save(self.folder.checkpoints, state.step, tensors, content, run.save.keep)
        self._publish(state, best)

    def _publish(self, state: State, tensors: weights.Tensors | None) -> None:
        """Offer the best model so far, where it is not the one that is offered already."""
        if state.best is not None and tensors is not None and state.best.step != self._published:
            task = self.learner.task
            with disk("the best model", self.folder.path):
                publish.model(self.folder.path, task.name, task.settings(self.learner.model), tensors, state.best)
            self._published = state.best.step
