"""What two processes of a run may have been given that cannot be used: `bad_ranks.py FOLDER`, in both of them.

Each case is a `mainstem train` of its own in a child of either process. Prints for each, as JSON, the exit code of this
process and what it said.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import tiny_run

from mainstem import files
from mainstem.cli.main import main as mainstem
from mainstem.train import samples
from mainstem.train.processes import joining, meeting

TINY = (
    "train", "corpus.txt", "--out", "run", "--train.steps", "4", "--train.batch", "4", "--evaluate.every", "2",
    "--save.every", "2", "--model.layers", "1", "--model.width", "16", "--model.heads", "2", "--model.context", "16",
    "--data.tokenizer", "byte", "--machine.threads", "1",
)  # fmt: skip


class Case(NamedTuple):
    """Words that both processes are given besides the command, words of the second one alone, what is done before.

    Nobody waits longer than `arrival` seconds for the other one.
    """

    both: tuple[str, ...] = ()
    second: tuple[str, ...] = ()
    before: Callable[[int], contextlib.AbstractContextManager[object]] = lambda rank: contextlib.nullcontext()
    command: tuple[str, ...] = TINY
    arrival: float = 60.0


@contextlib.contextmanager
def three(rank: int) -> Iterator[None]:
    """Say that there are three processes."""
    os.environ["WORLD_SIZE"] = "3"
    yield


@contextlib.contextmanager
def two_and_three(rank: int) -> Iterator[None]:
    """Say to the second process that there are three."""
    os.environ["WORLD_SIZE"] = str(2 + rank)
    yield


@contextlib.contextmanager
def another_text(rank: int) -> Iterator[None]:
    """Have the second process find another text under the same name."""
    if rank == 1:
        Path("other").mkdir(exist_ok=True)
        tiny_run.text(Path("other"), words=400)
        os.chdir("other")
    yield


@contextlib.contextmanager
def a_taken_port(rank: int) -> Iterator[None]:
    """Have another program listen where the processes are to meet, for longer than they look for each other."""
    with socket.socket(socket.AF_INET6) as taken:
        if rank == 0:
            taken.bind(("::", int(os.environ["MASTER_PORT"])))
            taken.listen()
            subprocess.Popen(["sleep", "20"], pass_fds=[taken.fileno()])
        yield


@contextlib.contextmanager
def a_full_disk(rank: int) -> Iterator[None]:
    """Have the second process find no room for its part of a checkpoint."""
    real = files.write_synced

    def full(path: Path, data: bytes) -> files.Entry:
        if "-2-of-2" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return real(path, data)

    if rank == 1:
        files.write_synced = full
    yield


@contextlib.contextmanager
def a_second_that_looks_late(rank: int) -> Iterator[None]:
    """Have the second process look for words twice in three seconds: the first one could be gone by then."""
    if rank == 1:
        meeting._PAUSE = 1.5
    yield


def without_a_part(*steps: int) -> Callable[[int], contextlib.AbstractContextManager[object]]:
    """Take the second process's part of the model out of the checkpoints of `steps` of a run in parts."""

    @contextlib.contextmanager
    def before(rank: int) -> Iterator[None]:
        if rank == 0:
            shutil.rmtree("run", ignore_errors=True)
            shutil.copytree("parts", "run")
            for step in steps:
                (Path("run") / "checkpoints" / f"step-{step}" / "model-2-of-2.safetensors").unlink()
        yield

    return before


SHARD = ("--machine.shard",)
CASES = {
    "another number of processes": Case(before=three, arrival=2.0),
    "numbers that differ": Case(before=two_and_three),
    "another configuration": Case(second=("--optim.clip", "0.5")),
    "another text": Case(before=another_text),
    "a port that is taken": Case(before=a_taken_port, arrival=2.0),
    "--launch 0": Case(("--launch", "0")),
    "--launch under torchrun": Case(("--launch", "2")),
    "no such command": Case(command=("trian",)),
    "no such option": Case(("--train.stepz", "4")),
    "no such file": Case(("--data.held-out-paths.0", "absent.txt")),
    "no such file, heard late": Case(("--data.held-out-paths.0", "absent.txt"), before=a_second_that_looks_late),
    "too small a batch": Case(("--train.batch", "1")),
    "a run in parts": Case((*SHARD, "--out", "parts")),
    "a full disk": Case(SHARD, before=a_full_disk),
    "one part is missing": Case(SHARD, before=without_a_part(4)),
    "no checkpoint has all its parts": Case(SHARD, before=without_a_part(2, 4)),
}


def words(case: Case, rank: int) -> list[str]:
    """Return the command line of process `rank`; what a case says stands in the place of what all have."""
    given = [*case.both, *(case.second if rank else ())]
    names = [word for word in given if word.startswith("--")]
    found = list(case.command)
    for name in names:
        if name in found:
            at = found.index(name)
            del found[at : at + 2]
    return [*found, *given]


def port(folder: Path, number: int, rank: int) -> str:
    """Return a free port on which both processes agree, once both have come to case `number`; they meet by files."""
    path, here = folder / f"port-{number}", folder / f"here-{number}"
    if rank == 0:
        _wait(here)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            path.with_suffix(".new").write_text(str(free.getsockname()[1]))
        path.with_suffix(".new").rename(path)
    else:
        here.touch()
        _wait(path)
    return path.read_text()


def _wait(path: Path) -> None:
    """Return when there is a file at `path`."""
    ends = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < ends, "the other process does not come"
        time.sleep(0.01)


def take(case: Case, rank: int) -> int:
    """Return the exit code of one command in this process."""
    samples._LENGTH = 3
    joining.join = functools.partial(joining.join, timedelta(seconds=case.arrival))  # type: ignore[assignment]
    with case.before(rank):
        return mainstem(words(case, rank))


def child(case: Case, rank: int, said: Path) -> None:
    """Become one command, whose output goes into the file `said`."""
    code = 70
    try:
        with said.open("wb", 0) as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        code = take(case, rank)
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - it is what is looked at
        traceback.print_exc()
    finally:
        os._exit(code)


def main(folder: Path) -> None:
    """Take every case, both processes at once."""
    rank = int(os.environ["RANK"])
    for number, (name, case) in enumerate(CASES.items()):
        os.environ["MASTER_PORT"] = port(folder, number, rank)
        os.chdir(folder)
        said = folder / f"said-{rank}"
        if (pid := os.fork()) == 0:
            child(case, rank, said)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps({"case": name, "code": code, "said": said.read_text()}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
