"""How far a command is that may take long, on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Tell = Callable[[str, int, int], None]


@contextlib.contextmanager
def told() -> Iterator[Tell]:
    """Give what hears ``tell(what, done, total)``, as often as one likes. Nothing is to be printed meanwhile.

    Standard output stays what the command prints.
    """
    if sys.stderr is None:
        yield lambda what, done, total: None
        return
    from ..train.console import make

    progress = make(sys.stderr)
    with progress.running():
        yield progress.measuring
