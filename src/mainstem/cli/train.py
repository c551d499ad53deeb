"""`mainstem train`: from the command line to a run, or to what it would do."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import catalogue, config, runs
from ..config.sections import Time
from ..errors import BadInput
from . import arguments, launch, memory, processes, terminal, waiting
from . import help as help_text
from .answer import Answer

if TYPE_CHECKING:
    from ..train import Outcome
    from ..train.world import World

_SWITCHES = frozenset(("plan", "json"))
_BEHIND = {"plan": help_text.PLANS}
_OWN = (*help_text.TRAIN, "help")
_ALONE = {"resume": f"{runs.HOME}/{runs.LAST}"}
_DEFAULT = "default"


class _Length(config.Section, frozen=True, kw_only=True):
    """What ``--budget`` may say, by which it is refused under its own name."""

    budget: Time


def run(words: list[str]) -> int:
    """Train, go on, or print a plan, in this process or in several; return the exit code."""
    began = processes.began() or time.perf_counter()  # a budget counts what importing torch takes
    if processes.several():
        return processes.together(lambda world: _run(words, began, world), words)
    return _run(words, began, None)


def _run(words: list[str], began: float, world: World | None) -> int:
    leads = world is None or world.leads
    known = [*_OWN, *(field.name for field in config.fields(config.Run))]
    given = arguments.parts(words, known, "train", config.switches(config.Run) | _SWITCHES, _BEHIND, _ALONE)
    if given.has("help"):
        for line in _help(given) if leads else ():
            terminal.line(line)
        return 0
    own, flags = _sort(given)
    count = launch.number(own.pop("launch")) if "launch" in own else 1
    _budget(own, flags)
    tree = configure(given.positional, own, flags)
    said = None if "resume" in own else config.said(flags, own.get("config"))
    name = Path(own["config"]).stem if "config" in own else None
    from .. import train  # torch
    from ..report import Page
    from ..train import unread
    from ..train.console import make

    unread.check([tree], said or ())

    answer = Answer(arguments.truth("json", own.get("json", "false")))
    asked = own.get("plan", "false")
    if arguments.truth("plan", asked, help_text.PLANS):
        if answer.json:
            raise BadInput("--plan and --json are both given, and a plan is for people: leave one of them out.")
        if leads:
            with waiting.told() as tell:
                found = train.plan(tree, name=name, given=said, began=began, tell=tell, width=terminal.width())
            terminal.line(found.whole if asked in help_text.PLANS else found.screen)
        return 0
    if world is None and count > 1:
        return launch.start(count, ["train", *words], began, tree.out)
    _check_restarts(tree)
    memory.keep()
    try:
        shown = make(sys.stderr if answer.json else None)
        pages = [Page(shown.warn, shown.measuring)]
        outcome = train.run(
            tree, resume="resume" in own, console=shown, listeners=pages, world=world or train.world.ALONE,
            began=began, name=name, given=said,
        )  # fmt: skip
    except train.Stop as stop:
        return stop.code
    if answer.json and leads:
        answer.give(_object(outcome))
    return 0


def _check_restarts(run: config.Run) -> None:
    """Refuse to be started again without a name for the run: the second start would begin another one."""
    done, most = processes.restarts()
    if max(done, most) and run.out is None:
        raise BadInput(
            f"torchrun starts these processes again up to {max(done, most)} times (--max-restarts), and the run has no "
            "name to be found by: give --out RUN."
        )


def _object(outcome: Outcome) -> dict[str, Any]:
    """Return what a run came to, as its facts have it, and where it lies."""
    from ..runs import facts

    known = facts.read(outcome.path) or {}
    told = {name: known.get(name) for name in ("task", "num_parameters", "length", "start", "yardsticks")}
    return {"run": str(outcome.path), **told, **known["outcome"]}


def _budget(own: dict[str, str], flags: dict[str, str]) -> None:
    """Have the option ``--budget`` be the field `train.budget` of a recipe that chooses everything else."""
    text = own.pop("budget", None)
    if text is None:
        return
    config.build({"budget": text}, _Length)
    rest = f"say --train.budget {text} to have that much time and nothing chosen"
    if "resume" in own:
        raise BadInput(
            f"--budget {text} is for a run that begins, and --resume goes on with one: say --train.budget {text}."
        )
    if "config" in own:
        raise BadInput(f"--budget {text} chooses what a run is like, and so does --config: {rest}.")
    recipe = flags.get("recipe", _DEFAULT)
    if recipe in catalogue.names("recipe") and "chooses" not in catalogue.find("recipe", recipe).traits:
        raise BadInput(f"--budget {text} chooses what a run is like, and so does --recipe {recipe}: {rest}.")
    for name in ("train.budget", "train.steps", "train.epochs"):
        if name in flags:
            both = f"--budget {text} and {arguments.shown(name)} {flags[name]}"
            raise BadInput(f"{both} both say how long the run is: give one of them.")
    flags["train.budget"] = text


def configure(paths: list[str], own: dict[str, str], flags: dict[str, str]) -> config.Run:
    """Return the run that a command line asks for: `own` are options of the command, `flags` fields of the tree."""
    values: dict[str, object] = dict(flags)
    if paths:
        if "data.paths" in flags:
            raise BadInput(f"Files are given as {paths[0]!r} and by --data.paths: keep one of them.")
        values["data.paths"] = paths
    if "resume" not in own:
        file = own.get("config")
        return config.load(values, file, _DEFAULT if file is None and "recipe" not in flags else None)
    out = own["resume"]
    for name in ("config", "recipe", "out"):
        if name in own or name in flags:
            raise BadInput(f"--resume {out!r} brings its own {name}: leave --{name} out.")
    folder = runs.find(out)
    run = config.override(runs.stored(folder), values)
    if "data.paths" not in values:
        runs.check_data(run.data.paths, run.out)
    if "data.held_out_paths" not in values:
        runs.check_data(run.data.held_out_paths, run.out, "--data.held-out-paths")
    return run


def _help(given: arguments.Arguments) -> list[str]:
    """Return the help that is asked for, with what this very command line would use."""
    word = next(text for name, text in given.flags if name == "help")
    try:
        own, flags = _sort(given._replace(flags=[flag for flag in given.flags if flag[0] != "help"]))
        _budget(own, flags)
        tree = configure(given.positional, own, flags)
        file = runs.find(own["resume"]) / "config.yaml" if "resume" in own else own.get("config")
        values = {**flags, **({"data.paths": given.positional} if given.positional else {})}
        origins = config.origins(values, file, None if file is not None else tree.recipe)
    except BadInput as error:  # a mistake on the line is a reason to ask for help
        return help_text.of_train(config.origins({}, recipe=_DEFAULT), word, str(error))
    return help_text.of_train(origins, word)


def _sort(given: arguments.Arguments) -> tuple[dict[str, str], dict[str, str]]:
    """Return the command's own options and those that are fields, each name once."""
    known = [*_OWN, *(field.name for field in config.fields(config.Run))]
    arguments.refuse_unknown(given.flags, known, "train")
    found: dict[str, str] = {}
    for name, text in given.flags:
        if name in found:
            raise BadInput(
                f"{arguments.shown(name)} is given twice, as {found[name]!r} and {text!r}: keep one of them."
            )
        found[name] = text
    own = {name: found.pop(name) for name in _OWN if name in found}
    return own, found
