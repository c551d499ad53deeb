"""Tokenizers of a test by name."""

from __future__ import annotations

from typing import Any


def named(tokenizer: str, vocabulary: int) -> Any:
    """Return what a configuration says for `tokenizer`, with so many ids where that is a matter of its own."""
    return {"name": tokenizer, "vocabulary": vocabulary} if tokenizer == "bpe" else tokenizer
