"""The tree as a JSON Schema, by which an editor completes and checks a YAML file. May import its neighbours here."""

from __future__ import annotations

from typing import Any

import msgspec

from .. import catalogue
from . import values
from .fields import own_field
from .sections import Optim, PenaltyTerm, Run, Section
from .version import VERSION

_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}
_MANY = {"residual": ("model", "Model", "residual"), "noise": ("noise", "Noise", "also")}
"""Fields that hold names with values, or lists of them, by the kind: section, its definition and the field."""


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
    for section in (PenaltyTerm, Optim):
        _own(definitions[section.__name__], section)
    for kind, (_, definition, field) in _MANY.items():
        told = definitions[definition]["properties"][field]
        one = [{"enum": catalogue.names(kind)}, *(_named(kind, name) for name in catalogue.names(kind))]
        told["anyOf"] = [{"type": "string"}, *one[1:], {"type": "array", "items": {"anyOf": one}}]
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
    assert keeps is not None
    properties = told["properties"]
    del properties[keeps[0]]
    for name in catalogue.names(keeps[1]):
        for each in values.of(keeps[1], name):
            if each.name not in properties and each.name not in values.SAID:
                properties[each.name] = {**_kind(each.type), "description": f"of {name}; {each.meaning}".rstrip("; ")}


def _named(kind: str, name: str) -> dict[str, Any]:
    """Return the schema of a mapping of this name and its values."""
    there = values.of(kind, name)
    needed = ["name", *(each.name for each in there if each.default is None)]
    properties = {each.name: {**_kind(each.type), "description": each.meaning} for each in there}
    # Those of a noise may be a rate over depth and over steps besides.
    more = kind == "noise"
    return {
        "type": "object", "properties": {"name": {"const": name}, **properties}, "required": needed,
        "additionalProperties": more, "description": catalogue.find(kind, name).summary,
    }  # fmt: skip


def _kind(said: str) -> dict[str, Any]:
    """Return the schema of a type as it stands in the source: plain ones and choices; anything for all others.

    >>> _kind("int | None"), _kind("Literal['a', 'b']"), _kind("Sequence[str]")
    ({'type': ['integer', 'null']}, {'enum': ['a', 'b']}, {})
    """
    if said.startswith("Literal[") and said.endswith("]") and "|" not in said:
        return {"enum": [part.strip().strip("'\"") for part in said[8:-1].split(",")]}
    parts = [part.strip() for part in said.split("|")]
    kinds = ["null" if part == "None" else _TYPES.get(part, "") for part in parts]
    if not all(kinds):
        return {}
    return {"type": kinds[0] if len(kinds) == 1 else kinds}
