"""A listener that writes the page of a run at its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from .. import files
from ..errors import command
from ..runs.listener import Listener, Outcome
from ..runs.paths import place, typed

_NAME, _CARD = "report.html", "card.md"


class Page(Listener):
    """Write report.html when a run has ended; where that fails, `warn` hears why, and the run is a good one still.

    ``mainstem.train.run(run, listeners=[mainstem.report.Page()])``. ``tell(what, done, total)`` hears that it is made.
    """

    def __init__(
        self, warn: Callable[[str], None] = print, tell: Callable[[str, int, int], None] = lambda *_: None
    ) -> None:
        self._warn = warn
        self._tell = tell

    def ended(self, outcome: Outcome | None) -> None:
        """Write the page of a run that has an outcome."""
        if outcome is None:
            return
        what = f"writing {_NAME}"
        self._tell(what, 0, 1)
        try:
            from . import page  # takes a while to import, and may fail to

            page.write(outcome.path)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run is whole without it
            where, again = place(outcome.path), typed(outcome.path)
            state = "is missing" if _gone(outcome.path) else "is that of an earlier end"
            self._warn(
                f"{where}/{_NAME} {state}: it could not be written ({error}). `{command('report', again)}` "
                "makes it again."
            )
        finally:
            self._tell(what, 1, 1)


def _gone(folder: Path) -> bool:
    """Delete the pages that the run had before it went on, which show other numbers; return whether none is left."""
    there = [folder / name for name in (_NAME, _CARD) if files.is_file(folder / name)]
    for path in there:
        with contextlib.suppress(OSError):
            files.remove(path)
    return not any(files.is_file(path) for path in there)
