"""The picture of imports in ARCHITECTURE.md is that of the code, and it has no circle."""

import ast
import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mainstem"
EVERYBODY = frozenset({"errors", "wording", "files"})
OUTSIDE = frozenset({"__init__", "__main__"})
"""The package's own names: they look up everything, late."""


def picture():
    """Return what each folder has an arrow to."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    graph = re.search(r"```mermaid\n(.*?)```", text, re.DOTALL)[1]
    arrows = {}
    for line in graph.splitlines():
        stops = [stop.strip().split(" & ") for stop in re.split(r" -(?:-|\. [\w ]+ \.-)> ", line)]
        for starts, ends in itertools.pairwise(stops):
            for start in starts:
                arrows.setdefault(start, set()).update(ends)
    return arrows


def reachable(arrows, start):
    found, waiting = set(), [start]
    while waiting:
        for end in arrows.get(waiting.pop(), ()):
            if end not in found:
                found.add(end)
                waiting.append(end)
    return found


def imports():
    """Return {(folder or module, what it imports of the package): a file and line that does}."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for target in targets(node, parts):
                if target != parts[0] and not target.startswith("__") and parts[0] not in OUTSIDE:
                    found[parts[0], target] = f"{file.relative_to(ROOT)}:{node.lineno}"
    return found


def targets(node, parts):
    """Yield the first names below the package that an import statement in the module `parts` reaches."""
    if isinstance(node, ast.Import):
        paths = [alias.name.split(".")[1:] for alias in node.names if alias.name.startswith("mainstem.")]
    elif isinstance(node, ast.ImportFrom) and node.level:
        base = list(parts[: len(parts) - node.level])
        paths = [base + (node.module.split(".") if node.module else [alias.name]) for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mainstem":
        paths = [[*node.module.split(".")[1:], alias.name] for alias in node.names]
    else:
        return
    yield from (path[0] for path in paths)


def test_every_import_follows_an_arrow():
    arrows = picture()
    wrong = {
        pair: where
        for pair, where in imports().items()
        if pair[1] not in EVERYBODY and pair[1] not in reachable(arrows, pair[0])
    }
    assert wrong == {}


def test_every_arrow_is_an_import():
    done = set(imports())
    arrows = {(start, end) for start, ends in picture().items() for end in ends}
    assert arrows - done == set()


@pytest.mark.parametrize("name", sorted(picture()))
def test_there_is_no_circle(name):
    assert name not in reachable(picture(), name)
