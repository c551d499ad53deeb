"""Which process has ended, or is silent, where torch says only that a connection has failed: one sentence names it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mainstem.errors import BadInput, RunFailed
from mainstem.train import world
from mainstem.train.processes import alive, joining, missing
from mainstem.train.processes.failure import Failure, Lost, Unanswered
from mainstem.train.processes.joining import leave, told
from mainstem.train.processes.meeting import Meeting
from mainstem.train.signals import Requests
from mainstem.train.world import World

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
linux = pytest.mark.skipif(alive.this() is None, reason="this system does not say which processes run")

SUPPORT = Path(__file__).parents[2] / "support"
LONG, SHORT = 60.0, 0.2
LOST = Unanswered("Another process has ended.")


def meetings(size: int) -> list[Meeting]:
    store = torch.distributed.HashStore()
    return [Meeting(store, rank, size) for rank in range(size)]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for one of the run."""
    with subprocess.Popen(["sleep", "600"]) as child:
        yield child
        child.kill()


def near(meeting: Meeting, rank: int, child: subprocess.Popen[bytes]) -> None:
    """Have `meeting` know process `rank` as one of this machine, which is `child`."""
    here = alive.this()
    assert here is not None
    meeting._near[rank] = here._replace(number=child.pid, began=alive._stat(child.pid)[1])


@linux
def test_one_of_this_machine_that_has_ended_is_named_at_once(sleeper: subprocess.Popen[bytes]) -> None:
    first, _ = meetings(2)
    near(first, 1, sleeper)
    threading.Timer(0.3, sleeper.kill).start()  # a connection breaks a little before a process has ended
    began = time.monotonic()
    assert str(missing.named(first, LOST, LONG)) == "Process 1 of 2 has ended, killed or without memory."
    assert time.monotonic() - began < LONG / 2


@linux
def test_one_that_misses_another_and_has_left_for_that_is_not_named(sleeper: subprocess.Popen[bytes]) -> None:
    first, _, third = meetings(3)
    near(first, 2, sleeper)
    third.leave("misses/2", True)
    sleeper.kill()
    sleeper.wait()
    assert str(missing.named(first, LOST, SHORT)).startswith("Process 1 of 3 has ended, cannot be reached")


@pytest.mark.parametrize(
    ("late", "said"),
    [(False, "has ended, cannot be reached or does not answer."), (True, "has not answered for 600 seconds.")],
)
def test_who_does_not_say_that_it_misses_one_is_named_by_all_others(late: bool, said: str) -> None:
    several = meetings(3)
    found: dict[int, Lost] = {}

    def one(rank: int) -> None:
        found[rank] = missing.named(several[rank], Unanswered("gone", late), 3.0)

    threads = [threading.Thread(target=one, args=(rank,)) for rank in (0, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {str(each) for each in found.values()} == {f"Process 1 of 3 {said}"}
    unheard = missing.named(meetings(3)[0], Unanswered("gone", late), SHORT)
    assert str(unheard) == f"One of processes 1 and 2 of 3 {said}"


def test_where_all_miss_one_nobody_is_named() -> None:
    first, second = meetings(2)
    second.leave("misses/1", True)
    began = time.monotonic()
    assert missing.named(first, LOST, LONG) is LOST
    assert time.monotonic() - began < LONG / 2


def test_what_has_been_said_already_is_not_looked_for() -> None:
    first, second = meetings(2)
    second.fail(Failure(None, 1, "Process 3 of 4 has ended."))
    assert str(missing.named(first, LOST, LONG)) == "Process 3 of 4 has ended."
    first, second = meetings(2)
    second.fail(Failure.of(1, BadInput("a is b: give c.")))
    assert missing.named(first, LOST, LONG) is LOST, "and why is said by who hears of the failure"


class Gone:
    """A store whose process has ended."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("failed to recv, got 0 bytes")


@linux
def test_the_process_that_all_met_at_is_named(sleeper: subprocess.Popen[bytes]) -> None:
    assert missing.named(Meeting(Gone(), 1, 2), LOST, LONG) is LOST, "a launcher has held it"
    elsewhere = missing.named(Meeting(Gone(), 1, 2, host=0), LOST, LONG)
    assert str(elsewhere) == "Process 0 of 2 has ended, cannot be reached or does not answer."
    second = Meeting(Gone(), 1, 2, host=0)
    near(second, 0, sleeper)
    threading.Timer(0.3, sleeper.kill).start()  # a connection breaks a little before a process has ended
    found = missing.named(second, LOST, LONG)
    assert str(found) == "Process 0 of 2 has ended, killed or without memory." and found.ranks == (0,)


def test_the_sentence_is_that_of_who_knows_more() -> None:
    first, second = meetings(2)
    leading = World(0, 2, 0, first)
    second.fail(Failure(None, 1, "Process 1 of 2 is gone."))
    with pytest.raises(RunFailed, match=r"^Process 1 of 2 is gone; saved at step 2\.$"), told(leading, Requests()):
        raise Lost("Process 1 of 2 is gone; saved at step 2.")
    with pytest.raises(RunFailed, match=r"^Process 1 of 2 is gone\.$"), told(leading, Requests()):
        raise LOST


def test_who_knows_tells_the_others() -> None:
    first, second = meetings(2)
    with pytest.raises(RunFailed, match=r"^Process 0 of 2 is gone\.$"), told(World(1, 2, 1, second), Requests()):
        raise Lost("Process 0 of 2 is gone.")
    assert first.failure() == Failure(None, 1, "Process 0 of 2 is gone.")


@linux
def test_the_leading_process_does_not_stay_for_one_that_has_ended(sleeper: subprocess.Popen[bytes]) -> None:
    first, _ = meetings(2)
    near(first, 1, sleeper)
    first.fail(Failure(None, 1, "Process 1 of 2 is gone."))
    sleeper.kill()
    sleeper.wait()
    began = time.monotonic()
    first.stay(LONG)
    assert time.monotonic() - began < LONG / 2


def test_the_leading_process_stays_for_the_others_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = meetings(2)
    first.fail(Failure(None, 1, "Process 1 of 2 is gone."))
    monkeypatch.setattr(joining, "_WAIT", 0.2)
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    leave(World(0, 2, 0, first))
    assert slept, "the other one has not heard of it"
    slept.clear()
    leave(World(0, 2, 0, first))
    assert not slept


@pytest.mark.parametrize(
    ("error", "late"),
    [
        (RuntimeError("[/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:1"), False),
        (RuntimeError("[/gloo/transport/tcp/buffer.cc:72] Timed out waiting 600000ms for recv operation"), True),
        (RuntimeError("[/gloo/transport/tcp/pair.cc:547] Application timeout caused pair closure"), True),
        (RuntimeError("Application timeout caused pair closure"), True),  # from gloo, without its path too
        (torch.distributed.DistStoreError("wait timeout after 600000ms, keys: /default_pg/0//cpu//0/1"), True),
        (torch.distributed.DistNetworkError("failed to recv, got 0 bytes"), False),
    ],
)  # fmt: skip
def test_what_torch_says_of_another_process_is_known_for_that(error: RuntimeError, late: bool) -> None:
    with pytest.raises(Unanswered) as found, world.answered():
        raise error
    assert found.value.late == late


def test_what_torch_says_of_tensors_is_not() -> None:
    with pytest.raises(RuntimeError, match="must match"), world.answered():
        torch.zeros(2) + torch.zeros(3)


def taken(folder: Path, *cases: str) -> list[dict[str, Any]]:
    """Return what the processes of each case came to."""
    environment = {
        **os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(SUPPORT), *filter(None, sys.path)]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(SUPPORT / "gone_ranks.py"), str(folder), *cases],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(found: dict[str, Any]) -> None:
    """Raise where not exactly one of the others has named the one that is gone in one sentence, or one has not ended.

    It is the first of them.
    """
    size, gone, name, number, *_ = found["case"].split()
    early = int(number) < 0
    ended = r"has ended, (killed or without memory|cannot be reached or does not answer)"
    how = ended if name == "KILL" else "has not answered for 8 seconds"
    more = r", before all had met at '[\d.:]+': start all \d again" if early else ""
    first, *others = (" ".join(said.split()) for rank, said in enumerate(found["said"]) if rank != int(gone))
    assert first.count("mainstem: ") == 1, found
    said = re.search(f"mainstem: Process {gone} of {size} {how}{more}(.*)$", first)
    assert said is not None, found
    if not early:  # with what is saved
        assert re.search(r"; start all \d again\.$|\. Go on with: `mainstem train --resume run`\.$", first), found
    assert "gloo" not in first and "Traceback" not in first
    assert set(others) <= {""}, found
    codes = [code for rank, code in enumerate(found["codes"]) if rank != int(gone)]
    assert set(codes) == {2 if early else 1} and found["codes"][int(gone)] in (-9, None)


@linux
def test_a_killed_process_is_named_by_the_first_one(tmp_path: Path) -> None:
    for found in taken(tmp_path, "3 1 KILL 20", "3 0 KILL 20", "3 0 KILL -1", "3 0 KILL -2"):
        check(found)


@linux
def test_a_first_process_that_is_stopped_is_named_by_the_next_one(tmp_path: Path) -> None:
    check(*taken(tmp_path, "3 0 STOP 20"))


@linux
@pytest.mark.slow
@pytest.mark.parametrize("gone", [0, 1])
@pytest.mark.parametrize("words", ["", " --machine.shard"], ids=["whole", "in parts"])
def test_a_process_is_named_whatever_it_was_to_send_when_it_was_killed(tmp_path: Path, words: str, gone: int) -> None:
    (undisturbed,) = taken(tmp_path, f"2 {gone} KILL 0{words}")
    assert undisturbed["codes"] == [0, 0] and undisturbed["calls"] > 40
    cases = [f"2 {gone} KILL {number}{words}" for number in range(1, undisturbed["calls"] + 1, 3)]
    several = taken(tmp_path, *cases, f"4 2 KILL 20{words}")
    if several[-2]["codes"][0] == 0:  # nothing of the last one is needed any more
        assert "ended after 4 steps" in " ".join(several.pop(-2)["said"][0].split())
    for found in several:
        check(found)


@linux
@pytest.mark.slow
def test_a_process_that_is_stopped_is_named(tmp_path: Path) -> None:
    for found in taken(tmp_path, "2 1 STOP 20", "3 2 STOP 30", "3 0 STOP -2"):
        check(found)
