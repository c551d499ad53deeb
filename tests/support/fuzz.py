"""`make fuzz`: every property test with new and many more examples than `make test` takes, a file at a time.

    python tests/support/fuzz.py [--workers 2] [FILE ...]

A file stops at its first failure, which is printed at once; the others go on. What each printed lies in build/fuzz. A
file that has passed is left out of the next call, unless it or the package has changed since, so that a call that was
stopped or has failed goes on where it was; once all have passed, the next call begins anew.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

FOLDER = Path("build", "fuzz")
"""Where what the files printed lies, below the current folder, by their paths."""

_SHARED = ("src/mainstem", "tests/support", "tests/conftest.py")


class Result(NamedTuple):
    """What came of a file."""

    path: Path
    passed: bool
    seconds: float
    properties: int
    examples: int
    said: str


def files() -> list[Path]:
    """Return the files of tests that have properties: those that import hypothesis."""
    return [path for path in sorted(Path("tests").rglob("test_*.py")) if "hypothesis" in _imported(path)]


def _imported(path: Path) -> set[str]:
    nodes = ast.parse(path.read_text("utf-8")).body
    names = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def log(path: Path) -> Path:
    """Return where what the tests of the file `path` printed lies, once they have passed."""
    return FOLDER / path.with_suffix(".txt")


def left(paths: Sequence[Path]) -> list[Path]:
    """Return the files that have not passed since they, or what all of them share, were changed; all if there is none.

    Files of which one has failed, or which nothing is known of, come in the order that they were given in.
    """
    shared = max((_changed(Path(each)) for each in _SHARED), default=0.0)
    found = [path for path in paths if _time(log(path)) <= max(shared, _time(path))]
    return found or list(paths)


def _changed(path: Path) -> float:
    """Return when `path`, or the last file below it, was changed."""
    below = (each for each in path.rglob("*") if each.suffix in (".py", ".cpp", ".h", ".yaml"))
    return max(map(_time, below), default=0.0) if path.is_dir() else _time(path)


def _time(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def run(path: Path) -> Result:
    """Run the tests of the file `path`, up to the first that fails."""
    began = time.monotonic()
    words = [sys.executable, "-m", "pytest", "-q", "-x", "--hypothesis-show-statistics", str(path)]
    environment = {**os.environ, "MAINSTEM_FUZZ": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    kept, passed = log(path), done.returncode == 0
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.unlink(missing_ok=True)
    (kept if passed else kept.with_suffix(".failed.txt")).write_text(done.stdout, "utf-8")
    if passed:
        kept.with_suffix(".failed.txt").unlink(missing_ok=True)
    counts = [int(count) for count in re.findall(r"- (\d+) passing", done.stdout)]
    properties = done.stdout.count("- Stopped because")
    return Result(path, passed, time.monotonic() - began, properties, sum(counts), done.stdout)


def line(result: Result) -> str:
    """Return what is said of a file when it ends; the whole of what it printed where it failed."""
    numbers = f"{result.properties} properties, {result.examples:,} examples, {result.seconds:.0f} s"
    if result.passed:
        return f"{result.path}: {numbers}"
    return f"{result.said}\n{result.path}: FAILED, {numbers}"


def summary(results: Sequence[Result], seconds: float) -> str:
    """Return the last lines: the numbers of all files together, and which of them have failed."""
    failed = [str(result.path) for result in results if not result.passed]
    properties, examples = sum(result.properties for result in results), sum(result.examples for result in results)
    numbers = f"{_files(len(results))}, {properties} properties, {examples:,} examples in {seconds:.0f} s"
    return f"{numbers}: {len(failed)} failed" + "".join(f"\n  {path}" for path in failed)


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"


def main(words: Sequence[str]) -> int:
    """Run the files that are left and say what came of them; 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="files of tests; all that have properties")
    parser.add_argument("--workers", type=int, default=2, help="so many files at a time (2)")
    given = parser.parse_args(words)
    paths = given.files or left(files())
    if not given.files and (others := len(files()) - len(paths)):
        verbs = ("has", "is") if others == 1 else ("have", "are")
        print("{} {} passed before and {} left out: rm -r {} to begin with all".format(_files(others), *verbs, FOLDER))
    began, results = time.monotonic(), []
    with ThreadPoolExecutor(given.workers) as pool:
        try:
            for future in as_completed([pool.submit(run, path) for path in paths]):
                results.append(future.result())
                print(line(results[-1]), flush=True)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            return 130
    print(summary(results, time.monotonic() - began), flush=True)
    return int(not all(result.passed for result in results))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
