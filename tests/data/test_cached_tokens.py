"""Tokens that the cache has: for whom they are taken, and when they are made anew."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from tests.support.corpora import TEXT, both, make, ready

from mainstem.data import corpus as preparing


def test_the_second_time_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make(tmp_path, TEXT)
    first = ready(tmp_path, paths)
    monkeypatch.setattr(preparing, "_fill", lambda *what: pytest.fail("made again"))
    again = ready(tmp_path, paths)
    assert again.facts == first.facts
    assert list(again.facts) == list(first.facts)
    assert both(again) == both(first)
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    assert ready(tmp_path, [str(packed)]).facts["hash"] == first.facts["hash"]


def test_whatever_decides_the_tokens_makes_them_anew(tmp_path: Path) -> None:
    paths = make(tmp_path, TEXT)
    settings: list[dict[str, Any]] = [
        {}, {"tokenizer": "byte"}, {"held_out": 0.2}, {"split": "tail"}, {"format": "bytes"},
        {"tokenizer": {"name": "bpe", "vocabulary": 300}}, {"tokenizer": {"name": "bpe", "vocabulary": 301}},
    ]  # fmt: skip
    for how in settings:
        ready(tmp_path, paths, **how)
    Path(paths[0]).write_text(TEXT + "x")
    ready(tmp_path, paths)
    assert len(list((tmp_path / "cache").glob("tokens-*"))) == len(settings) + 1


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    paths = make(tmp_path, TEXT)
    good = both(ready(tmp_path, paths))
    (ids,) = (tmp_path / "cache").glob("*/train.ids")
    ids.write_bytes(ids.read_bytes()[:-5])
    assert both(ready(tmp_path, paths)) == good


def test_hashes_are_of_the_content_alone(tmp_path: Path) -> None:
    texts = [f"document {number}\n" for number in range(30)]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    make(tmp_path / "a", *texts)
    make(tmp_path / "b", *texts, "")
    one, other = (ready(tmp_path, [str(tmp_path / name)]) for name in "ab")
    assert one.facts["hash"] == other.facts["hash"]
    assert other.facts["empty_documents"] == 1
    third = ready(tmp_path, make(tmp_path / "a", *reversed(texts)))
    assert third.facts["hash"] != one.facts["hash"]
