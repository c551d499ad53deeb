"""What a task is to the loop, and the score by which its models are compared. May import `runs` and its siblings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from torch import Tensor, nn

from .. import config
from ..runs.state import Scores
from .batch import Batch
from .device import Forward

if TYPE_CHECKING:
    from .learner import Learner

Stop = Callable[[], bool]
Tell = Callable[[str, int, int], None]


class Data(Protocol):
    """What a task trains on; `facts` say what it is, as JSON values, and their ``hash`` that it is still the same."""

    @property
    def facts(self) -> dict[str, Any]: ...


class Part(NamedTuple):
    """What a pass measures: how many windows of held-out and of training data, and how many targets at most."""

    held_out: int
    training: int
    tokens: int


class Task(ABC):
    """What is learned: from data to a model, a batch, a loss, and scores. A value without state."""

    @abstractmethod
    def prepare(self, run: config.Run, cache: Path, tell: Tell | None = None) -> Data:
        """Return what `run` trains on; `cache` is a folder for what takes long to make."""

    @abstractmethod
    def build(self, run: config.Run, data: Any) -> nn.Module:
        """Return the model at its initial weights, drawn from ``run.seed``."""

    @abstractmethod
    def size(self, data: Any) -> int:
        """Return how many targets there are to train on: those of one epoch."""

    @abstractmethod
    def targets(self, model: nn.Module) -> int:
        """Return how many targets one sample of a batch has."""

    @abstractmethod
    def batch(self, learner: Learner, step: int, slots: range) -> Batch:
        """Return the samples in `slots` of the global batch of `step` (from 1): a pure function of seed, step, slot."""

    @abstractmethod
    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Return the sum of the losses of a batch, each times its weight; it is divided by the count of the step."""

    @abstractmethod
    def sample(self, learner: Learner) -> Part:
        """Return what a pass in between measures: always the same, so that passes can be compared."""

    def whole(self, learner: Learner, trained: int) -> Part | None:
        """Return what the pass at the end measures after `trained` targets of training; None: what `sample` gives."""
        return None

    @abstractmethod
    def evaluate(
        self, learner: Learner, part: Part, stop: Stop | None = None, tell: Callable[[int], None] | None = None
    ) -> Scores:
        """Return the scores of the weights that the model holds now.

        ``tell(targets)`` hears how much is done. Raises `measure.evaluate.Abandoned` once `stop()` is true.
        """
