"""Every side's tokens cover the held-out bytes once, whatever they are."""

from __future__ import annotations

import pytest

TEXTS = {
    "English": "It was the best of times.\n\nIt was the worst of times.\n" * 30,
    "line breaks of Windows": "one line\r\nanother one\r\n\r\n" * 40,
    "Chinese": "床前明月光，疑是地上霜。\n舉頭望明月，低頭思故鄉。\n" * 20,
    "no line break": "ACGTTGCA" * 100,
    "a character that training lacks": "a b c d " * 60 + "naïve 🙂 é",
}


@pytest.mark.parametrize("kind", ["characters", "raw_bytes", "pairs", "best"])
@pytest.mark.parametrize("name", TEXTS)
def test_all_held_out_bytes_are_covered(load, kind: str, name: str, tmp_path) -> None:
    text = load("sides.text")
    path = tmp_path / "text"
    path.write_bytes(TEXTS[name].encode())
    parts = text.read(path)
    assert parts.train + parts.held == TEXTS[name]
    assert len(parts.train) == int(0.9 * len(TEXTS[name]))
    ids = getattr(text, kind)(parts, *([300] if kind == "pairs" else []))
    assert 0 <= min(ids.held.min(), ids.train.min())
    assert max(ids.held.max(), ids.train.max()) < ids.vocab
    if kind == "characters":
        alphabet = sorted(set(TEXTS[name]))
        assert "".join(alphabet[i] for i in ids.held) == parts.held
    if kind == "raw_bytes":
        assert bytes(ids.held.tolist()) == parts.held.encode()


def test_a_tokenizer_that_loses_text_is_found(load) -> None:
    text = load("sides.text")
    with pytest.raises(AssertionError, match="cover 3 bytes of the 4"):
        text._checked(text.Parts("abcd", "abcd"), "letters", 4, lambda part: [0] * (len(part) - 1), list("abcd"))


def test_the_kind_of_token_follows_the_text(load, monkeypatch: pytest.MonkeyPatch) -> None:
    text = load("sides.text")
    parts = text.Parts("the quick brown fox jumps over the lazy dog, " * 99 + "ABCDEFGHIJ", "dog")
    assert text.best(parts).kind == "characters"
    monkeypatch.setattr(text, "SMALL", 1000)
    assert text.best(parts).kind.endswith("pairs")
    assert text.best(text.Parts("ACGT" * 5000, "ACGT")).kind == "characters"
