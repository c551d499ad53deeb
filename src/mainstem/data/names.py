"""How the names of a user's files are shown in messages."""

from __future__ import annotations

import os

from ..files import shown

__all__ = ["brief", "shown"]


def brief(path: str | os.PathLike[str], longest: int = 24) -> str:
    """Return the end of `path` in quotes, for a line that names several.

    Example:
        >>> brief("a/very/long/way/to/the/first/file.txt")
        "'...to/the/first/file.txt'"
    """
    text = os.fspath(path)
    return repr(text if len(text) <= longest else "..." + text[3 - longest :])
