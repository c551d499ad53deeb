"""Runs of several processes of which one is killed, or stopped, before it sends something for the N-th time.

`gone_ranks.py FOLDER CASE ...` with cases as "3 1 KILL 20 --machine.shard": how many processes there are, which of them
is sent which signal, before which of its reductions, and what the command has besides. Number 0 is never, -1 before it
joins the others, and -2 when all have come and before they have met. Prints a line of JSON for each case: exit codes,
what the processes said, and how many reductions the process had begun.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

os.environ["TORCH_CPP_LOG_LEVEL"] = "ERROR"  # as the command has it, before torch is there

import tiny_run
import torch
from bad_ranks import TINY

from mainstem.cli.main import main as mainstem
from mainstem.train import samples, world
from mainstem.train.processes import arriving, joining, meeting, missing

SENDS = ("all_reduce", "broadcast", "all_gather", "all_gather_into_tensor", "all_to_all_single")
LIMIT, ARRIVAL, LONGEST = 8.0, 5.0, 900.0
"""Seconds that a process waits in a reduction for one that is stopped, and at the beginning for one that does not come,
and that the processes of a case may take."""


def counted(name: str, number: int, count: list[int]) -> None:
    """Have this process sent the signal `name` before its reduction `number`."""

    def around(real: Callable[..., Any]) -> Callable[..., Any]:
        def send(*args: Any, **how: Any) -> Any:
            count[0] += 1
            if count[0] == number:
                os.kill(os.getpid(), getattr(signal, f"SIG{name}"))
            return real(*args, **how)

        return send

    for each in SENDS:
        setattr(torch.distributed, each, around(getattr(torch.distributed, each)))


def early(name: str, number: int) -> None:
    """Have this process sent the signal `name` before it joins the others, or when all of them have come."""

    def end(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), getattr(signal, f"SIG{name}"))

    def word(own: meeting.Meeting, *_: Any) -> None:
        while len(own.came()) < own.size:
            time.sleep(0.01)
        end()

    if number == -1:
        arriving.meet = end  # type: ignore[assignment]
    else:
        meeting.Meeting.word = word  # type: ignore[assignment, method-assign]


def child(rank: int, words: list[str], case: tuple[int, str, int], said: Path, calls: Path) -> None:
    """Become one process of a run, whose output goes into the file `said`."""
    code, count = 70, [0]
    try:
        with said.open("wb", 0) as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        samples._LENGTH = 3
        for module in (arriving, meeting, missing, world) if case[1] == "STOP" else ():
            module.LIMIT = timedelta(seconds=LIMIT)
        joining.join = functools.partial(joining.join, timedelta(seconds=ARRIVAL))  # type: ignore[assignment]
        if rank == case[0] and case[2] < 0:
            early(*case[1:])
        elif rank == case[0]:
            counted(case[1], case[2], count)
        code = mainstem(words)
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - it is what is looked at
        traceback.print_exc()
    finally:
        if rank == case[0]:
            calls.write_text(str(count[0]))
        os._exit(code)


def take(folder: Path, text: str) -> dict[str, Any]:
    """Return what the processes of a case came to."""
    size, rank, name, number, *more = text.split()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": size}
    shutil.rmtree(folder / "run", ignore_errors=True)
    calls = folder / "calls"
    calls.unlink(missing_ok=True)
    said = [folder / f"said-{each}" for each in range(int(size))]
    began, pids = time.monotonic(), {}
    for each in range(int(size)):
        if (pid := os.fork()) == 0:
            child(each, [*TINY, *more], (int(rank), name, int(number)), said[each], calls)
        pids[each] = pid
    codes: dict[int, int | None] = {}
    for each in itertools.cycle(list(pids)):
        if each not in codes and (found := os.waitpid(pids[each], os.WNOHANG))[0]:
            codes[each] = os.waitstatus_to_exitcode(found[1])
        left = [other for other in pids if other not in codes]
        late = time.monotonic() - began > LONGEST
        stays = name == "STOP" and left == [int(rank)] and bool(codes)  # until somebody ends it
        if left and (late or stays):
            for other in left:
                os.kill(pids[other], signal.SIGKILL)
                os.waitpid(pids[other], 0)
                codes[other] = None
        if len(codes) == len(pids):
            break
        time.sleep(0.01)
    return {
        "case": text, "codes": [codes[each] for each in pids], "said": [path.read_text() for path in said],
        "seconds": time.monotonic() - began, "calls": int(calls.read_text()) if calls.exists() else None,
    }  # fmt: skip


def main(folder: Path, cases: list[str]) -> None:
    """Take every case, one after the other."""
    torch.set_num_threads(1)
    os.chdir(folder)
    tiny_run.text(folder)
    for case in cases:
        print(json.dumps(take(folder, case)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
