"""Documents of files and folders: what is read, what is left out and counted, and where one ends."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.read_back import read, taken

from mainstem import config
from mainstem.data import prepare, streams
from mainstem.errors import BadInput


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
