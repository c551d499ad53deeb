"""Memory that is freed: kept for the next step, and the user's choice stands."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from mainstem.cli import memory

FAULTS = """
import resource, sys
from mainstem.cli import memory
print(memory.keep() if sys.argv[1] == "keep" else None)
for _ in range(10):
    arrays = [bytearray(20 << 20) for _ in range(3)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def pages_are_small():
    huge = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return not huge.exists() or "[always]" not in huge.read_text()


def said(word):
    clean = {name: value for name, value in os.environ.items() if name not in memory._CHOSEN}
    done = subprocess.run([sys.executable, "-c", FAULTS, word], env=clean, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps memory by rules of its own")
@pytest.mark.skipif(not pages_are_small(), reason="huge pages are too few to count")
def test_pages_are_fetched_once():
    (kept, few), (_, many) = said("keep"), said("leave")
    assert kept == "True"
    # 60 MB are 15,360 pages of 4 kB; some thousand more are the interpreter's own.
    assert int(few) < 30_000 < 100_000 < int(many)


@pytest.mark.parametrize("name", memory._CHOSEN)
def test_what_the_user_chose_stands(name):
    assert not memory.keep({name: "1"})


def test_without_glibc_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert not memory.keep({})
