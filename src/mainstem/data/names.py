"""How the names of a user's files are shown in messages. May import nothing of the project."""

from __future__ import annotations

import os

_LONGEST = 200


def shown(path: str | os.PathLike[str]) -> str:
    r"""Return `path` in quotes, with control characters escaped and at most about 200 characters of it.

    >>> print(shown("a\x1b[2Jb"))
    'a\x1b[2Jb'
    """
    text = os.fspath(path)
    return repr(text if len(text) <= _LONGEST else "..." + text[-_LONGEST:])


def brief(path: str | os.PathLike[str], longest: int = 24) -> str:
    """Return the end of `path` in quotes, for a line that names several.

    >>> brief("a/very/long/way/to/the/first/file.txt")
    "'...to/the/first/file.txt'"
    """
    text = os.fspath(path)
    return repr(text if len(text) <= longest else "..." + text[3 - longest :])
