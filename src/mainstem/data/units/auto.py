"""The units that fit the size and the script of a text. Shapes: N characters."""

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

_GLANCE = 1 << 20
"""Bytes of training text that are looked at to see what its characters tell about each other."""

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
        chars, glance = num_trained(text.found, chosen), _glance(text, chosen)
        row = table.row(chars)
        if table.merges(chars, told(glance), bits(glance), len(set(glance))):
            why = "enough text to learn units" if row.name == "bpe" else "so regular a text that it has units"
            return Choice(
                bpe.merged(row.vocabulary, text, chosen, progress), f"{chars} characters: {why} of several characters"
            )
        counts = char.count(text, chosen, progress)
        name, reason = _fitting(counts.train, row.name == "char")
        if name == "byte":
            return Choice(Byte(has_ends(text)), reason)
        return char.choice(text, counts, reason, whole=True)

    def follows(self) -> Any:
        return table.TABLE, table.TOLD, table.FEW, table.MUCH, table.EARLY, table.SIGNS


def _glance(text: Text, chosen: Split) -> str:
    """Return the beginning of the training text."""
    found: list[str] = []
    size = 0
    for side, piece in sides(text.pieces(), chosen):
        if side == TRAIN:
            found.append(piece.data.decode())
            size += len(piece.data)
        if size >= _GLANCE:
            break
    return "".join(found)[:_GLANCE]


def told(text: str) -> float:
    """Return which share of the entropy of a character the two before it take away; 0 where there is none.

    Formula:
        1 - H(c_t | c_t-2, c_t-1) / H(c_t)

    Example:
        >>> told("abcabcabc"), told("aaaa")
        (1.0, 0.0)
    """
    ids_N = _ids(text)
    distinct = int(ids_N.max(initial=0)) + 1
    pairs_N = ids_N[:-1] * distinct + ids_N[1:]
    one = _entropy(ids_N)
    return 1 - (_entropy(pairs_N[:-1] * distinct + ids_N[2:]) - _entropy(pairs_N[:-1])) / one if one else 0.0


def bits(text: str) -> float:
    """Return the entropy of a character in bits.

    Example:
        >>> bits("ACGT" * 9), bits("aaaa")
        (2.0, 0.0)
    """
    return abs(_entropy(_ids(text)))  # and not minus zero


def _ids(text: str) -> NDArray[np.int64]:
    """Return the characters as numbers from 0 on."""
    return np.unique(np.frombuffer(text.encode("utf-32-le"), "<u4"), return_inverse=True)[1]


def _entropy(values_N: NDArray[np.int64]) -> float:
    counts = np.unique(values_N, return_counts=True)[1]
    p = counts / max(1, len(values_N))
    return float(-(p * np.log2(p)).sum())


def _fitting(train: NDArray[np.int64], small: bool) -> tuple[Literal["char", "byte"], str]:
    """Return whether a training text of these characters is read by characters or by bytes, and the reason.

    A text that is not `small` is one of few letters, which tell little about each other.
    """
    total, distinct = int(train.sum()), int(np.count_nonzero(train))
    said = f"{total} characters, {distinct} of them distinct"
    if not small:
        return "char", f"{said}: few letters, which tell little about each other, so that pairs of them tell no more"
    if distinct <= table.SIGNS:
        return "char", f"{said}: a small text in an alphabet, whose characters are all seen often"
    if total >= _OFTEN * distinct:
        return "char", f"{said}: a script of many signs, each seen {total // distinct} times on average"
    return "byte", f"{said}: too few of each to learn a character by itself"
