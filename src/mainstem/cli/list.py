"""`mainstem list`: every name that a configuration may say, grouped by kind."""

from __future__ import annotations

import json
from typing import Annotated

from .. import catalogue, config
from ..config import values
from ..config import words as text
from ..config.sections import Section, about
from ..errors import BadInput
from . import arguments, terminal
from .arguments import Asked

_ELSEWHERE = {
    "noise": "--noise.rate, --noise.depth, --noise.also.0.name",
    "after": "in Python",
    "average": "--optim.average, --optim.swa",
    "experiment": "lab NAME",
}
"""Where the names of a kind are said that have no field of their own, or more than one."""

_UNSAID = ("after", "average", "decay")
"""Kinds whose values a configuration does not say beside the name."""


class Options(Section, frozen=True, kw_only=True):
    """What the command's flags say."""

    schema: Annotated[bool, about("print a JSON Schema of the configuration instead, for editors")] = False
    measure: Annotated[bool, about("what each name of KIND costs on this machine, in a minute or two")] = False


def _values(spec: catalogue.Spec) -> str:
    """Return what the name may be given and the defaults, in brackets; nothing where that is nothing."""
    there = () if spec.kind in _UNSAID else values.of(spec.kind, spec.name)
    found = [each.name if each.default is None else f"{each.name}: {each.said}" for each in there]
    return f" {{{', '.join(found)}}}" if found else ""


def _where(kind: str) -> str:
    """Return how a name of this kind is said: an option, in most cases."""
    if kind in _ELSEWHERE:
        return _ELSEWHERE[kind]
    field = catalogue.FIELDS[kind]
    known = {each.name.replace(".N.", ".0.") for each in config.fields(config.Run)}
    return arguments.shown(field if field in known else f"{field}.name")


def run(asked: Asked) -> int:
    """Print the catalogue; return the exit code."""
    options, kinds = asked.options(Options), [catalogue.kind_of(word) for word in asked.take(0, 1)]
    if options.schema and kinds:
        raise BadInput(
            f"--schema prints the whole configuration, and {kinds[0]} is a part of it: leave one of them out."
        )
    if options.schema:
        for line in json.dumps(config.schema(), indent=1).splitlines():
            terminal.line(line)
        return 0
    if options.measure:
        from . import list_costs

        if not kinds:
            raise BadInput(
                "--measure takes steps with each name of one kind: name it, as in mainstem list forms --measure."
            )
        return list_costs.show(kinds[0])
    width = terminal.width(most=120)
    indent = 20 if width >= 50 else 3
    for number, kind in enumerate(kinds or catalogue.kinds()):
        if number:
            terminal.line()
        where = _where(kind)
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
    if not kinds:  # which is more than a screen, and this line is what stays in sight
        terminal.line()
        for line in text.wrap(f"One kind alone: `mainstem list {catalogue.kinds()[0]}`, and so on.", width):
            terminal.line(line)
    return 0
