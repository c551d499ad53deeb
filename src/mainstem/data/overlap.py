"""How much of the held-out text stands in the training text as well: a sample of places, and the windows around them.

A loss on text that was trained on says nothing about new text. Shapes: P places, W windows around each, S words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .survey import folded

WINDOW = 64
"""Bytes, white space aside, that must agree: about a line. Phrases and idioms repeat, whole lines seldom do."""

_SAMPLE = 1 << 15
"""Places that are kept of a text, about; of a shorter one all are."""

_BATCH = 1 << 20
_MIX = np.uint64(0x9E3779B97F4A7C15)
_WORD = 8
_WORDS = WINDOW // _WORD

_FIRST = 1 + (_WORD - 1) / _WORD
"""What each of the first 8 places of a match counts."""

_SALT = np.uint64(0x5BD1E9955BD1E995)
"""Without it 8 bytes of 0, of which binary files are full, would be in every sample."""


class Overlap:
    """Takes the text of both sides, in any order, and says which share of the held-out text the training text has.

    A place is in the sample where a hash of the 8 bytes from there on is small, so that both sides choose the same ones
    wherever these stand. It counts, as often as it occurs, where one of the 8 windows around these bytes that begin at
    multiples of 8 bytes before them stands in the training text too. The first 8 places of a match, before which no
    such window begins, count for its last 7 as well, from which no 8 bytes lie inside it. So a match of 71 bytes or
    more counts whole, one of 64 to 70 in part, and a shorter one not.
    """

    def __init__(self, num_bytes: int) -> None:
        self._limit = np.uint64(min(2**64 - 1, 2**64 * _SAMPLE // max(1, num_bytes)))
        self._waiting: dict[bool, list[bytes]] = {False: [], True: []}
        self._sizes = {False: 0, True: 0}
        self._found: dict[bool, list[NDArray[np.uint64]]] = {False: [], True: []}

    def add(self, held: bool, text: bytes) -> None:
        """Take the next piece of one side."""
        self._waiting[held].append(text)
        self._sizes[held] += len(text)
        if self._sizes[held] >= _BATCH:
            self._flush(held)

    def _flush(self, held: bool) -> None:
        found_PW = _windows(folded(b"".join(self._waiting[held])), self._limit)
        self._found[held].append(found_PW if held else np.unique(found_PW))
        self._waiting[held], self._sizes[held] = [], 0

    def share(self) -> float:
        """Return the share of the held-out places that count; 0 where there are none."""
        for held in (False, True):
            self._flush(held)
        train, held_PW = (np.concatenate(self._found[held]) for held in (False, True))
        seen_PW = np.isin(held_PW, train) & (held_PW != _NONE)
        earlier_P = seen_PW[:, :-1].any(1)
        weights_P = earlier_P + _FIRST * (seen_PW[:, -1] & ~earlier_P)
        return min(1.0, float(weights_P.mean())) if len(held_PW) else 0.0


_NONE = np.uint64(0)
"""Stands for a window that begins before the text or ends behind it."""


def _windows(text: bytes, limit: np.uint64) -> NDArray[np.uint64]:
    """Return a hash of each of the windows around the places of `text` whose 8 bytes have a hash of at most `limit`."""
    if len(text) < WINDOW:
        return np.zeros((0, _WORDS), np.uint64)
    places, last = [], len(text) - _WORD
    for start in range(_WORD):
        words = np.frombuffer(text[start : start + (len(text) - start) // _WORD * _WORD], "<u8")
        places.append(np.flatnonzero((words ^ _SALT) * _MIX <= limit) * _WORD + start)
    at_PS = np.concatenate(places)[:, None] + np.arange(_WORD - WINDOW, WINDOW, _WORD)
    bytes_PS8 = np.lib.stride_tricks.sliding_window_view(np.frombuffer(text, np.uint8), _WORD)[at_PS.clip(0, last)]
    words_PS = bytes_PS8.view("<u8")[..., 0]
    hash_PW = np.ones((len(at_PS), _WORDS), np.uint64)
    for word in range(_WORDS):
        hash_PW = _mixed(hash_PW ^ words_PS[:, word : word + _WORDS])
    is_whole_PW = (at_PS[:, :_WORDS] >= 0) & (at_PS[:, _WORDS - 1 :] <= last)
    return np.where(is_whole_PW, hash_PW, _NONE)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    product = values * _MIX
    return product ^ (product >> np.uint64(32))
