"""From a name, a name and its values, or a list of them, to a form. May import its neighbours and the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

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
    if isinstance(value, list) and value:
        forms = [parse(item) for item in value]
        return forms[0] if len(forms) == 1 else Combined(tuple(forms))
    raise BadInput(
        f"model.residual {value!r} names no residual form: give a name of `mainstem list`, or a list of them"
    )


def _named(values: dict[str, Any]) -> Form:
    if "name" not in values:
        raise BadInput(f"model.residual {values!r} has no name: add one, as in {{name: hyper, streams: 4}}")
    name = values.pop("name")
    form: type[Form] = catalogue.resolve("residual", name)
    known = [field.name for field in fields(form)]
    for key in values:
        if key not in known:
            allowed = ", ".join(known) or "no values at all"
            raise BadInput(f"model.residual.{key} is not a value of {name}, which takes {allowed}")
    try:
        return msgspec.convert(values, type=form, strict=True)
    except msgspec.ValidationError as error:
        raise BadInput(f"model.residual {name} with {values!r} is not valid: {error}") from None
