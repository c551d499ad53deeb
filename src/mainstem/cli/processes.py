"""Several processes at once, as torchrun starts them: the commands train in one. May import `errors`."""

from __future__ import annotations

import os
import signal
import time

from ..errors import BadInput

_PATIENCE = 1.0
"""Seconds that all but the first process wait, so that torchrun does not end the first one before it has spoken."""


def alone() -> bool:
    """Return whether this process was started alone; where it was not, the first one raises and the others are told no.

    The others have nothing to say: one sentence is enough. Raises `BadInput`.
    """
    size, rank = os.environ.get("WORLD_SIZE", ""), os.environ.get("RANK", "0")
    if not size.isdecimal() or int(size) <= 1:
        return True
    if rank == "0":
        raise BadInput(
            f"{size} processes were started (WORLD_SIZE={size}), and the command trains in one, on all its cores: "
            "give it without torchrun, or with --nproc-per-node 1."
        )
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(_PATIENCE)
    return False
