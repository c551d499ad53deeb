"""Rotary positions.

Shapes: B batch, T position, H heads, K head width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..ops.rms_norm.reference import rotate


class Rotary(nn.Module):
    """Rotary positions: pairs of a head's channels are rotated by angles that grow with the position.

    Formula:
        (x_i, x_(i + K/2)) rotated by position * base^(-2 i / K)

    Products of queries and keys then depend on the difference of their positions alone.

    Shapes:
        x, y [B, H, T, K]; positions [T], or None for 0 .. T - 1

    Args:
        head_width: K, even.
        context: how many positions are computed ahead.
        base: of the angles.

    Source:
        Su et al. 2021 (2104.09864), equation 34, with the halves as pairs in place of neighbours.

    Example:
        >>> x = torch.randn(1, 1, 1, 4)
        >>> Rotary(4)(x).equal(x)  # position 0 is not rotated
        True
    """

    cosine_TK: Tensor
    sine_TK: Tensor

    def __init__(self, head_width: int, context: int = 1024, base: float = 10000.0) -> None:
        super().__init__()
        self.head_width, self.base = head_width, base
        cosine, sine = self._tables(torch.arange(context))
        self.register_buffer("cosine_TK", cosine.to(torch.float32), persistent=False)
        self.register_buffer("sine_TK", sine.to(torch.float32), persistent=False)

    def _tables(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        at = positions.cpu() if positions.device.type == "mps" else positions  # Metal has no float64
        half = torch.arange(0, self.head_width, 2, dtype=torch.float64, device=at.device)
        angle = at.to(torch.float64)[:, None] * self.base ** (-half / self.head_width)
        if at is positions:
            return angle.cos(), angle.sin()
        return angle.cos().float().to(positions.device), angle.sin().float().to(positions.device)

    def angles(self, length: int, like: Tensor, positions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the cosines and sines of `length` rows, [T, K / 2], for an array on the device of `like`."""
        stored = positions is None and length <= len(self.cosine_TK) and like.dtype != torch.float64
        if stored:
            return self.cosine_TK[:length], self.sine_TK[:length]
        return self._tables(torch.arange(length, device=like.device) if positions is None else positions)

    def float_angles(self, length: int, like: Tensor, positions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return `angles` in float32, as the kernels read them."""
        cosine, sine = self.angles(length, like, positions)
        return cosine.to(torch.float32), sine.to(torch.float32)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Rotary:
        # The tables are numbers, not state: made anew they are right after `to_empty` too, and exact in any dtype.
        super()._apply(fn, recurse)
        device = self.cosine_TK.device
        cosine, sine = self._tables(torch.arange(len(self.cosine_TK), device="cpu"))  # not every device has float64
        self.cosine_TK, self.sine_TK = cosine.float().to(device), sine.float().to(device)
        return self

    def forward(self, x_BHTK: Tensor, positions: Tensor | None = None) -> Tensor:
        return rotate(x_BHTK, *self.angles(x_BHTK.shape[2], x_BHTK, positions))

    def extra_repr(self) -> str:
        return f"{self.head_width}, base={self.base:g}"
