"""The progress display on a terminal. May import rich, and `console` for the words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from .console import describe


class Display:
    """A bar with the numbers of the last step behind it; what is said scrolls above."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def say(self, text: str) -> None:
        """Write one line; text is never taken for markup."""
        with contextlib.suppress(OSError):
            self._console.print(Text(text))

    def warn(self, text: str) -> None:
        """Write a warning."""
        with contextlib.suppress(OSError):
            self._console.print(Text(f"warning: {text}", style="yellow"))

    def show(self, numbers: dict[str, Any]) -> None:
        """Move the bar; a held-out pass is written down as a line, so that it stays."""
        text = "  ".join(f"{label} {value}" for label, value in describe(numbers))
        if "held_out" in numbers:
            self.say(text)
        if self._progress is not None:
            self._progress.update(self._task, completed=numbers["step"], numbers=text)

    def measuring(self, what: str, done: int, total: int) -> None:
        """Leave the bar where it is: a pass takes no step."""

    @contextlib.contextmanager
    def running(self, steps: int) -> Iterator[None]:
        """Keep the bar at the foot of the terminal inside the ``with``."""
        bar = BarColumn(bar_width=None, table_column=Column(ratio=1))
        numbers = TextColumn("{task.fields[numbers]}", markup=False, table_column=Column(no_wrap=True, ratio=4))
        self._progress = Progress(
            bar, numbers, console=self._console, expand=True, transient=True, refresh_per_second=2
        )
        self._task = self._progress.add_task("", total=steps, numbers="")
        try:
            with self._progress:
                yield
        finally:
            self._progress = None
