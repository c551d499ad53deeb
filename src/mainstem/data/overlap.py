"""How much of the held-out text stands in the training text as well: a sample of windows, compared by their hashes.

A loss on text that was trained on says nothing about new text. Shapes: W windows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .survey import folded

WINDOW = 64
"""Bytes, white space aside, that must agree: about a line. Phrases and idioms repeat, whole lines seldom do."""

_SAMPLE = 1 << 15
"""Windows that are kept of a text, about; of a shorter one all are."""

_BATCH = 1 << 20
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Overlap:
    """Takes the text of both sides, in any order, and says which share of the held-out windows the other side has.

    A window is one of the sample where a hash of its first 8 bytes is small, so that both sides choose the same ones
    wherever these stand. Windows are counted once, however often they occur.
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
        self._found[held].append(_windows(folded(b"".join(self._waiting[held])), self._limit))
        self._waiting[held], self._sizes[held] = [], 0

    def share(self) -> float:
        """Return the share of the distinct held-out windows that the training text has; 0 where there are none."""
        for held in (False, True):
            self._flush(held)
        train_W, held_W = (np.unique(np.concatenate(self._found[held])) for held in (False, True))
        return float(np.isin(held_W, train_W).mean()) if len(held_W) else 0.0


def _windows(text: bytes, limit: np.uint64) -> NDArray[np.uint64]:
    """Return a hash of each window of `text` whose first 8 bytes have a hash of at most `limit`."""
    if len(text) < WINDOW:
        return np.zeros(0, np.uint64)
    places = []
    for start in range(8):
        words = np.frombuffer(text[start : start + (len(text) - start) // 8 * 8], "<u8")
        places.append(np.flatnonzero(words * _MIX <= limit) * 8 + start)
    place_W = np.concatenate(places)
    place_W = place_W[place_W <= len(text) - WINDOW]
    all_bytes = np.frombuffer(text, np.uint8)
    words_W = np.lib.stride_tricks.sliding_window_view(all_bytes, WINDOW)[place_W].view("<u8")
    hash_W = np.zeros(len(place_W), np.uint64)
    for column in words_W.T:
        hash_W = _mixed(hash_W ^ column)
    return hash_W


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    product = values * _MIX
    return product ^ (product >> np.uint64(32))
