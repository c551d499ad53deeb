"""What another name leaves behind: the values that its predecessor's dataclass has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import catalogue
from . import owned
from .building import as_named
from .fields import children, fields, in_sections, items_of, named_kind, own_field, section_of
from .sections import Run, Section


def left_behind(tree: Mapping[str, Any], settings: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the settings that take back what belonged to the names in `tree` that `settings` replace.

    Example:
        >>> left_behind({"model": {"residual": {"name": "hyper", "streams": 2}}}, [("model.residual.name", "rezero")])
        [('model.residual', {'name': 'rezero'})]
        >>> left_behind({"optim": {"name": "muon", "lr": 1.0, "clip": 2.0}}, [("optim.name", "adamw")])
        [('optim', {'name': 'adamw', 'clip': 2.0, 'lr': 0.002, 'betas': (0.9, 0.95), 'eps': 1e-08})]
    """
    found: list[tuple[str, Any]] = []
    for field, name in settings:
        path, _, last = field.rpartition(".")
        if last != "name" or not isinstance(name, str) or (kind := _kind(path)) is None:
            continue
        here = as_named(_at(tree, path))
        if isinstance(here, Mapping) and (before := here.get("name", _default(path))) not in (None, name):
            known = isinstance(before, str) and before in catalogue.names(kind)
            brought = owned.of(kind, before) if known else {}
            stays = {key: item for key, item in here.items() if key not in brought}
            own = owned.defaults(kind, name) if kind in in_sections() and name in catalogue.names(kind) else {}
            found.append((path, {**stays, "name": name, **own}))
    return found


def changes(tree: Mapping[str, Any], setting: tuple[str, Any]) -> bool:
    """Return whether a setting says anything new: a name that is there already keeps the values that it has.

    Example:
        >>> changes({"optim": {"schedule": {"name": "wsd", "cooldown": 0.7}}}, ("optim.schedule", "wsd"))
        False
    """
    field, name = setting
    if not isinstance(name, str) or _kind(field) is None:
        return True
    here = _at(tree, field)
    return not (isinstance(here, Mapping) and here.get("name") == name)


def _kind(path: str) -> str | None:
    """Return the kind of the names at `path`: of a field, of an item of a list, or of a section with a name."""
    section: type[Section] | None = Run
    kind: str | None = None
    for part in path.split("."):
        if section is None or part not in children(section):
            return kind if part.isdecimal() else None
        there = children(section)[part]
        section = section_of(there) or items_of(there)
        keeps = None if section is None else own_field(section)
        kind = named_kind(there) or (None if keeps is None else keeps[1])
    return kind


def _default(path: str) -> Any:
    """Return the name that a section has where none is given."""
    return next((field.default for field in fields(Run) if field.name == f"{path}.name"), None)


def _at(tree: Any, path: str) -> Any:
    """Return what stands at the dotted `path`, or None."""
    for part in path.split("."):
        if isinstance(tree, Mapping):
            tree = tree.get(part)
        elif isinstance(tree, (list, tuple)) and part.isascii() and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            return None
    return tree
