"""What a configuration's name of a loss stands for. May import `config`, `variants` and its siblings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from .. import config, variants
from .device import Forward


@dataclass(frozen=True)
class TargetLoss(ABC):
    """What a step minimises for each target; a held-out score is the plain cross-entropy whatever this is. Abstract."""

    @abstractmethod
    def around(self, forward: Forward) -> Forward:
        """Return `forward`, which given ``targets_BT=`` returns the cross-entropy, with this loss in its place."""


def parse(section: config.Loss) -> TargetLoss:
    """Return the loss that a configuration names.

    Example:
        >>> parse(config.Loss(values={"z_loss": 0.5}))
        CrossEntropy(label_smoothing=0.0, z_loss=0.5)
    """
    given = {"name": section.name, **section.values}
    found: TargetLoss = variants.resolve("loss", given)
    return found
