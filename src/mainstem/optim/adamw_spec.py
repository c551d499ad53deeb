"""The name `adamw` of a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..config.sections import Positive, Rate
from .after import After
from .around import Around
from .before import Before
from .grouping import Groups
from .optimizer import Update
from .presets import AdamW
from .spec import OptimizerSpec


@dataclass(frozen=True)
class AdamWSpec(OptimizerSpec):
    """`AdamW` for all parameters.

    Args:
        lr: peak learning rate; with muon, of what AdamW takes.
        betas: how much of AdamW's moments stays.
        eps: added to AdamW's denominator.

    Source:
        Loshchilov and Hutter 2019 (1711.05101), algorithm 2.
        Read: documentation of PyTorch.
        Differs: no.

    Example:
        >>> from torch import nn
        >>> AdamWSpec(lr=0.1).over(nn.Linear(2, 2).parameters(), before=(), around=None).param_groups[0]["peak"]
        0.1
    """

    moments: ClassVar[int] = 2

    lr: Positive = 2e-3
    betas: tuple[Rate, Rate] = (0.9, 0.95)
    eps: Positive = 1e-8

    @property
    def peak(self) -> float:
        return self.lr

    def over(
        self, groups: Groups, *, before: Sequence[Before], around: Around | None, after: Sequence[After] = ()
    ) -> Update:
        return AdamW(groups, self.lr, self.betas, self.eps, before=before, around=around, after=after)
