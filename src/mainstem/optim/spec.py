"""What a configuration's name of an optimizer stands for: a frozen value whose fields are what one may set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .. import variants
from .after import After
from .around import Around
from .before import Before
from .grouping import Groups
from .optimizer import Update


@dataclass(frozen=True)
class OptimizerSpec(ABC):
    """An optimizer and its hyperparameters. Abstract.

    `rates` are the fields that are learning rates, of which `lr` is the one that is shown and written down. `moments`
    are the numbers that it keeps for each weight of a matrix at least.
    """

    rates: ClassVar[tuple[str, ...]] = ("lr",)
    moments: ClassVar[int] = 1

    def __post_init__(self) -> None:
        variants.within(self)

    @property
    @abstractmethod
    def peak(self) -> float:
        """The peak learning rate that is shown and written down."""

    @abstractmethod
    def over(
        self, groups: Groups, *, before: Sequence[Before], around: Around | None, after: Sequence[After] = ()
    ) -> Update:
        """Return the optimizer over `groups`, as `optim.groups` makes them."""
