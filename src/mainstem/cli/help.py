"""What `--help` prints. May import `config` and its neighbours here; neither torch nor rich.

Every field stands once: its flag, its meaning, and in brackets its type and default.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import config
from ..config import words
from . import terminal
from .arguments import shown
from .commands import COMMANDS, Command

_ABOUT = {
    "": "the run",
    "data": "what is read, and how it becomes tokens",
    "model": "the network",
    "noise": "what is dropped at random in training; rates in [0, 1)",
    "penalty": "a list: --penalty.0.name l1 --penalty.0.coef 1e-5",
    "optim": "the update of the weights",
    "train": "how long, where, and what is saved",
    "log": "what is written down",
}

_OWN = (
    ("--resume RUN", "go on with the run in the folder RUN, exactly where it stopped; further options may extend it"),
    ("--plan", "print what it would do, and do nothing"),
    ("--config FILE", "take the run from a YAML file; flags stand over it"),
)

_HOW = (
    "Options are the fields of one tree, the same in YAML: --train.steps 100 is `train: {steps: 100}`. Defaults come "
    "first, then --recipe NAME (`default`, unless another or --config is given) or --config FILE, then flags. A name "
    "may stand for a value with fields: --model.residual hyper --model.residual.streams 4. null takes a field back."
)

_ENDS = "Exit codes: 0 done, 1 the run failed, 2 bad input or usage, 130 interrupted, 143 terminated."


def whole() -> list[str]:
    """Return the lines of `mainstem --help`."""
    width = terminal.width()
    lines = [*words.wrap("mainstem COMMAND, and for each: mainstem COMMAND --help", width, 7, "usage: "), ""]
    for command in COMMANDS.values():
        lines += words.wrap(command.summary, width, _indent(width), f"  {command.usage}  ")
    return [*lines, "", *words.wrap(_ENDS, width, 0), "", "mainstem train", *_train(width)]


def of_train() -> list[str]:
    """Return the lines of `mainstem train --help`."""
    return [*_usage(COMMANDS["train"]), *_train(terminal.width())]


def of(command: str, root: type[config.Section] | None = None) -> list[str]:
    """Return the lines of a small command's help, whose options are the fields of `root`."""
    lines = _usage(COMMANDS[command])
    return lines if root is None else [*lines, "", *_fields(config.fields(root), terminal.width())]


def _usage(command: Command) -> list[str]:
    width = terminal.width()
    return [
        *words.wrap(f"mainstem {command.usage}", width, 7, "usage: "),
        "",
        *words.wrap(f"{command.summary}.", width, 0),
    ]


def _train(width: int) -> list[str]:
    lines = ["", *words.wrap(_HOW, width, 0), ""]
    for flag, meaning in _OWN:
        lines += _entry(flag, meaning, width)
    fields = config.fields(config.Run)
    for section in dict.fromkeys(field.section for field in fields):
        title = f"{section}: {_ABOUT[section]}" if section else _ABOUT[section]
        lines += ["", *words.wrap(title, width, 0)]
        lines += _fields([field for field in fields if field.section == section], width)
    return lines


def _fields(fields: Sequence[config.Field], width: int) -> list[str]:
    lines = []
    for field in fields:
        kind = "|".join(field.choices) or words.short(field.kind)
        lines += _entry(shown(field.name), f"{field.meaning} [{kind}; {words.default(field)}]", width)
    return lines


def _entry(flag: str, meaning: str, width: int) -> list[str]:
    return words.wrap(meaning, width, _indent(width), f"  {flag}  ")


def _indent(width: int) -> int:
    return 28 if width >= 60 else 4
