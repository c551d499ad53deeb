"""Starts a script in several processes with the variables that torchrun gives them; returns what each printed.

The processes are forked from one that has imported torch and mainstem: the tests start some sixty of them, and each
would spend seconds on its imports.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import runpy
import socket
import sys
import tempfile
import time
import warnings
from multiprocessing.context import ForkServerContext
from pathlib import Path

HERE = Path(__file__).parent
_LIMIT = 900.0
_ENDING = 0.5
"""Seconds that a process stays after an exception. Python takes as long to end; a fork would vanish at once, and what
it has left for the others with it."""

_IMPORTED = [
    "torch.distributed.fsdp",
    "torch.nn.parallel",
    "mainstem.cli.main",
    "mainstem.report.page",
    "mainstem.train.language",
    "mainstem.optim.sharded",
    "scipy.special",
    "pytest",
]
"""What nearly all scripts import. Nothing of it starts a thread, which a fork would lose."""


def two(script: str, *arguments: str) -> list[tuple[str, str]]:
    """Return standard output and standard error of both processes of the file `script` beside this one."""
    return several(2, script, *arguments)


def several(number: int, script: str, *arguments: str) -> list[tuple[str, str]]:
    """Return standard output and standard error of each of `number` processes of the file `script` beside this one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "WORLD_SIZE": str(number), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with tempfile.TemporaryDirectory() as folder:
        said = [(Path(folder, f"{rank}.out"), Path(folder, f"{rank}.err")) for rank in range(number)]
        ranks = [
            _context().Process(
                target=_play,
                args=(script, arguments, {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}, *map(str, said[rank])),
            )
            for rank in range(number)
        ]
        for rank in ranks:
            rank.start()
        try:
            for rank in ranks:
                rank.join(_LIMIT)
                assert rank.exitcode is not None, f"{script} has not ended after {_LIMIT:.0f} s"
            return [(out.read_text(), error.read_text()) for out, error in said]
        finally:
            for rank in ranks:
                rank.kill()


def all_equal(script: str, *arguments: str, number: int = 2) -> list[str]:
    """Run `script` in `number` processes, assert that every line ends with "equal", and return those of the first.

    The last line says that all cases were run.
    """
    said = several(number, script, *arguments)
    for out, error in said:
        assert [line for line in out.splitlines() if not line.endswith(": equal")] == [], error
        assert out.splitlines()[-1:] == ["end: equal"], error
    return said[0][0].splitlines()[:-1]


@functools.cache
def _context() -> ForkServerContext:
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(_IMPORTED)
    return found


def _play(script: str, arguments: tuple[str, ...], environment: dict[str, str], out: str, error: str) -> None:
    """Be one of the processes: what `python -W ignore script arguments` is, but for its imports."""
    for path, descriptor in ((out, 1), (error, 2)):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    warnings.simplefilter("ignore")
    sys.argv = [script, *arguments]
    try:
        runpy.run_path(str(HERE / script), run_name="__main__")
    except Exception:
        time.sleep(_ENDING)
        raise
