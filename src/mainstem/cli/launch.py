"""`mainstem train --launch N`: the same command in N processes on this machine, by torch's own launcher."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from .. import files, runs
from ..errors import BadInput, RunFailed
from ..wording import brief
from . import processes

MOST = 4096
_DIGITS = 20
"""Of a number of processes at most; Python itself refuses to read one of thousands."""


def number(text: str) -> int:
    """Return how many processes ``--launch`` asks for.

    Raises:
        BadInput: for what is no number from 1 to `MOST`, and inside of processes that something else has started.
    """
    if not (text.isdecimal() and len(text) < _DIGITS and 1 <= int(text) <= MOST):
        raise BadInput(
            f"--launch {brief(text)!r} is no number of processes: give one from 1 to {MOST}, say one for each GPU of "
            "this machine."
        )
    if processes.several() and processes.began() is None:
        raise BadInput(
            f"--launch {text} starts processes, and this is one of {os.environ['WORLD_SIZE']} that were started "
            "already (WORLD_SIZE): leave --launch out under torchrun."
        )
    return int(text)


def start(count: int, words: list[str], began: float, out: str | None = None) -> int:
    """Run ``mainstem`` with `words` in `count` processes on this machine, and return the exit code of the first.

    They have the cores between them, unless OMP_NUM_THREADS says otherwise. `began` is when the command did, `out` the
    folder of the run, where the command says it.

    Raises:
        RunFailed: where the process was killed that speaks for all.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    threads = max(1, _cores() // count)
    given = {processes.LAUNCHED: repr(began)}
    if "OMP_NUM_THREADS" not in os.environ:
        given["OMP_NUM_THREADS"] = str(threads)
    with passed_on(), _environment(given), tempfile.TemporaryDirectory(prefix="mainstem-launch-") as logs:
        try:
            _launch(count, [*words], logs)
        except SignalException as asked:
            return 128 + int(asked.sigval)
        except ChildFailedError as error:
            return code(error.failures, out)
    return 0


def _cores() -> int:
    """Return how many cores this process may use; those of the machine on a system that does not say, as macOS."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _launch(count: int, words: list[str], logs: str) -> None:
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.launcher import api

    with _quiet():  # the first process says in one sentence what torch would say in fifty lines
        settings = api.LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=count, run_id=str(uuid.uuid4()), rdzv_backend="c10d",
            rdzv_endpoint="localhost:0", max_restarts=0, monitor_interval=0.1, local_addr="localhost",
            logs_specs=DefaultLogsSpecs(log_dir=logs),
        )  # fmt: skip
        api.elastic_launch(settings, sys.executable)("-m", "mainstem", *words)


def code(failures: dict[int, Any], out: str | None = None) -> int:
    """Return the exit code that a run has of which these processes have failed; raise where nobody could say why.

    `out` is the folder of the run, where the command says it.
    """
    first = failures[0].exitcode if 0 in failures else 0
    if first < 0:
        name = signal.Signals(-first).name
        why = ", as the system does where memory runs out" if name == "SIGKILL" else ""
        raise RunFailed(f"The process that leads was ended by {name}{why}: {_remedy(out)}")
    return max(1, *(failure.exitcode for failure in failures.values()), first)


def _remedy(out: str | None) -> str:
    """Return how to go on after the leading process was killed, by what lies in the run's folder."""
    if out is None:
        return "`mainstem train --resume RUN` goes on from the last checkpoint, or from the start where none was saved."
    from ..runs.run_folder import RunFolder
    from ..train.resuming import how

    folder = RunFolder(runs.follow(out))
    if not files.is_file(folder.config):
        return f"no run was in {files.shown(out)} yet, so give the command again."
    again, where = how(folder)
    return f"{where}. Go on with: `{again}`."


@contextlib.contextmanager
def _environment(given: dict[str, str]) -> Any:
    """Have these variables inside the ``with``, for the processes that are started there."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def passed_on() -> Any:
    """Inside the ``with``, send SIGUSR1, which torch's launcher does not take, on to the processes started there."""

    there = _children()

    def tell(*_: Any) -> None:
        for child in _children() - there:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, tell)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def _children() -> set[int]:
    """Return the processes that this one has started and that still run; none on a system that does not list them."""
    here = os.getpid()
    try:
        return {*map(int, Path(f"/proc/{here}/task/{here}/children").read_text().split())}
    except OSError:
        return set()


@contextlib.contextmanager
def _quiet() -> Any:
    """Have torch's launcher log nothing inside the ``with``."""
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("torch.distr")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
