"""From tokens into the stream. May import noise.

Shapes: B batch, T position, D width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import BadInput
from ..noise import Dropout
from .context import Context
from .ngrams import NGrams


class Embedding(nn.Module):
    """x = E[token], plus P[position] where positions are learned, with dropout: int64 [B, T] -> [B, T, D].

    `ngrams`: what the last tokens are together is added too (`NGrams`). The dropout stands behind the sum, so that a
    tied head never sees its mask.

    >>> Embedding(10, 4)(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 4])
    """

    def __init__(
        self,
        vocab: int,
        width: int,
        learned_positions: int | None = None,
        rate: float = 0.0,
        ngrams: NGrams | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(vocab, width) * 0.02)
        self.position = None
        if learned_positions is not None:
            self.position = nn.Parameter(torch.randn(learned_positions, width) * 0.02)
        self.ngrams = ngrams
        self.dropout = Dropout(rate) if rate else None

    def roles(self) -> dict[str, str]:
        named = {"weight": "embedding"}
        return named if self.position is None else named | {"position": "position"}

    def forward(self, tokens_BT: Tensor, ctx: Context | None = None) -> Tensor:
        x_BTD = nn.functional.embedding(tokens_BT, self.weight)
        if self.ngrams is not None:
            x_BTD = x_BTD + self.ngrams(tokens_BT, ctx)
        if self.position is not None:
            length = tokens_BT.shape[1]
            if ctx is not None and ctx.positions is not None:
                x_BTD = x_BTD + self.position[ctx.positions]
            elif length <= len(self.position):
                x_BTD = x_BTD + self.position[:length]
            else:
                raise BadInput(f"{length} tokens are more than the {len(self.position)} learned positions: give fewer")
        return x_BTD if self.dropout is None else self.dropout(x_BTD)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}"
