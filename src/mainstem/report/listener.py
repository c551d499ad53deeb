"""A listener that writes the page of a run at its end."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import command
from ..runs.listener import Listener, Outcome
from ..runs.paths import place

_NAME = "report.html"


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
            where = place(outcome.path)
            self._warn(
                f"{where}/{_NAME} is missing: it could not be written ({error}). `{command('report', where)}` "
                "makes it again."
            )
        finally:
            self._tell(what, 1, 1)
