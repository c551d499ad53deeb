import json
from pathlib import Path

import pytest

from mainstem import config
from mainstem.data import prepare
from mainstem.data.formats import binary, resembles
from mainstem.errors import BadInput

SENTENCE = "The river carries what every tributary adds."


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a", lines({"text": SENTENCE}, {"text": "x"}), "JSON Lines"),
        ("a", "\ufeff\n" + lines({"text": SENTENCE})[:-1], "JSON Lines"),
        ("a", lines(*[{"text": SENTENCE}] * 3) + '{"text": "cut in the mid', "JSON Lines"),
        ("a", lines([{"text": SENTENCE}]), "JSON"),
        ("a", json.dumps({"text": SENTENCE, "more": [1]}, indent=1), "JSON"),
        ("a.csv", "id,text\n1,one\n", "a table"),
        ("a.CSV.gz", "id;text\n1;one\n", "a table"),
        ("a", f"{SENTENCE}\tLe fleuve.\n" * 10, "a table"),
        ("a", "<!DOCTYPE html>\n<p>a", "HTML"),
        ("a", "  <HTML lang=en>", "HTML"),
        ("a", '<?xml version="1.0"?><a/>', "XML"),
        ("a", r"{\rtf1\ansi ", "RTF"),
        ("a", "%PDF-1.4\n", "PDF"),
    ],
)
def test_what_is_text_and_more_is_known(name: str, text: str, found: str) -> None:
    format = resembles(name, text)
    assert format is not None
    assert format.name == found
    assert format.more
    assert format.remedy


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a", ""),
        ("a.csv", "No separator is in these lines.\n"),
        ("a.csv", ""),
        ("a.txt", "One, two, three.\n" * 20),
        ("a.py", "\tx = 1\n" * 20),
        ("a.py", "{x: 1 for x in y}\n"),
        ("a", "[1] A reference. [2] Another.\n"),
        ("a", "[[A link]] begins a page.\n"),
        ("a", "{{Infobox}} begins another.\n"),
        ("a", "name\tonce\n" + "A text of several lines.\n" * 12),
        ("a.md", "A page of Markdown.\n\n<html> stands in it, and a | table |.\n"),
    ],
)
def test_a_text_that_looks_a_little_like_it_is_a_text(name: str, text: str) -> None:
    assert resembles(name, text) is None


@pytest.mark.parametrize(
    ("row", "remedy"),
    [
        ({"id": "7", "text": SENTENCE}, "name its key by --data.field text (it has text in id too)"),
        ({"data": {"body": SENTENCE}, "n": 1}, "name its key by --data.field data.body"),
        ({"ids": [1, 2]}, "write it into a file of its own, as no plain key of the first line holds text"),
        ({"\x1b[2J": SENTENCE}, "write it into a file of its own, as no plain key of the first line holds text"),
    ],
)
def test_keys_with_text_are_named(row: dict[str, object], remedy: str) -> None:
    format = resembles("a", lines(row))
    assert format is not None
    assert format.remedy == remedy


def test_the_key_that_is_named_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(lines(*({"id": str(number), "data": {"text": f"{number}. {SENTENCE}"}} for number in range(60))))
    (doubt,) = prepare(config.Data(paths=[str(path)]), tmp_path / "cache").doubts
    assert doubt.startswith(
        f"{str(path)!r} is JSON Lines, read as plain text, keys, braces and all: for its text alone,"
    )
    field = doubt.split("--data.field ")[1].split()[0]
    assert field == "data.text"
    assert prepare(config.Data(paths=[str(path)], field=field), tmp_path / "cache").doubts == ()


@pytest.mark.parametrize(
    ("begin", "what"),
    [(b"\x1f\x8b\x08\0", "gzip"), (b"\x28\xb5\x2f\xfd\0", "Zstandard"), (b"BZh9", "bzip2"), (b"\xfd7zXZ\0", "xz"),
     (b"PK\x03\x04\0", "a ZIP archive"), (b"PAR1\0", "Parquet"), (b"%PDF-1.7\n%\xe2\xe3", "PDF")],
)  # fmt: skip
def test_a_binary_file_is_refused_by_what_it_is(tmp_path: Path, begin: bytes, what: str) -> None:
    found = binary(begin)
    assert found is not None
    path = tmp_path / "a"
    path.write_bytes(begin + bytes(range(256)))
    with pytest.raises(BadInput, match=f" is {what}.* and no text: .*{found[1].split('(')[0]}.*--data.format bytes"):
        prepare(config.Data(paths=[str(path)]), tmp_path / "cache")
    assert prepare(config.Data(paths=[str(path)], format="bytes"), tmp_path / "cache").train.ids.size
