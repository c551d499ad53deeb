"""A field that one layer of settings gives twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import BadInput
from .building import as_list, as_named
from .words import show


def twice(name: str, first: Any, second: Any) -> BadInput:
    """Return the error for a field with two values."""
    return BadInput(f"{name} is given twice, as {show(first)} and as {show(second)}: keep one of them.")


def refuse_parts(values: Mapping[str, Any]) -> None:
    """Refuse a part of a field that the value of the whole field says as well, of settings by their dotted names.

    Raises:
        BadInput: the part, and both of its values.

    Example:
        >>> refuse_parts({"model.residual": "hyper", "model.residual.streams": 2})
        >>> refuse_parts({"model.residual": "hyper", "model.residual.name": "rezero"})
        Traceback (most recent call last):
        mainstem.errors.BadInput: model.residual.name is given twice, as 'hyper' and as 'rezero': keep one of them.
    """
    for name, item in values.items():
        parts = name.split(".")
        for count in range(1, len(parts)):
            whole = ".".join(parts[:count])
            if whole in values and (first := _inside(values[whole], parts[count:])) is not None:
                raise twice(name, first, item)


def is_index(part: str) -> bool:
    """Return whether a part of a dotted name is the place of an item in a list."""
    return part.isascii() and part.isdigit() and len(part) < 9


def _inside(node: Any, parts: Sequence[str]) -> Any:
    """Return what stands at `parts` of a value; None where nothing does."""
    for part in parts:
        if is_index(part):
            items = as_list(node.split("|") if isinstance(node, str) and "|" in node else node)
            node = items[int(part)] if isinstance(items, (list, tuple)) and int(part) < len(items) else None
        else:
            named = as_named(node.strip() if isinstance(node, str) else node)
            node = named.get(part) if isinstance(named, Mapping) else None
    return node
