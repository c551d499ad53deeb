"""The values that a name brings along, whatever kind it is of: their types, owners and defaults. Torch-free.

They are the fields of the name's dataclass, and the dataclass is all that knows them.
"""

from __future__ import annotations

import ast
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from .. import catalogue
from . import sections, values
from .values import Value

_KNOWN = {
    **{name: value for name, value in vars(sections).items() if not name.startswith("_")},
    **{name: getattr(typing, name) for name in ("Annotated", "Any", "Literal")},
    "Meta": msgspec.Meta,
    "Sequence": Sequence,
}
"""What annotations of values are read by; one with another word in it is left to the dataclass."""


@cache
def of(kind: str, name: str) -> dict[str, Value]:
    """Return the values of `name`, in order; those of a noise are joined by what its rate may have.

    Example:
        >>> list(of("schedule", "wsd")), list(of("schedule", "constant"))
        (['floor', 'cooldown'], [])
    """
    found = {value.name: value for value in values.of(kind, name)}
    if kind == "noise":
        found["rate"] = found["rate"]._replace(type="Share")  # the value of a `noise.Rate`
        found |= {value.name: value for value in values.of_rates()}
    return found


def owners(kind: str, key: str) -> list[str]:
    """Return the names of `kind` that have a value `key`.

    Example:
        >>> owners("schedule", "cooldown")[0]
        'wsd'
    """
    return [name for name in catalogue.names(kind) if key in of(kind, name)]


@cache
def annotation(kind: str, name: str, key: str) -> Any:
    """Return the type of a value, with its limits; `Any` where the source says it in words of its own."""
    try:
        found = eval(of(kind, name)[key].type, {"__builtins__": {}, **_BUILTINS}, _KNOWN)  # noqa: S307 - our own source
        inspect.type_info(found)
    except (NameError, TypeError):
        return Any
    return found


_BUILTINS = {kind.__name__: kind for kind in (int, float, bool, str, tuple, list, dict)}


def type_of(kind: str, key: str) -> inspect.Type | None:
    """Return msgspec's type of a value `key`, of the first name that has one; None where none has."""
    found = owners(kind, key)
    return inspect.type_info(annotation(kind, found[0], key)) if found else None


@cache
def nullable(kind: str, name: str, key: str) -> bool:
    """Return whether null is a value of `key` that differs from its default.

    Example:
        >>> nullable("residual", "bdia", "bits"), nullable("schedule", "wsd", "cooldown")
        (True, False)
    """
    if key not in of(kind, name) or default(kind, name, key) is None:
        return False
    found = inspect.type_info(annotation(kind, name, key))
    return isinstance(found, inspect.UnionType) and any(isinstance(part, inspect.NoneType) for part in found.types)


@cache
def default(kind: str, name: str, key: str) -> Any:
    """Return the default of a value; `msgspec.NODEFAULT` where it has to be given or is no constant."""
    said = of(kind, name)[key].default
    try:
        found = msgspec.NODEFAULT if said is None else ast.literal_eval(said)
    except ValueError:
        return msgspec.NODEFAULT
    if found is msgspec.NODEFAULT:
        return found
    return msgspec.convert(found, annotation(kind, name, key))


def defaults(kind: str, name: str) -> dict[str, Any]:
    """Return the defaults of all values of `name` that have one.

    Example:
        >>> defaults("optimizer", "muon")["muon_lr"]
        0.028
    """
    found = {key: default(kind, name, key) for key in of(kind, name)}
    return {key: value for key, value in found.items() if value is not msgspec.NODEFAULT}


def filled(kind: str, value: Any) -> Any:
    """Return a name, or a name and some of its values, with all of them; the name alone where it has none.

    Example:
        >>> filled("schedule", {"name": "wsd", "floor": 0.1}), filled("schedule", "constant")
        ({'name': 'wsd', 'floor': 0.1, 'cooldown': 0.3}, 'constant')
    """
    if value is None:
        return None
    given = {"name": value} if isinstance(value, str) else value
    own = {key: value for key, value in defaults(kind, given["name"]).items() if value is not None}  # null is not given
    whole = {"name": given["name"], **own, **given}
    return whole if len(whole) > 1 else whole["name"]


def name_of(value: str | Mapping[str, Any]) -> str:
    """Return the name that a field with a named value says.

    Example:
        >>> name_of("wsd"), name_of({"name": "wsd", "cooldown": 0.1})
        ('wsd', 'wsd')
    """
    return value if isinstance(value, str) else str(value["name"])
