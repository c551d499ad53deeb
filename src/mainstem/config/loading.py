"""The whole way from files and flags to a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import catalogue, files
from ..errors import BadInput
from . import layers, presets, version
from .building import build
from .reader import LIMIT, read
from .relations import check
from .sections import Run
from .writer import plain

Flags = Mapping[str, Any]


def load(flags: Flags | None = None, file: str | os.PathLike[str] | None = None, recipe: str | None = None) -> Run:
    """Return the run that `file` or `recipe` describes with `flags` over it, checked and resolved.

    `flags` has dotted names or sections as keys; text among its values is read as a flag's is. A file may name the
    recipe that it begins from.

    Example:
        >>> from mainstem import config
        >>> config.load({"model.residual": "hyper", "model.residual.streams": "2"}).model.residual
        {'name': 'hyper', 'streams': 2}
    """
    given = _settings(flags or {})
    named = [item for name, item in given if name == "recipe" and item is not None]
    if recipe is None and named:
        recipe = build({"recipe": named[0]}, Run).recipe
    if file is not None and recipe is not None:
        raise BadInput(
            f"The recipe {recipe!r} and the file {str(file)!r} are both given: keep one of --recipe and --config."
        )
    tree: dict[str, Any] = {} if recipe is None else {"recipe": recipe}
    name = ""
    if file is not None:
        tree, name = from_file(Path(file)), repr(str(file))
    with _naming(name):
        lower = _over_recipe(tree)
    try:
        return _made(layers.stack(lower, [pair for pair in given if pair[0] != "recipe"]))
    except BadInput:
        with _naming(name):  # so that what is wrong in the file alone is said of it
            build(lower, Run)
        raise


def override(run: Run, flags: Flags) -> Run:
    """Return `run` with `flags` over it, checked and resolved; what followed from a field that changes, follows again.

    Example:
        >>> from mainstem import config
        >>> config.override(config.load(), {"model.width": 64}).model.hidden
        256
    """
    return _made(layers.stack(plain(presets.reduce(run)), _settings(flags)))


def parse(text: str | bytes, name: str = "the configuration", stored: bool = False) -> Run:
    """Return the run that `text`, such as `dump` writes, describes; what it leaves out keeps its default.

    The result is checked, and not resolved: `parse(dump(run)) == run`. What a run has `stored` says its version.
    """
    with _naming(name):
        run = build(_nested(version.without(read(text, name), name, stored)), Run)
        check(presets.resolve(run))
    return run


def checked(run: Run) -> Run:
    """Return `run` resolved; `BadInput` where two of its fields contradict each other."""
    found = presets.resolve(run)
    check(found)
    return found


def _made(tree: Mapping[str, Any]) -> Run:
    return checked(build(tree, Run))


def _over_recipe(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a file's `tree` over that of the recipe that it names."""
    recipe = tree.get("recipe")
    if recipe is not None and not isinstance(recipe, str):
        build({"recipe": recipe}, Run)  # which says what is wrong
    lower = plain(presets.named(Run()))
    if recipe is not None:
        lower = layers.stack(lower, layers.flatten(from_file(catalogue.resolve("recipe", recipe))))
    return layers.stack(lower, layers.flatten(tree))


def _settings(flags: Flags) -> layers.Settings:
    return layers.flags(layers.flatten(flags))


def _nested(tree: Mapping[str, Any]) -> dict[str, Any]:
    return layers.stack({}, layers.flatten(tree))


def from_file(path: Path) -> dict[str, Any]:
    """Return the tree that a YAML file holds; of a bounded size, as a pipe or a device would never end."""
    if files.is_folder(path):
        raise BadInput(f"{str(path)!r} is a folder: give a YAML file to --config, or a run's folder to --resume.")
    name, data = repr(str(path)), files.read(path, LIMIT, "give a YAML file")
    with _naming(name):
        return version.without(read(data, name), name)


class _naming:
    """Inside the ``with``, errors say which file they are about."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BadInput) and self._name and self._name not in str(error):
            raise BadInput(f"In {self._name}: {error}") from None
