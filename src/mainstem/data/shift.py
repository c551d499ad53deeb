"""Whether the held-out text is of another kind than the training text, as where a file ends in another language.

Shapes: N parts of the training text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_PARTS, _LEAST = 20, 1024
"""Parts that the text is counted in, about, and bytes that one has at least."""

_RATIO, _BITS = 5.0, 0.05
"""How many times as far from the training text as its own parts are, and how many bits, the held-out text is unlike it.
Over nine texts of DNA, proteins, plays, prose, verse, manuals and code the ratio lies between 0.3 and 2.1."""


class Distance(NamedTuple):
    """Bits a byte by which the held-out text differs from the training text, and in the median a part of that does."""

    held_out: float
    training: float

    @property
    def unlike(self) -> bool:
        """Return whether the held-out text is another kind of text."""
        return self.held_out > max(_BITS, _RATIO * self.training)


class Shift:
    """Takes the text of both sides, each in order, and says how far they are from each other.

    Formula:
        d(a, b) = sum_i p_i log2 (p_i / q_i), p the shares of the 256 bytes in a, q those in b with one more of each:
        d(held-out, training), beside the median over N of d(part n, the other parts).
    """

    def __init__(self, num_bytes: int) -> None:
        self._limit = max(_LEAST, num_bytes // _PARTS)
        self._parts: list[NDArray[np.int64]] = [np.zeros(256, np.int64)]
        self._held = np.zeros(256, np.int64)

    def add(self, held: bool, text: bytes) -> None:
        """Take the next piece of one side."""
        values = np.frombuffer(text, np.uint8)
        if held:
            self._held += np.bincount(values, minlength=256)
            return
        while len(values):
            if self._parts[-1].sum() >= self._limit:
                self._parts.append(np.zeros(256, np.int64))
            room = self._limit - int(self._parts[-1].sum())
            self._parts[-1] += np.bincount(values[:room], minlength=256)
            values = values[room:]

    def distance(self) -> Distance:
        """Return how far the sides are from each other; 0 and 0 where there is too little text to say so."""
        whole = [part for part in self._parts if part.sum() >= self._limit]
        total = sum(self._parts, np.zeros(256, np.int64))
        if len(whole) < 3 or self._held.sum() < _LEAST:
            return Distance(0.0, 0.0)
        return Distance(_bits(self._held, total), float(np.median([_bits(part, total - part) for part in whole])))


def _bits(a_256: NDArray[np.int64], b_256: NDArray[np.int64]) -> float:
    p, q = a_256 / a_256.sum(), (b_256 + 1) / (b_256.sum() + 256)
    there = p > 0
    return float((p[there] * np.log2(p[there] / q[there])).sum())
