"""What a run would use, and which layer says so: for `--help`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import catalogue
from . import layers
from .at import NOT_THERE, at
from .fields import fields
from .loading import Flags, from_file, load
from .presets import resolve
from .sections import Run


class Origin(NamedTuple):
    """The value of a field, and the layer that gave it; "" for the default."""

    value: Any
    source: str


def origins(flags: Flags, file: str | os.PathLike[str] | None = None, recipe: str | None = None) -> dict[str, Origin]:
    """Return for every field, by name, the value that `load` of the same arguments has, and where that is from.

    The fields of a list's items are left out, and those that come with a name where the run has another name.

    >>> found = origins({"train.batch": "8"}, recipe="default")
    >>> found["optim.lr"], found["train.batch"], found["optim.clip"]
    (Origin(value=0.02, source='from recipe default'), Origin(value=8, source='as given'), Origin(value=1.0, source=''))
    """
    run = load(flags, file, recipe)
    above = [("as given", _names(flags), run)]
    if file is not None:
        above.append((f"from {Path(file).name}", _names(from_file(Path(file))), load({}, file)))
    if run.recipe is not None:
        tree = from_file(catalogue.resolve("recipe", run.recipe))
        above.append((f"from recipe {run.recipe}", _names(tree), load(recipe=run.recipe)))
    found = {}
    for name in (field.name for field in fields(Run) if ".N." not in field.name):
        value = at(run, name)
        if value is NOT_THERE:
            continue
        # What another name in a layer above has left behind is the default again.
        said = (source for source, names, there in above if name in names and at(there, name) == value)
        found[name] = Origin(value, next(said, ""))
    return found


def said(flags: Flags, file: str | os.PathLike[str] | None = None) -> frozenset[str]:
    """Return the names of the fields and sections that `flags` or the `file` say anything of.

    Null says nothing of a field that has a value there all the same, as the sizes of a model have by the preset.

    Example:
        >>> sorted(said({"model": {"layers": 6}, "seed": "1"}))
        ['model', 'model.layers', 'seed']
    """
    return frozenset(_names(flags) | (set() if file is None else _names(from_file(Path(file)))))


def _names(tree: Flags) -> set[str]:
    """Return the fields that a layer says anything of: `model.residual.streams` is a part of `model.residual`."""
    found, usual = set(), resolve(Run())
    for name, item in layers.flags(layers.flatten(tree)):
        if item is None and at(usual, name) not in (None, NOT_THERE):
            continue
        parts = name.split(".")
        found |= {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
        found |= {f"{name}.{key}" for key in item} if isinstance(item, Mapping) else set()
    return found
