"""What a task is to the loop, and the score by which its models are compared."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from torch import Tensor, nn

from .. import choice, config
from ..runs.score import Score
from ..runs.state import Best, Scores
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


class Shows:
    """What a run of a task shows of its own: at its beginning, and when it has ended. Nothing, unless overridden."""

    def opening(self, learner: Learner) -> dict[str, str]:
        """Return texts on data and model by their labels, of at most five letters."""
        return {}

    def published(self, folder: Path, sha256: str) -> None:
        """Hear that the best model lies in `folder`, its weights with this checksum; what stands beside it may follow.

        A run that goes on at its end says so again.
        """

    def take(self, learner: Learner) -> None:
        """Show `learner` from now on: the one that has the model whole, where it lay in parts over processes."""

    def found(self, best: Best, tell: Tell, late: Callable[[], bool]) -> dict[str, Any]:
        """Return what facts.json has of the task when the run has ended; `outcome` stands in that of the run.

        ``tell`` hears of what is waited for; nothing is waited for any longer once ``late()`` is true.
        """
        return {}

    def stop(self) -> None:
        """End what is done beside the training, without waiting: the run is being left."""

    def doubts(self) -> list[str]:
        """Return warnings about what `found` could not find."""
        return []

    def samples(self, learner: Learner) -> list[dict[str, Any]]:
        """Return what the model makes, for samples.json; it holds the best weights now."""
        return []

    def closing(self, learner: Learner, best: Best, found: dict[str, Any], sample: dict[str, Any] | None) -> list[str]:
        """Return lines on what was reached, of what `found` and `samples` returned (None: no sample could be made)."""
        return []


class Task(ABC):
    """What is learned: from data to a model, a batch, a loss, and scores. A value without state.

    `name` is what checkpoints and models say; `scores` are what `evaluate` measures. By the first one models are
    compared, and the last one may be compared between any two runs. What people read calls the data `source` and its
    targets `counted`; `guess` says what knowing nothing scores, `commands` (words, command) what a finished run offers.
    Where it `reads_loss`, what `loss` is given as `forward` has the loss of the configuration's section of that name.
    """

    name: ClassVar[str]
    scores: ClassVar[tuple[Score, ...]]
    source: ClassVar[str] = "data"
    counted: ClassVar[str] = "targets"
    guess: ClassVar[str] = ""
    commands: ClassVar[tuple[tuple[str, str], ...]] = ()
    reads_loss: ClassVar[bool] = False

    @property
    def score(self) -> Score:
        """The score that decides which weights are the best."""
        return self.scores[0]

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

    def corpus(self, data: Any) -> choice.Corpus | None:
        """Return the numbers by which a run on this data is chosen; None where nothing can be chosen for the task."""
        return None

    def refuse(self, run: config.Run, begins: bool) -> None:
        """Raise `BadInput` for what is wrong with `run` whatever its data is; `begins`: it has no folder yet."""
        return

    def check_start(self, run: config.Run, data: Any) -> None:
        """Raise `BadInput` where the weights of `train.init_from` were made for data that means something else."""
        return

    def doubts(self, run: config.Run) -> Sequence[str]:
        """Return warnings about `run` that are the same whatever its data is."""
        return ()

    def remarks(self, data: Any) -> tuple[str, Sequence[str]]:
        """Return what is to be said of the data, and warnings about it."""
        return "", ()

    def guard(self, run: config.Run, data: Any) -> contextlib.AbstractContextManager[None]:
        """Return the context in which a run is trained, which turns what its model may meet into sentences."""
        return contextlib.nullcontext()

    def settings(self, model: nn.Module) -> dict[str, Any]:
        """Return JSON values from which the model is built again, for config.json."""
        return {}

    def facts(self, data: Any) -> dict[str, Any]:
        """Return what facts.json says of the data."""
        return {"corpus": data.facts}

    def store(self, data: Any, folder: Path) -> None:
        """Write into the folder of a run what its model cannot be used without."""
        return

    def shows(self, learner: Learner, cache: Path) -> Shows:
        """Return what a run shows; what takes long may begin now, and is kept in the folder `cache`."""
        return Shows()

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
