"""What is said when a disk does not take a file of a run."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from ..errors import RunFailed, command


@contextlib.contextmanager
def disk(what: str, run: Path) -> Iterator[None]:
    """Turn the failure of a write inside the ``with`` into a sentence about `what` of the run in the folder `run`."""
    try:
        yield
    except OSError as error:
        raise disk_failed(error, what, run) from error


def disk_failed(error: OSError, what: str, run: Path) -> RunFailed:
    """Return the sentence for a disk that did not take `what`, with the remedy."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    why = "the disk is full" if full else str(error.strerror or error)
    remedy = "free some space" if full else "make the folder writable"
    return RunFailed(
        f"{what} could not be written: {why}. What was saved before is whole: {remedy}, then "
        f"`{command('train', '--resume', run)}`."
    )
