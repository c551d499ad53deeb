"""The fields of a tree of sections: their dotted names, and their types in words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, inspect

from .. import catalogue
from . import owned
from .sections import Section

MANY = {"residual": "forms", "noise": "noises"}
"""Kinds of which a field may list several, and what several are called."""


class Field(NamedTuple):
    """A leaf of the tree. `kind` is msgspec's type; `none` says what null amounts to, where it is allowed.

    `choices` are the texts that are allowed, where only some are. `of` are the names that bring the field along, where
    not every configuration has it; `said` is what it is then if it is not given, name by name.
    """

    name: str
    section: str
    kind: inspect.Type
    optional: bool
    default: Any
    meaning: str
    none: str
    choices: tuple[str, ...]
    of: tuple[str, ...] = ()
    said: str = ""


@cache
def fields(root: type[Section]) -> tuple[Field, ...]:
    """Return every leaf below `root`, in order; those of a list's items have `N` where the index stands.

    What names bring along stands behind the field that says the name, or at the end of its section.

    Example:
        >>> from mainstem import config
        >>> [field.name for field in fields(config.Run)][:3]
        ['seed', 'out', 'recipe']
    """
    return tuple(_walk(root, ""))


@cache
def switches(root: type[Section]) -> frozenset[str]:
    """Return the names of the fields below `root` that are true or false, whose flags need no value.

    Example:
        >>> from mainstem import config
        >>> sorted(switches(config.Run))
        ['data.verify', 'evaluate.start', 'log.tensorboard', 'machine.shard',
         'model.residual.norm']
    """
    return frozenset(field.name for field in fields(root) if isinstance(field.kind, inspect.BoolType))


@cache
def children(root: type[Section]) -> dict[str, inspect.Type]:
    """Return the types of the fields of one section, by name."""
    return {field.name: field.type for field in _struct(root).fields}


def annotation(root: type[Section], name: str) -> Any:
    """Return the annotation of one field of a section."""
    return _hints(root)[name]


def choices(hint: Any) -> tuple[str, ...]:
    """Return the texts that an annotation allows, in their order; msgspec sorts them."""
    if get_origin(hint) is Literal:
        return tuple(str(value) for value in get_args(hint))
    return next((found for part in get_args(hint) if (found := choices(part))), ())


def bare(kind: inspect.Type) -> inspect.Type:
    """Return `kind` without descriptions and without null."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        return bare(next(part for part in kind.types if not isinstance(bare(part), inspect.NoneType)))
    return kind


def section_of(kind: inspect.Type) -> type[Section] | None:
    """Return the section that `kind` is, or None."""
    found = bare(kind)
    return found.cls if isinstance(found, inspect.StructType) else None  # type: ignore[return-value]


def items_of(kind: inspect.Type) -> type[Section] | None:
    """Return the section that the items of the list `kind` are, or None."""
    found = bare(kind)
    return section_of(found.item_type) if isinstance(found, inspect.ListType) else None


def optional(kind: inspect.Type) -> bool:
    """Return whether null is a value of `kind`."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    parts = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return any(isinstance(part, (inspect.NoneType, inspect.AnyType)) for part in parts)


def named_kind(kind: inspect.Type) -> str:
    """Return the catalogue's kind of the names, with values of their own, that a field holds; "" of any other field."""
    extra = kind.extra if isinstance(kind, inspect.Metadata) else None
    return str((extra or {}).get("of", ""))


def own_kind(kind: inspect.Type) -> str | None:
    """Return the kind of names whose own values the field of this type keeps; None of any other field."""
    found: str | None = (kind.extra or {}).get("own") if isinstance(kind, inspect.Metadata) else None
    return found


@cache
def own_field(root: type[Section]) -> tuple[str, str] | None:
    """Return the field of a section in which the values of its name lie, and the kind of that; None without one."""
    found = ((field.name, own_kind(field.type)) for field in _struct(root).fields)
    return next(((name, kind) for name, kind in found if kind is not None), None)


@cache
def in_sections() -> frozenset[str]:
    """Return the kinds whose names and values stand in a section, beside fields that all of them share."""
    return frozenset(found[1] for section in Section.__subclasses__() if (found := own_field(section)) is not None)


@cache
def _hints(root: type[Section]) -> dict[str, Any]:
    return get_type_hints(root, include_extras=True)


@cache
def _struct(root: type[Section]) -> inspect.StructType:
    found = inspect.type_info(root)
    assert isinstance(found, inspect.StructType)
    return found


def _walk(root: type[Section], prefix: str) -> Iterator[Field]:
    keeps = own_field(root)
    for field in _struct(root).fields:
        if own_kind(field.type) is not None:
            continue
        name = f"{prefix}{field.name}"
        inner, items = section_of(field.type), items_of(field.type)
        if inner is not None:
            yield from _walk(inner, f"{name}.")
        elif items is not None:
            yield from _walk(items, f"{name}.N.")
        else:
            said = field.type if isinstance(field.type, inspect.Metadata) else None
            schema = (said.extra_json_schema or {}) if said else {}
            none = ((said.extra or {}) if said else {}).get("none", "none")
            default = field.default
            if field.default_factory is not NODEFAULT:
                default = field.default_factory()
            of = named_kind(field.type)
            among = choices(annotation(root, field.name)) or (() if not of or of in MANY else catalogue.names(of))
            yield Field(
                name, prefix.split(".")[0], bare(field.type), optional(field.type), default,
                schema.get("description", ""), none, tuple(among),
            )  # fmt: skip
            if of:
                yield from _brought(of, f"{name}.0." if of == "noise" else f"{name}.", ())
    if keeps is not None:
        yield from _brought(keeps[1], prefix, tuple(children(root)))


def _brought(kind: str, prefix: str, shared: tuple[str, ...]) -> Iterator[Field]:
    """Yield what the names of `kind` bring along, but for what all `shared`; one that several alike have, once."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name in catalogue.names(kind):
        for key, value in owned.of(kind, name).items():
            if key not in shared:
                alike.setdefault((key, value.meaning.partition(". ")[0].rstrip(".")), []).append(name)
    for (key, meaning), names in alike.items():
        hint = owned.annotation(kind, names[0], key)
        defaults = {name: owned.of(kind, name)[key].said for name in names}
        same = len(set(defaults.values())) == 1
        said = defaults[names[0]] if same else "; ".join(f"{name}: {text}" for name, text in defaults.items())
        who = "" if len(names) == len(catalogue.names(kind)) > 1 else ", ".join(names)
        told = f"{who}: {meaning}".removeprefix(": ") if meaning else f"of {who} alone"
        type_ = inspect.type_info(hint)
        yield Field(
            f"{prefix}{key}", prefix.split(".")[0], bare(type_), optional(type_), owned.default(kind, names[0], key),
            told, "none", choices(hint), tuple(names), said,
        )  # fmt: skip
