"""Yardsticks are waited for as long as a budget has time."""

import threading
from pathlib import Path
from typing import Any

import pytest

from mainstem import data
from mainstem.train.yardstick import Yardsticks


def test_lzma_is_waited_for_until_it_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()

    def lzma(corpus: Any, cache: Path) -> float:
        end.wait()
        return 2.0

    monkeypatch.setattr(data.yardsticks, "unigram", lambda corpus: 4.0)
    monkeypatch.setattr(data.yardsticks, "lzma", lzma)
    found = Yardsticks(None, tmp_path)  # type: ignore[arg-type]
    looks = iter([False, False, True])
    assert found.result(lambda: next(looks)) == {"unigram_bpb": 4.0}
    assert "no time left in the budget" in str(found.error)
    end.set()
    again = Yardsticks(None, tmp_path)  # type: ignore[arg-type]
    assert again.result(lambda: False) == {"unigram_bpb": 4.0, "lzma_bpb": 2.0}
    assert again.error is None
