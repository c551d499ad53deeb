"""The name `muon` of a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from ..config.sections import Positive, Rate
from .after import After
from .around import Around
from .before import Before
from .grouping import Groups
from .optimizer import Update
from .presets import Muon
from .spec import OptimizerSpec


@dataclass(frozen=True)
class MuonSpec(OptimizerSpec):
    """`Muon` for the matrices of attention and feed-forward, and AdamW for all others.

    Args:
        muon_lr: Muon's peak learning rate.
        lr: peak learning rate; with muon, of what AdamW takes.
        momentum: Muon's momentum.
        betas: how much of AdamW's moments stays.
        eps: added to AdamW's denominator.
        scale: what Muon's step is multiplied by.
        roles: roles of the matrices that Muon takes.

    Source:
        Jordan et al., "Muon" (2024); Liu et al. 2025 (2502.16982) for `match_rms_adamw`.
        Read: code of the authors (KellerJordan/Muon) and of PyTorch.
        Differs: momentum and rates are those found here.

    Example:
        >>> from torch import nn
        >>> made = MuonSpec(muon_lr=0.3, lr=0.1).over(nn.Linear(2, 2).parameters(), before=(), around=None)
        >>> [group["peak"] for group in made.param_groups]
        [0.3, 0.1]
    """

    rates: ClassVar[tuple[str, ...]] = ("lr", "muon_lr")

    muon_lr: Positive = 0.028
    # What Muon leaves to AdamW is above all the embedding, which bears ten times as much beside it.
    lr: Positive = 2e-2
    momentum: Rate = 0.9
    betas: tuple[Rate, Rate] = (0.9, 0.95)
    eps: Positive = 1e-8
    scale: Literal["original", "match_rms_adamw"] = "original"
    roles: tuple[str, ...] = ("attention", "feedforward")

    @property
    def peak(self) -> float:
        return self.lr

    def over(
        self, groups: Groups, *, before: Sequence[Before], around: Around | None, after: Sequence[After] = ()
    ) -> Update:
        return Muon(
            groups, self.muon_lr, self.lr, self.momentum, self.betas, self.eps, self.scale, self.roles, before=before,
            around=around, after=after,
        )  # fmt: skip
