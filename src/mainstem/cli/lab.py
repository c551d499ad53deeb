"""`mainstem lab`: the textbook's claims put to the test on this machine."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from .. import catalogue, config, files
from ..config import words as text
from ..config import wrapping
from ..config.sections import Section, Text, Time, about
from ..errors import BadInput
from ..wording import several
from . import arguments, memory, terminal
from .answer import Answer
from .arguments import Asked

if TYPE_CHECKING:
    from ..lab.experiment import Experiment
    from ..lab.result import Results

_LENGTH = "the trainings of an experiment have the same number of steps: give --train.steps"
_MEASURED = "a training of an experiment is measured when it has ended"
_NO_FOLDER = "a training of an experiment leaves no folder of its own"
_UNUSED = {
    "seed": "an experiment takes seeds from 0 on: give --seeds N",
    "recipe": "an experiment has settings of its own: set single fields",
    "model.preset": "an experiment has sizes of its own: set model.layers, model.width and others",
    "data.tokenizer": "the losses of an experiment are in nats per byte, for which a token is a byte",
    "train.budget": _LENGTH,
    "train.epochs": _LENGTH,
    "train.patience": "a training of an experiment takes all its steps",
    "evaluate": _MEASURED,
    "save": _NO_FOLDER,
    "model.prior": "a training of an experiment measures the network alone",
    "train.init_from": "a training of an experiment begins with the initial weights of its seed",
    "log": _NO_FOLDER,
}
"""Fields of a run that no training of an experiment could honour, and why."""


Seeds = Annotated[int, Meta(ge=1, le=100)]
Tokens = Annotated[int, Meta(ge=1024)]


class Options(Section, frozen=True, kw_only=True):
    """What the command's own flags say; all others are fields of a run, for every training of the experiment."""

    all: Annotated[bool, about("every experiment, on one page")] = False
    budget: Annotated[Time | None, about("wall time, start to page", "2m; with --all 15m")] = None
    seeds: Annotated[Seeds | None, about("seeds to train, however long it takes", "as the budget allows")] = None
    repeated: Annotated[Tokens | None, about("tokens of a text that is read many times", "of the experiment")] = None
    out: Annotated[Text, about("folder of pages, results and finished trainings")] = "runs/lab"
    json: Annotated[bool, about("print one JSON object; all else goes to standard error")] = False


class _Results(Struct):
    """What the list of experiments shows of a NAME.json."""

    verdict: str
    seeds: list[int]


def run(asked: Asked) -> int:
    """List the experiments, or run some and write their pages; return the exit code."""
    own = [field.name for field in config.fields(Options)]
    options = asked.options(Options, [flag for flag in asked.given.flags if flag[0] in own])
    settings = _settings([flag for flag in asked.given.flags if flag[0] not in own], own)
    if not asked.given.positional and not options.all:
        _only_list(asked.given.flags)
        _list(Path(options.out), Answer(options.json))
        return 0
    if asked.given.positional and options.all:
        raise BadInput(f"{asked.given.positional[0]!r} and --all are both given: keep one of them.")
    if options.budget is not None and options.seeds is not None:
        raise BadInput(f"--budget {options.budget} and --seeds {options.seeds} are both given: keep one of them.")
    names = asked.given.positional or catalogue.names("experiment")
    experiments = [catalogue.find("experiment", name) for name in dict.fromkeys(names)]
    return _run(experiments, options, settings, asked.line)


def _settings(flags: list[tuple[str, str]], own: list[str]) -> dict[str, str]:
    """Return the fields of a run that are set for all trainings."""
    arguments.refuse_unknown(flags, [*own, *(field.name for field in config.fields(config.Run))], "lab")
    found: dict[str, str] = {}
    for name, value in flags:
        if name in found:
            raise BadInput(f"{arguments.shown(name)} is given twice, as {found[name]!r} and {value!r}: keep one.")
        why = next((why for unused, why in _UNUSED.items() if name == unused or name.startswith(f"{unused}.")), None)
        if why is not None:
            raise BadInput(f"{arguments.shown(name)} cannot be given here, since {why}.")
        found[name] = value
    return found


def _only_list(flags: list[tuple[str, str]]) -> None:
    """Refuse what is for an experiment, where none is named."""
    unread = next((flag for flag in flags if flag[0] not in ("all", "out", "json")), None)
    if unread is not None:
        raise BadInput(
            f"{arguments.shown(unread[0])} {unread[1]} is for an experiment, and none is named: give the name of one "
            "(`mainstem lab` lists them), or --all."
        )


def _run(specs: list[Any], options: Options, settings: dict[str, str], command: str) -> int:
    began = time.perf_counter()  # a budget counts the imports as well
    from ..lab import suite, words
    from ..train import Stop, console, signals
    from ..train.length import seconds

    budget = options.budget or (None if options.seeds else "15m" if options.all else "2m")
    plan = suite.Plan(Path(options.out), settings, None if budget is None else seconds(budget), options.seeds, command)
    memory.keep()
    found: list[Results] = []
    pages: list[str] = []
    whole: Path | None = None
    answer = Answer(options.json)
    experiments = [_sized(spec.load(), options) for spec in specs]
    suite.check(experiments, plan, every=options.all)
    progress = console.make(sys.stderr if options.json else None)
    for sentence in suite.kept(experiments, plan):
        progress.say(sentence)
    try:
        with signals.catch():
            for results, page in suite.run(experiments, plan, began, progress):
                found.append(results)
                pages.append(str(page))
                if len(experiments) > 1:  # each time, so that it is as new as the others where this is stopped
                    whole = suite.write_all(plan, experiments, found)
                for line in words.of(results, terminal.width()):
                    answer.say(line)
                answer.say(f"  {page}")
    except Stop as stop:
        return answer.stopped(stop)
    if whole is not None:
        answer.say(str(whole))
    answer.give({"experiments": [{**each.to_json(), "page": page} for each, page in zip(found, pages, strict=True)]})
    return 0


def _sized(experiment: Experiment, options: Options) -> Experiment:
    """Return the experiment with as much text to be read many times as was asked for; with --all, where it has such."""
    if options.repeated is None or (options.all and experiment.repeated is None):
        return experiment
    return experiment.repeating(options.repeated)


def _list(folder: Path, answer: Answer) -> None:
    """Print the experiments, each with the verdict that is there already."""
    width = terminal.width()
    for line in wrapping.fill("mainstem lab NAME [--budget 2m]   one of these; --all for every one", width):
        answer.say(line)
    answer.say("")
    found = []
    for spec in catalogue.specs("experiment"):
        verdict = _verdict(folder / f"{spec.name}.json")
        for line in text.wrap(f"{spec.summary}{f'  [{verdict}]' if verdict else ''}", width, 15, f"  {spec.name}  "):
            answer.say(line)
        found.append({"experiment": spec.name, "claim": spec.summary, "verdict": verdict})
    answer.give({"experiments": found})


def _verdict(path: Path) -> str | None:
    try:
        found = files.load(path, _Results)
    except files.Unusable:
        return None
    return f"{found.verdict}, {several(len(found.seeds), 'seed')}"
