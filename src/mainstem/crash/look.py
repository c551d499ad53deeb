"""What is compared: the bytes of files below a folder, by patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from .. import files
from ..errors import BadInput


def check(patterns: Sequence[str], option: str) -> None:
    """Raise `BadInput` for a pattern that is none of files below a folder."""
    for pattern in patterns:
        parts = PurePath(pattern).parts
        joined = any("**" in part and part != "**" for part in parts)  # which Python 3.10 to 3.12 do not read
        if not parts or PurePath(pattern).is_absolute() or ".." in parts or joined:
            raise BadInput(
                f'{option} {pattern!r} is no pattern of files below {{out}}: give one such as "*.safetensors".'
            )


def matching(folder: Path, pattern: str) -> list[Path]:
    """Return what lies below `folder` and fits `pattern`, without hidden files, which are work in progress.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("b.pt", "a.pt", ".c.pt"):
        ...     (folder / name).touch()
        >>> [path.name for path in matching(folder, "*.pt")]
        ['a.pt', 'b.pt']
    """
    found = folder.glob(pattern)
    return sorted(path for path in found if not any(part[:1] == "." for part in path.relative_to(folder).parts))


def digests(folder: Path, patterns: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of each file below `folder` that fits one of `patterns`, by its path there."""
    return {
        path.relative_to(folder).as_posix(): files.measure(path).sha256
        for pattern in patterns
        for path in matching(folder, pattern)
        if files.is_file(path)
    }


def differing(now: Mapping[str, object], before: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names that only one of two has, or that have another value in the other.

    Example:
        >>> differing({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4})
        ('b', 'c')
    """
    return tuple(sorted(name for name in {**now, **before} if now.get(name) != before.get(name)))
