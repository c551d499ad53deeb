"""A tree as it was stored before every name had its values behind it, as it is now.

Such a tree has every field, also those that its names do not read: these are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import owned

_MOVED = (
    ("optim", "schedule", "schedule", {"floor": "floor", "cooldown": "cooldown"}),
    ("optim", "around", "around", {"rho": "rho"}),
    ("data", "tokenizer", "tokenizer", {"vocabulary": "vocabulary"}),
)
"""Section, the field that says a name, the kind of that, and the fields of the section that lie behind it now."""

_MUON = ("muon_lr", "momentum")


def moved(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return `tree` with each value where it lies now; one that is written as today's are stays as it is.

    Example:
        >>> moved({"optim": {"schedule": "wsd", "floor": 0.1, "cooldown": 0.5}})
        {'optim': {'schedule': {'name': 'wsd', 'floor': 0.1, 'cooldown': 0.5}}}
        >>> moved({"optim": {"schedule": "constant", "floor": 0.0, "cooldown": 0.3}})
        {'optim': {'schedule': 'constant'}}
    """
    found = {name: dict(item) if isinstance(item, Mapping) else item for name, item in tree.items()}
    for section, field, kind, names in _MOVED:
        here = found.get(section)
        if not isinstance(here, dict):
            continue
        given = {new: here.pop(old) for old, new in names.items() if old in here}
        name = here.get(field)
        own = {key: value for key, value in given.items() if isinstance(name, str) and name in owned.owners(kind, key)}
        if any(value is not None for value in own.values()):
            here[field] = {"name": name, **own}
    optim, model = found.get("optim"), found.get("model")
    if isinstance(optim, dict) and optim.get("name") == "adamw":
        for name in _MUON:
            optim.pop(name, None)
    if isinstance(model, dict) and "ngrams" in model:
        order, rows = model.pop("ngrams"), model.pop("ngram_rows", None)
        if order not in (None, 1):
            model["embedding"] = {"name": "ngrams", "order": order, "rows": rows}
    return found
