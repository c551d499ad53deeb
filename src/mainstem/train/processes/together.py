"""What the processes of a run settle before its first step: that all have one configuration and one corpus."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ... import config
from ...config.words import show
from ...errors import BadInput
from ...runs import environment
from ...runs.cache import used
from ...runs.run_folder import RunFolder
from ..task import Data, Task
from ..world import World
from .meeting import LONG

_OWN = ("machine.threads",)
"""What each process may have for itself."""


def greet(world: World, run: config.Run) -> list[str]:
    """Return the host of each process, once all have said which run they were started for.

    Raises:
        BadInput: where one has another configuration, or other versions of mainstem or torch, than the first.
    """
    if world.meeting is None:
        return [""]
    versions = {name: text for name, text in environment.versions().items() if name in ("mainstem", "torch")}
    said = world.meeting.everyone(
        "run", {"host": socket.gethostname(), "versions": versions, "config": config.dump(run)}
    )
    first = said[0]
    for rank, word in enumerate(said):
        if word["versions"] != first["versions"]:
            found, wanted = (" and ".join(f"{k} {v}" for k, v in each["versions"].items()) for each in (word, first))
            raise BadInput(
                f"Process {rank} of {world.size} runs {found}, and process 0 {wanted}: install the same everywhere."
            )
        if changed := _differ(config.read(first["config"]), config.read(word["config"])):
            name, before, now = changed[0]
            more = f" ({len(changed) - 1} more differ)" if len(changed) > 1 else ""
            raise BadInput(
                f"Process {rank} of {world.size} has another configuration than process 0: {name} is {show(now)} there "
                f"and {show(before)} here{more}. Start all of them with the same command."
            )
    return [word["host"] for word in said]


def same_data(world: World, data: Data) -> None:
    """Raise `BadInput` where a process has other data than the first one, or reads it by another tokenizer."""
    if world.meeting is None:
        return
    known = [data.facts["hash"], data.facts.get("train_tokens")]
    (first, size), *others = world.meeting.everyone("hash", known, LONG)
    for rank, (found, tokens) in enumerate(others, 1):
        if found != first:
            raise BadInput(
                f"Process {rank} of {world.size} has other data than process 0 (its hash is {found[:12]}, and not "
                f"{first[:12]}): give all machines the same files."
            )
        if tokens != size:
            raise BadInput(
                f"Process {rank} of {world.size} reads the text as {tokens} tokens, and process 0 as {size}: give all "
                "machines the same version of mainstem, and the folder of the run."
            )


def offer(world: World, cache: Path) -> None:
    """Tell the other processes, in the first one, that its data is prepared, and where."""
    if world.meeting is not None:
        world.meeting.leave("data", str(cache))


def prepare(world: World, hosts: list[str], task: Task, run: config.Run) -> Data:
    """Return the data of `run` in a process that is not the first one.

    It is read and tokenized once on each host, by the first process there; the others find it in the cache.
    """
    meeting: Any = world.meeting
    first = hosts.index(hosts[world.rank])
    there = meeting.word("data", 0, LONG)
    with _cache(run, there if first == 0 else None) as cache:
        if first not in (0, world.rank):
            meeting.word(f"ready/{first}", first, LONG)
        with meeting.working():
            data = task.prepare(run, cache)
    if first == world.rank:
        meeting.leave(f"ready/{first}", True)
    return data


@contextlib.contextmanager
def _cache(run: config.Run, there: str | None) -> Iterator[Path]:
    """Give the cache at `there`, or this host's own."""
    if there is not None:
        yield Path(there)
        return
    with used(RunFolder(Path(os.path.realpath(run.out or ".")))) as own:
        yield own


def _differ(before: Any, now: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    """Return (name, value, other value) of each field in which two trees differ and which all must share."""
    if isinstance(before, dict) and isinstance(now, dict):
        inner = sorted({*before, *now})
        return [
            found for key in inner for found in _differ(before.get(key), now.get(key), f"{name}.{key}" if name else key)
        ]
    return [] if before == now or name in _OWN else [(name, before, now)]
