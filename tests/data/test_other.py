"""Other text, and raw bytes, in the ids of a vocabulary that is there."""

from pathlib import Path

import pytest
from tests.support.corpora import TEXT, make
from tests.support.units import named

from mainstem import config
from mainstem.data import encode_files, prepare
from mainstem.data.tokenizer import Char
from mainstem.errors import BadInput


def test_other_text_is_encoded_whole(tmp_path: Path) -> None:
    section = config.Data(paths=make(tmp_path, TEXT), tokenizer={"name": "bpe", "vocabulary": 300})
    found = prepare(section, tmp_path / "cache")
    (tmp_path / "other").write_text("new wörds\n" * 5)
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        tokens = encode_files([str(tmp_path / "other")], section, found.tokenizer, cache)
        assert found.tokenizer.decode(tokens.ids.tolist()) == "new wörds\n" * 5
        assert tokens.num_bytes == 55
        assert tokens.documents.tolist() == [0]


def test_other_text_has_ends_where_the_vocabulary_has_one(tmp_path: Path) -> None:
    section = config.Data(paths=make(tmp_path, *(f"text {number}" for number in range(30))), tokenizer="byte")
    found = prepare(section, tmp_path / "cache")
    (tmp_path / "other").write_text("new")
    tokens = encode_files([str(tmp_path / "other")], section, found.tokenizer)
    assert tokens.ids.tolist() == [*b"new", 256]
    assert tokens.num_bytes == 3


def test_other_text_that_the_vocabulary_lacks_is_refused(tmp_path: Path) -> None:
    section = config.Data(paths=make(tmp_path, TEXT), tokenizer="char")
    found = prepare(section, tmp_path / "cache")
    (tmp_path / "other").write_text("ž")
    with pytest.raises(BadInput, match=r"'ž' \(U\+017E\) is not among"):
        encode_files([str(tmp_path / "other")], section, found.tokenizer)
    with pytest.raises(BadInput, match="No file was given"):
        encode_files([], section, found.tokenizer)


@pytest.mark.parametrize("tokenizer", ["char", "bpe"])
def test_other_raw_bytes_are_read_by_a_vocabulary_of_text(
    tmp_path: Path, tokenizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = config.Data(paths=make(tmp_path, TEXT[:900], TEXT[900:] + "\u00e9"), tokenizer=named(tokenizer, 300))
    vocabulary = prepare(section, tmp_path / "cache").tokenizer
    other, raw = tmp_path / "other", config.Data(format="bytes")
    if tokenizer == "char":
        vocabulary = Char(vocabulary.characters, fallback=True, end=True)
    for content in (b"\xff\xfe\x00 line \xe9", "naïve 漢字 and more".encode(), b"plain", bytes(range(256))):
        other.write_bytes(content)
        for chunk in (1 << 22, 5):  # which ends inside of a character
            monkeypatch.setattr("mainstem.data.streams.CHUNK", chunk)
            tokens = encode_files([str(other)], raw, vocabulary)
            assert vocabulary.decode_bytes(tokens.ids.tolist()) == content
            assert tokens.num_bytes == len(content) and tokens.ids[-1] == vocabulary.end
            assert tokens.documents.tolist() == [0]
    other.write_bytes(b"ab\xff")
    with pytest.raises(BadInput, match="is no UTF-8, and this vocabulary of 3 characters has no bytes"):
        encode_files([str(other)], raw, Char("abc"))
