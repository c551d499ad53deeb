from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.texts import text

from mainstem import config
from mainstem.data.choose import choose
from mainstem.data.sides import sides
from mainstem.data.split import num_trained, split
from mainstem.data.units import Choice, bpe, table
from mainstem.data.units.auto import bits, told
from mainstem.data.units.table import TABLE, Row
from mainstem.errors import BadInput


def chosen(folder: Path, content: str | bytes, **how: Any) -> Choice:
    path = folder / "text"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    section = config.Data(paths=[str(path)], **how)
    with text(path, **how) as found:
        return choose(section, found, split(found.found, section))


def test_a_small_text_in_an_alphabet_is_read_as_characters(tmp_path: Path) -> None:
    found = chosen(tmp_path, "some words of a small text " * 20)
    assert found.tokenizer.name == "char"
    assert "486 characters, 13 of them distinct: a small text in an alphabet" in found.reason


def test_a_large_text_is_read_in_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "TABLE", (Row(0, "char", 257), Row(487, "bpe", 270)))
    assert chosen(tmp_path, "some words of a small text " * 20).tokenizer.name == "char"
    assert chosen(tmp_path, "some words of a small text " * 20, tokenizer="bpe").tokenizer.vocab_size == 257
    monkeypatch.setattr(table, "TABLE", (Row(0, "char", 257), Row(300, "bpe", 265), Row(486, "bpe", 270)))
    found = chosen(tmp_path, "some words of a small text " * 20)
    assert (found.tokenizer.name, found.tokenizer.vocab_size) == ("bpe", 270)
    pairs = {"name": "bpe", "vocabulary": 272}
    assert chosen(tmp_path, "some words of a small text " * 20, tokenizer=pairs).tokenizer.vocab_size == 272
    assert found.reason == "486 characters: enough text to learn units of several characters"


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=30), st.sampled_from(["document", "tail"]), st.floats(0.1, 0.9)
)
def test_the_table_is_asked_for_the_characters_of_the_training_part(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], name: str, share: float
) -> None:
    folder = tmp_path_factory.mktemp("sizes")
    for number, size in enumerate(sizes):
        (folder / f"{number:02}").write_text(("é" * 3 + chr(97 + number)) * size)
    how: dict[str, Any] = {"split": name, "held_out": share}
    with text(folder, **how) as read:
        try:
            cut = split(read.found, config.Data(paths=[str(folder)], **how))
        except BadInput:
            return
        train = sum(len(piece.data.decode()) for held, piece in sides(read.pieces(), cut) if not held)
        assert num_trained(read.found, cut) == train


def test_the_table_is_in_the_order_of_its_sizes_and_covers_all() -> None:
    least = [row.least for row in TABLE]
    assert least == sorted(set(least))
    assert least[0] == 0
    assert all(257 <= row.vocabulary <= 10**6 for row in TABLE)


@pytest.mark.parametrize("title", ["", ">gi|110640213|ref|NC_008253.1| Escherichia coli 536\n"])
def test_characters_that_tell_little_of_each_other_stay_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, title: str
) -> None:
    monkeypatch.setattr(table, "TABLE", (Row(0, "char", 257), Row(300, "bpe", 270)))
    random = Random(0)
    genome = title + "".join("".join(random.choices("ACGT", k=70)) + "\n" for _ in range(100))
    found = chosen(tmp_path, genome)
    assert found.tokenizer.name == "char"
    assert (
        "distinct: few letters, which tell little about each other, so that pairs of them tell no more" in found.reason
    )
    assert chosen(tmp_path, genome, tokenizer="bpe").tokenizer.name == "bpe"
    assert chosen(tmp_path, "a" * 500).tokenizer.name == "char"
    assert chosen(tmp_path, "abcdefgh" * 60).tokenizer.name == "bpe"
    proteins = title + "".join("".join(random.choices("ACDEFGHIKLMNPQRSTVWY", k=70)) + "\n" for _ in range(100))
    assert chosen(tmp_path, proteins).tokenizer.name == "bpe"


def test_a_small_text_that_is_as_regular_as_a_log_is_read_in_units(tmp_path: Path) -> None:
    random = Random(0)
    kinds = ["status installed", "status unpacked", "trigproc", "configure"]
    lines = "".join(f"2026-12-01 status {random.choice(kinds)} package-{random.randrange(9)}\n" for _ in range(9000))
    found = chosen(tmp_path, lines)
    assert found.tokenizer.name == "bpe"
    assert found.reason.endswith("characters: so regular a text that it has units of several characters")
    assert chosen(tmp_path, lines[:300_000]).tokenizer.name == "char"  # fewer to train on


@pytest.mark.parametrize(
    ("chars", "told", "entropy", "distinct", "pairs"),
    [
        (600_000, 0.24, 2.9, 30, False), (600_000, 0.25, 2.9, 5000, True), (600_000, 0.24, 3.0, 30, True),
        (599_999, 0.7, 2.0, 512, True), (599_999, 0.69, 4.0, 512, False), (599_999, 0.7, 4.0, 513, False),
        (300_000, 0.7, 4.0, 80, True), (299_999, 0.9, 4.0, 80, False),
    ],
)  # fmt: skip
def test_when_pairs_are_merged(chars: int, told: float, entropy: float, distinct: int, pairs: bool) -> None:
    assert table.merges(chars, told, entropy, distinct) == pairs


def test_what_two_characters_tell_about_the_next_one() -> None:
    random = Random(0)
    assert told("".join(random.choices("ACGT", k=10_000))) == pytest.approx(0, abs=0.01)
    halves = "".join(random.choice(["ab", "cd"]) for _ in range(10_000))  # the second letter of two is certain
    assert told(halves) == pytest.approx(0.75, abs=0.01)
    assert told("") == told("a") == told("aaaa") == bits("") == bits("aaaa") == 0.0
    assert bits(halves) == pytest.approx(2, abs=0.01)


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
    content = "ab" * 45 + "xyxyxyxyxy"
    assert chosen(tmp_path, content, tokenizer={"name": "bpe", "vocabulary": 300}).tokenizer.encode("xy") == [120, 121]
    found = chosen(tmp_path, content, tokenizer="char")
    assert found.tokenizer.vocab_size == 2 + 256
    assert "2 characters of the held-out part, not in the training part, are read as bytes" in found.reason
    assert chosen(tmp_path, "ab" * 50, tokenizer="char").tokenizer.vocab_size == 2


def test_a_vocabulary_is_learned_from_a_spread_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bpe, "_BLOCK", 100)
    monkeypatch.setattr(bpe, "_SAMPLE", 500)
    content = "".join(f"{letter}{letter} " * 33 + "\n" for letter in "abcdefghijk")
    tokenizer = chosen(tmp_path, content, tokenizer="bpe", held_out=0.01).tokenizer
    learned = [letter for letter in "abcdefghijk" if len(tokenizer.encode(f"{letter}{letter}")) == 1]
    assert 3 <= len(learned) <= 6
    assert learned[0] < "d" < "h" < learned[-1]
