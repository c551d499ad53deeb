"""What belongs to a name: the fields whose values mean something for one optimizer, form or penalty alone.

Where a layer of settings gives another name, the old one's values are left behind. May import its neighbours here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .building import as_named
from .sections import Data, Optim

OWN: dict[str, dict[str, dict[str, Any]]] = {
    "optim.name": {
        "adamw": {name: getattr(Optim(), name) for name in ("lr", "betas", "eps", "muon_lr", "momentum")},
        # `lr` is that of what Muon leaves to AdamW, above all the embedding, which bears ten times as much beside it.
        "muon": {"lr": 2e-2, "betas": (0.9, 0.95), "eps": 1e-8, "muon_lr": 0.028, "momentum": 0.9},
    },
}
"""By the field that holds a name, each name's own defaults of what belongs to it. Decay, schedule, warm-up, clipping
and averages are the run's, whichever optimizer it has; a preset only fills what no layer has given."""

ALONE: dict[str, dict[str, dict[str, Any]]] = {
    "optim.schedule": {"wsd": {"cooldown": Optim().cooldown}},
    "data.tokenizer": {"bpe": {"vocabulary": Data().vocabulary}},
}
"""By the field that holds a name, what belongs to one name alone, and what it is where another takes its place."""

_BEGIN = {"optim.name": Optim().name}


def left_behind(tree: Mapping[str, Any], settings: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the settings that take back what belonged to the names in `tree` that `settings` replace.

    Example:
        >>> left_behind({"model": {"residual": {"name": "hyper", "streams": 2}}}, [("model.residual.name", "rezero")])
        [('model.residual', {'name': 'rezero'})]
        >>> left_behind({"optim": {"name": "muon"}}, [("optim.name", "muon")])
        []
    """
    found: list[tuple[str, Any]] = []
    for field, name in settings:
        parent, _, last = field.rpartition(".")
        if not isinstance(name, str):
            continue
        if field in OWN:
            section = _at(tree, parent)
            section = section if isinstance(section, Mapping) else {}
            before = section.get(last)
            if name != (before or _BEGIN[field]):
                own = OWN[field].get(name, {})
                extra = [key for key in section if key not in Optim.__struct_fields__] if before else []
                found += [(f"{parent}.{key}", None) for key in extra]
                found += [(f"{parent}.{key}", value) for key, value in own.items()]
        elif field in ALONE:
            before = _at(tree, field)
            if isinstance(before, str) and before != name:
                found += [(f"{parent}.{key}", value) for key, value in ALONE[field].get(before, {}).items()]
        elif last == "name":
            before = as_named(_at(tree, parent))
            if isinstance(before, Mapping) and before.get("name") not in (None, name):
                found.append((parent, {"name": name}))
    return found


def _at(tree: Any, path: str) -> Any:
    """Return what stands at the dotted `path`, or None."""
    for part in path.split("."):
        if isinstance(tree, Mapping):
            tree = tree.get(part)
        elif isinstance(tree, (list, tuple)) and part.isascii() and part.isdigit() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            return None
    return tree
