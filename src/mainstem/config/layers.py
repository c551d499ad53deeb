"""Layers of settings, one over another: a file over the defaults, flags over a file.

A setting is a dotted name and a value. A flag's value is text, read as the field's type asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import inspect

from ..errors import BadInput
from . import owned, replaced
from .building import as_list, as_named, unknown
from .fields import MANY, bare, children, items_of, named_kind, optional, own_field, section_of
from .presets import SITES
from .reader import scalar, value
from .sections import Run, Section
from .twice import is_index, refuse_parts, twice

Settings = list[tuple[str, Any]]
_LENGTHS = ("train.steps", "train.epochs", "train.budget")
TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""What a flag may say for true and false, in small or capital letters."""

_MOST = 1000
"""Items that a list may have by flags: an index above it is a typing mistake."""


def flatten(tree: Mapping[str, Any], root: type[Section] = Run, prefix: str = "") -> Settings:
    """Return the settings of a tree whose keys may be dotted names themselves.

    Example:
        >>> flatten({"train": {"steps": 5}, "optim.lr": 0.1})
        [('train.steps', 5), ('optim.lr', 0.1)]
    """
    found: Settings = []
    for key, item in tree.items():
        name = f"{prefix}{key}"
        section = _section(root, name)
        if section is None:
            found.append((name, item))
        elif isinstance(item, Mapping):
            found += flatten(item, root, f"{name}.")
        elif item is not None:  # a section with nothing in it says nothing
            found.append((name, item))
    return found


def stack(tree: Mapping[str, Any], settings: Settings, root: type[Section] = Run) -> dict[str, Any]:
    """Return `tree` with `settings` over it, each name before those that extend it.

    Another name leaves the old one's values behind, a new `noise.rate` the rates of single sites, and a new length of
    the run takes the old one's place.
    """
    values: dict[str, Any] = {}
    for name, item in settings:  # a file may say a field by its section and by its dotted name
        if name in values:
            raise twice(name, values[name], item)
        if is_index(name.partition(".")[0]):
            raise unknown(name, root)
        values[name] = item
    refuse_parts(values)
    given = {name for name, item in settings if item is not None}
    freed: Settings = replaced.left_behind(tree, settings)
    if "noise.rate" in given:
        freed += [(f"noise.{site}", None) for site in SITES]
    if given & set(_LENGTHS):
        freed += [(name, None) for name in (*_LENGTHS, "train.passes")]
    if root is Run:
        settings = [setting for setting in settings if replaced.changes(tree, setting)]
    result: Any = dict(tree)
    for name, item in [*(freed if root is Run else []), *sorted(settings, key=_order)]:
        result = _put(result, name.split("."), item, name)
    return result


def typed(name: str, text: Any, root: type[Section] = Run) -> Any:
    """Return a flag's value from its `text`, as the field `name` asks; what is no text stays as it is.

    Example:
        >>> typed("train.steps", "1e3"), typed("machine.compile", "off"), typed("optim.betas", "0.9,0.99")
        (1000.0, 'off', [0.9, 0.99])
    """
    if not isinstance(text, str):
        return text
    if not text:  # what a shell makes of a variable that is not set must not read as null
        raise BadInput(f"{name} is given an empty value: give one, or leave it out.")
    kind = _kind(root, name.split("."))
    plain = None if kind is None else bare(kind)
    if isinstance(plain, inspect.BoolType):
        return TRUTHS.get(text.lower(), text)
    if isinstance(plain, inspect.LiteralType) and text in plain.values:
        return text
    if kind is not None and optional(kind) and text in ("none", "null"):
        return None
    if isinstance(plain, (inspect.StrType, inspect.LiteralType)):
        return text
    if isinstance(plain, (inspect.IntType, inspect.FloatType)):
        return value(text, name) if text.startswith(".") else scalar(text)
    if isinstance(plain, inspect.TupleType) and not text.startswith("["):
        return [scalar(part.strip()) for part in text.split(",")]
    listed = isinstance(plain, inspect.VarTupleType) or (
        isinstance(plain, inspect.ListType) and items_of(plain) is None
    )
    if listed and not text.startswith("["):
        return [text]
    return value(text, name)


def flags(pairs: Iterable[tuple[str, Any]], root: type[Section] = Run) -> Settings:
    """Return the settings that flags give; a flag may stand once only."""
    found: dict[str, Any] = {}
    for name, text in pairs:
        value_ = typed(name, text, root)
        if name in found:
            raise twice(name, found[name], value_)
        found[name] = value_
    return list(found.items())


def _order(setting: tuple[str, Any]) -> list[tuple[int, str]]:
    return [(int(part) if is_index(part) else -1, part) for part in setting[0].split(".")]


def _put(node: Any, parts: list[str], item: Any, name: str) -> Any:
    """Return `node` with `item` at the end of `parts`; what was given is not changed."""
    if not parts:
        return item
    head, rest = parts[0], parts[1:]
    if is_index(head) and isinstance(node, (str, list, tuple, Mapping)):
        if isinstance(node, str) and "|" in node:
            node = [part.strip() for part in node.split("|")]
        return _put_item(list(as_list(node)), int(head), rest, item, name)
    if isinstance(node, (list, tuple)) or (isinstance(node, str) and "|" in node):
        path = name[: len(name) - len(".".join(parts)) - 1]
        raise BadInput(f"{path} is a list: say which item {'.'.join(parts)} is for, as {path}.0.{'.'.join(parts)}.")
    node = as_named(node)
    inner = node if isinstance(node, Mapping) else {}
    return {**inner, head: _put(inner.get(head), rest, item, name)}


def _put_item(items: list[Any], index: int, rest: list[str], item: Any, name: str) -> list[Any]:
    if index > len(items) or index > _MOST:
        raise BadInput(f"{name} is item {index} of a list that has {len(items)} so far: items are counted from 0.")
    items += [None] * (index + 1 - len(items))
    items[index] = _put(items[index], rest, item, name)
    return items


def _section(root: type[Section], name: str) -> type[Section] | None:
    kind = _kind(root, name.split("."))
    return None if kind is None else section_of(kind)


def _kind(root: type[Section], parts: list[str]) -> inspect.Type | None:
    """Return the type of the field at `parts`, or None where there is none that says."""
    here: type[Section] | None = root
    kind: inspect.Type | None = None
    for part in parts:
        if here is not None:
            kind = children(here).get(part)
            if kind is None and (keeps := own_field(here)) is not None:
                kind = owned.type_of(keeps[1], part)
        elif kind is not None and (of := named_kind(kind)) and of not in MANY:
            kind = owned.type_of(of, part)
        elif kind is not None and is_index(part):
            here, plain = None, bare(kind)
            if isinstance(plain, inspect.ListType):
                kind = plain.item_type
            elif isinstance(plain, inspect.TupleType):
                kind = plain.item_types[0]
        else:
            return None
        if kind is None:
            return None
        here = section_of(kind)
    return kind
