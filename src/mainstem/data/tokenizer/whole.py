"""Text for people, as its tokens come: whole characters, and ends of documents in words."""

from __future__ import annotations

import codecs
from collections.abc import Iterable

from .base import Tokenizer

END = "<end of document>"


class Whole:
    """Turns ids into text, a few at a time: a character appears once all its bytes are there, and never a part of one.

    An id that ends a document is a line of its own, ``<end of document>``. Bytes in the middle that are no text are
    U+FFFD, as the model wrote them so.

    >>> from mainstem.data.tokenizer import Byte
    >>> text = Whole(Byte(end=True))
    >>> text([0x41, 0xC3]), text([0xA9]), text([256, 0x42])
    ('A', 'é', '\\n<end of document>\\nB')
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = False  # a line, in which something stands already

    def __call__(self, ids: Iterable[int]) -> str:
        """Return the characters that `ids` complete."""
        return "".join(self._one(token) for token in ids)

    def _one(self, token: int) -> str:
        if token == self._tokenizer.end:
            self._decoder.reset()
            found = f"{chr(10) if self._begun else ''}{END}\n"
        else:
            found = self._decoder.decode(self._tokenizer.decode_bytes([token]))
        if found:
            self._begun = not found.endswith("\n")
        return found
