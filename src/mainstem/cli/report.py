"""`mainstem report RUN`: its page, written again; of several runs, one page. May import `report`, late."""

from __future__ import annotations

import shlex
from typing import Annotated

from ..config.sections import Section, about
from ..errors import BadInput
from . import arguments, terminal
from . import help as help_text
from .commands import COMMANDS


class Options(Section, frozen=True, kw_only=True):
    """What the command's flags say."""

    out: Annotated[str, about("of several runs: the file of their page, or a folder for it")] = "compare.html"


def run(words: list[str]) -> int:
    """Write the report and say where it is; return the exit code."""
    given = arguments.split(words)
    if given.has("help"):
        for line in help_text.of("report", Options):
            terminal.line(line)
        return 0
    options = arguments.options(given.flags, Options, "report")
    paths = arguments.take(given.positional, 1, None, COMMANDS["report"].usage)
    folders = [arguments.run_folder(path) for path in paths]
    if len(folders) == 1 and given.has("out"):
        raise BadInput(f"--out {options.out!r} is for several runs: the report of one run lies in its own folder.")
    from .. import report

    if len(folders) == 1:
        terminal.line(str(report.write(folders[0])))
    else:
        terminal.line(str(report.compare(folders, options.out, shlex.join(["mainstem", "report", *words]))))
    return 0
