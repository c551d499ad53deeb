"""What a configuration's name of a loss stands for."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any

from torch import nn

from ... import config, variants
from ...config.sections import NonNegative, Rate
from ...errors import BadInput
from ...noise import Noise
from ..device import Forward, Place
from ..task import Task


@dataclass(frozen=True)
class TargetLoss(ABC):
    """What a step minimises for each target; a held-out score is the plain cross-entropy whatever this is. Abstract.

    The fields here are terms of every loss. The first three are made with the logits, so that they cost next to
    nothing, as do those of the stream; those of hidden units have each sublayer computed by parts.

    Args:
        label_smoothing: share of the target that goes to all tokens alike.
        z_loss: factor on (ln sum exp logits)^2.
        confidence: factor on the entropy of what is predicted, which is taken off.
        hidden_l1: factor on the mean of |h| over the hidden units of all feed-forward sublayers, at each position.
        hidden_l2: factor on the mean of h^2 of the same.
        stream_l1: factor on the mean of |x| over the residual stream behind the last block, in front of the norm, at
            each position; over all that a form keeps as its stream.
        stream_l2: factor on the mean of x^2 of the same.
    """

    label_smoothing: Rate = 0.0
    z_loss: NonNegative = 0.0
    confidence: NonNegative = 0.0
    hidden_l1: NonNegative = 0.0
    hidden_l2: NonNegative = 0.0
    stream_l1: NonNegative = 0.0
    stream_l2: NonNegative = 0.0

    def __post_init__(self) -> None:
        variants.within(self)

    @abstractmethod
    def around(self, forward: Forward, progress: float = 0.0) -> Forward:
        """Return `forward`, which given ``targets_BT=`` returns the cross-entropy, with this loss in its place.

        `progress` is that of the training, from 0 in its first step to 1 in the last.
        """

    def refuse(self, model: nn.Module) -> None:
        """Raise `BadInput` where this loss would say nothing about `model`."""
        return

    def begin(self, model: nn.Module, data: Any, place: Place) -> TargetLoss:
        """Return the loss of a training of `model` on `data`, with what it needs beyond its values.

        It may have that already, from another model of the same run.
        """
        return self

    @property
    def facts(self) -> dict[str, Any]:
        """What facts.json says of it, which a run that goes on must find again."""
        return {}

    def with_terms(self, forward: Forward, **more: Any) -> Forward:
        """Return `forward` with the terms that are not 0, and `more`."""
        terms = (field.name for field in fields(TargetLoss))
        given = {name: value for name in terms if (value := getattr(self, name))} | more
        return functools.partial(forward, **given) if given else forward


def parse(section: config.Loss) -> TargetLoss:
    """Return the loss that a configuration names.

    Example:
        >>> parse(config.Loss(values={"z_loss": 0.5})).z_loss
        0.5
    """
    given = {"name": section.name, **section.values}
    found: TargetLoss = variants.resolve("loss", given)
    return found


def of(
    run: config.Run, task: Task, model: nn.Module, data: Any, place: Place, begun: TargetLoss | None = None
) -> TargetLoss:
    """Return what a training of `model` by `run` minimises, with what that needs; raise `BadInput` for what cannot be.

    A teacher is read here: once for a run, where the loss that was `begun` for another model of it is handed on.
    """
    found = parse(run.loss) if begun is None else begun
    if not task.reads_loss:
        if found != parse(config.Loss()):
            raise BadInput(f"loss says what a language model minimises, and the task is {task.name}: leave it out.")
        return found
    found.refuse(model)
    return found.begin(model, data, place)


def needs_noise(model: nn.Module, name: str) -> None:
    """Raise `BadInput` where nothing of `model` is ever dropped, so that two passes over a sample are the same."""
    if not any(isinstance(part, Noise) for part in model.modules()):
        raise BadInput(
            f"loss.name {name} compares two passes with other masks, and nothing of this model is dropped: give "
            "--noise.rate 0.1, or another loss."
        )
