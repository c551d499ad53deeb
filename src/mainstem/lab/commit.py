"""Which commit of mainstem computed a result, where it runs from its own repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

_HERE = Path(__file__).resolve()


def commit() -> str | None:
    """Return the commit's hash, with a ``+`` where files have been changed since; None for an installed package."""
    try:
        _git("ls-files", "--error-unmatch", _HERE.name)  # a package inside somebody else's repository is not tracked
        found = _git("rev-parse", "HEAD")
        return found + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=_HERE.parent, capture_output=True, text=True, check=True, timeout=10,
    )  # fmt: skip
    return done.stdout.strip()
