"""A second start does not read a text again, unless its files changed by size or time or the reading is asked for."""

import os
from pathlib import Path
from typing import Any

import pytest

from mainstem import config
from mainstem.data import Corpus, documents, prepare, seen

TEXT = "".join(f"line {number}: the river carries what every tributary adds\n" for number in range(200))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Return a folder with two texts, an empty file, and one that is no text."""
    place = tmp_path / "texts"
    place.mkdir()
    (place / "a").write_text(TEXT)
    (place / "b").write_text(TEXT.replace("river", "sea"))
    (place / "c").write_text("")
    (place / "d").write_bytes(b"\0")
    return place


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are read from now on."""
    found: list[str] = []
    chunks = documents.chunks

    def noting(path: Path, *rest: Any) -> Any:
        found.append(path.name)
        return chunks(path, *rest)

    monkeypatch.setattr(documents, "chunks", noting)
    return found


def ready(place: Path, **how: Any) -> Corpus:
    return prepare(config.Data(paths=[str(place)], **how), place.parent / "cache")


def same(one: Corpus, other: Corpus) -> bool:
    return (one.facts, list(one.facts), one.left_out, one.doubts) == (
        other.facts, list(other.facts), other.left_out, other.doubts,
    ) and one.train.ids.tolist() == other.train.ids.tolist()  # fmt: skip


def test_what_has_not_changed_is_not_read_again(texts: Path, read: list[str]) -> None:
    first = ready(texts)
    assert read == ["a", "b", "c", "d"]
    assert (first.facts["empty_documents"], first.facts["left_out"]) == (1, {"not_text": 1})
    read.clear()
    assert same(ready(texts), first)
    assert read == []
    assert same(ready(texts, verify=True), first)
    assert read == ["a", "b", "c", "d"]


def test_other_tokens_of_the_same_text_are_made_by_reading_it(texts: Path, read: list[str]) -> None:
    ready(texts)
    read.clear()
    assert ready(texts, tokenizer="byte").tokenizer.name == "byte"
    assert read == ["a", "b", "c", "d"]
    read.clear()
    assert ready(texts, tokenizer="byte").tokenizer.name == "byte"
    assert ready(texts).tokenizer.name == "char"
    assert read == []


@pytest.mark.parametrize("change", ["size", "time", "rights", "another", "name", "gone"])
def test_a_change_that_shows_is_read(texts: Path, read: list[str], change: str) -> None:
    first = ready(texts)
    read.clear()
    status = (texts / "a").stat()
    if change == "size":
        (texts / "a").write_text(TEXT + "more")
        os.utime(texts / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "time":
        (texts / "a").write_text(TEXT.replace("7", "8"))
        os.utime(texts / "a", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    elif change == "rights":
        (texts / "a").chmod(0o600)
    elif change == "another":
        (texts / "e").write_text("e" * 100)
    elif change == "name":
        (texts / "a").rename(texts / "z")
    else:
        (texts / "b").unlink()
    again = ready(texts)
    assert len(read) == len(list(texts.iterdir()))
    assert (again.facts["hash"] == first.facts["hash"]) == (change == "rights")


def test_a_change_that_does_not_show_is_found_where_it_is_asked_for(texts: Path, read: list[str]) -> None:
    first = ready(texts)
    status = (texts / "a").stat()
    (texts / "a").write_text(TEXT.replace("7", "8"))
    os.utime(texts / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert ready(texts).facts["hash"] == first.facts["hash"]
    changed = ready(texts, verify=True)
    assert changed.facts["hash"] != first.facts["hash"]
    read.clear()
    assert same(ready(texts), changed)
    assert read == []


def test_a_file_by_name_is_not_taken_for_one_of_a_folder(texts: Path, read: list[str]) -> None:
    """What is no text is left out of a folder and refused by name, so one says nothing of the other."""
    (texts / "d").unlink()
    (texts / "c").unlink()
    ready(texts)
    read.clear()
    prepare(config.Data(paths=[str(texts / "a"), str(texts / "b")]), texts.parent / "cache")
    assert read == ["a", "b"]


@pytest.mark.parametrize("damage", ["byte", "cut", "nothing", "other"])
def test_damage_is_noticed(texts: Path, read: list[str], damage: str, caplog: pytest.LogCaptureFixture) -> None:
    first = ready(texts)
    (kept,) = (texts.parent / "cache").glob("seen-*.json")
    data = bytearray(kept.read_bytes())
    place = data.index(b'"empty":1') + len(b'"empty":')
    data[place] = ord("2")
    kept.write_bytes({"byte": bytes(data), "cut": bytes(data[:-9]), "nothing": b"", "other": b"[]"}[damage])
    read.clear()
    assert same(ready(texts), first)
    assert read == ["a", "b", "c", "d"]
    assert "the text is read again" in caplog.text
    read.clear()
    assert same(ready(texts), first)
    assert read == []


def test_damaged_tokens_are_made_again(texts: Path, read: list[str]) -> None:
    first = ready(texts).train.ids.tolist()
    (ids,) = (texts.parent / "cache").glob("*/train.ids")
    ids.write_bytes(ids.read_bytes()[:-5])
    read.clear()
    assert ready(texts).train.ids.tolist() == first
    assert read == ["a", "b", "c", "d"]


def test_a_cache_without_room_is_no_hindrance(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*what: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(seen.store, "save", full)
    assert ready(texts).facts["documents"] == 2
    assert list((texts.parent / "cache").glob("seen-*")) == []
