"""How a token enters the stream, as a value.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from .. import variants


@dataclass(frozen=True)
class EmbeddingSpec(ABC):
    """What stands beside the table of tokens, whose row each token adds in any case. Abstract.

    `largest` is the field that the size of its tables follows from, where it has some.
    """

    largest: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        variants.within(self)

    @abstractmethod
    def build(self, vocab: int, width: int) -> nn.Module | None:
        """Return a module (tokens int64 [B, T], context) -> [B, T, D], with a `stem`, whose output is added; or None.

        It publishes the roles of its parameters; what has a role within ``embedding.`` starts as it was made.
        """

    def num_rows(self, vocab: int) -> int:
        """Return how many rows of the model's width its tables have together."""
        return 0

    def small(self) -> EmbeddingSpec:
        """Return one with the same names and roles of parameters, as small as they allow."""
        return self


@dataclass(frozen=True)
class Tokens(EmbeddingSpec):
    """x = E[token], and nothing beside it.

    Example:
        >>> Tokens().build(vocab=5, width=4) is None
        True
    """

    def build(self, vocab: int, width: int) -> nn.Module | None:
        return None
