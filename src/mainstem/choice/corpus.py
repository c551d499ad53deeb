"""What is known of a text when a run is chosen for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Corpus(msgspec.Struct, frozen=True):
    """Numbers of a text: those of the training part, but for `documents` and `held_out`, its held-out tokens.

    `tokenizer` and `vocabulary` say what it is read by, and `because` why.
    """

    num_bytes: int
    documents: int
    tokens: int
    held_out: int
    tokenizer: str
    vocabulary: int
    because: str = ""

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Corpus:
        """Return what the `facts` of a prepared corpus say.

        Example:
            >>> Corpus.of({"train_bytes": 900, "documents": 1, "train_tokens": 900, "held_out_tokens": 100,
            ...            "tokenizer": "char", "vocab_size": 65, "tokenizer_reason": "small"}).vocabulary
            65
        """
        return cls(
            num_bytes=facts["train_bytes"],
            documents=facts["documents"],
            tokens=facts["train_tokens"],
            held_out=facts["held_out_tokens"],
            tokenizer=facts["tokenizer"],
            vocabulary=facts["vocab_size"],
            because=facts["tokenizer_reason"],
        )
