"""A run that was made in Python, held to what a file or a flag may say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import inspect

from ..errors import BadInput
from .at import at, put
from .building import leaf, sane
from .fields import annotation, children, items_of, named_kind, own_kind, section_of
from .presets import resolve
from .relations import check
from .sections import Run, Section


class _Leaf(NamedTuple):
    """A field of a section: its dotted name, what stands there, and its types."""

    path: str
    value: Any
    kind: inspect.Type
    annotation: Any


def held(run: Run) -> Run:
    """Return `run`, with whole numbers for such as 1e4, where a file could say it; names are another matter.

    Raises:
        BadInput: as for a flag, where a field is beyond its limits or two contradict each other.

    Example:
        >>> held(Run(seed=-1))
        Traceback (most recent call last):
        mainstem.errors.BadInput: seed is -1: give a whole number of at least 0.
    """
    found = run
    for each in _leaves(run, ""):
        try:
            sane(each.value, each.path)
            value = leaf(each.value, each.kind, each.annotation, each.path)
        except BadInput:
            if not _follows(run, each):
                raise
            continue
        if type(value) is not type(each.value) and each.path.count(".") == 1:
            found = put(found, each.path, value)
    check(resolve(found))
    return found


def _leaves(section: Section, path: str) -> Iterator[_Leaf]:
    for name, kind in children(type(section)).items():
        value, own = getattr(section, name), f"{path}{name}"
        if section_of(kind) is not None and isinstance(value, Section):
            yield from _leaves(value, f"{own}.")
        elif items_of(kind) is not None and isinstance(value, list) and all(isinstance(x, Section) for x in value):
            for number, item in enumerate(value):
                yield from _leaves(item, f"{own}.{number}.")
        elif own_kind(kind) is None and not named_kind(kind):
            yield _Leaf(own, value, kind, annotation(type(section), name))


def _follows(run: Run, each: _Leaf) -> bool:
    """Return whether a value is what follows from other fields, which no limit is meant for: as the hidden width."""
    if each.value is None or not each.path.startswith("model."):
        return False
    return bool(at(resolve(put(run, each.path, None)), each.path) == each.value)
