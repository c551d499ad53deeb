"""What a configuration's name of a tokenizer stands for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from ... import variants
from ..encode import Batcher
from ..meter import Progress
from ..reading import Text
from ..sides import TRAIN, sides
from ..split import Split
from ..tokenizer import Tokenizer


class Choice(NamedTuple):
    tokenizer: Tokenizer
    reason: str


@dataclass(frozen=True)
class Units(ABC):
    """Learns a tokenizer; its fields are what one may set. Abstract.

    `learns` is the kind of tokenizer that it makes, which is read again from the file of a run; None where it leaves
    that to others. `least` is the number of tokens that there are whatever the text is. `raw` is why raw bytes, which
    are no text, are read by bytes; None where only text can be read.
    """

    learns: ClassVar[type[Tokenizer] | None] = None
    least: ClassVar[int] = 1
    raw: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        variants.within(self)

    @abstractmethod
    def learn(self, text: Text, chosen: Split, progress: Progress | None = None) -> Choice:
        """Return a tokenizer that is learned from the training part alone, and why it is this one."""

    def follows(self) -> Any:
        """Return JSON values, other than its fields, that the tokenizer of a text follows from."""
        return None


def has_ends(text: Text) -> bool:
    """Return whether the ends of documents get an id: where there is more than one."""
    return len(text.found) > 1


def batches(text: Text, chosen: Split, stage: str, progress: Progress | None) -> Iterator[tuple[bool, list[bytes]]]:
    """Yield a few MiB of text at a time, of training or of what is held out, in order."""
    waiting = {False: Batcher(), True: Batcher()}
    for held, piece in ((side != TRAIN, piece) for side, piece in sides(text.pieces(stage, progress), chosen)):
        if waiting[held].add(piece):
            yield held, [piece.data for piece in waiting[held].pieces]
            waiting[held].clear()
    for held, batcher in waiting.items():
        if batcher.pieces:
            yield held, [piece.data for piece in batcher.pieces]
