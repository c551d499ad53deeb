"""The tree as a JSON Schema, by which an editor completes and checks a YAML file."""

from __future__ import annotations

from typing import Any

import msgspec

from .. import catalogue
from . import owned
from .fields import MANY, children, named_kind, own_field
from .sections import Run, Section
from .version import VERSION


def schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of what `--config FILE` reads; a name brings the values that it alone has.

    Example:
        >>> found = schema()
        >>> found["properties"]["seed"]["minimum"], "train" in found["properties"]
        (0, True)
    """
    found = msgspec.json.schema(Run)
    definitions = found["$defs"]
    root = definitions.pop(found.pop("$ref").rpartition("/")[2])
    for section in Section.__subclasses__():
        told = definitions.get(section.__name__)
        if told is None:
            continue
        _own(told, section)
        for field, type_ in children(section).items():
            if kind := named_kind(type_):
                optional = told["properties"][field].get("default", "") is None
                told["properties"][field]["anyOf"] = [*_any_of(kind), *([{"type": "null"}] if optional else [])]
    for told in root["properties"].values():
        if "$ref" in told:
            told.pop("default", None)  # that of each field says as much
    root["properties"] = {"version": {"const": VERSION}, **root["properties"]}
    about = "The configuration of a run of mainstem."
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", **root, "title": "mainstem", "description": about,
        "$defs": definitions,
    }  # fmt: skip


def _own(told: dict[str, Any], section: type[Section]) -> None:
    """Put what each name of `section` has by itself beside the fields that all of them share."""
    keeps = own_field(section)
    if keeps is None:
        return
    properties = told["properties"]
    del properties[keeps[0]]
    for name in catalogue.names(keeps[1]):
        for key, value in owned.of(keeps[1], name).items():
            if key not in properties:
                about = f"of {name}; {value.meaning}".rstrip("; ")
                properties[key] = {**_type(keeps[1], name, key), "description": about}


def _any_of(kind: str) -> list[dict[str, Any]]:
    """Return what a field with a named value may be: a name, a name with values, and where it may, a list of these."""
    one = [{"enum": catalogue.names(kind)}, *(_named(kind, name) for name in catalogue.names(kind))]
    if kind not in MANY:
        return one
    return [{"type": "string"}, *one[1:], {"type": "array", "items": {"anyOf": one}}]


def _named(kind: str, name: str) -> dict[str, Any]:
    """Return the schema of a mapping of this name and its values."""
    there = owned.of(kind, name)
    needed = ["name", *(key for key, value in there.items() if value.default is None)]
    properties = {key: {**_type(kind, name, key), "description": value.meaning} for key, value in there.items()}
    return {
        "type": "object", "properties": {"name": {"const": name}, **properties}, "required": needed,
        "additionalProperties": False, "description": catalogue.find(kind, name).summary,
    }  # fmt: skip


def _type(kind: str, name: str, key: str) -> dict[str, Any]:
    """Return the schema of the type of a value.

    >>> _type("residual", "hyper", "streams"), _type("schedule", "wsd", "floor")
    ({'type': 'integer'}, {'type': 'number', 'minimum': 0, 'maximum': 1})
    """
    return msgspec.json.schema(owned.annotation(kind, name, key))
