"""What is left out of the folders that were given to read: counted by reason, with the first of each named."""

from __future__ import annotations

import os

from .names import brief

HIDDEN, RUNS, PACKAGES, SYSTEM = "hidden", "runs", "packages", "system"
LINKS, SPECIAL, UNREADABLE, NOT_TEXT = "links", "special", "unreadable", "not_text"

_SAID = {
    HIDDEN: "hidden",
    RUNS: "of runs",
    PACKAGES: "of packages or caches",
    SYSTEM: "of the system",
    LINKS: "dead links",
    SPECIAL: "pipes or devices",
    UNREADABLE: "not readable",
    NOT_TEXT: "not text",
}
_ONE = {LINKS: "dead link", SPECIAL: "pipe or device"}


class LeftOut:
    """Files and folders that a corpus does without."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def add(self, reason: str, path: str | os.PathLike[str]) -> None:
        """Count `path`, for one of the reasons that this file names."""
        self._counts[reason] = self._counts.get(reason, 0) + 1
        self._first.setdefault(reason, os.fspath(path))

    def extend(self, other: LeftOut) -> None:
        """Count what `other` has counted too."""
        for reason, count in other._counts.items():
            self._counts[reason] = self._counts.get(reason, 0) + count
            self._first.setdefault(reason, other._first[reason])

    def copy(self) -> LeftOut:
        """Return one of its own that has counted the same."""
        same = LeftOut()
        same.extend(self)
        return same

    def __bool__(self) -> bool:
        """Return whether anything was left out."""
        return bool(self._counts)

    def counts(self) -> dict[str, int]:
        """Return how many were left out for each reason, in a fixed order."""
        return {reason: self._counts[reason] for reason in _SAID if reason in self._counts}

    def __str__(self) -> str:
        """Return the counts in words, each with the first that it counts.

        >>> left_out = LeftOut()
        >>> left_out.add(HIDDEN, ".git")
        >>> left_out.add(NOT_TEXT, "logo.png")
        >>> left_out.add(NOT_TEXT, "icon.png")
        >>> print(left_out)
        1 hidden ('.git'), 2 not text ('logo.png', ...)
        """
        parts = []
        for reason, count in self.counts().items():
            more = ", ..." if count > 1 else ""
            said = _ONE.get(reason, _SAID[reason]) if count == 1 else _SAID[reason]
            parts.append(f"{count} {said} ({brief(self._first[reason])}{more})")
        return ", ".join(parts)
