"""Yardsticks are waited for as long as a budget has time, and end when the run is left."""

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from mainstem import counts, data
from mainstem.train.yardstick import Yardsticks

ALL = {"unigram_bpb": 4.0, "counts_tokens_bpb": 2.0}


@pytest.fixture
def end(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What counting waits for, unless it is asked to stop."""
    event = threading.Event()

    def measure(corpus: Any, cache: Path, work: counts.Work) -> dict[str, float]:
        while not event.wait(0.01):
            work.tell(0.25)
        return ALL

    monkeypatch.setattr(data.yardsticks, "unigram", lambda corpus: 4.0)
    monkeypatch.setattr(data.yardsticks, "measure", measure)
    return event


def test_counts_are_waited_for_until_it_is_late(tmp_path: Path, end: threading.Event) -> None:
    found = Yardsticks(None, tmp_path)  # type: ignore[arg-type]
    looks, shares = iter([False, False, True]), []
    assert found.result(lambda: next(looks), shares.append) == {"unigram_bpb": 4.0}
    assert shares == [0.25, 0.25]
    assert "no time left in the budget" in str(found.error)
    end.set()
    again = Yardsticks(None, tmp_path)  # type: ignore[arg-type]
    assert again.result(lambda: False) == ALL
    assert again.error is None


def test_counting_ends_when_the_run_is_left(tmp_path: Path, end: threading.Event) -> None:
    found = Yardsticks(None, tmp_path)  # type: ignore[arg-type]
    found.stop()
    assert found.result() == {"unigram_bpb": 4.0}
    assert found.error is None


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own here")
def test_counting_gives_way_and_the_training_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, seen = os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), []

    def unigram(corpus: Any) -> float:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return 4.0

    monkeypatch.setattr(data.yardsticks, "unigram", unigram)
    monkeypatch.setattr(data.yardsticks, "measure", lambda *what: ALL)
    assert Yardsticks(None, tmp_path).result() == ALL  # type: ignore[arg-type]
    assert seen == [min(19, own + 10)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own


def test_what_goes_wrong_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data.yardsticks, "unigram", lambda corpus: 1 / 0)
    found = Yardsticks(None, tmp_path)  # type: ignore[arg-type]
    assert found.result() == {}
    assert isinstance(found.error, ZeroDivisionError)
