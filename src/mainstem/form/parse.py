"""From a name, a name and its values, or a list of them, to a form. May import its neighbours and the catalogue."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from .. import catalogue
from ..errors import BadInput
from .base import Form
from .combined import Combined


def parse(value: Any) -> Form:
    """Return the form that a configuration names.

    >>> parse("post_norm")
    PostNorm()
    >>> parse({"name": "hyper", "streams": 2, "weights": "static"})
    Hyper(streams=2, weights='static')
    >>> len(parse("hyper | value_residual").forms)
    2
    """
    if isinstance(value, Form):
        return value
    if isinstance(value, str):
        names = [name.strip() for name in value.split("|")]
        return parse({"name": names[0]}) if len(names) == 1 else parse(names)
    if isinstance(value, Mapping):
        return _named(dict(value))
    if isinstance(value, list) and value and not any(isinstance(item, list) for item in value):
        forms = [parse(item) for item in value]
        return forms[0] if len(forms) == 1 else Combined(tuple(forms))
    raise BadInput(
        f"model.residual {value!r} names no residual form: give a name of `mainstem list`, or a list of them"
    )


def written(form: Form) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the JSON value from which `parse` makes `form` again.

    Raises `BadInput` where the catalogue does not list it.

    >>> from mainstem import form
    >>> written(form.Hyper(streams=2))
    {'name': 'hyper', 'streams': 2, 'weights': 'dynamic'}
    """
    if isinstance(form, Combined):
        return [{"name": _name_of(part), **_fields(part)} for part in form.forms]
    return {"name": _name_of(form), **_fields(form)}


def _fields(form: Form) -> dict[str, Any]:
    return {field.name: getattr(form, field.name) for field in fields(form)}


def _name_of(form: Form) -> str:
    kind = type(form)
    for spec in catalogue.SPECS:
        if spec.kind == "residual" and spec.target.endswith(f":{kind.__name__}") and spec.load() is kind:
            return spec.name
    raise BadInput(
        f"the form {kind.__name__} has no name in the catalogue, so a model of it cannot be written: give it a line in "
        "catalogue.py, or keep the model in memory"
    )


def _named(values: dict[str, Any]) -> Form:
    if "name" not in values:
        raise BadInput(f"model.residual {values!r} has no name: add one, as in {{name: hyper, streams: 4}}")
    name = values.pop("name")
    form: type[Form] = catalogue.resolve("residual", name)
    known = [field.name for field in fields(form)]
    for key in values:
        if key not in known:
            raise BadInput(f"model.residual.{key} is not a value of {name}{_meant(str(key), known)}")
    hints, taken = get_type_hints(form), {}
    for key, value in values.items():
        try:
            taken[key] = msgspec.convert(value, type=hints[key], strict=True)
        except msgspec.ValidationError:
            raise BadInput(
                f"model.residual.{key} of {name} is {value!r}, which is not allowed: give {_words(hints[key])}"
            ) from None
    return form(**taken)


def _meant(key: str, known: list[str]) -> str:
    """Return what somebody may have meant who gave `key` to a form with the values `known`: one of these, or a form."""
    near = difflib.get_close_matches(key, known, 1)
    if near:
        return f": did you mean {near[0]}?"
    owners = [
        f"--model.residual {spec.name} has {found[0]}"
        for spec in catalogue.specs("residual")
        if (found := difflib.get_close_matches(key, [field.name for field in fields(spec.load())], 1, 0.75))
    ]
    remedy = " and ".join(owners) or "leave it out"
    return f", which takes {', '.join(known) or 'no values at all'}: {remedy}"


def _words(kind: Any) -> str:
    """Return what may be given: the choices, or the type's name; of a field that may be null, what else it may be."""
    kind = next((some for some in get_args(kind) if get_origin(kind) is UnionType and some is not NoneType), kind)
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return f"one of {', '.join(map(str, choices))}" if choices else names.get(kind, f"a value of type {kind}")
