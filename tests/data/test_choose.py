from pathlib import Path
from typing import Any

import pytest

from mainstem import config
from mainstem.data import choose as choosing
from mainstem.data.choose import Choice, choose
from mainstem.data.documents import Documents
from mainstem.data.sources import find
from mainstem.data.split import split
from mainstem.data.survey import survey
from mainstem.errors import BadInput


def chosen(folder: Path, content: str | bytes, **how: Any) -> Choice:
    path = folder / "text"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    section = config.Data(paths=[str(path)], **how)
    documents = Documents(section, find(section))
    return choose(section, documents, split(survey(documents), section), False)


def test_a_small_text_in_an_alphabet_is_read_as_characters(tmp_path: Path) -> None:
    found = chosen(tmp_path, "some words of a small text " * 20)
    assert found.tokenizer.name == "char"
    assert "486 characters, 13 of them distinct: a small text in an alphabet" in found.reason


def test_a_large_text_is_read_in_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "_LARGE", 400)
    found = chosen(tmp_path, "some words of a small text " * 20, vocabulary=300)
    assert found.tokenizer.name == "bpe"
    assert "enough text to learn units" in found.reason


def test_signs_are_characters_where_they_are_many_and_bytes_where_they_are_few(tmp_path: Path) -> None:
    signs = "".join(map(chr, range(0x4E00, 0x4E00 + 600)))
    assert chosen(tmp_path, signs * 60).tokenizer.name == "char"
    found = chosen(tmp_path, signs * 2)
    assert found.tokenizer.name == "byte"
    assert "too few of each" in found.reason


def test_raw_bytes_are_bytes(tmp_path: Path) -> None:
    assert chosen(tmp_path, b"\xff\0" * 50, format="bytes").tokenizer.name == "byte"
    with pytest.raises(BadInput, match=r"data.tokenizer bpe needs text, but data.format is bytes"):
        chosen(tmp_path, b"\xff\0" * 50, format="bytes", tokenizer="bpe")


def test_characters_that_nobody_asked_for_can_read_any_later_text(tmp_path: Path) -> None:
    assert chosen(tmp_path, "ab" * 50).tokenizer.vocab_size == 2 + 256
    assert chosen(tmp_path, "ab" * 50, tokenizer="char").tokenizer.vocab_size == 2


@pytest.mark.parametrize("name", ["byte", "char", "bpe"])
def test_what_is_asked_for_is_given(tmp_path: Path, name: str) -> None:
    found = chosen(tmp_path, "words " * 100, tokenizer=name)
    assert (found.tokenizer.name, found.reason) == (name, "asked for")


def test_the_vocabulary_comes_from_the_training_part_alone(tmp_path: Path) -> None:
    text = "ab" * 45 + "xyxyxyxyxy"
    assert chosen(tmp_path, text, tokenizer="bpe", vocabulary=300).tokenizer.encode("xy") == [120, 121]
    found = chosen(tmp_path, text, tokenizer="char")
    assert found.tokenizer.vocab_size == 2 + 256
    assert "2 characters of the held-out part are not in the training part" in found.reason
    assert chosen(tmp_path, "ab" * 50, tokenizer="char").tokenizer.vocab_size == 2


def test_a_vocabulary_is_learned_from_a_spread_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstem.data.streams.CHUNK", 100)
    monkeypatch.setattr("mainstem.data.encode.CHUNK", 100)
    monkeypatch.setattr(choosing, "_SAMPLE", 500)
    text = "".join(f"{letter}{letter} " * 33 + "\n" for letter in "abcdefghijk")
    tokenizer = chosen(tmp_path, text, tokenizer="bpe", held_out=0.01).tokenizer
    learned = [letter for letter in "abcdefghijk" if len(tokenizer.encode(f"{letter}{letter}")) == 1]
    assert 3 <= len(learned) <= 6
    assert learned[0] < "d" < "h" < learned[-1]
