"""Yardsticks are waited for as long as a budget has time, and end when the run is left."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mainstem import counts, data
from mainstem.train.yardstick import Yardsticks

FIRST, TOKENS = {"unigram_bpb": 4.0}, {"unigram_bpb": 4.0, "counts_tokens_bpb": 2.0}
ALL = {**TOKENS, "counts_bytes_bpb": 2.5, "repeated_share": 0.0}
PRIOR = counts.Counts()


@pytest.fixture
def end(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What counting waits for behind single tokens, unless it is asked to stop."""
    event = threading.Event()

    def stages(corpus: Any, cache: Path, work: counts.Work) -> Iterator[dict[str, float]]:
        yield FIRST
        while not event.wait(0.01):
            work.tell(0.25)
        yield ALL

    monkeypatch.setattr(data.yardsticks, "stages", stages)
    return event


def test_counts_are_waited_for_until_it_is_late(tmp_path: Path, end: threading.Event) -> None:
    found = Yardsticks(None, tmp_path)  # type: ignore[arg-type]
    looks, shares = iter([False, False, True]), []
    assert found.result(lambda: next(looks), shares.append) == FIRST
    assert shares == [0.25, 0.25]
    assert "no time left for counts, and `mainstem evaluate` takes it" in str(found.error)
    end.set()
    again = Yardsticks(None, tmp_path)  # type: ignore[arg-type]
    assert again.result(lambda: False) == ALL
    assert again.error is None


def test_counts_that_are_mixed_with_the_network_come_before_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def stages(corpus: Any, cache: Path, work: counts.Work) -> Iterator[dict[str, float]]:
        yield from (FIRST, TOKENS)
        while True:  # bytes take longer than the budget
            time.sleep(0.01)
            work.tell(0.5)

    def over_tokens(*what: Any) -> str:
        time.sleep(0.3)
        asked.append(what[-1])
        return "over tokens"

    monkeypatch.setattr(data.yardsticks, "stages", stages)
    monkeypatch.setattr(data.yardsticks, "over_tokens", over_tokens)
    found = Yardsticks(None, tmp_path, counts.Counts(order=3))  # type: ignore[arg-type]
    assert found.result(lambda: True) == TOKENS  # waited for, though it is late
    assert found.over_tokens == "over tokens" and asked == [3]
    assert "no time left for counts over bytes" in str(found.error)
    without = Yardsticks(None, tmp_path)  # type: ignore[arg-type]
    without.result(lambda: True)
    assert without.over_tokens is None and asked == [3]


def test_nothing_is_waited_for_without_end(tmp_path: Path, end: threading.Event) -> None:
    clock = iter(range(100))
    found = Yardsticks(None, tmp_path, PRIOR)  # type: ignore[arg-type]
    assert found.result(lambda: True, clock=lambda: float(next(clock))) == FIRST
    assert found.over_tokens is None and next(clock) == 2


def test_counting_ends_when_the_run_is_left(tmp_path: Path, end: threading.Event) -> None:
    found = Yardsticks(None, tmp_path)  # type: ignore[arg-type]
    found.stop()
    assert found.result() == FIRST
    assert found.error is None


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own here")
def test_counting_gives_way_and_the_training_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, seen = os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), []

    def stages(*what: Any) -> Iterator[dict[str, float]]:
        for known in (FIRST, TOKENS, ALL):
            seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            yield known

    monkeypatch.setattr(data.yardsticks, "stages", stages)
    monkeypatch.setattr(data.yardsticks, "over_tokens", lambda *what: "over tokens")
    low = min(19, own + 10)
    for prior, hurry, wanted in ((None, False, [low] * 3), (PRIOR, False, [low] * 3), (None, True, [low] * 3),
                                 (PRIOR, True, [own, own, low])):  # fmt: skip
        seen.clear()
        assert Yardsticks(None, tmp_path, prior, hurry).result() == ALL  # type: ignore[arg-type]
        assert seen == wanted
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own


def test_what_goes_wrong_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data.yardsticks, "unigram", lambda corpus: 1 / 0)
    monkeypatch.setattr(data.yardsticks, "_name", lambda corpus: "nothing.json")
    found = Yardsticks(None, tmp_path)  # type: ignore[arg-type]
    assert found.result() == {}
    assert isinstance(found.error, ZeroDivisionError)
