"""What `--help` and `-h` print.

`-h` is a page; `--help` has every field once: its flag, its meaning, and in brackets its type and what would be used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import config
from ..config import words
from . import terminal, topic
from .arguments import shown
from .commands import COMMANDS, Command

ABOUT = {
    "run": "the run",
    "data": "what is read, and how it becomes tokens",
    "model": "the network",
    "noise": "what is dropped at random in training; rates in [0, 1)",
    "loss": "what a step minimises; a held-out score is plain cross-entropy",
    "penalty": "a list: --penalty.0.name l1 --penalty.0.coef 1e-5",
    "optim": "the update of the weights",
    "train": "how long, and in which portions",
    "evaluate": "how well it does on text that it does not train on",
    "save": "checkpoints",
    "machine": "where and how it computes",
    "log": "what is written down",
}
SECTIONS = tuple(ABOUT)

PLANS = ("all",)
"""What `--plan` takes beside true and false."""

OWN = (
    ("--budget TIME", "train for so long and choose what is not given; by default 150s from start to exit"),
    ("--resume [RUN]", "go on with RUN, or runs/last, exactly where it stopped; further options may extend it"),
    ("--plan [all]", "print what it would do on one screen, and do nothing; all: also every field and tensor"),
    ("--config FILE", "take the run from a YAML file; flags stand over it"),
)

MORE = (
    ("--launch N", "train in N processes on this machine, say one for each GPU; under torchrun leave it out"),
    ("--json", "print what it came to as one JSON object; all else goes to standard error"),
)
"""What a page of help has no room for."""

TRAIN = tuple(flag.split()[0].removeprefix("--") for flag, _ in (*OWN, *MORE))
"""The options of `mainstem train` that are no fields of a run."""

_HOW = (
    "Options are the fields of one tree, the same in YAML: --train.steps 100 is `train: {steps: 100}`. Defaults come "
    "first, then --recipe NAME (`default`, unless another or --config is given) or --config FILE, then flags. A name "
    "may stand for a value with fields: --model.residual hyper --model.residual.streams 4. null takes a field back. "
    "In brackets: what may be given, then what this very command line would use, and from where."
)

_FEW = (
    "out", "train.steps", "model.preset", "model.layers", "model.width", "model.context",
    "model.residual", "noise.rate", "optim.lr",
)  # fmt: skip
"""The fields that people use, for `-h`."""

_EXAMPLES = ("mainstem train corpus.txt", "mainstem train corpus.txt --budget 10m")

_ENDS = "Exit codes: 0 done, 1 the run failed, 2 bad input or usage, 129 hung up, 130 interrupted, 143 terminated."

Origins = Mapping[str, config.Origin]


def commands() -> list[str]:
    """Return the lines of `mainstem --help`: a page."""
    width = terminal.width()
    lines = [*words.wrap("mainstem COMMAND, and for each: mainstem COMMAND -h", width, 7, "usage: "), ""]
    indent = 4 + max(map(len, COMMANDS))
    for name, command in COMMANDS.items():
        lines += words.wrap(command.summary, width, indent if width >= 60 else 4, f"  {name}  ")
    begin = "Begin with `mainstem train FILE`; its options: `mainstem train --help`."
    return [*lines, "", *words.wrap(begin, width), *words.wrap(_ENDS, width)]


def of_train(origins: Origins, word: str, note: str | None = None) -> list[str]:
    """Return the lines of `mainstem train -h` (`word` is "page"), of `--help` ("true"), or of `--help WORD`.

    `origins` is what would be used; `note` says first why that is not what the command line asks for.
    """
    width = terminal.width()
    lines = [*words.wrap(f"{note} Below stands what `mainstem train FILE` uses.", width), ""] if note else []
    if word == "page":
        return [*lines, *_page(origins, width)]
    if word != "true":
        return [*lines, *_about(word, "train", (), config.fields(config.Run), origins, width)]
    lines += [*_usage(COMMANDS["train"], width), "", *words.wrap(_HOW, width), ""]
    for flag, meaning in (*OWN, *MORE):
        lines += _entry(flag, meaning, width)
    for section in SECTIONS:
        fields = [field for field in config.fields(config.Run) if (field.section or "run") == section]
        lines += ["", *_section(section, fields, origins, width)]
    return lines


def of(command: str, root: type[config.Section], word: str = "true") -> list[str]:
    """Return the lines of a command's help, or of those of its options that `word` asks for.

    Its options are the fields of `root`, and those of a run if it trains.
    """
    width, trains = terminal.width(), COMMANDS[command].trains
    if word not in ("page", "true"):
        own = config.fields(root)
        rest = [
            field for field in (config.fields(config.Run) if trains else ()) if field.name not in {f.name for f in own}
        ]
        return _about(word, command, own, rest, {}, width)
    lines = _usage(COMMANDS[command], width)
    if config.fields(root):
        lines += ["", *_fields(config.fields(root), {}, width)]
    if trains:
        more = "Other options are fields of a run, and hold for every training: `mainstem train --help` lists them."
        lines += ["", *words.wrap(more, width)]
    return lines


def _about(
    word: str, command: str, own: Sequence[config.Field], run: Sequence[config.Field], origins: Origins, width: int
) -> list[str]:
    """Return the options that a word asks for: the command's `own`, and fields of a `run` by their sections."""
    flags = TRAIN if command == "train" else ()
    found = topic.find(word, [*own, *run], SECTIONS if run else (), command, flags)
    lines = [line for sentence in found.said for line in words.wrap(sentence, width)]
    lines += [""] if lines else []
    for flag, meaning in (*OWN, *MORE):
        if flag.split()[0].removeprefix("--") in found.own:
            lines += _entry(flag, meaning, width)
    lines += _fields([field for field in found.fields if field in own], origins, width)
    sections = list(dict.fromkeys(field.section or "run" for field in found.fields if field in run))
    for section in sections:
        there = [field for field in found.fields if field in run and (field.section or "run") == section]
        lines += [""] if lines and lines[-1] else []
        lines += _section(section, there, origins, width)
    if sections and sections != [word]:
        more = ", ".join(f"`--help {section}`" for section in sections)
        lines += ["", *words.wrap(f"Whole section{'s' * (len(sections) > 1)}: {more}.", width)]
    return lines


def _usage(command: Command, width: int) -> list[str]:
    about = f"{command.summary[0].upper()}{command.summary[1:]}."
    return [*words.wrap(f"mainstem {command.usage}", width, 7, "usage: "), "", *words.wrap(about, width)]


def _page(origins: Origins, width: int) -> list[str]:
    lines = [*_usage(COMMANDS["train"], width), ""]
    for example in _EXAMPLES:
        lines += words.wrap(example, width, 4, "  ")
    indent = 20 if width >= 60 else 4
    lines.append("")
    for flag, meaning in OWN:
        lines += words.wrap(_short(meaning), width, indent, f"  {flag}  ")
    known = {field.name: field for field in config.fields(config.Run)}
    for name in (name for name in _FEW if name in origins):
        said = f"{_short(known[name].meaning)} [{words.used(known[name], *origins[name])}]"
        lines += words.wrap(said, width, indent, f"  {shown(name)}  ")
    rest = f"All options: `mainstem train --help`; some: --help dropout, or {', '.join(SECTIONS)}."
    return [*lines, "", *words.wrap(rest, width)]


def _short(meaning: str) -> str:
    return meaning.partition(";")[0].partition(",")[0]


def _section(section: str, fields: Sequence[config.Field], origins: Origins, width: int) -> list[str]:
    title = ABOUT[section] if section == "run" else f"{section}: {ABOUT[section]}"
    return [*words.wrap(title, width), *_fields(fields, origins, width)]


def _fields(fields: Sequence[config.Field], origins: Origins, width: int) -> list[str]:
    lines = []
    for field in fields:
        kind = words.short(field.kind, field.choices)
        origin: Any = origins.get(field.name)
        said = words.default(field) if origin is None else words.used(field, *origin)
        lines += _entry(shown(field.name), f"{field.meaning} [{kind}; {said}]", width)
    return lines


def _entry(flag: str, meaning: str, width: int) -> list[str]:
    return words.wrap(meaning, width, 28 if width >= 60 else 4, f"  {flag}  ")
