"""How a run that ends early is resumed, and from where."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .. import files
from ..errors import command
from ..runs import checkpoint
from ..runs.paths import typed
from ..runs.run_folder import RunFolder
from .processes.failure import Lost
from .processes.joining import named
from .world import World


def how(folder: RunFolder) -> tuple[str, str]:
    """Return the command that goes on with the run in `folder`, and where that stands."""
    again = command("train", "--resume", typed(folder.path))
    if not files.is_folder(folder.path):  # of a run that another machine leads
        return again, "what was saved is where process 0 was"
    saved = checkpoint.last(folder.checkpoints)
    return again, "nothing was saved yet" if saved is None else f"saved at step {saved}"


@contextlib.contextmanager
def advising(world: World, folder: RunFolder | None = None) -> Iterator[None]:
    """Have the error that a process is lost say what to do: go on with the run in `folder`, or start all again."""
    try:
        with world.heard():
            yield
    except Lost as lost:
        known = named(world, lost)
        if folder is None:
            raise known.advised(f"start all {world.size} again.") from lost
        again, where = how(folder)
        raise known.advised(f"{where}. Go on with: `{again}`.") from lost
