"""A sentence says which files are read as plain text and are of another format."""

from pathlib import Path
from typing import Any

import pytest

from mainstem import config
from mainstem.data import encode_files, prepare


def texts_of(name: str, count: int) -> list[str]:
    return [f"{number}. The river {name} carries what {number * 7} tributaries add." for number in range(count)]


def text(name: str, count: int = 60) -> str:
    return "".join(f"{each}\n" for each in texts_of(name, count))


def lines(name: str) -> str:
    return "".join(f'{{"text": "{each}"}}\n' for each in texts_of(name, 60))


def doubts(*paths: Path, **how: Any) -> list[str]:
    """Return what is said of the formats of `paths`, among other doubts."""
    found = prepare(config.Data(paths=[str(path) for path in paths], **how), paths[0].parent / "cache")
    return [each for each in found.doubts if "read as plain text" in each]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two texts and three files of JSON Lines, which are more than half of it."""
    place = tmp_path / "texts"
    place.mkdir()
    for name in "abcde":
        (place / name).write_text((text if name in "bd" else lines)(name))
    return place


def test_a_format_of_more_than_half_of_a_folder_is_said_once(folder: Path) -> None:
    said = [
        f"{str(folder / 'a')!r} and 2 more are JSON Lines, read as plain text, keys, braces and all: for their text "
        "alone, name its key by --data.field text."
    ]
    assert doubts(folder) == said
    assert doubts(folder) == said  # from what is remembered
    assert doubts(folder, verify=True) == said
    assert doubts(folder, glob="[bcd]") == []


def test_one_that_was_given_by_name_is_said_in_any_company(folder: Path) -> None:
    (folder / "d").write_text(text("d", 2000))
    (said,) = doubts(folder / "d", folder / "c")
    assert said.startswith(f"{str(folder / 'c')!r} is JSON Lines")


def test_who_says_how_it_is_read_hears_nothing(folder: Path) -> None:
    assert doubts(folder / "a", format="bytes") == []
    assert doubts(folder / "a", field="text") == []
    table = folder / "table"
    table.write_text("".join(f"{number}\tThe river {number * 7}\n" for number in range(60)))
    assert doubts(table, format="lines") == []
    assert len(doubts(table)) == len(doubts(folder / "a", format="lines")) == 1


def test_other_text_is_looked_at_too(folder: Path) -> None:
    tokenizer = prepare(config.Data(paths=[str(folder / "b")]), folder.parent / "cache").tokenizer
    said: list[str] = []
    encode_files([str(folder / "a")], config.Data(), tokenizer, say=said.append)
    assert [each.split(",")[0] for each in said] == [f"{str(folder / 'a')!r} is JSON Lines"]
    said.clear()
    encode_files([str(folder / "b")], config.Data(), tokenizer, say=said.append)
    assert said == []
