"""Which edition of the tree a stored configuration has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import BadInput
from .moved import moved
from .words import show

VERSION = 2
"""Raised where a field is renamed or means something else; a new field needs none."""


def without(tree: Mapping[str, Any], name: str, stored: bool = False) -> dict[str, Any]:
    """Return `tree` without its version, with every value where it lies now.

    A file that somebody wrote may leave it out, and is taken as it stands; what a run `stored` without one is of
    version 1.

    Raises:
        BadInput: where this program reads another version.

    Example:
        >>> without({"version": 2, "seed": 1}, "config.yaml")
        {'seed': 1}
    """
    found = tree.get("version", 1 if stored else VERSION)
    if found != VERSION or isinstance(found, bool):
        raise BadInput(
            f"{name} has version {show(found)}, and this mainstem reads version {VERSION}: use the mainstem that "
            "wrote it, or train anew."
        )
    rest = {key: value for key, value in tree.items() if key != "version"}
    return moved(rest) if "version" in tree else rest
