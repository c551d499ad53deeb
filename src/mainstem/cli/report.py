"""`mainstem report RUN`: its page, written again; of several runs, one page."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

from .. import files
from ..config.sections import Section, Text, about
from ..errors import BadInput
from ..runs import HOME
from . import arguments, terminal
from .arguments import Asked


class Options(Section, frozen=True, kw_only=True):
    """What the command's flags say."""

    out: Annotated[Text | None, about("of several runs: the file of their page", "a page of these runs below runs")] = (
        None
    )


def run(asked: Asked) -> int:
    """Write the report and say where it is; return the exit code."""
    options, paths = asked.options(Options), asked.take(1)
    folders = [arguments.run_folder(path) for path in paths]
    if len(folders) == 1 and asked.given.has("out"):
        raise BadInput(f"--out {options.out!r} is for several runs: the report of one run lies in its own folder.")
    from .. import report

    if len(folders) == 1:
        terminal.line(str(report.write(folders[0])))
    else:
        out = _page(folders) if options.out is None else Path(options.out)
        terminal.line(str(report.compare(folders, out, asked.line)))
    return 0


def _page(folders: list[Path]) -> Path:
    """Return where the page of these runs goes: the same one for the same runs, another one for others."""
    places = "\n".join(sorted(str(folder.resolve()) for folder in folders))
    digest = hashlib.sha256(places.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    names = "-".join(folder.resolve().name for folder in folders)
    short = "".join(c if c.isalnum() or c in "-_." else "-" for c in names)[:60].strip(".-")
    files.make_folder(Path(HOME))
    return Path(HOME, f"compare-{short}-{digest}.html")
