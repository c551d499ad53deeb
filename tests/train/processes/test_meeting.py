"""Words left in a store: found, waited for as long as is said, and a failure elsewhere heard at once."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tiny_run
import torch

from mainstem import config
from mainstem.errors import BadInput, RunFailed
from mainstem.train.processes import alive, meeting, together
from mainstem.train.processes.failure import Failure, Lost
from mainstem.train.processes.joining import told
from mainstem.train.processes.meeting import LIMIT, LONG, Meeting
from mainstem.train.signals import Requests, Stop
from mainstem.train.world import World

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")

SHORT = timedelta(seconds=0.1)


def worlds(size: int = 2) -> list[World]:
    """Return worlds of one meeting, in this process."""
    store = torch.distributed.HashStore()
    return [World(rank, size, rank, Meeting(store, rank, size)) for rank in range(size)]


def meetings(size: int = 2) -> list[Meeting]:
    return [world.meeting for world in worlds(size) if world.meeting is not None]


def at_once(each: list[Callable[[], Any]]) -> list[Any]:
    """Return what each of these comes to, in threads: a value, or what it raised."""
    found: list[Any] = [None] * len(each)

    def one(number: int) -> None:
        try:
            found[number] = each[number]()
        except Exception as error:  # noqa: BLE001 - it is what is looked at
            found[number] = error

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(len(each))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_all_get_the_words_of_all_in_the_order_of_their_ranks() -> None:
    several = meetings(3)
    assert (
        at_once([lambda m=m: m.everyone("a", {"of": m.rank}) for m in several])
        == [  # type: ignore[misc]
            [{"of": 0}, {"of": 1}, {"of": 2}]
        ]
        * 3
    )


def test_nobody_waits_longer_than_is_said() -> None:
    began = time.monotonic()
    with pytest.raises(Lost, match=r"has not answered for 0 seconds"):
        meetings()[0].word("never", 1, SHORT)
    assert time.monotonic() - began < 30


@pytest.mark.skipif(alive.this() is None, reason="this system does not say which processes run")
def test_a_process_that_ends_is_waited_for_no_longer_but_what_it_has_left_is_found() -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        here = alive.this()
        assert here is not None
        other = here._replace(number=child.pid, began=alive._stat(child.pid)[1])
        first, second = meetings()
        second.leave("here/1", (2, other))
        first.greet(SHORT)
        second.leave("left", "before")
        with pytest.raises(Lost, match="has not answered for 0 seconds"):
            first.word("never", 1, SHORT)
        child.kill()
    with pytest.raises(Lost, match="Process 1 of 2 has ended, killed or without memory"):
        first.word("never", 1)
    assert first.word("left", 1) == "before"
    with pytest.raises(RunFailed, match="Process 1 of 2 has ended"), told(World(0, 2, 0, first), Requests()):
        first.word("never", 1)


class Hours:
    """A clock by which each look for a word takes half a minute; `then` happens meanwhile."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.now, self.then = 1000.0, then

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _: float) -> None:
        self.now += 30.0
        self.then()


@pytest.mark.parametrize("elsewhere", [None, ["another machine", 1, 1]])
@pytest.mark.parametrize(("signs", "seconds"), [(False, LIMIT), (True, LONG)], ids=["silent", "at work"])
def test_of_processes_elsewhere_nothing_is_known_but_their_signs_of_life(
    elsewhere: Any, signs: bool, seconds: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = meetings()
    second.leave("here/1", (2, elsewhere))
    first.greet(SHORT)
    clock = Hours(second.sign if signs else lambda: None)
    monkeypatch.setattr(meeting, "time", clock)
    with pytest.raises(Lost, match="Process 1 of 2 has not answered for"):
        first.word("never", 1, LONG)
    assert clock.now - 1000 == pytest.approx(seconds.total_seconds(), abs=70)
    assert second.signs(0) == pytest.approx(seconds.total_seconds() / 30, abs=3), "who waits gives signs, too"


def test_a_process_at_work_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = meetings()
    monkeypatch.setattr(meeting, "_SIGN", 0.02)
    with second.working():
        for number in range(1, 4):
            while first.signs(1) < number:
                time.sleep(0.01)
    ended = first.signs(1)
    time.sleep(0.1)
    assert first.signs(1) == ended


def test_a_failure_elsewhere_ends_the_waiting_and_the_first_one_is_heard() -> None:
    first, second = meetings()
    assert first.failure() is None
    second.fail(Failure.of(1, BadInput("a is b: give c.")))
    first.fail(Failure.of(0, RunFailed("late")))
    with pytest.raises(Lost, match="Another process has failed"):
        first.word("never", 1)
    found = first.failure()
    assert found == Failure(1, 2, "a is b: give c.")
    assert str(found.error(2)) == "Process 1 of 2: a is b: give c." and isinstance(found.error(2), BadInput)


@pytest.mark.parametrize(
    ("error", "kind"),
    [(BadInput("x"), BadInput), (RunFailed("x"), RunFailed), (KeyError("x"), RunFailed), (Stop(143), Stop)],
)
def test_what_ends_one_process_is_raised_in_the_others(error: Exception, kind: type[BaseException]) -> None:
    leading, other = worlds()
    with pytest.raises(type(error)), told(other, Requests()):
        raise error
    with pytest.raises(kind), told(leading, Requests()):
        leading.meeting.word("never", 1)  # type: ignore[union-attr]


class Gone:
    """A store that ends with the leading process, once the other one has heard what ended that.

    It is `early` where that one cannot say any more that it has heard.
    """

    def __init__(self, store: Any, early: bool = False) -> None:
        self.store, self.early, self.ended = store, early, False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*words: Any) -> Any:
            says = name == "set" and words[0].startswith(meeting._HEARD)
            if self.ended or (self.early and says):
                self.ended = True
                raise RuntimeError("Connection reset by peer")
            self.ended = says
            return getattr(self.store, name)(*words)

        return ask


def test_what_has_ended_the_leading_process_is_raised_where_the_store_goes_once_it_is_heard() -> None:
    leading, other = worlds()
    with pytest.raises(BadInput), told(leading, Requests()):
        raise BadInput("x")
    other.meeting._store = store = Gone(other.meeting._store)  # type: ignore[union-attr]
    with pytest.raises(BadInput, match="Process 0 of 2: x"), told(other, Requests()):
        other.meeting.word("never", 0)  # type: ignore[union-attr]
    assert store.ended


def test_it_is_raised_as_well_where_the_store_goes_before_anybody_can_say_that_it_is_heard() -> None:
    leading, other = worlds()
    with pytest.raises(BadInput), told(leading, Requests()):
        raise BadInput("x")
    other.meeting._store = Gone(other.meeting._store, early=True)  # type: ignore[union-attr]
    with pytest.raises(BadInput, match="Process 0 of 2: x"), told(other, Requests()):
        raise Lost("Process 0 of 2 has ended.")


def test_a_process_that_vanishes_without_a_word_is_a_failure_of_the_run() -> None:
    requests = Requests()
    with pytest.raises(RunFailed, match="gone"), told(worlds()[0], requests):
        raise Lost("gone")
    requests(15)  # which torchrun sends to all then
    assert requests.code == 143


def test_a_stop_on_which_all_agreed_is_no_failure() -> None:
    leading, other = worlds()
    with pytest.raises(Stop), told(other, Requests()):
        raise Stop(143, saved=True)
    assert leading.meeting is not None and leading.meeting.failure() is None


def given(**more: Any) -> config.Run:
    return tiny_run.run("corpus.txt", "out", **more)


def test_one_run_is_one_run_whatever_its_threads() -> None:
    two = worlds()
    runs = [given(), given(machine={"threads": 3})]
    hosts = at_once([lambda w=w, r=r: together.greet(w, r) for w, r in zip(two, runs, strict=True)])  # type: ignore[misc]
    assert hosts[0] == hosts[1] and len(hosts[0]) == 2


def test_another_configuration_is_named_in_every_process() -> None:
    runs = [given(), given(optim={"clip": 0.5}, train={"batch": 8})]
    found = at_once([lambda w=w, r=r: together.greet(w, r) for w, r in zip(worlds(), runs, strict=True)])  # type: ignore[misc]
    for error in found:
        assert isinstance(error, BadInput)
        assert "Process 1 of 2 has another configuration than process 0: optim.clip is 0.5 there and 1" in str(error)
        assert "(1 more differ). Start all of them with the same command." in str(error)


def test_other_versions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told_apart = iter([{"torch": "2.10"}, {"torch": "2.13"}])
    monkeypatch.setattr(together.environment, "versions", lambda: next(told_apart))
    found = at_once([lambda w=w: together.greet(w, given()) for w in worlds()])  # type: ignore[misc]
    assert all("install the same everywhere" in str(error) for error in found)


class Facts(msgspec.Struct):
    facts: dict[str, Any]


def test_other_data_is_named_in_every_process() -> None:
    data = [Facts({"hash": "aa" * 20}), Facts({"hash": "bb" * 20})]
    found = at_once([lambda w=w, d=d: together.same_data(w, d) for w, d in zip(worlds(), data, strict=True)])  # type: ignore[misc]
    assert all("Process 1 of 2 has other data than process 0 (its hash is bbbbbbbbbbbb" in str(e) for e in found)
    assert at_once([lambda w=w: together.same_data(w, data[0]) for w in worlds()]) == [None, None]  # type: ignore[misc]


def test_another_tokenizer_is_named_in_every_process() -> None:
    data = [Facts({"hash": "aa" * 20, "train_tokens": 900}), Facts({"hash": "aa" * 20, "train_tokens": 870})]
    found = at_once([lambda w=w, d=d: together.same_data(w, d) for w, d in zip(worlds(), data, strict=True)])  # type: ignore[misc]
    assert all("Process 1 of 2 reads the text as 870 tokens, and process 0 as 900" in str(e) for e in found)


class Task:
    """Notes who prepares, when, in which cache."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def prepare(self, run: config.Run, cache: Path) -> Facts:
        if threading.current_thread().name == "2":  # the first one of its host: the other one there waits for it
            time.sleep(0.5)
        self.seen.append((threading.current_thread().name, str(cache)))
        return Facts({"hash": "aa"})


def test_data_is_prepared_once_on_each_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    hosts, several, task = ["a", "a", "b", "b"], worlds(4), Task()
    order: list[int] = []

    def one(rank: int) -> None:
        threading.current_thread().name = str(rank)
        if rank == 0:
            time.sleep(0.2)
            order.append(0)
            together.offer(several[0], Path("/of/the/first"))
        else:
            together.prepare(several[rank], hosts, task, given())  # type: ignore[arg-type]

    assert at_once([lambda rank=rank: one(rank) for rank in range(4)]) == [None] * 4  # type: ignore[misc]
    caches = dict(task.seen)
    assert order == [0] and caches == {"1": "/of/the/first", "2": f"{tmp_path}/mainstem", "3": f"{tmp_path}/mainstem"}
    assert [rank for rank, _ in task.seen].index("2") < [rank for rank, _ in task.seen].index("3")
