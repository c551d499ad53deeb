"""Text as UTF-8: whole characters, the mark in front, and other codings, which are refused by their names."""

import itertools
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.read_back import read, taken

from mainstem.data import utf8
from mainstem.data.tokenizer.words import words
from mainstem.errors import BadInput


@pytest.mark.usefixtures("small_chunks")
def test_text_comes_back_whole_with_characters_uncut(tmp_path: Path) -> None:
    text = "añ€😀\n\n  你好世界\nend" * 5
    (tmp_path / "a").write_text(text, encoding="utf-8", newline="")
    (tmp_path / "b").write_text("x")
    assert read(tmp_path) == [text, "x"]


@given(st.lists(st.text(st.sampled_from("a1! \n\r\t\u3000é"), min_size=1), max_size=5))
@example(["aa\r\naa\r", "\naa"])
def test_text_is_cut_between_a_visible_character_and_white_space(texts: list[str]) -> None:
    found = [data.decode() for data, _ in utf8.cut_between_words(iter(texts))]
    assert "".join(found) == "".join(texts)
    ends = set(itertools.accumulate(map(len, texts)))
    place = 0
    for before, after in itertools.pairwise(found):
        place += len(before)
        # Where a chunk has no such place at all, it is cut at its end.
        assert place in ends or (after[0] in " \t\n\r" and not before[-1].isspace())


@given(st.lists(st.text(st.sampled_from("a1! \n\r\t\x0b\u2028\u3000é"), min_size=1), max_size=5))
@example(["!\u3000 a", "a"])
def test_words_are_those_of_the_whole_text(texts: list[str]) -> None:
    """Where there is white space at all, behind something visible, in what is read at a time."""
    parts = [f"a {text}" for text in texts]
    found = [data.decode() for data, _ in utf8.cut_between_words(iter(parts))]
    assert [word for part in found for word in words(part)] == words("".join(parts))


@pytest.mark.parametrize(
    ("format", "end"),
    [
        ("text", "\n"),
        ("text", "\r\n"),
        ("text", "\r"),
        ("text", " "),
        ("lines", "\n"),
        ("lines", "\r\n"),
        ("lines", " "),
    ],
)
@pytest.mark.usefixtures("small_chunks")
def test_no_word_is_cut_whatever_ends_a_line(tmp_path: Path, format: str, end: str) -> None:
    (tmp_path / "a").write_text(end.join(["one two six ten"] * 9) + end, newline="")
    _, pieces = taken(tmp_path, format=format)
    found = {word for piece in pieces for word in piece.data.decode().split()}
    assert found == {"one", "two", "six", "ten"}
    assert len(pieces) > 9
    assert all(piece.data for piece in pieces)


@pytest.mark.parametrize(
    ("content", "offset", "byte"),
    [
        (b"abc\xff", 3, "0xff"),
        (b"a" * 9 + b"\xc3(", 9, "0xc3"),
        (b"a" * 6 + b"\xe2\x82", 6, "0xe2"),
        (b"\xed\xa0\x80", 0, "0xed"),
    ],
)
@pytest.mark.usefixtures("small_chunks")
def test_what_is_not_utf8_is_refused_with_its_offset(tmp_path: Path, content: bytes, offset: int, byte: str) -> None:
    path = tmp_path / "bad\x07"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=rf"bad\\x07' is not UTF-8: the byte at offset {offset} is {byte}"):
        read(path)


@pytest.mark.usefixtures("small_chunks")
def test_binary_is_refused_and_read_where_bytes_were_said(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"0123456789\0\xff")
    with pytest.raises(BadInput, match=r"NUL byte at offset 10.*--data.format bytes"):
        read(path)
    assert read(path, format="bytes") == [b"0123456789\0\xff"]


@pytest.mark.usefixtures("small_chunks")
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("\ufeffaé\ufeff" * 3, encoding="utf-8")
    (tmp_path / "b").write_text("\ufeff", encoding="utf-8")
    assert read(tmp_path) == ["aé\ufeff" + "\ufeffaé\ufeff" * 2]
    assert read(tmp_path, format="bytes")[1] == b"\xef\xbb\xbf"
    (tmp_path / "rows").write_text('\ufeff{"text": "\\ufeffone"}\n{"text": "two"}\n', encoding="utf-8")
    assert read(tmp_path / "rows", field="text") == ["one", "two"]


@pytest.mark.usefixtures("small_chunks")
def test_offsets_count_the_mark(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf" + b"a" * 9 + b"\xff")
    with pytest.raises(BadInput, match="not UTF-8: the byte at offset 12 is 0xff"):
        read(tmp_path / "a")


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_another_coding_is_named_with_a_remedy(tmp_path: Path, coding: str) -> None:
    name = coding[:6].upper()
    (tmp_path / "a").write_bytes("\ufeffwords".encode(coding))
    with pytest.raises(BadInput, match=rf"begins with the mark of {name}, and.*iconv -f {name} -t UTF-8"):
        read(tmp_path / "a")


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["words\r\n\tand more", "三人行\n必有我師", "é 😀\n" * 20_000, "Приве́т мир"])
def test_another_coding_is_named_without_its_mark(tmp_path: Path, coding: str, text: str) -> None:
    (tmp_path / "a").write_bytes(text.encode(coding))
    name = coding.upper().replace("-LE", "LE").replace("-BE", "BE")
    with pytest.raises(BadInput, match=rf"holds {name} without its mark, and.*iconv -f {name} -t UTF-8"):
        read(tmp_path / "a")


@pytest.mark.parametrize("content", [b"\x7fELF\2\1\1\0\0\0", b"words\0and more", b"\0" * 64, bytes(range(128)) * 9])
def test_binary_is_not_taken_for_another_coding(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(BadInput, match="holds a NUL byte at offset"):
        read(tmp_path / "a")
