"""The fenced blocks of the documentation's pages."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Block(NamedTuple):
    page: Path
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page):
    """Return the fenced blocks of a page; an indented fence, as below a list item, counts too."""
    found, start, language, indent = [], None, "", 0
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        fence = re.match(r"( *)```(\S*)\s*$", line)
        if fence and start is None:
            start, language, indent = number, fence[2], len(fence[1])
        elif fence:
            text = "\n".join(held[indent:] for held in lines[start : number - 1])
            found.append(Block(page, start, language, text + "\n"))
            start = None
    assert start is None, f"{page.name}: the block that line {start} opens is never closed"
    return found
