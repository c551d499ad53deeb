"""Run a program with the sources of another commit: `python side.py ROOT PROGRAM ARGUMENTS`.

An editable install puts a finder in front of `sys.path`, so that PYTHONPATH alone would be ignored without a word, and
both sides of a comparison would be one and the same.
"""

from __future__ import annotations

import runpy
import sys
from importlib.machinery import PathFinder
from pathlib import Path


def use(root: Path) -> None:
    """Let `import mainstem` take the sources below ``root/src``, and make sure that it does.

    Raises:
        SystemExit: where it was imported from elsewhere.
    """
    sys.path.insert(0, str(root / "src"))
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is PathFinder or not _finds(finder)]
    import mainstem

    found = Path(str(mainstem.__file__)).resolve()
    if not found.is_relative_to((root / "src").resolve()):
        raise SystemExit(f"mainstem came from {found}, not from {root}")


def command(root: Path, program: str) -> list[str]:
    """Return the beginning of a command that runs a `program` of this folder with the sources of `root`."""
    here = Path(__file__).resolve()
    return [sys.executable, str(here), str(root), str(here.parent / program)]


def _finds(finder: object) -> bool:
    search = getattr(finder, "find_spec", None)
    return search is not None and search("mainstem", None) is not None


if __name__ == "__main__":
    use(Path(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
