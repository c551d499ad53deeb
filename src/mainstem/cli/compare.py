"""`mainstem compare A B`: which of two configurations is better, over seeds. May import everything, late."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from .. import config, files
from ..config.sections import NonNegative, Section, Text, about
from ..errors import BadInput
from ..runs import follow
from . import arguments, memory, terminal
from . import help as help_text
from .answer import Answer
from .commands import COMMANDS

_OURS = ("seed", "recipe", "log", "out")


class Options(Section, frozen=True, kw_only=True):
    """What the command's own flags say; all others are fields of a run, for both sides."""

    seeds: Annotated[int, Meta(ge=1, le=100), about("trainings of each side, from seed 0 on")] = 5
    delta: Annotated[NonNegative, about("smallest difference of interest, in bits per byte")] = 0.01
    out: Annotated[Text, about("folder of the page, the results and all runs")] = "runs/compare"
    json: Annotated[bool, about("print one JSON object; all else goes to standard error")] = False


def run(words: list[str]) -> int:
    """Train both sides with every seed, print the verdict, write the page; return the exit code."""
    given = arguments.split(words, config.switches(Options) | config.switches(config.Run))
    if given.has("help"):
        for line in help_text.of("compare", Options, trains=True):
            terminal.line(line)
        return 0
    own = [field.name for field in config.fields(Options)]
    options = arguments.options([flag for flag in given.flags if flag[0] in own], Options, "compare")
    shared = [flag for flag in given.flags if flag[0] not in own]
    fields = [field.name for field in config.fields(config.Run) if field.name.split(".")[0] not in _OURS]
    arguments.refuse_unknown(shared, [*own, *fields], "compare")
    a, b = arguments.take(given.positional, 2, 2, COMMANDS["compare"].usage)
    runs = [config.load(dict(shared), _file(path)) for path in (a, b)]
    _compare(_names(a, b), runs, {name for name, _ in shared}, options, shlex.join(["mainstem", "compare", *words]))
    return 0


def _compare(names: tuple[str, str], runs: list[config.Run], shared: set[str], options: Options, command: str) -> None:
    """Compare two runs; `shared` has the names of what flags have given to both."""
    began = time.perf_counter()
    from ..lab import comparing, suite, text, words
    from ..train import Stop, device, refuse, unread

    a, b = (comparing.Side(name, device.settle(run)) for name, run in zip(names, runs, strict=True))
    folder = Path(options.out)
    suite.check_folder(folder)
    experiment = comparing.experiment(a, b, folder / "runs", options.delta)
    for side in (a, b):
        refuse.early(side.run)
    unread.check([a.run, b.run], shared)
    comparing.check(a, b, text.reader(suite.tokens(folder)))
    plan = suite.Plan(folder, {}, None, options.seeds, command)
    answer = Answer(options.json)
    memory.keep()
    try:
        for results, page in suite.run([experiment], plan, began, answer.say):
            better = words.better(a.name, b.name, results.verdict)
            for line in [*words.of(results, terminal.width()), "", better, page]:
                answer.say(str(line))
            answer.give({**results.to_json(), "says": better, "page": str(page)})
    except Stop as stop:
        answer.say(f"{stop}: the same command goes on where this one stopped.")
        raise KeyboardInterrupt from None


def _file(path: str) -> str:
    """Return the YAML file that `path` is, or that lies in it where it is the folder of a run."""
    inside = follow(path) / "config.yaml"
    return str(inside) if files.is_file(inside) else path


def _names(a: str, b: str) -> tuple[str, str]:
    """Return what the two are called: as short as tells them apart."""
    if a == b:
        raise BadInput(f"{a!r} is given twice: give two configurations that differ.")
    short = Path(a).stem, Path(b).stem
    return short if short[0] != short[1] else (a, b)
