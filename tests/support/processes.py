"""Starts a script in several processes with the variables that torchrun gives them; returns what each printed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def two(script: str, *arguments: str) -> list[tuple[str, str]]:
    """Return standard output and standard error of both processes of the file `script` beside this one."""
    return several(2, script, *arguments)


def several(number: int, script: str, *arguments: str) -> list[tuple[str, str]]:
    """Return standard output and standard error of each of `number` processes of the file `script` beside this one."""
    here = Path(__file__).parent
    paths = os.pathsep.join([str(ROOT / "src"), str(here), os.environ.get("PYTHONPATH", "")])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [
        subprocess.Popen([sys.executable, "-W", "ignore", str(here / script), *arguments], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, env={
            **os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "RANK": str(rank), "WORLD_SIZE": str(number),
            "LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        })
        for rank in range(number)
    ]  # fmt: skip
    try:
        return [rank.communicate(timeout=900) for rank in ranks]
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
