"""Span masking: several tokens in a row are hidden.

Shapes: B batch, T position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import ops
from ..errors import BadInput
from .masked import unpacked
from .site import Noise
from .spec import NoiseSpec

_LONGEST = 1 << 16
"""A span may begin so far before the sequence, where a draw is made for each position; and it would hide all of one."""


@dataclass(frozen=True)
class SpanMasking(NoiseSpec):
    """Hide spans of neighbouring tokens from the network, which predicts what follows from the others.

    Formula:
        x_t = m_t E[token_t], m_t = 0 where a span begins at one of the last `length` positions up to t, else 1
        a span begins at a position with the probability 1 - (1 - rate)^(1 / length)

    So each position is hidden with the probability `rate`, also the first ones, as spans may begin before the sequence.
    Spans may overlap. The row of a hidden token is 0, and n-grams beside the tokens do not see it either. Every token
    is still predicted. With a length of 1 tokens are hidden one by one.

    Args:
        length: tokens of a span, from 1 to 65536.

    Raises:
        BadInput: `length` is out of its range.

    Source:
        Joshi et al. 2020 (1907.10529), section 3.1, hides spans of random lengths in a masked language model; here all
        have one length, and the model stays causal.
        Read: code of the authors (facebookresearch/SpanBERT).
        Differs: all spans have one length, where theirs are drawn from a geometric distribution, and the model is
        causal.

    Example:
        >>> import torch
        >>> from mainstem import nn, noise
        >>> embedding = noise.bind(nn.Embedding(10, 4, parts={"inputs": [SpanMasking(0.5, length=3)]}))
        >>> with noise.counter(seed=0, step=0, samples=[4]):
        ...     (embedding(torch.ones(1, 12, dtype=torch.int64)) != 0).any(2).int()
        tensor([[1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1]], dtype=torch.int32)
    """

    over: ClassVar[str] = "BT"
    how: ClassVar[str] = "keep"

    at: str = "embedding.inputs"
    length: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.length <= _LONGEST:
            raise BadInput(f"length {self.length} of a span cannot be: give from 1 to {_LONGEST} tokens.")

    def make(self, rate: float, context: int | None) -> Noise:
        return Spans(rate, self.length)


class Spans(Noise):
    """What a token's row is multiplied by [B, T]: 0 inside a span that is hidden, else 1.

    Example:
        >>> Spans(0.5, 3).eval()(torch.ones(1, 2))
        tensor([[1., 1.]])
    """

    stem = "spans"

    def __init__(self, rate: float, length: int) -> None:
        self.length = length
        super().__init__(rate)

    def drawn(self, rate: float) -> float:
        return 1 - (1 - rate) ** (1 / self.length)

    def forward(self, shown_BT: Tensor) -> Tensor:
        mask = self.mask(shown_BT.shape[0])
        if mask is None:
            return shown_BT
        begins = shown_BT.shape[1] + self.length - 1
        bits = ops.mask_bits((shown_BT.shape[0], begins), mask)
        starts = 1.0 - unpacked(bits, begins).to(shown_BT.device, torch.float32)
        hidden_BT = F.max_pool1d(starts[:, None], self.length, stride=1)[:, 0] > 0
        return shown_BT.masked_fill(hidden_BT, 0.0)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, length={self.length}"
