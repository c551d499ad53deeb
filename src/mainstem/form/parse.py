"""From a name, a name and its values, or a list of them, to a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import variants
from ..errors import BadInput
from .base import Form
from .combined import Combined


def parse(value: Any, path: str = "model.residual") -> Form:
    """Return the form that a configuration names at `path`.

    Example:
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
        return parse({"name": names[0]}, path) if len(names) == 1 else parse(names, path)
    if isinstance(value, Mapping):
        found: Form = variants.resolve("residual", value, path)
        return found
    if isinstance(value, list) and value and not any(isinstance(item, list) for item in value):
        forms = [parse(item, f"{path}.{number}") for number, item in enumerate(value)]
        return forms[0] if len(forms) == 1 else Combined(tuple(forms))
    raise BadInput(f"{path} {value!r} names no residual form: give a name of `mainstem list`, or a list of them.")


def written(form: Form) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the JSON value from which `parse` makes `form` again.

    Raises:
        BadInput: where the catalogue does not list it.

    Example:
        >>> from mainstem import form
        >>> written(form.Hyper(streams=2))
        {'name': 'hyper', 'streams': 2, 'weights': 'dynamic'}
    """
    if isinstance(form, Combined):
        return [variants.written("residual", part) for part in form.forms]
    return variants.written("residual", form)
