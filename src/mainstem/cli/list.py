"""`mainstem list`: every name that a configuration may say, grouped by kind. May import `catalogue` and `config`."""

from __future__ import annotations

import json
from typing import Annotated

from .. import catalogue, config
from ..config import values
from ..config import words as text
from ..config.sections import Section, about
from ..config.words import show
from ..errors import BadInput
from . import arguments, terminal
from . import help as help_text
from .commands import COMMANDS

_WHERE = {
    "residual": "--model.residual",
    "norm": "--model.norm",
    "feedforward": "--model.feedforward",
    "noise": "--noise.rate, --noise.depth, --noise.also.0.name",
    "penalty": "--penalty.0.name",
    "optimizer": "--optim.name",
    "decay": "--optim.decay-kind",
    "course": "--optim.decay-course",
    "around": "--optim.around",
    "after": "in Python",
    "average": "--optim.average, --optim.swa",
    "schedule": "--optim.schedule",
    "loss": "--loss.name",
    "tokenizer": "--data.tokenizer",
    "embedding": "--model.embedding",
    "prior": "--model.prior",
    "init": "--model.init",
    "preset": "--model.preset",
    "experiment": "lab NAME",
    "recipe": "--recipe",
}


_NAMED = (
    "residual", "noise", "penalty", "loss", "optimizer", "course", "around", "schedule", "tokenizer", "embedding",
    "prior",
)  # fmt: skip
"""Kinds whose names bring values along."""


class Options(Section, frozen=True, kw_only=True):
    """What the command's flags say."""

    schema: Annotated[bool, about("print a JSON Schema of the configuration instead, for editors")] = False


def _values(spec: catalogue.Spec) -> str:
    """Return what the name may be given and the defaults, in brackets; nothing where that is nothing."""
    if spec.kind not in _NAMED:
        return ""
    there = values.of(spec.kind, spec.name)
    found = [each.name if each.default is None else f"{each.name}: {each.said}" for each in there]
    return f" {{{', '.join(found)}}}" if found else ""


def run(words: list[str]) -> int:
    """Print the catalogue; return the exit code."""
    given = arguments.split(words, config.switches(Options))
    if given.has("help"):
        for line in help_text.of("list", Options):
            terminal.line(line)
        return 0
    options = arguments.options(given.flags, Options, "list")
    kinds = arguments.take(given.positional, 0, 1, COMMANDS["list"].usage)
    if kinds and kinds[0] not in catalogue.kinds():
        raise BadInput(f"there is no kind {show(kinds[0])} of names: choose one of {', '.join(catalogue.kinds())}")
    if options.schema:
        for line in json.dumps(config.schema(), indent=1).splitlines():
            terminal.line(line)
        return 0
    width = terminal.width(most=120)
    indent = 20 if width >= 50 else 3
    for number, kind in enumerate(kinds or catalogue.kinds()):
        if number:
            terminal.line()
        where = _WHERE.get(kind, "")
        in_one = len(kind) + 2 + len(where) <= width
        for line in (
            [f"{kind}  {where}".rstrip()] if in_one else text.wrap(where, width, min(1, width // 30), f"{kind}  ")
        ):
            terminal.line(line.rstrip())
        for spec in catalogue.specs(kind):
            heading = catalogue.HEADINGS.get((kind, spec.name), "")
            above = text.wrap(heading, width, 1, " ") if heading else []
            for line in [*above, *text.wrap(f"{spec.summary}{_values(spec)}", width, indent, f"  {spec.name}  ")]:
                terminal.line(line)
    return 0
