"""How the threads of a product wait for one another."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

TURNS = "2000"
"""Turns of GNU OpenMP's waiting loop, a few microseconds, before a thread sleeps; its own number is 300,000."""

_CHOSEN = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def wait_politely(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Have PyTorch's threads sleep soon when they wait, unless the user has chosen; return whether it was done.

    With the library's own choice, threads that wait keep their cores busy for milliseconds. Beside another program
    they take the core from the very thread that they wait for: a step of 40 ms took 1,000. With this it takes 110, and
    without company the same 40. It is read once, when torch is loaded.
    """
    if "torch" in sys.modules or any(name in environment for name in _CHOSEN):
        return False
    environment["GOMP_SPINCOUNT"] = TURNS
    return True
