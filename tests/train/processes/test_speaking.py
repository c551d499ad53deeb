"""Which process speaks: the leading one; where it is gone exactly one other, and none where a launcher says so."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from mainstem.train.processes import alive, meeting, speaking
from mainstem.train.processes.meeting import Meeting

pytestmark = [
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed"),
    pytest.mark.skipif(alive.this() is None, reason="this system does not say which processes run"),
]
LONG, SHORT = 60.0, 0.1


class Store:
    """A store that may break, as one does whose process is killed, or hang, as where that is stopped."""

    def __init__(self) -> None:
        self.store, self.broken, self.released = torch.distributed.HashStore(), False, threading.Event()
        self.released.set()

    def __getattr__(self, name: str) -> Any:
        def ask(*words: Any) -> Any:
            if self.broken:
                raise RuntimeError("failed to recv, got 0 bytes")
            self.released.wait(LONG)
            return getattr(self.store, name)(*words)

        return ask


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that stand for four of a run."""
    children = [subprocess.Popen(["sleep", "600"]) for _ in range(4)]
    yield children
    for child in children:
        child.kill()
        child.wait()


def run(sleepers: list[subprocess.Popen[bytes]], host: int | None = 0) -> tuple[Store, list[Meeting]]:
    """Return the meetings of four processes of this machine, and their store."""
    store = Store()
    several = [Meeting(store, rank, 4, host) for rank in range(4)]
    here = alive.this()
    assert here is not None
    for each in several:
        each.met = True
        each.leave(f"here/{each.rank}", (4, None))
        for rank, child in enumerate(sleepers):
            each._near[rank] = here._replace(number=child.pid, began=alive._stat(child.pid)[1])
    return store, several


def end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def who(several: list[Meeting], launched: bool = False) -> list[int]:
    return [each.rank for each in several[1:] if speaking.speaks(each, launched)]


def test_the_first_that_runs_speaks_where_the_store_has_gone(sleepers: list[subprocess.Popen[bytes]]) -> None:
    store, several = run(sleepers)
    assert who(several) == []
    store.broken = True
    end(sleepers[0])
    assert who(several) == [1]
    end(sleepers[1])
    assert who(several) == [2]
    assert who(several, launched=True) == []


def test_before_all_have_met_it_is_process_1(sleepers: list[subprocess.Popen[bytes]]) -> None:
    store, several = run(sleepers)
    store.broken = True
    for each in several:
        each.met = False
    end(sleepers[0])
    end(sleepers[1])
    assert who(several) == [1]


def test_a_store_that_hangs_has_gone(sleepers: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "_ANSWER", SHORT)
    store, several = run(sleepers)
    store.released.clear()
    for each in several:
        each.hurry()
    try:
        assert who(several) == [1]
        assert not speaking.hear(several[2], LONG)
    finally:
        store.released.set()


@pytest.mark.parametrize("host", [0, None])
def test_one_speaks_where_the_leading_process_is_the_one_that_does_not_answer(
    sleepers: list[subprocess.Popen[bytes]], host: int | None
) -> None:
    _, several = run(sleepers, host)
    for each in several:
        each.lost = (0,)
    assert who([several[0], *several[:0:-1]], launched=host is None) == [3], "who claims it first"


@pytest.mark.parametrize("lost", [(1,), (0, 2)])
def test_the_leading_process_speaks_of_others(sleepers: list[subprocess.Popen[bytes]], lost: tuple[int, ...]) -> None:
    _, several = run(sleepers)
    for each in several:
        each.lost = lost
    assert who(several) == []


def test_a_launcher_says_that_the_leading_process_has_ended(sleepers: list[subprocess.Popen[bytes]]) -> None:
    _, several = run(sleepers, None)
    end(sleepers[0])
    for each in several:
        each.lost = (0,)
    assert who(several, launched=True) == []


def test_who_speaks_stays_until_the_others_have_heard(sleepers: list[subprocess.Popen[bytes]]) -> None:
    _, several = run(sleepers)
    end(sleepers[1])
    several[0].lost = (3,)  # does not answer
    thread = threading.Thread(target=speaking.spoken, args=(several[0], LONG))
    thread.start()
    time.sleep(0.2)
    assert thread.is_alive()
    assert speaking.hear(several[2], LONG)
    thread.join(LONG / 2)
    assert not thread.is_alive()
    assert not speaking.speaks(several[2], launched=False) and speaking.was(several[0])


def test_who_speaks_without_a_store_stays_until_the_others_have_ended(sleepers: list[subprocess.Popen[bytes]]) -> None:
    store, several = run(sleepers)
    store.broken = True
    end(sleepers[0])
    thread = threading.Thread(target=speaking.spoken, args=(several[1], LONG))
    thread.start()
    time.sleep(0.2)
    assert thread.is_alive()
    end(sleepers[2])
    end(sleepers[3])
    thread.join(LONG / 2)
    assert not thread.is_alive()


def test_nobody_waits_for_a_word_longer_than_is_said(sleepers: list[subprocess.Popen[bytes]]) -> None:
    _, several = run(sleepers)
    assert not speaking.hear(several[1], SHORT)
    began = time.monotonic()
    speaking.spoken(several[0], SHORT)
    assert time.monotonic() - began < LONG / 2
