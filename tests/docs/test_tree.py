"""The tree in ARCHITECTURE.md has every folder and module of the package, and names nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mainstem"
DUNDER = frozenset({"__init__.py", "__main__.py"})
"""Every package has them, and they are no places to look for an idea."""

_PATH = re.compile(r"(?<![\w./])[\w/]+(?:/|\.py)(?=[\s,;]|$)")


def tree() -> dict[str, list[str]]:
    """Return the places of the tree, folders and modules, and what each is said to have within.

    A place is a name that begins a line, at the margin or two columns in, or comes after the words of another place and
    two blanks. What else ends in `/` or `.py` lies within the place before it.
    """
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    lines = re.search(r"```text\nsrc/mainstem/\n(.*?)```", text, re.DOTALL)[1].splitlines()  # type: ignore[index]
    found: dict[str, list[str]] = {}
    last = ""
    for line in lines:
        above, before = ("src/mainstem/" if line.startswith(" ") else ""), 0
        for match in _PATH.finditer(line):
            words = line[before : match.start()]
            before = match.end()
            if match.start() in (0, 2) or (words.endswith("  ") and words.strip()):
                last = above + match[0]
                found[last] = []
            else:
                found[last].append(match[0])
    return found


def folders(path: Path) -> set[str]:
    """Return the names of the folders right in a folder, without those that tools make."""
    return {each.name for each in path.iterdir() if each.is_dir() and not each.name.startswith(("__", "."))}


def test_every_folder_and_module_of_the_package_has_a_place() -> None:
    there = {f"src/mainstem/{name}/" for name in folders(PACKAGE)}
    there |= {f"src/mainstem/{file.name}" for file in PACKAGE.glob("*.py") if file.name not in DUNDER}
    assert {name for name in tree() if name.startswith("src/mainstem/")} == there


def test_every_folder_of_tests_mirrors_another_or_has_a_place() -> None:
    mirrored = {*folders(PACKAGE), "benchmarks"}
    assert {f"{name}/" for name in folders(ROOT / "tests") - mirrored} <= set(tree()["tests/"])


@pytest.mark.parametrize("name", list(tree()))
def test_what_the_tree_names_is_there(name: str) -> None:
    for each in ("", *tree()[name]):
        assert (ROOT / name / each).exists(), f"{name} has no {each}"
