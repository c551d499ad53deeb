"""Every public name of the package, a line each; as a script, it writes tests/golden/names.txt anew."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import mainstem

FILE = Path(__file__).resolve().parents[1] / "golden" / "names.txt"


def found() -> Iterator[str]:
    """Yield the names that `mainstem` and its public packages offer, with those that the catalogue makes known."""
    for name in sorted(mainstem.NAMES):
        yield f"mainstem.{name}"
        value = getattr(mainstem, name)
        if isinstance(value, ModuleType):
            package = importlib.import_module(value.__name__)
            own = set(getattr(package, "__all__", ())) | _listed(package)
            yield from (f"mainstem.{name}.{each}" for each in sorted(own))


def _listed(package: ModuleType) -> set[str]:
    """Return the classes that a package takes from the catalogue."""
    from mainstem import catalogue

    begin = f"{package.__name__.removeprefix('mainstem.')}."
    return {spec.target.partition(":")[2] for spec in catalogue.SPECS if spec.target.startswith(begin)} & {
        *dir(package)
    }


def text() -> str:
    return "".join(f"{name}\n" for name in found())


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
