"""`mainstem report RUN`: its page, written again. May import `report`, late."""

from __future__ import annotations

from . import arguments, terminal
from . import help as help_text
from .commands import COMMANDS


def run(words: list[str]) -> int:
    """Write the report and say where it is; return the exit code."""
    given = arguments.split(words)
    if given.has("help"):
        for line in help_text.of("report"):
            terminal.line(line)
        return 0
    arguments.refuse_unknown(given.flags, ("help",), "report")
    (path,) = arguments.take(given.positional, 1, 1, COMMANDS["report"].usage)
    folder = arguments.run_folder(path)
    from .. import report

    terminal.line(str(report.write(folder)))
    return 0
