"""Damage to the newest checkpoint of a run: which files it has, what is done to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .. import files
from . import look

GUESSES = ("checkpoints/*", "checkpoint-*", "*.ckpt", "*.pt", "*.pth")
"""Where checkpoints are looked for where nobody says: the first of these that fits something."""


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)


def _cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


KINDS: dict[str, Callable[[Path], None]] = {"flipped byte": _flip, "cut": _cut, "deleted": Path.unlink}
"""What is done to a file: one bit of its middle is turned, its second half is taken away, it is taken away."""


class Damaged(NamedTuple):
    """What came of damage of a `kind` to the file `path` of the newest checkpoint.

    `code` is the exit code of the run that was to go on, None where it did not end. `named` is whether a line of its
    output has the file's name that is not there without damage. `differs` are the files that are not those of a run
    that went on from the same place without damage.
    """

    path: str
    kind: str
    code: int | None
    named: bool
    differs: tuple[str, ...]

    @property
    def noticed(self) -> bool:
        """Whether the run was refused, or went on and named the file."""
        return self.code != 0 or self.named

    @property
    def silent(self) -> bool:
        """Whether the run went on without a word, to another end."""
        return not self.noticed and bool(self.differs)


def newest(folder: Path, pattern: str | None) -> list[Path]:
    """Return the files of the newest checkpoint below `folder`: of those that fit `pattern`, or one of `GUESSES`.

    The newest is that with the largest numbers in its name, or the last written where none has a number. None: []. What
    a link leads to outside of `folder` is no copy, and is left as it is.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("step-9.pt", "step-10.pt", "last.pt"):
        ...     _ = (folder / name).write_bytes(b"1")
        >>> [path.name for path in newest(folder, None)]
        ['step-10.pt']
    """
    patterns = [pattern] if pattern else GUESSES
    every = ([path for path in look.matching(folder, each) if path.exists()] for each in patterns)
    found = next(filter(None, every), [])
    if not found:
        return []
    numbers = {path: [int(number) for number in re.findall(r"\d+", path.name)] for path in found}
    chosen = max(found, key=lambda path: (numbers[path], path.stat().st_mtime_ns))
    inside, root = sorted(chosen.rglob("*")) if files.is_folder(chosen) else [chosen], folder.resolve()
    own = [path for path in inside if path.resolve().is_relative_to(root)]
    return [path for path in own if files.is_file(path) and path.stat().st_size]


def new_lines(said: str, usual: str) -> list[str]:
    """Return the lines of `said` that `usual` has not, whatever numbers stand in them.

    Example:
        >>> new_lines("step 4\\nmodel.pt is damaged", "step 8")
        ['model.pt is damaged']
    """
    known = {_without_numbers(line) for line in usual.splitlines()}
    return [line for line in said.splitlines() if _without_numbers(line) not in known]


def _without_numbers(line: str) -> str:
    return re.sub(r"\d+", "#", line).strip()
