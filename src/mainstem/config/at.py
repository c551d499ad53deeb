"""A value of a run by its dotted name, also where a name brings it along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .fields import children, own_field
from .sections import Run, Section

NOT_THERE = object()
"""What stands at a name that this run has not, as its optimizer or its schedule is another one."""


def at(run: Run, name: str) -> Any:
    """Return what stands at the dotted `name`.

    Example:
        >>> from mainstem import config
        >>> run = config.load({"optim.schedule": "wsd"})
        >>> at(run, "optim.lr"), at(run, "optim.schedule.cooldown"), at(run, "optim.muon_lr") is NOT_THERE
        (0.002, 0.3, True)
    """
    found: Any = run
    for part in name.split("."):
        if isinstance(found, Section):
            keeps = _keeps(found, part)
            found = getattr(found, part) if keeps is None else getattr(found, keeps).get(part, NOT_THERE)
        else:
            found = found.get(part, NOT_THERE) if isinstance(found, Mapping) else NOT_THERE
    return found


def put(run: Run, name: str, value: Any) -> Run:
    """Return `run` with `value` for a field of one of its sections, or for what the section's name brings along.

    Example:
        >>> from mainstem import config
        >>> at(put(config.load(), "optim.lr", 0.1), "optim.lr")
        0.1
    """
    section, _, field = name.partition(".")
    part = getattr(run, section)
    keeps = _keeps(part, field)
    changed = {field: value} if keeps is None else {keeps: {**getattr(part, keeps), field: value}}
    return msgspec.structs.replace(run, **{section: msgspec.structs.replace(part, **changed)})


def _keeps(section: Section, field: str) -> str | None:
    """Return the field of `section` that keeps `field`, where that is none of its own."""
    keeps = own_field(type(section))
    return None if keeps is None or field in children(type(section)) else keeps[0]
