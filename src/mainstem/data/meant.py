"""Which files of a text are of another format than text, so that they may be meant otherwise."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from .. import files
from .formats import Format
from .names import shown

_SHARE = 0.5
"""Of the bytes that are read, which files of one format in a folder must exceed to be worth a word."""


class Meant(Struct, frozen=True):
    """Files of one format that are read as text: the number of the first among the sources, and how many there are."""

    format: Format
    number: files.Count
    files: files.Count

    def sentence(self, paths: tuple[Path, ...]) -> str:
        """Return how they are read, and how else they could be."""
        several = self.files > 1
        which = f"{shown(paths[self.number])} {f'and {self.files - 1} more are' if several else 'is'}"
        return (
            f"{which} {self.format.name}, read as plain text, {self.format.more}: "
            f"for {'their' if several else 'its'} text alone, {self.format.remedy}."
        )


class Noticed:
    """Collects, file after file, what resembles which format."""

    def __init__(self) -> None:
        self._bytes = 0
        self._found: dict[str, tuple[Meant, int, bool]] = {}

    def add(self, format: Format | None, number: int, size: int, named: bool) -> None:
        """Count a file of `size` bytes; `named` says that it was given by name and not found in a folder."""
        self._bytes += size
        if format is not None:
            known, much, any_named = self._found.get(format.name, (Meant(format, number, 0), 0, False))
            known = Meant(known.format, known.number, known.files + 1)
            self._found[format.name] = known, much + size, any_named or named

    def worth(self) -> list[Meant]:
        """Return the formats that are worth a word: of files given by name, or of more than half of the bytes."""
        return [one for one, size, named in self._found.values() if named or size > _SHARE * self._bytes]
