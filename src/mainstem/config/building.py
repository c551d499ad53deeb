"""From a plain tree to a typed one, with errors that say what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from .. import catalogue
from ..errors import BadInput
from . import owned
from .fields import (
    MANY,
    bare,
    children,
    choices,
    fields,
    in_sections,
    items_of,
    named_kind,
    optional,
    own_field,
    section_of,
)  # fmt: skip
from .fields import annotation as annotation_of
from .sections import Run, Section
from .suggesting import suggestion
from .synonyms import RENAMED
from .words import allowed, show

T = TypeVar("T", bound=Section)


def build(tree: Mapping[str, Any], root: type[T]) -> T:
    """Return `tree` as the section `root`; `BadInput` names the first field that is wrong, by its dotted name."""
    try:
        return msgspec.convert(_section(tree, root, "", root, False), root)
    except msgspec.ValidationError:
        _section(tree, root, "", root, True)
        raise


def unknown(name: str, root: type[Section], more: Sequence[str] = ()) -> BadInput:
    """Return the error for a name that no field has, or none any more; `more` are names that are there besides."""
    if root is Run and name.replace("-", "_") in RENAMED:
        now = RENAMED[name.replace("-", "_")]
        return BadInput(f"{name} is now {now}: give it by that name.")
    meant = suggestion(name, [*more, *(field.name.replace(".N.", ".0.") for field in fields(root))])
    remedy = meant or "leave it out, or find it in `mainstem train --help`."
    return BadInput(f"{name or show(name)} is not the name of a field: {remedy}")


def _section(tree: Any, kind: type[Section], path: str, root: type[Section], each: bool) -> dict[str, Any]:
    """Return `tree` as the section asks for it; `each` field is converted by itself, where one of them is wrong."""
    if not isinstance(tree, Mapping):
        raise BadInput(f"{path} is {show(tree)}, and it has fields of its own: give them, as {path}.{_first(kind)}.")
    known, prefix = children(kind), f"{path}." if path else ""
    keeps = own_field(kind)
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if keeps is not None and (key not in known or key == keeps[0]):
            said = tree.get("name", next((each.default for each in fields(kind) if each.name == "name"), None))
            if _is_said(value, keeps[1], said, key):
                found.setdefault(keeps[0], {})[key] = _brought(value, key, keeps[1], said, path, root)
        elif key not in known:
            raise unknown(f"{prefix}{key}", root)
        else:
            found[key] = _field(value, kind, key, f"{prefix}{key}", root, each)
    for info in fields(kind):
        if info.default is msgspec.NODEFAULT and "." not in info.name and info.name not in found and not info.of:
            raise BadInput(f"{prefix}{info.name} is not given: give {allowed(info.kind, info.choices)}.")
    return found


def _field(value: Any, parent: type[Section], name: str, path: str, root: type[Section], each: bool) -> Any:
    kind = children(parent)[name]
    if (section := section_of(kind)) is not None:
        return _section({} if value is None else value, section, path, root, each)
    if (section := items_of(kind)) is not None:
        items = as_list(value)
        if not isinstance(items, list):
            raise BadInput(
                f"{path} is {show(value)}: give a list, each item of it with fields as {path}.0.{_first(section)}."
            )
        if "name" in children(section):
            items = [as_named(item) for item in items]
        return [_section(item, section, f"{path}.{number}", root, each) for number, item in enumerate(items)]
    sane(value, path)
    if (of := named_kind(kind)) and of not in MANY:
        optional_ = next(info.default is None for info in fields(parent) if info.name == name)
        return None if value is None and optional_ else _named(value, of, path, root)
    if of:
        return _listed(value, of, path, root)
    return leaf(value, kind, annotation_of(parent, name) if each else None, path)


def _named(value: Any, kind: str, path: str, root: type[Section]) -> Any:
    """Return a name of `kind`, or the name and the values that it is given."""
    given = as_named(value)
    name = given.get("name") if isinstance(given, Mapping) else None
    if name not in catalogue.names(kind):
        wrong = value if name is None else name
        more = "" if name is not None or not isinstance(value, Mapping) else ", without a name"
        raise BadInput(f"{path} is {show(wrong)}{more}: give one of {', '.join(catalogue.names(kind))}.")
    found = _values(given, kind, path, root)
    return found if len(found) > 1 else name


def _values(given: Mapping[str, Any], kind: str, path: str, root: type[Section]) -> dict[str, Any]:
    """Return a name of `kind` that there is, and the values that it is given, as it asks for them.

    Null is no value, but where it says something else than the default does.
    """
    name = given["name"]
    found = {
        key: _brought(item, key, kind, name, path, root)
        for key, item in given.items()
        if key != "name" and _is_said(item, kind, name, key)
    }
    return {"name": name, **found}


def _is_said(value: Any, kind: str, name: Any, key: str) -> bool:
    """Return whether `value` of `key` says anything: null does only where that is something else than the default."""
    known = isinstance(name, str) and name in catalogue.names(kind)
    return value is not None or not owned.owners(kind, key) or (known and owned.nullable(kind, name, key))


def _brought(value: Any, key: str, kind: str, name: Any, path: str, root: type[Section]) -> Any:
    """Return the value `key` of `name` as its dataclass asks for it; a name that has none such is said to have none."""
    who = owned.owners(kind, key)
    there = isinstance(name, str) and name in catalogue.names(kind)
    if name in who:
        sane(value, f"{path}.{key}")
        hint = owned.annotation(kind, name, key)
        value = leaf(value, msgspec.inspect.type_info(hint), hint, f"{path}.{key}")
        return msgspec.convert(value, hint)
    said = f"{path}.name" if kind in in_sections() else path
    if who and not there and name is not None:  # the name is what is wrong, not the value beside it
        raise BadInput(f"{said} is {show(name)}: give one of {', '.join(catalogue.names(kind))}.")
    if who and there:
        raise BadInput(
            f"{path}.{key} is a value of {' and '.join(who)}, and {said} is {name}: leave it out, or give that name."
        )
    raise unknown(f"{path}.{key}", root, [f"{path}.{each}" for each in owned.of(kind, name)] if there else [])


def as_list(value: Any) -> Any:
    """Return what stands for a list of named values as that list: nothing, a name, or one item."""
    if value is None:
        return []
    return [value] if isinstance(value, (str, Mapping)) else value


def as_named(value: Any) -> Any:
    """Return a text that stands for a named value as that value."""
    return {"name": value} if isinstance(value, str) else value


def leaf(value: Any, kind: inspect.Type, annotation: Any, path: str) -> Any:
    """Return a plain value as its field asks for it; without an `annotation` its limits are not asked for."""
    plain = bare(kind)
    if isinstance(plain, inspect.IntType) and isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # 1e4 steps
    if annotation is None:
        return value
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        raise BadInput(
            f"{path} is {show(value)}: give {allowed(plain, choices(annotation), optional(kind), value)}."
        ) from None
    return value


def _listed(value: Any, kind: str, path: str, root: type[Section]) -> Any:
    """Return what has names of the catalogue, each maybe with values of its own: one, or a list of them."""
    if kind != "residual" and value in (None, []):
        return value
    if isinstance(value, list) and value:
        if nested := [number for number, item in enumerate(value) if isinstance(item, list)]:
            raise BadInput(
                f"{path}.{nested[0]} is {show(value[nested[0]])}, a list in a list: write one list of all the "
                f"{MANY[kind]}."
            )
        return [_listed(item, kind, f"{path}.{number}", root) for number, item in enumerate(value)]
    names = value.split("|") if isinstance(value, str) and kind == "residual" else [value]
    for item in names:
        name = item.get("name") if isinstance(item, Mapping) else item
        if not isinstance(name, str):
            raise BadInput(
                f"{path} is {show(value)}: give the name of a {MANY[kind][:-1]} (`mainstem list`), or a name and its "
                "values."
            )
        catalogue.find(kind, name.strip(), path)
    return _values(value, kind, path, root) if isinstance(value, Mapping) else value


def sane(value: Any, path: str) -> None:
    """Refuse numbers that are not finite, and text that no file name, or no UTF-8, can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"{path} is {value}, which is not a finite number: give one that is.")
    if isinstance(value, str):
        if "\0" in value:
            raise BadInput(f"{path} is {show(value)}, with a NUL character in it: leave that out.")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise BadInput(f"{path} is {show(value)}, which is not UTF-8: write it so, or rename the file.")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            sane(key, path)
            sane(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            sane(item, f"{path}.{number}")


def _first(kind: type[Section]) -> str:
    return next(iter(children(kind)))
