"""Bytes as units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..meter import Progress
from ..reading import Text
from ..split import Split
from ..tokenizer import Byte, Tokenizer
from .base import Choice, Units, has_ends


@dataclass(frozen=True)
class Bytes(Units):
    """An id for each of the 256 bytes.

    Example:
        >>> Bytes.least
        256
    """

    learns: ClassVar[type[Tokenizer] | None] = Byte
    least: ClassVar[int] = 256
    raw: ClassVar[str | None] = "asked for"

    def learn(self, text: Text, chosen: Split, progress: Progress | None = None) -> Choice:
        return Choice(Byte(has_ends(text)), "asked for")
