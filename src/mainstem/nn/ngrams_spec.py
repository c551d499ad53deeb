"""n-grams beside the tokens, as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from msgspec import Meta
from torch import nn

from .embedding_spec import EmbeddingSpec
from .ngrams import NGrams, sizes


@dataclass(frozen=True)
class NGramsSpec(EmbeddingSpec):
    """x = E[token] + what the last tokens are together (`NGrams`).

    Args:
        order: last tokens that the embedding sees together.
        rows: most rows for each length of n-gram.

    Source:
        Huang et al. 2025 (2501.16975).
        Read: nothing of the original.
        Differs: the rows begin at 0.

    Example:
        >>> NGramsSpec(order=3, rows=16).build(vocab=3, width=4)
        NGrams(3, 4, order=3, rows=16)
    """

    largest: ClassVar[str | None] = "rows"

    order: Annotated[int, Meta(ge=2, le=8)] = 4
    rows: Annotated[int, Meta(ge=1, le=2**24)] = 16384

    def build(self, vocab: int, width: int) -> nn.Module | None:
        return NGrams(vocab, width, self.order, self.rows)

    def num_rows(self, vocab: int) -> int:
        return sum(sizes(vocab, self.order, self.rows))

    def small(self) -> EmbeddingSpec:
        return replace(self, rows=min(self.rows, 4))
