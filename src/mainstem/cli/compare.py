"""`mainstem compare A B ...`: which of several configurations is better, over seeds."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from msgspec import Meta, Struct

from .. import config, files
from ..config.sections import NonNegative, Section, Text, about
from ..errors import BadInput
from ..runs import HOME, follow
from . import arguments, memory, terminal, waiting
from .answer import Answer
from .arguments import Asked

if TYPE_CHECKING:
    from ..lab.comparing import Side

_OURS = {
    "seed": "every side is trained with seeds from 0 on: give --seeds N",
    "recipe": "a side begins from the recipe that its file names",
    "log": "what is written down of a run makes no side better",
    "out": "each run has a folder of its own below --out",
}
"""Fields of a run that are the comparison's own matter, and why."""

_RESULTS = ("compare.json", "compare.html")
"""What a comparison leaves in its folder besides its runs and trials, in the order in which they are written."""

_MOST = 16
"""Configurations that one comparison may have: with more, every interval is too wide to tell anything."""


class Options(Section, frozen=True, kw_only=True):
    """What the command's own flags say; all others are fields of a run, for every side."""

    vary: Annotated[
        Text | None, about("a field and its values, NAME=A,B,C: each with each file is a side; may be given again")
    ] = None
    seeds: Annotated[int, Meta(ge=1, le=100), about("trainings of each side, from seed 0 on")] = 5
    delta: Annotated[NonNegative, about("smallest difference of interest, in bits per byte")] = 0.01
    out: Annotated[Text | None, about("folder of the page, the results and all runs", "a new one below runs")] = None
    json: Annotated[bool, about("print one JSON object; all else goes to standard error")] = False


class Wanted(NamedTuple):
    """One side as it was asked for: its name, its file, and the fields that are varied."""

    name: str
    path: str | None
    values: dict[str, str]


class _Kept(Struct):
    """What is looked at in the results that a folder has already."""

    facts: dict[str, object]


def run(asked: Asked) -> int:
    """Train every side with every seed, print the verdicts, write the page; return the exit code."""
    own = [field.name for field in config.fields(Options)]
    varied = [text for name, text in asked.given.flags if name == "vary"]
    options = asked.options(Options, [flag for flag in asked.given.flags if flag[0] in own and flag[0] != "vary"])
    shared = [flag for flag in asked.given.flags if flag[0] not in own]
    fields = [field.name for field in config.fields(config.Run) if field.name.split(".")[0] not in _OURS]
    _refuse_ours(name for name, _ in shared)
    arguments.refuse_unknown(shared, [*own, *fields], "compare")
    paths = asked.take(0 if varied else 2)
    each = sides(paths, varied, fields)
    for name, _ in shared:
        if name in each[0].values:
            raise BadInput(f"{arguments.shown(name)} and its values by --vary are both given: keep one of them.")
    runs = [config.load({**dict(shared), **side.values}, side.path and _file(side.path)) for side in each]
    given_all = {name for name, _ in shared}
    return _compare([side.name for side in each], runs, given_all, options, asked.line)


def _refuse_ours(names: Iterable[str]) -> None:
    """Raise `BadInput` for the first of `names` that is no field of a side."""
    for name in names:
        if (why := _OURS.get(name.partition(".")[0])) is not None:
            raise BadInput(f"{arguments.shown(name)} cannot be given here, since {why}.")


def sides(paths: Sequence[str], varied: Sequence[str], fields: Sequence[str]) -> list[Wanted]:
    """Return every file with every value of every field that is varied; the first one is what the others are held
    against.

    Example:
        >>> [side.name for side in sides(["a.yaml"], ["model.residual=pre_norm,hyper"], ["model.residual"])]
        ['pre_norm', 'hyper']
        >>> [side.name for side in sides(["a.yaml", "b.yaml"], ["optim.lr=0.1,0.2"], ["optim.lr"])]
        ['a, lr 0.1', 'a, lr 0.2', 'b, lr 0.1', 'b, lr 0.2']
    """
    files_: list[str | None] = [*paths] if paths else [None]
    grid = [_values(text, fields) for text in varied]
    if len({name for name, _ in grid}) < len(grid):
        raise BadInput("--vary names one field twice: give all its values at once, as NAME=A,B,C.")
    short = _names(paths) if len(paths) > 1 else [""] * len(files_)
    found = []
    for path, file in zip(files_, short, strict=True):
        for chosen in itertools.product(*(values for _, values in grid)):
            told = {name: value for (name, _), value in zip(grid, chosen, strict=True)}
            parts = [file, *(_told(name, value) for name, value in told.items())]
            found.append(Wanted(", ".join(part for part in parts if part), path, told))
    if len(found) < 2:
        raise BadInput(
            "One configuration has nothing to be compared with: give a second file, or two values to --vary."
        )
    if len(found) > _MOST:
        raise BadInput(
            f"{len(found)} configurations are more than one comparison can tell apart: give at most {_MOST}."
        )
    return found


def _values(text: str, fields: Sequence[str]) -> tuple[str, list[str]]:
    """Return the field and the values of one --vary."""
    name, equals, rest = text.partition("=")
    name = name.strip().removeprefix("--").replace("-", "_")
    values = [value.strip() for value in rest.split(",")]
    if not equals or not name or not all(values):
        raise BadInput(
            f"--vary {text!r} is not a field with its values: write it as --vary model.residual=pre_norm,post_norm."
        )
    _refuse_ours([name])
    arguments.refuse_unknown([(name, rest)], fields, "compare")
    if len(set(values)) < len(values):
        raise BadInput(f"--vary {text!r} has a value twice: give values that differ.")
    return name, values


def _told(name: str, value: str) -> str:
    """Return a value as a name of a side: alone where it is a word, else behind the last word of its field."""
    return value if value[:1].isalpha() and value not in ("true", "false", "null") else f"{name.split('.')[-1]} {value}"


def _compare(names: Sequence[str], runs: Sequence[config.Run], shared: set[str], options: Options, command: str) -> int:
    """Compare some runs and return the exit code; `shared` has the names of what flags have given to all."""
    began = time.perf_counter()
    from ..lab import comparing, suite, text, words
    from ..train import Stop, console, device, refuse, signals, unread

    asked = [comparing.Side(name, device.settle(run)) for name, run in zip(names, runs, strict=True)]
    digest = comparing.digest(asked)
    folder = _folder(options.out, asked, digest)
    suite.check_folder(folder)
    _check_kept(folder, digest)
    for side in asked:
        _check_apart(folder, side.run.data)
    experiment = comparing.experiment(asked, folder / "runs", options.delta)
    for side in asked:
        refuse.early(side.run)
    unread.check([side.run for side in asked], shared)
    with waiting.told() as tell:
        comparing.check(asked, text.reader(suite.tokens(folder), tell=tell))
    plan = suite.Plan(folder, {}, None, options.seeds, command)
    answer = Answer(options.json)
    for side in asked:
        if side.run.seed:
            answer.sentence(
                f"The seed {side.run.seed} of {side.name} is not used: every side is trained with seeds from 0 on."
            )
    memory.keep()
    progress = console.make(sys.stderr if options.json else None)
    try:
        with signals.catch():
            ((results, page),) = suite.run([experiment], plan, began, progress, {"sides": digest})
    except Stop as stop:
        return answer.stopped(stop)
    better = words.better(results)
    for line in [*words.of(results, terminal.width()), ""]:
        answer.say(line)
    for sentence in better:
        answer.sentence(sentence)
    answer.say(str(page))
    answer.give({**results.to_json(), "says": " ".join(better), "page": str(page)})
    return 0


def _folder(out: str | None, asked: Sequence[Side], digest: str) -> Path:
    """Return where the results go: another folder for other configurations, the same one when a command is repeated."""
    from ..lab.comparing import file_name

    if out is not None:
        return Path(out)
    return Path(HOME, f"compare-{file_name('-'.join(side.name for side in asked))[:40]}-{digest}")


def _check_kept(folder: Path, digest: str) -> None:
    """Raise `BadInput` where anything but results of this very comparison would be written over."""
    there = [name for name in _RESULTS if os.path.lexists(folder / name)]
    if not there:
        return
    try:
        kept = files.load(folder / _RESULTS[0], _Kept, 1 << 28).facts.get("sides")
    except files.Unusable:
        kept = None
    if kept != digest:
        what = (
            f"a {there[0]} that is none of this command's" if kept is None else "a comparison of other configurations"
        )
        raise BadInput(f"--out {str(folder)!r} holds {what}, which would be lost: give another one.")


def _check_apart(folder: Path, section: config.Data) -> None:
    """Raise `BadInput` where the text that is trained on would have the results in it, and change with each."""
    from ..data import sources

    for name in (*_RESULTS, "trials/0.json"):
        if (given := sources.taking(section, folder / name)) is not None:
            raise BadInput(
                f"--out {str(folder)!r} lies in {given!r}, whose files are read as text, so that its results would be "
                "trained on: give a folder elsewhere, or a data.glob that leaves them out."
            )


def _file(path: str) -> str:
    """Return the YAML file that `path` is, or that lies in it where it is the folder of a run."""
    inside = follow(path) / "config.yaml"
    return str(inside) if files.is_file(inside) else path


def _names(paths: Sequence[str]) -> list[str]:
    """Return what files are called: as short as tells them apart."""
    for path in paths:
        if list(paths).count(path) > 1:
            raise BadInput(f"{path!r} is given twice: give configurations that differ.")
    short = [_name(Path(path)) for path in paths]
    return short if len(set(short)) == len(short) else list(paths)


def _name(path: Path) -> str:
    """Return what a file is called without its ending, or the folder of a run, whose name may have a point in it."""
    return path.stem if path.suffix in (".yaml", ".yml") else path.name or path.resolve().name
