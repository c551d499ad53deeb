"""What the last few tokens are together, put into the stream beside the token.

Shapes: B batch, T position, P position with those before it, D width, N orders, R rows of the table.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import BadInput
from .context import Context

_PRIME, _SPREAD, _WORD = 2**31 - 1, 0x9E3779B1, 32


class NGrams(nn.Module):
    """What the last tokens are together, looked up in a table that starts at 0.

    Formula:
        y_t = sum_{n=2..order} W[row(x_{t-n+1}, ..., x_t)]

    Each order n has ``min(vocab^n, rows)`` rows of its own: one for each n-gram where they fit, else its number
    decides, and several share a row. An n-gram that begins before the sequence or in another document, or that has a
    hidden token, adds nothing.

    Shapes:
        tokens int64 [B, T] -> [B, T, D]

    Args:
        vocab: how many tokens there are.
        width: D.
        order: the longest n-gram, at least 2.
        rows: the most rows of one order.

    Raises:
        BadInput: for an order below 2 or no rows.

    Source:
        Huang et al. 2025 (2501.16975), hashed n-gram embeddings summed with the token's; here they begin at zero.

    Example:
        >>> grams = NGrams(vocab=3, width=4, order=3, rows=16)
        >>> grams.weight.shape, grams(torch.tensor([[0, 1, 2]])).shape
        (torch.Size([25, 4]), torch.Size([1, 3, 4]))
    """

    stem = "ngrams"
    wants_context = True

    def __init__(self, vocab: int, width: int, order: int, rows: int = 1 << 14) -> None:
        super().__init__()
        if order < 2 or rows < 1:
            raise BadInput(
                f"N-grams of order {order} in {rows} rows: give an order of at least 2 and at least one row."
            )
        self.vocab, self.order, self.rows = vocab, order, rows
        self.sizes = sizes(vocab, order, rows)
        self.weight = nn.Parameter(torch.zeros(sum(self.sizes), width))

    def roles(self) -> dict[str, str]:
        return {"weight": "embedding.ngram"}

    def forward(self, tokens_BT: Tensor, ctx: Context | None = None) -> Tensor:
        rows_BTN, there_BTN = self.rows_of(tokens_BT, ctx)
        y_BTND = nn.functional.embedding(rows_BTN, self.weight)
        return (y_BTND * there_BTN.unsqueeze(-1)).sum(2)

    def rows_of(self, tokens_BT: Tensor, ctx: Context | None = None) -> tuple[Tensor, Tensor]:
        """Return the row of each order's n-gram that ends at a position, int64 [B, T, N], and whether there is one.

        Example:
            >>> rows, there = NGrams(vocab=3, width=4, order=2).rows_of(torch.tensor([[0, 1, 2]]))
            >>> rows[there].tolist()
            [1, 5]
        """
        ctx = Context() if ctx is None else ctx
        documents_BT, shown_BP = ctx.documents, None if ctx.shown is None else ctx.shown != 0
        tokens_BP = tokens_BT
        if ctx.cache is not None:
            # A token that is hidden stays so for the n-grams that end behind it, in later calls too.
            shown_BT = torch.ones_like(tokens_BT) if shown_BP is None else shown_BP.to(tokens_BT.dtype)
            both_BT = torch.stack((tokens_BT, shown_BT), -1)
            tokens_BP, shown_BP = ctx.cache.preceded(self, both_BT, self.order - 1).unbind(-1)
            shown_BP = shown_BP != 0
        at_P = torch.arange(tokens_BP.shape[1], device=tokens_BP.device)
        number_BP, first = tokens_BP, 0
        rows, there = [], []
        for n, size in enumerate(self.sizes, start=2):
            # The number of the n-gram in a system of base `vocab`, its last token last; modulo a prime it stays small.
            number_BP = (_back(tokens_BP, n - 1) * pow(self.vocab, n - 1, _PRIME) + number_BP) % _PRIME
            rows.append(first + (number_BP if self.vocab**n <= self.rows else _spread(number_BP, size)))
            there_BP = (at_P >= n - 1).expand_as(tokens_BP)
            if documents_BT is not None:
                there_BP = there_BP & (_back(documents_BT, n - 1) == documents_BT)
            if shown_BP is not None:
                for back in range(n):
                    there_BP = there_BP & _back(shown_BP, back)
            there.append(there_BP)
            first += size
        new = slice(tokens_BP.shape[1] - tokens_BT.shape[1], None)
        return torch.stack(rows, dim=2)[:, new], torch.stack(there, dim=2)[:, new]

    def extra_repr(self) -> str:
        return f"{self.vocab}, {self.weight.shape[1]}, order={self.order}, rows={self.rows}"


def sizes(vocab: int, order: int, rows: int) -> tuple[int, ...]:
    """Return how many rows each order has, from 2 on.

    Example:
        >>> sizes(3, 3, 16)
        (9, 16)
    """
    return tuple(min(vocab**n, rows) for n in range(2, order + 1))


def _back(x_BP: Tensor, steps: int) -> Tensor:
    """Return what stood `steps` positions before, 0 where there was nothing."""
    return nn.functional.pad(x_BP, (steps, 0))[:, : x_BP.shape[1]]


def _spread(number: Tensor, size: int) -> Tensor:
    # The high half of a product by an odd number: near numbers fall far apart, whatever factors the size has.
    return (number * _SPREAD % 2**_WORD * size) >> _WORD
