"""Types and values in words, for errors and for `--help`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import NODEFAULT, inspect

from ..wording import brief
from .fields import Field
from .sections import Time
from .wrapping import fill

_TIME = Time.__metadata__[0].pattern  # type: ignore[attr-defined]


_MANY = 1 << 20
"""From here on, a largest value is there to stop typing mistakes: it is named to those who make one."""


def allowed(kind: inspect.Type, choices: tuple[str, ...] = (), null: bool = False, value: object = None) -> str:
    """Return what is allowed as the object of "give": "a whole number of at least 1, or null"; `value` was given.

    A number may have words beside it, as in "a whole number of at least 1, or auto".
    """
    said = f"one of {', '.join(choices)}" if choices else _allowed(kind, value)
    if choices and isinstance(kind, inspect.IntType):
        said = f"{_allowed(kind, value)}, or {' or '.join(choices)}"
    return said + (", or null" if null else "")


def short(kind: inspect.Type, choices: tuple[str, ...] = ()) -> str:
    """Return what is allowed as a symbol for `--help`: "int >= 1", "int >= 1|auto", "one|other"."""
    if choices:
        return "|".join([short(kind)] * isinstance(kind, inspect.IntType) + list(choices))
    if isinstance(kind, (inspect.IntType, inspect.FloatType)):
        name = "int" if isinstance(kind, inspect.IntType) else "number"
        lower = f" >= {kind.ge:g}" if kind.ge is not None else f" > {kind.gt:g}" if kind.gt is not None else ""
        upper = f" < {kind.lt:g}" if kind.lt is not None else f" <= {kind.le:g}" if kind.le is not None else ""
        # A limit that only stops typing mistakes would distract here; the error names it.
        return name + lower + (f",{upper}" if upper and isinstance(kind, inspect.FloatType) else "")
    if isinstance(kind, (inspect.ListType, inspect.VarTupleType)):
        return f"list of {short(kind.item_type)}"
    if isinstance(kind, inspect.TupleType):
        return ", ".join(short(item).split(" ")[0] for item in kind.item_types)
    if isinstance(kind, inspect.BoolType):
        return "switch"
    if isinstance(kind, inspect.StrType):
        return "time as 90s, 10m, 2h" if kind.pattern == _TIME else "text"
    return "value"


def default(field: Field) -> str:
    """Return the default of `field` for `--help`."""
    if field.of:
        return field.said
    return "required" if field.default is NODEFAULT else amount(field, field.default)


def amount(field: Field, value: Any) -> str:
    """Return `value` of `field` for `--help`; null and the empty list in words.

    Example:
        >>> from mainstem import config
        >>> {field.name: amount(field, field.default) for field in config.fields(config.Optim)}["betas"]
        '0.9,0.95'
    """
    if value is None or value == []:
        return field.none
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping) and field.choices:  # what comes with the name has fields of its own
        return str(value["name"])
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {amount(field, item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return (", " if isinstance(value[0], str) else ",").join(amount(field, part) for part in value)
    return str(value)


def used(field: Field, value: Any, source: str) -> str:
    """Return what a run would use for `field`, and from where: "0.02, from recipe default"."""
    said = amount(field, value)
    if source:
        return f"{said}, {source}"
    follows = field.default is None and value is not None and field.none not in ("none", said)
    return f"{said}, {field.none}" if follows else said


def show(value: Any) -> str:
    """Return `value` as an error quotes it: on one line, cut to a length that still lets one find it.

    Example:
        >>> show("a" * 100), show(None), show(True), show(1.5)
        ("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...", 'null', 'true', '1.5')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {value.bit_length() * 3 // 10} digits"  # repr of a long one is refused by Python itself
    said = "null" if value is None else repr(value[:80] if isinstance(value, (str, list)) else value)
    return brief(said)


def wrap(text: str, width: int, indent: int = 0, first: str = "") -> list[str]:
    """Return `text` in lines of at most `width`, indented behind `first`, which has its own line if it is longer.

    A choice that is longer than a line goes on behind one of its bars.
    """
    width = max(width, indent + 8)
    text = " ".join(_in_parts(word, width - indent) for word in text.split(" "))
    ahead = [first.rstrip()] if len(first) > indent else []
    return [*ahead, *fill(text, width, " " * indent if ahead else first.ljust(indent), indent)]


def _in_parts(word: str, room: int) -> str:
    """Return `word`, or if it has no room its parts between bars, as many together as there is room for.

    >>> _in_parts("one|two|three", 8), _in_parts("one|two", 8)
    ('one|two| three', 'one|two')
    """
    if len(word) <= room or "|" not in word:
        return word
    lines = [""]
    for part in re.findall(r"[^|]+[|]?", word):
        if lines[-1] and len(lines[-1]) + len(part) > room:
            lines.append("")
        lines[-1] += part
    return " ".join(lines)


def _allowed(kind: inspect.Type, given: object = None) -> str:
    if isinstance(kind, (inspect.IntType, inspect.FloatType)):
        return _number(kind, given)
    if isinstance(kind, (inspect.ListType, inspect.VarTupleType)):
        return f"a list, each item of it {_allowed(kind.item_type)}"
    if isinstance(kind, inspect.TupleType):
        return f"a list of {len(kind.item_types)}, each item of it {_allowed(kind.item_types[0])}"
    if isinstance(kind, inspect.BoolType):
        return "true or false"
    if isinstance(kind, inspect.StructType):
        return "lines with the names of its fields"
    if isinstance(kind, inspect.Metadata):
        return _allowed(kind.type, given)
    if isinstance(kind, inspect.StrType):
        if kind.pattern == _TIME:
            return "a time such as 90s, 10m or 2h"
        return "text of at least one character" if kind.min_length else "text"
    return "a value"


def _number(kind: inspect.IntType | inspect.FloatType, given: object) -> str:
    name = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
    bounds = {"of at least": kind.ge, "above": kind.gt, "below": kind.lt, "at most": kind.le}
    limits = [
        f"{word} {value:g}" if isinstance(value, float) else f"{word} {value}"
        for word, value in bounds.items()
        if value is not None and not (value >= _MANY and not (isinstance(given, (int, float)) and given >= value))
    ]
    return " ".join([name, " and ".join(limits)]).strip()
