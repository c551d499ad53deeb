"""Stochastic depth: which samples leave out a branch."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .. import ops
from ..counter import WHOLE_BATCH, Draw
from .site import Noise, laid_out_as


class StochasticDepth(Noise):
    """Stochastic depth: a branch is left out for some samples, in training.

    Formula:
        x + m / (1 - rate) * F(x), m ~ Bernoulli(1 - rate), one m a sample

    As ``Residual(branch, drop_path=StochasticDepth(rate))`` it decides before the branch is computed, and what is
    dropped is not computed and costs nothing. Called as a module it multiplies what a branch returned: ``x +
    drop_path(F(x))``, with timm's names, `drop_prob` and `scale_by_keep`. Both draw the same m.

    Shapes:
        x [B, ...]

    Args:
        rate: the probability of leaving a branch out.
        scale_by_keep: whether what is kept is divided by 1 - rate.
        per: one m for each "sample", or one for the whole "batch".
        whole_blocks: whether all branches of a block draw the same m, so that a block is left out as a whole.
        drop_prob: another name for rate, which it takes the place of.

    Raises:
        BadInput: which is a ValueError, where `rate` is not in [0, 1].

    Source:
        Huang et al. 2016 (1603.09382). The paper does not scale in training but at test time; here kept branches are
        scaled in training, so that evaluation needs no change.

    Example:
        >>> x, drop_path = torch.ones(4, 2), StochasticDepth(0.25).eval()
        >>> (x + drop_path(x)).unique().tolist(), drop_path.keep(4) is None
        ([2.0], True)
    """

    purpose = "path"
    stem = "drop_path"

    def __init__(
        self,
        rate: float = 0.0,
        scale_by_keep: bool = True,
        *,
        per: Literal["sample", "batch"] = "sample",
        drop_prob: float | None = None,
        whole_blocks: bool = False,
    ) -> None:
        super().__init__(rate if drop_prob is None else drop_prob)
        self.scale_by_keep, self.per, self.whole_blocks = scale_by_keep, per, whole_blocks

    def shared(self, name: str) -> str:
        # "blocks.3.attention.drop_path" is of the residual "attention" of the block "blocks.3".
        return name.rsplit(".", 2)[0] if self.whole_blocks and name.count(".") > 1 else name

    @property
    def drop_prob(self) -> float:
        """The rate, by the name that timm has for it."""
        return self.rate

    @drop_prob.setter
    def drop_prob(self, rate: float) -> None:
        self.set_rate(rate)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` [B, ...] with whole samples 0, and the others scaled."""
        mask = self.mask(x.shape[0])
        if mask is None:
            return x
        if self.per == "sample" and self.scale_by_keep:
            return laid_out_as(x, ops.drop_path(x, mask))
        kept, scale = (part.to(x.device) for part in self._decision(mask, x.shape[0]))
        kept = kept.view(-1, *[1] * (x.dim() - 1))
        return torch.where(kept, x * scale.to(x.dtype), torch.zeros((), dtype=x.dtype, device=x.device))

    def keep(self, num_samples: int) -> tuple[Tensor, Tensor] | None:
        """Return (kept [B] bool, scale of a kept branch), or None where nothing can be dropped."""
        mask = self.mask(num_samples)
        return None if mask is None else self._decision(mask, num_samples)

    def _decision(self, mask: ops.Mask, num_samples: int) -> tuple[Tensor, Tensor]:
        if self.per == "batch":
            everyone = torch.full((1,), WHOLE_BATCH, dtype=torch.int64, device=mask.draw.samples.device)
            mask = mask._replace(draw=Draw(mask.draw.key, everyone))
        bits = ops.mask_bits((mask.draw.samples.shape[0], 1), mask)
        scale = mask.scale(self.threshold.device)
        return (bits[:, 0] & 1).bool().expand(num_samples), scale if self.scale_by_keep else torch.ones_like(scale)

    def extra_repr(self) -> str:
        said = f"drop_prob={self.drop_prob:g}, scale_by_keep={self.scale_by_keep}, per={self.per!r}"
        return said + (", whole_blocks=True" if self.whole_blocks else "") + self._said
