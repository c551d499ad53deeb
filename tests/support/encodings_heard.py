"""How much text is made into tokens."""

from typing import Any

import pytest

from mainstem.data import encode


def by(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that hears, of each call from now on that encodes text, how many bytes there were."""
    heard: list[int] = []
    plain = encode.encode

    def hearing(pieces: Any, tokenizer: Any) -> Any:
        heard.append(sum(len(piece.data) for piece in pieces))
        return plain(pieces, tokenizer)

    monkeypatch.setattr(encode, "encode", hearing)
    return heard
