"""Seconds from the end of the imports to the end of the first step: `python benchmarks/first_step.py [TEXT ...]`.

Without TEXT it is the command `mainstem train` as one types it, on Python's standard library. Cold is a process that
finds no tokens of an earlier run, warm the one after it; files may lie in the memory of the operating system in both.
The first step is the first of those by which a run measures its speed. Each process ends behind it. Run it on a machine
that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = """
import os, pkgutil, sys, time
import mainstem
for name in ("train", "cli", "data", "counts", "optim", "report", "runs", "measure", "form", "noise", "penalty"):
    package = __import__(f"mainstem.{name}", fromlist=["x"])
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        __import__(each.name)
import tokenizers
from mainstem.cli.main import main
from mainstem.train import Learner
step, began = Learner.step, time.perf_counter()

def first(self, *given, **named):
    step(self, *given, **named)
    print(time.perf_counter() - began, file=sys.stderr, flush=True)
    os._exit(0)

Learner.step = first
main(["train", *sys.argv[1:]])
"""


def took(words: list[str], cache: Path) -> float:
    """Return the seconds that a new process needs from its imports to its first step."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, *words, "--out", str(Path(folder) / "run")],
            env=os.environ | {"XDG_CACHE_HOME": str(cache)}, capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stderr.split()[-1])


def main() -> None:
    """Print the medians of cold and of warm starts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found: dict[str, list[float]] = {"cold": [], "warm": []}
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as cache:
            for times in found.values():
                times.append(took(given.text, Path(cache)))
    for name, times in found.items():
        print(f"{name}: {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f}, {len(times)} starts)")


if __name__ == "__main__":
    main()
