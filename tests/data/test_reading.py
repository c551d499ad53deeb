"""How often the files of a text are read, and what is noticed when they change meanwhile."""

import gzip
import os
import time
from collections import Counter
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from tests.support.units import named

from mainstem import config, files
from mainstem.data import encode_files, prepare, spool, stamps, streams
from mainstem.errors import BadInput

TEXT = "".join(f"line {number}: the river carries what every tributary adds\n" for number in range(400))


class Reads:
    """Counts how often each file was opened, and the bytes that were read from it."""

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def clear(self) -> None:
        self.opened.clear()
        self.bytes.clear()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Watch every file of a text; all of them are opened by one function."""
    found, opened = Reads(), files.opened

    def counting(path: Any, *remedy: str) -> FileIO:
        name = Path(path).name
        found.opened[name] += 1

        class Counted(FileIO):
            def read(self, size: int | None = -1, /) -> bytes:
                data = super().read(-1 if size is None else size)
                found.bytes[name] += len(data or b"")
                return data or b""

        with opened(path, *remedy) as stream:
            return Counted(os.dup(stream.fileno()))

    monkeypatch.setattr(streams.files, "opened", counting)
    return found


def folder(tmp_path: Path) -> Path:
    """Return a folder of texts, one of them packed, one of several chunks, and one that is no text after all."""
    place = tmp_path / "texts"
    place.mkdir()
    (place / "a.txt").write_text(TEXT)
    (place / "b.txt.gz").write_bytes(gzip.compress(TEXT.replace("river", "sea").encode()))
    (place / "c.txt").write_text(TEXT.replace("river", "lake") * 3)
    (place / "d.bin").write_bytes(TEXT.encode() + b"\xff")
    return place


@pytest.mark.parametrize("tokenizer", ["byte", "char", "bpe", "auto"])
def test_each_file_is_read_once(tmp_path: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch, tokenizer: str) -> None:
    monkeypatch.setattr(streams, "CHUNK", 5000)
    place = folder(tmp_path)
    prepare(config.Data(paths=[str(place)], tokenizer=named(tokenizer, 300)), tmp_path / "cache")
    assert {path.name: (reads.opened[path.name], reads.bytes[path.name]) for path in place.iterdir()} == {
        path.name: (1, path.stat().st_size) for path in place.iterdir()
    }


@pytest.mark.parametrize("name", ["0.bin", "d.bin"])
def test_a_file_that_is_no_text_after_all_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(streams, "CHUNK", 5000)
    monkeypatch.setattr(spool, "CHUNK", 5000)
    place = folder(tmp_path)
    (place / "d.bin").rename(place / name)
    with_it = prepare(config.Data(paths=[str(place)]), tmp_path / "cache")
    (place / name).unlink()
    without = prepare(config.Data(paths=[str(place)]), tmp_path / "other")
    assert with_it.facts["left_out"] == {"not_text": 1}
    assert with_it.facts == {**without.facts, "left_out": {"not_text": 1}}
    assert with_it.train.ids.tolist() == without.train.ids.tolist()


def test_other_text_is_read_once(tmp_path: Path, reads: Reads) -> None:
    section = config.Data(paths=[str(folder(tmp_path))], tokenizer={"name": "bpe", "vocabulary": 300})
    found = prepare(section, tmp_path / "cache")
    (tmp_path / "other").write_text(TEXT)
    encode_files([str(tmp_path / "other")], section, found.tokenizer)
    assert (reads.opened["other"], reads.bytes["other"]) == (1, len(TEXT))


@pytest.mark.parametrize("written", [TEXT[:-1] + "?", TEXT + "more", TEXT[:100], None])
def test_a_file_that_is_written_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str | None
) -> None:
    """At once after it was made, and with the same size too: the clock of the file system may not have ticked."""
    monkeypatch.setattr(streams, "CHUNK", 5000)
    path = tmp_path / "text"

    def meddle(stage: str, done: int, total: int) -> None:
        if stage == "reading" and 0 < done < total and written is not None:
            path.write_text(written)

    path.write_text(TEXT)
    if written is None:
        prepare(config.Data(paths=[str(path)]), tmp_path / "cache", meddle)
        return
    with pytest.raises(BadInput, match=r"text' changed while it was being read: wait until nobody writes to it"):
        prepare(config.Data(paths=[str(path)]), tmp_path / "cache", meddle)
    assert not (tmp_path / "cache").exists()


def test_a_file_that_is_replaced_before_it_is_its_turn_is_refused(tmp_path: Path) -> None:
    place = folder(tmp_path)

    def meddle(stage: str, done: int, total: int) -> None:
        if stage == "reading" and done < 2 * len(TEXT):
            (place / "c.txt").write_text(TEXT)

    with pytest.raises(BadInput, match=r"c.txt' changed while it was being read"):
        prepare(config.Data(paths=[str(place)]), tmp_path / "cache", meddle)


def test_a_file_that_was_just_written_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(stamps.time, "sleep", slept.append)
    now = time.time_ns()
    monkeypatch.setattr(stamps.time, "time_ns", lambda: now)
    stamps.wait([stamps.Stamp(1, now - 5_000_000, 0), None, stamps.Stamp(1, 0, 0)])
    assert slept == [pytest.approx(0.015)]
    ahead = stamps.Stamp(1, now + 1, 0)  # by a clock of another machine: a change would bring it back to now
    stamps.wait([stamps.Stamp(1, now - 20_000_000, 0), ahead])
    stamps.wait([])
    assert len(slept) == 1
    stamps.wait([stamps.Stamp(1, now, 0), ahead])
    assert slept[1] == pytest.approx(0.02)
