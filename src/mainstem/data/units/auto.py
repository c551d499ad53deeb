"""The units that fit the size and the script of a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..meter import Progress
from ..reading import Text
from ..sides import TRAIN, sides
from ..split import Split, num_trained
from ..tokenizer import Byte
from . import bpe, char, table
from .base import Choice, Units, has_ends

_ALPHABET = 512
"""Distinct characters that an alphabet may have, with its signs; scripts of words or syllables have thousands."""

_GLANCE = 1 << 20
"""Bytes of training text that are looked at to see whether it has few characters."""

_OFTEN = 50
"""How often a character must occur on average to be worth an id of its own."""


@dataclass(frozen=True)
class Auto(Units):
    """Characters, merged pairs or bytes: what was found to be best for so much text in such a script.

    Example:
        >>> Auto().raw
        'raw bytes have no other units'
    """

    raw: ClassVar[str | None] = "raw bytes have no other units"

    def learn(self, text: Text, chosen: Split, progress: Progress | None = None) -> Choice:
        chars = num_trained(text.found, chosen)
        if table.row(chars).name == "bpe" and not _few(text, chosen):
            why = f"{chars} characters: enough text to learn units of several characters"
            return Choice(bpe.merged(table.row(chars).vocabulary, text, chosen, progress), why)
        counts = char.count(text, chosen, progress)
        name, reason = _fitting(counts.train)
        if name == "byte":
            return Choice(Byte(has_ends(text)), reason)
        return char.choice(text, counts, reason, whole=True)

    def follows(self) -> Any:
        return table.TABLE, table.FEW


def _few(text: Text, chosen: Split) -> bool:
    """Return whether the first mebibyte of the training text has few distinct characters, as DNA has."""
    seen: set[str] = set()
    size = 0
    for side, piece in sides(text.pieces(), chosen):
        if side == TRAIN:
            seen.update(piece.data.decode())
            size += len(piece.data)
        if size >= _GLANCE or len(seen) > table.FEW:
            break
    return len(seen) <= table.FEW


def _fitting(train: NDArray[np.int64]) -> tuple[Literal["char", "byte"], str]:
    """Return whether a training text of these characters is read by characters or by bytes, and the reason."""
    total, distinct = int(train.sum()), int(np.count_nonzero(train))
    said = f"{total} characters, {distinct} of them distinct"
    if distinct <= table.FEW:
        return "char", f"{said}: so few that pairs of them tell no more"
    if distinct <= _ALPHABET:
        return "char", f"{said}: a small text in an alphabet, whose characters are all seen often"
    if total >= _OFTEN * distinct:
        return "char", f"{said}: a script of many signs, each seen {total // distinct} times on average"
    return "byte", f"{said}: too few of each to learn a character by itself"
