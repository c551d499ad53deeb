from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from mainstem import files


class Kind(Struct):
    steps: files.Count
    words: list[str] = []


def test_what_is_known_is_of_its_type_and_the_rest_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"steps": 5, "words": ["x"], "later": {"a": 1}}')
    assert files.load(tmp_path / "a", Kind) == Kind(5, ["x"])


@pytest.mark.parametrize(
    "text",
    ["", "{", "nul", "[]", "3", "{}", '{"steps": "5"}', '{"steps": 5.0}', '{"steps": true}', '{"steps": -1}',
     '{"steps": null}', '{"steps": 1e400}', '{"steps": NaN}', '{"steps": 1' + "0" * 30 + "}", '{"steps": 5} x',
     '{"steps": 5, "words": [1]}', '{"steps": 5, "words": ["\\ud800"]}', '{"steps": 5, "more": NaN}',
     "[" * 100_000, '{"steps": 5, "more": ' + "[" * 100_000 + "]" * 100_000 + "}"],
)  # fmt: skip
def test_everything_else_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(files.Unusable, match=r"a\.json' is not what was written"):
        files.load(tmp_path / "a.json", Kind)


def test_bytes_that_are_no_text_are_named() -> None:
    with pytest.raises(files.Unusable, match="'a' is not what was written"):
        files.decode(b'{"steps": 5, "words": ["\xff"]}', Kind, "a")


def test_values_are_checked_as_text_is() -> None:
    assert files.checked({"steps": 5}, Kind, "a") == Kind(5)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    for value in ({"steps": "5"}, {}, [], deep):
        with pytest.raises(files.Unusable, match="'a' is not what was written"):
            files.checked(value, Kind, "a")
