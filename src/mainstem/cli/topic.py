"""Which options a word behind `--help` asks for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple

from .. import catalogue, config
from ..config.synonyms import SYNONYMS, ours
from ..errors import BadInput
from .arguments import shown


class Topic(NamedTuple):
    """What is said first of a word, and what it is about: options of the command by name, and fields."""

    said: list[str]
    own: list[str]
    fields: list[config.Field]


def find(
    word: str, fields: Sequence[config.Field], sections: Sequence[str], command: str, own: Sequence[str] = ()
) -> Topic:
    """Return what `word` is about: a section, options, a name or a kind of the catalogue, or a word of a meaning.

    Raises:
        BadInput: neither the `fields` nor the command's `own` options have to do with it.

    Example:
        >>> topic = find("learning-rate", config.fields(config.Run), [], "train")
        >>> topic.said, [field.name for field in topic.fields][:1]
        (["'learning-rate' is --optim.lr here."], ['optim.lr'])
    """
    plain = re.sub(r"\.(?:n|\d+)\.", ".0.", word.lower().lstrip("-").replace("-", "_"))
    if plain in sections:
        return Topic([], [], [field for field in fields if (field.section or "run") == plain])
    if exact := [field for field in fields if "." in plain and _is_below(field, plain)]:
        return Topic([], [], exact)
    mine = [name for name in own if name == plain]
    said, found = [], [field for field in fields if field.name.rpartition(".")[2] == plain]
    if meant := ours(plain, [field.name for field in fields]):
        name, note = meant
        said.append(f"{word!r} is {shown(name)} here{f', {note}' if note else ''}.")
        found += [
            field for field in fields if field.name in (name, name.replace(".0.", ".N."), name.rpartition(".")[0])
        ]
    for spec in (spec for spec in catalogue.SPECS if spec.name.replace("-", "_") == plain):
        if named := _saying(spec.kind, fields):
            said.append(f"{word!r} is a name of the kind {spec.kind}: {spec.summary}.")
            found += [*named, *(field for field in fields if plain in field.of)]
    found += [field for kind in catalogue.kinds_of(plain) for field in _saying(kind, fields)]
    found += [field for field in fields if plain in field.choices]
    found = found or [field for field in fields if _mentions(field, plain)]
    if not found and not mine:
        raise _nothing(word, plain, fields, [*sections, *own], command)
    return Topic(said, mine, [field for field in fields if field in found])


def _is_below(field: config.Field, name: str) -> bool:
    """Return whether `field` is the one called `name`, or one of those below it."""
    return bool(name) and f"{field.name.replace('.N.', '.0.')}.".startswith(f"{name}.")


def _saying(kind: str, fields: Sequence[config.Field]) -> list[config.Field]:
    """Return the fields that say a name of `kind`."""
    place = catalogue.FIELDS.get(kind, "")
    places = {place, f"{place}.name", f"{place.replace('.0', '.N')}.name", place.removesuffix(".0")} - {""}
    return [field for field in fields if field.name in places]


def _mentions(field: config.Field, word: str) -> bool:
    text, wanted = (each.lower().replace("-", " ").replace("_", " ") for each in (field.meaning, word))
    return re.search(rf"\b{re.escape(wanted)}\b", text) is not None


def _nothing(word: str, plain: str, fields: Sequence[config.Field], there: Sequence[str], command: str) -> BadInput:
    names = [field.name for field in fields]
    known = [*there, *names, *(name.rpartition(".")[2] for name in names)]
    known += [*(theirs for theirs in SYNONYMS if ours(theirs, names))]
    known += [spec.name for spec in catalogue.SPECS if _saying(spec.kind, fields)]
    near = difflib.get_close_matches(plain, known, 1, cutoff=0.7)
    hint = f"did you mean `--help {near[0].replace('_', '-')}`?" if near else "give a word of an option there, or none."
    return BadInput(
        f"No option of `mainstem {command}` has to do with {word[:60]!r}, which stands behind --help: {hint}"
    )
