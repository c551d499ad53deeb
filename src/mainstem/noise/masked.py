"""A module that drops along some axes, with one draw for all that lies along the others.

Axes have letters, as in `points`: B batch, T position, H heads, Q queries, C keys.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .. import ops
from ..counter import WHOLE_BATCH, Draw
from .site import Noise


class Masked(Noise):
    """Zero, or hide from a softmax, what one of the draws along `over` has dropped; `Bernoulli` says the formula.

    Draws are numbered by sample and position first, so that an array with more positions has the same draws for those
    that both have.

    Args:
        rate: the probability of dropping.
        axes: the letters of the axes of an input, the batch's first.
        over: those along which draws differ.
        how: "scale", "renormalise", "keep" or "minus_inf".
        context: the most queries and keys that there are, by which they are numbered; as many as come if left out.

    Example:
        >>> Masked(0.5, "BTD", "BT").eval()(torch.ones(1, 2, 3)).sum().item()
        6.0
    """

    stem = "dropout"

    def __init__(self, rate: float, axes: str, over: str, how: str = "scale", context: int | None = None) -> None:
        super().__init__(rate)
        self.axes, self.over, self.how, self.context = axes, over, how, context

    def forward(self, x: Tensor) -> Tensor:
        self.refuse_elsewhere(x)
        mask = self.mask(x.shape[0])
        if mask is None:
            return x
        kept = self._kept(x, mask)
        if self.how == "minus_inf":
            return x.masked_fill(~(kept | self._own(x)), float("-inf"))
        wide = torch.promote_types(x.dtype, torch.float32)
        scaled = x if self.how == "keep" else (x.to(wide) * self._scale(kept, mask).to(wide)).to(x.dtype)
        return torch.where(kept, scaled, torch.zeros((), dtype=x.dtype, device=x.device))

    def _scale(self, kept: Tensor, mask: ops.Mask) -> Tensor:
        if self.how == "scale":
            return mask.scale(kept.device)
        within = tuple(range(1, kept.dim()))
        return kept[0].numel() / kept.sum(within, keepdim=True).clamp(min=1).to(torch.float32)

    def _kept(self, x: Tensor, mask: ops.Mask) -> Tensor:
        """Return which draws keep, bool, of the axes of `x` with 1 where one draw is shared."""
        if "B" not in self.over:
            everyone = torch.full((1,), WHOLE_BATCH, dtype=torch.int64, device=mask.draw.samples.device)
            mask = mask._replace(draw=Draw(mask.draw.key, everyone))
        sizes = dict(zip(self.axes, x.shape, strict=True)) | {"B": mask.draw.samples.shape[0]}
        context = max(self.context or 0, sizes.get("Q", 0), sizes.get("C", 0))
        if {"H", "Q", "C"} <= set(self.over):  # numbered as dropout of attention weights is
            shape = [sizes[axis] for axis in self.axes]
            return unpacked(ops.mask_bits(shape, mask, context=context), shape[-1]).to(x.device)
        # Positions lie in front of all else, and queries and keys are numbered up to the context.
        order = "B" + "".join(sorted((axis for axis in self.over if axis != "B"), key="TQCHKDF".index))
        drawn = [context if axis in "QC" else sizes[axis] for axis in order] + [1] * (len(order) == 1)
        kept = unpacked(ops.mask_bits(drawn, mask), drawn[-1]).to(x.device)
        for place, axis in enumerate(order):
            kept = kept.narrow(place, 0, sizes[axis])
        kept = kept.reshape([sizes[axis] for axis in order])
        back = [order.index(axis) for axis in self.axes if axis in order]
        return kept.permute(back).reshape([sizes[axis] if axis in order else 1 for axis in self.axes])

    def _own(self, x: Tensor) -> Tensor:
        """Return where a query meets the key of its own position, bool [Q, C]; the last query is the last key's."""
        queries, keys = x.shape[-2:]
        at = torch.arange(keys, device=x.device)
        return at[keys - queries :, None] == at

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, over={self.over!r} of {self.axes!r}, how={self.how!r}"


def unpacked(bits: Tensor, columns: int) -> Tensor:
    """Return the bits of bytes, least first, as bool [..., columns].

    Example:
        >>> unpacked(torch.tensor([[5]], dtype=torch.uint8), 4)
        tensor([[ True, False,  True, False]])
    """
    places = torch.arange(8, dtype=torch.uint8, device=bits.device)
    return ((bits[..., None] >> places) & 1).flatten(-2)[..., :columns].bool()
