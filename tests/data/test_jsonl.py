"""Lines of JSON: which of their keys is text, and what is refused with the number of the line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.read_back import read, taken

from mainstem import config
from mainstem.data import prepare, streams
from mainstem.errors import BadInput


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


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstem.data.jsonl._LONGEST_LINE", 1 << 20)
    monkeypatch.setattr(streams, "CHUNK", 1 << 18)
    (tmp_path / "rows").write_text("x" * (1 << 21))
    with pytest.raises(BadInput, match="has a line of more than 1 MiB"):
        read(tmp_path / "rows", field="text")
