"""The folder of a run for which none was given: `runs/<date>-<name>`, and never that of another run."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .. import config, files
from ..errors import BadInput
from . import checkpoint, lock, paths, run_folder
from .run_folder import RunFolder

_LONGEST = 60
"""Characters of a name that a folder takes over."""


def places(name: str) -> Iterator[RunFolder]:
    """Yield the folders that a new run called `name` may have now, without end, the first choice first."""
    home = Path(paths.HOME).resolve()
    clean = re.sub(r"[^\w.-]+", "-", name)[:_LONGEST].strip(".-") or "run"
    first = f"{time.strftime('%Y-%m-%d')}-{clean}"
    for number in itertools.count(1):
        folder = RunFolder(home / (first if number == 1 else f"{first}-{number}"))
        if run_folder.is_free(folder):
            yield folder


def choose(run: config.Run, resume: bool, free: Iterator[RunFolder]) -> tuple[RunFolder, bool]:
    """Return the folder that `run` names, or the first of `free`, and whether it holds this very run; write nothing.

    Raises:
        BadInput: as `run_folder.inspect` does.
    """
    if run.out is not None:
        return run_folder.inspect(run, resume)
    if resume:
        raise BadInput("No folder was given of a run to resume: give one as its out.")
    folder = next(free)
    files.check_folder(folder.path)
    return folder, False


@contextlib.contextmanager
def claim(run: config.Run, folder: RunFolder, free: Iterator[RunFolder]) -> Iterator[tuple[config.Run, RunFolder]]:
    """Claim the folder for a run that begins, or the next of `free` where it named none and this one has been taken.

    Gives the folder, and the run with it as its `out`. Of two processes that want a folder at once one gets its lock.
    The other one takes the next, and so does one that comes when the first has ended already.
    """
    if run.out is not None:
        with run_folder.claim(run, folder):
            # To begin here would cut its metrics and take its steps again.
            if checkpoint.last(folder.checkpoints) is not None:
                raise lock.Taken(
                    f"{run.out!r} has been trained by another process meanwhile: give the command again to go on with "
                    "it, or give another --out."
                )
            yield run, folder
        return
    for place in itertools.chain([folder], free):
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(run_folder.hold(place))
            except lock.Taken:
                continue
            if place.config.exists():
                continue
            named = msgspec.structs.replace(run, out=os.path.join(paths.HOME, place.path.name))
            run_folder.prepare(named, place)
            yield named, place
            return


def newest(folder: RunFolder) -> str | None:
    """Let `runs/last` stand for `folder` if that lies in `runs`; return a warning where it cannot."""
    return paths.point(folder.path) if folder.path.parent == Path(paths.HOME).resolve() else None
