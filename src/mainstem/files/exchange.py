"""Two names that change places all at once, where the system can do that."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_FROM_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE, as Linux defines them; Python has no name for either."""


def exchange(a: Path, b: Path) -> bool:
    """Let `a` be what `b` was and `b` what `a` was, in one call of the system; return whether that was done.

    Linux does it on file systems that are used locally, such as ext4, XFS, Btrfs and tmpfs. NFS refuses it, and so do
    other systems and old C libraries; then both names are as they were.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> exchange(folder / "nothing", folder / "nowhere")
        False
    """
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    return bool(rename(_FROM_HERE, os.fsencode(a), _FROM_HERE, os.fsencode(b), _EXCHANGE) == 0)
