"""Pages of results that a benchmark writes at its end: the site has each of them from the day on which it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WRITTEN = frozenset({"results/first-reading.md", "results/depth.md"})
"""Pages that `--table` of benchmarks/reading.py and of benchmarks/deep.py write; no other may be missing."""


def present(nav: Any, folder: Path) -> Any:
    """Return the contents of the site without those of `WRITTEN` that are not in `folder` yet.

    Example:
        >>> present(["a.md", {"Results": ["results/depth.md", "results/lab.md"]}], Path("nowhere"))
        ['a.md', {'Results': ['results/lab.md']}]
    """
    if isinstance(nav, dict):
        return {title: present(inside, folder) for title, inside in nav.items()}
    if isinstance(nav, list):
        return [present(one, folder) for one in nav if not _missing(one, folder)]
    return nav


def _missing(one: Any, folder: Path) -> bool:
    return isinstance(one, str) and one in WRITTEN and not (folder / one).is_file()
