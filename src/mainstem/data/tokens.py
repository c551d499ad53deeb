"""A part of a corpus as numbers.

Shapes: N tokens, M documents, V tokens of the vocabulary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Tokens(NamedTuple):
    """`ids` unsigned [N], in memory or mapped from a file; `documents` int64 [M] says where each document begins.

    `num_bytes` is how much text the ids stand for, so that ``bits per byte = nats / ln 2 / num_bytes`` is true; the end
    of a document is a token to be predicted and no byte. `lengths_V` int64 [V] has the bytes of each id.
    """

    ids: NDArray[Any]
    documents: NDArray[np.int64]
    num_bytes: int
    lengths_V: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, start: int, stop: int) -> Tokens:
        """Return tokens `start` to `stop`; what is left of the document in which it begins counts as one."""
        ids = self.ids[start:stop]
        inside = self.documents[(self.documents > start) & (self.documents < stop)] - start
        num_bytes = int(self.lengths_V[ids].sum()) if len(ids) else 0
        return Tokens(ids, np.concatenate([np.zeros(1, np.int64), inside]), num_bytes, self.lengths_V)


def dtype_of(vocab_size: int) -> str:
    """Return the smallest type that holds every id.

    Example:
        >>> dtype_of(256), dtype_of(257), dtype_of(65537)
        ('|u1', '<u2', '<u4')
    """
    return "|u1" if vocab_size <= 1 << 8 else "<u2" if vocab_size <= 1 << 16 else "<u4"
