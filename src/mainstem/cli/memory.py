"""What becomes of memory that is freed."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping

KEPT, LARGEST = 1 << 30, 1 << 25
"""Bytes at the end of glibc's heap that it may keep, and from which size on an array has pages of its own: its most."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_CHOSEN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")


def keep(environment: Mapping[str, str] = os.environ) -> bool:
    """Have glibc keep what is freed, unless the user has chosen; return whether it was asked.

    A training step frees what the next one needs again. Each page that has been given back in between is fetched and
    cleared anew, 50,000 of them a step of 8 layers of width 384: 2 to 5% of its time.
    """
    if any(name in environment for name in _CHOSEN):
        return False
    try:
        option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # another C library, or another system
        return False
    return bool(option(_TRIM_THRESHOLD, KEPT)) and bool(option(_MMAP_THRESHOLD, LARGEST))
