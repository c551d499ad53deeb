"""A terminal small enough to be read: it takes what a program writes, and knows what a person would see."""

from __future__ import annotations

import io
import re

from mainstem.config.wrapping import columns

_PART = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n])")


class Screen(io.StringIO):
    """Rows as they stand on the screen and above it. `feet` are the last rows that were seen, each when it changed."""

    encoding = "utf-8"  # type: ignore[assignment]

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.rows: list[list[str]] = [[]]
        self.row = self.column = self.wraps = 0
        self.feet: list[str] = []

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for found in _PART.finditer(text):
            numbers, command, move, character = found.groups()
            if move == "\r":
                self.column = 0
            elif move == "\n":
                self._down()
                self.column = 0
            elif character:
                self._put(character)
            elif command == "A":
                self.row -= int(numbers or 1)
            elif command == "K":
                del self.rows[self.row][0 if numbers == "2" else self.column :]
            elif command not in ("m", "h", "l"):
                raise AssertionError(f"this terminal knows no {found[0]!r}")
        foot = self.text()[-1]
        if foot and foot != (self.feet or [None])[-1]:
            self.feet.append(foot)
        return len(text)

    def text(self) -> list[str]:
        """Return the rows, without blanks at their ends."""
        return ["".join(row).rstrip() for row in self.rows]

    def _put(self, character: str) -> None:
        if self.column + columns(character) > self.width:
            self.wraps += 1
            self._down()
            self.column = 0
        row = self.rows[self.row]
        row.extend(" " * (self.column + columns(character) - len(row)))
        row[self.column] = character
        for covered in range(self.column + 1, self.column + columns(character)):
            row[covered] = ""
        self.column += columns(character)

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])
