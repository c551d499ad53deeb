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
