"""What a diagnosis says."""

from __future__ import annotations

from typing import NamedTuple

from ... import wording


class Finding(NamedTuple):
    """A fault by name, what shows it, and what to do; `weight` puts the worst first."""

    fault: str
    evidence: str
    remedy: str
    weight: int = 1

    def __str__(self) -> str:
        """Return both sentences."""
        return f"{self.evidence[0].upper()}{self.evidence[1:]}. {self.remedy}"


def few(names: list[str], most: int = 3) -> str:
    """Return names in backquotes, the first of them where there are many.

    Example:
        >>> few(["a", "b"]), few(["a", "b", "c", "d", "e"])
        ('`a`, `b`', '`a`, `b`, `c` and 2 more')
    """
    return wording.few([f"`{name}`" for name in names], most)
