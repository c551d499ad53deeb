import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.texts import Pieces, documents

from mainstem import config
from mainstem.data import prepare, streams, utf8
from mainstem.data.documents import Documents, Piece
from mainstem.data.meter import Progress
from mainstem.errors import BadInput


def taken(*paths: Path | str, progress: Progress | None = None, **more: Any) -> tuple[Documents, list[Piece]]:
    """Return the documents of `paths`, read, and their pieces."""
    found, taker = documents(*paths, **more), Pieces()
    found.read(taker, "reading", progress)
    return found, taker.pieces


def read(path: Path | str, **more: Any) -> list[str | bytes]:
    """Return each document of `path`, checking the marks of its pieces on the way."""
    found: list[bytes] = []
    ended = True
    documents, pieces = taken(path, **more)
    for piece in pieces:
        assert piece.data
        assert piece.first == ended
        if piece.first:
            found.append(b"")
        found[-1] += piece.data
        assert piece.chars == len(piece.data if documents.format == "bytes" else piece.data.decode())
        ended = piece.last
    assert ended
    return [data if documents.format == "bytes" else data.decode() for data in found]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 7)


@pytest.mark.usefixtures("small_chunks")
def test_text_comes_back_whole_with_characters_uncut(tmp_path: Path) -> None:
    text = "añ€😀\n\n  你好世界\nend" * 5
    (tmp_path / "a").write_text(text, encoding="utf-8", newline="")
    (tmp_path / "b").write_text("x")
    assert read(tmp_path) == [text, "x"]


@given(st.lists(st.text(st.sampled_from("a \n\t\u3000é"), min_size=1), max_size=5))
def test_text_is_cut_between_a_visible_character_and_a_line_break(texts: list[str]) -> None:
    found = [data.decode() for data, _ in utf8.cut_at_lines(iter(texts))]
    assert "".join(found) == "".join(texts)
    ends = set(itertools.accumulate(map(len, texts)))
    place = 0
    for before, after in itertools.pairwise(found):
        place += len(before)
        # Where a chunk has no such place at all, it is cut at its end.
        assert place in ends or (after.startswith("\n") and not before[-1].isspace())


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


def test_empty_files_are_counted_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "b").write_text("b")
    found, pieces = taken(tmp_path)
    assert (len(pieces), found.empty) == (1, 1)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("format", ["text", "bytes"])
def test_what_is_no_text_is_left_out_of_a_folder_and_counted(tmp_path: Path, format: str) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "b").write_bytes(b"b" * 20)
    (tmp_path / "c").write_bytes(b"c" * 20 + b"\xff")
    (tmp_path / "d.gz").write_bytes(b"no gzip")
    (tmp_path / "e").write_text("\ufeffe", encoding="utf-16")
    told: list[tuple[str, int, int]] = []
    found, pieces = taken(tmp_path, format=format, progress=lambda *what: told.append(what))
    assert found.left_out.counts() == {"unreadable": 1, **({"not_text": 3} if format == "text" else {})}
    assert told[-1][1] == told[-1][2]
    assert found.files == (1 if format == "text" else 4)
    assert b"".join(piece.data for piece in pieces) == b"b" * 20 or format == "bytes"
    assert "not text ('..." in str(found.left_out) or format == "bytes"


@pytest.mark.usefixtures("small_chunks")
def test_a_file_of_the_folder_that_is_also_given_by_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\0")
    with pytest.raises(BadInput, match="NUL byte at offset 1"):
        taken(tmp_path, tmp_path / "a")


def test_a_folder_without_text_is_refused_with_what_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"\0")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(BadInput, match=r"is text that can be read \(left out: 1 not text .*logo.png'\); empty: 1"):
        prepare(config.Data(paths=[str(tmp_path)]), tmp_path / "cache")


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a" * 10)
    (tmp_path / "b").write_text("b" * 20)
    told: list[tuple[str, int, int]] = []
    taken(tmp_path, progress=lambda *what: told.append(what))
    assert told == [("reading", 10, 30), ("reading", 30, 30)]


@pytest.mark.usefixtures("small_chunks")
def test_json_lines_are_documents(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    texts = ["first\nline", "zweite Zeile: ä", "", "x" * 40]
    path.write_text("\n".join(json.dumps({"id": [{}], "text": text}) for text in texts) + "\n\n")
    assert read(path, field="text") == read(path, field="text", format="jsonl") == [text for text in texts if text]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"body": "x"}', r"Line 2 of .* has no key 'text' \(its keys: 'body'\)"),
        ('{"text": 3}', "Line 2 of .* has a number in 'text'"),
        ('{"text": {}}', "Line 2 of .* has an object in 'text' .*name another key"),
        ('{"text": {"b": 1, "a": ""}}', r"has an object in 'text' .*name a key of it, such as --data.field text\.a"),
        ("[1]", r'Line 2 of .* is a list, not an object: give one a line, such as {"text":"..."}\.'),
        ('{"text"', "Line 2 of .* is not JSON"),
        ('{"text": "\\ud800"}', "Line 2 of .* is not JSON"),
        ("[" * 100_000, "Line 2 of .* is not JSON"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "rows"
    path.write_text('{"text": "good"}\n' + line + "\n")
    with pytest.raises(BadInput, match=message):
        read(path, field="text")


@pytest.mark.parametrize("field", ["text", "data.text", "a.b.c"])
def test_null_is_counted_as_an_empty_line(tmp_path: Path, field: str) -> None:
    path = tmp_path / "rows"
    rows: list[Any] = ["one", None, "", "two"]
    for key in reversed(field.split(".")):
        rows = [{key: row} for row in rows]
    path.write_text("\n".join(map(json.dumps, rows)) + '\n{"data": null, "a": {"b": null}, "text": null}\n')
    assert read(path, field=field) == ["one", "two"]
    assert taken(path, field=field)[0].empty == 3


def test_lines_that_are_all_null_are_named_with_their_key(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text('{"text": null}\n{"text": ""}\n')
    with pytest.raises(BadInput, match=r"No line of .*rows' has text in 'text' \(2 are null or empty there\): name"):
        prepare(config.Data(paths=[str(path)], field="text"), tmp_path / "cache")


@given(st.lists(st.sampled_from(["a", "b", "", "ä b"]), min_size=1, max_size=4), st.text(max_size=5))
def test_a_nested_key_is_named_by_the_way_to_it(
    tmp_path_factory: pytest.TempPathFactory, way: list[str], text: str
) -> None:
    path = tmp_path_factory.mktemp("nested") / "rows"
    row: Any = {way[-1]: text, "other": 1}
    for key in reversed(way[:-1]):
        row = {key: row, "other": [row]}
    path.write_text(json.dumps(row))
    assert read(path, field=".".join(way)) == ([text] if text else [])


def test_a_key_that_has_dots_comes_before_the_way_that_they_spell(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text(
        '{"a": {"b.c": "x", "b": {"c": "y"}}, "a.b.c": "z"}\n{"a": {"b": {"c": "y"}, "b.c": "x"}}\n'
        '{"a": 1, "a.b.c": "w"}'
    )
    assert read(path, field="a.b.c") == ["z", "x", "w"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": 3}', "has a number in 'a.b' where text is wanted"),
        ('{"b": 3}', r"has no key 'a.b' \(its keys: 'b'\)"),
        ('{"a": {"c": ""}}', r"has no key 'a.b' \(the keys before 'b': 'c'\)"),
        ('{"a": {"b": ["x"]}}', "has a list in 'a.b' where text is wanted"),
        ('{"a": {"b": "x"}, "a.b": 1}', "has a number in 'a.b' where text is wanted"),
    ],
)
def test_a_line_without_the_nested_key_is_refused_with_what_it_has(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "rows"
    path.write_text(line)
    with pytest.raises(BadInput, match=message):
        read(path, field="a.b")


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


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstem.data.jsonl._LONGEST_LINE", 1 << 20)
    monkeypatch.setattr(streams, "CHUNK", 1 << 18)
    (tmp_path / "rows").write_text("x" * (1 << 21))
    with pytest.raises(BadInput, match="has a line of more than 1 MiB"):
        read(tmp_path / "rows", field="text")


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    with pytest.raises(BadInput, match=r"give data.field"):
        read(tmp_path, format="jsonl")
    with pytest.raises(BadInput, match=r"'x' is a key, which data.format bytes has not"):
        read(tmp_path, format="bytes", field="x")
    with pytest.raises(BadInput, match=r"'x' is a key, which data.format lines has not"):
        read(tmp_path, format="lines", field="x")


def test_freed_memory_is_given_back_while_a_long_file_is_read(tmp_path, monkeypatch):
    from mainstem.data import heap, meter

    monkeypatch.setattr(meter, "_RELEASE", 1 << 22)
    calls = []
    monkeypatch.setattr(heap, "release", lambda: calls.append(1))
    path = tmp_path / "long.txt"
    path.write_bytes(b"a line of text\n" * 1_000_000)
    assert sum(len(piece.data) for piece in taken(path)[1]) == 15_000_000
    assert len(calls) == 15_000_000 // (1 << 22)


def test_a_mask_between_documents_of_which_there_is_one_is_doubted(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.txt").write_text("".join(f"line {i * i % 97}\n" for i in range(number, 300)))
    said = {}
    for paths in (tmp_path, tmp_path / "0.txt"):
        for how in ("mask", "join"):
            section = config.Data(paths=[str(paths)], documents=how)  # type: ignore[arg-type]
            said[paths.name, how] = any("one document" in doubt for doubt in prepare(section, tmp_path / "c").doubts)
    assert [name for name, doubted in said.items() if doubted] == [("0.txt", "mask")]


@given(st.text("ab \n\r\u4e2d\u2028", max_size=40), st.integers(1, 9))
@example("ab\r\nb\r\n \r\n\na\rb\r", 9)  # line ends of Windows, which a handful of random texts need not have
def test_each_line_is_a_document_however_much_is_read_at_a_time(text: str, chunk: int) -> None:
    """Lines end at line breaks alone, as files have them; what is blank is counted; none is cut by what is read."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(streams, "CHUNK", max(4, chunk))
        path = Path(folder) / "a.txt"
        path.write_bytes(text.encode())
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        if not text.endswith("\n") and text.endswith("\r"):
            lines[-1] += "\r"  # which breaks no line
        assert read(path, format="lines") == [line for line in lines if line.strip()]
        blank = [line for line in text.split("\n") if not line.strip()]
        assert taken(path, format="lines")[0].empty == len(blank) - (not text.split("\n")[-1])


def test_whole_lines_are_held_out(tmp_path: Path) -> None:
    path = tmp_path / "molecules.txt"
    path.write_text("".join(f"C{'C' * (n % 7)}O{n}\n" for n in range(400)))
    corpus = prepare(config.Data(paths=[str(path)], format="lines", tokenizer="char"), tmp_path / "cache")
    assert (corpus.facts["train_documents"] + corpus.facts["held_out_documents"]) == 400
    ids, starts = np.asarray(corpus.held_out.ids), corpus.held_out.documents
    held = {corpus.tokenizer.decode(part.tolist()).split("\n")[0] for part in np.split(ids, starts) if len(part)}
    assert len(held) == corpus.facts["held_out_documents"] and held < set(path.read_text().splitlines())
