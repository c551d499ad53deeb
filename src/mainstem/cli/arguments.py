"""From a command's words to positional ones and flags."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from .. import config, runs
from ..config.building import build
from ..config.layers import TRUTHS
from ..config.suggesting import suggestion
from ..errors import BadInput
from .commands import COMMANDS

T = TypeVar("T", bound=config.Section)


class Arguments(NamedTuple):
    """Words without hyphens, and flags as (name, text) in their order; names have underscores."""

    positional: list[str]
    flags: list[tuple[str, str]]

    def has(self, name: str) -> bool:
        """Return whether a flag is there."""
        return any(found == name for found, _ in self.flags)


class Asked(NamedTuple):
    """What is asked of a command: its name, its words as they were typed, and what they give."""

    command: str
    words: list[str]
    given: Arguments

    @property
    def line(self) -> str:
        """The command line, for a page that says how it was made."""
        return shlex.join(["mainstem", self.command, *self.words])

    def options(self, root: type[T], flags: Iterable[tuple[str, str]] | None = None) -> T:
        """Return what the flags say as the section `root` has it: all of them, or `flags`."""
        return options(self.given.flags if flags is None else flags, root, self.command)

    def take(self, least: int, most: int | None = None) -> list[str]:
        """Return the positional words, where there are as many as the command takes."""
        return take(self.given.positional, least, most, COMMANDS[self.command].usage)


def split(
    words: Sequence[str],
    switches: Collection[str] = (),
    behind: Mapping[str, Collection[str]] = MappingProxyType({}),
    alone: Mapping[str, str] = MappingProxyType({}),
) -> Arguments:
    """Return the parts of a command line: ``--name value``, ``--name=value``, switches, and the rest.

    The word behind a switch is its value only where it says true or false, or is one of the words that `behind` has for
    it; else it stands for itself. ``--help`` is a flag whose value is the word behind it, which asks for options, or
    "true"; so is ``-h``, or "page". An option at the end behind it is such a word, too. `alone` has the value of an
    option that stands at the end or before another option.

    Example:
        >>> split(["--plan", "a.txt", "--train.micro-batch", "4", "--seed=1"], switches={"plan"})
        Arguments(positional=['a.txt'], flags=[('plan', 'true'), ('train.micro_batch', '4'), ('seed', '1')])
    """
    found = Arguments([], [])
    waiting = list(reversed(words))
    if "" in words:
        before = words[list(words).index("") - 1] if words[0] else ""
        said = f"An empty word stands behind {before!r}" if before else "The first word is empty"
        raise BadInput(f"{said}: give a value there, or leave it out (is a shell variable unset?).")
    while waiting:
        word = waiting.pop()
        if word == "--":
            found.positional.extend(reversed(waiting))
            break
        if word in ("-h", "--help"):
            last = len(waiting) == 1 and waiting[0] != "--"
            asked = waiting and (last or not waiting[-1].startswith("-"))
            found.flags.append(("help", waiting.pop() if asked else "page" if word == "-h" else "true"))
        elif word.startswith("--"):
            found.flags.append(_flag(word, waiting, switches, behind, alone))
        elif word.startswith("-") and len(word) > 1:
            raise BadInput(
                f"{word!r} is not an option: they begin with two hyphens. Give a file of that name as ./{word}."
            )
        else:
            found.positional.append(word)
    return found


def parts(
    words: Sequence[str],
    known: Collection[str],
    command: str,
    switches: Collection[str] = (),
    behind: Mapping[str, Collection[str]] = MappingProxyType({}),
    alone: Mapping[str, str] = MappingProxyType({}),
) -> Arguments:
    """Return `split` of a command line of `command`, whose options are `known`.

    Where it cannot be split, an option that the command does not have is what is said: a switch that is misspelt has no
    value, and needs none.
    """
    try:
        return split(words, switches, behind, alone)
    except BadInput:
        said = [word[2:].partition("=")[0].replace("-", "_") for word in words if word.startswith("--")]
        refuse_unknown([(name, "") for name in said if name], [*known, "help"], command)
        raise


def _flag(
    word: str,
    waiting: list[str],
    switches: Collection[str],
    behind: Mapping[str, Collection[str]],
    alone: Mapping[str, str],
) -> tuple[str, str]:
    name, equals, text = word[2:].partition("=")
    name = name.replace("-", "_")
    if not name:
        raise BadInput(f"{word!r} has no name: write options as --name value.")
    if equals:
        if not text:
            raise BadInput(f"{word} gives an empty value: give one, or leave it out (is a shell variable unset?).")
        return name, text
    if name in switches:
        said = waiting and (waiting[-1].lower() in TRUTHS or waiting[-1] in behind.get(name, ()))
        return name, waiting.pop() if said else "true"
    if not waiting or waiting[-1].startswith("--"):
        if name in alone:
            return name, alone[name]
        raise BadInput(f"{word} has no value: give one, as {word} VALUE, or {word}=VALUE where it begins with hyphens.")
    return name, waiting.pop()


def refuse_unknown(flags: Iterable[tuple[str, str]], known: Collection[str], command: str) -> None:
    """Raise `BadInput` for the first flag whose name, up to its first dot, is none of `known`."""
    heads = {name.partition(".")[0] for name in known}
    for name, _ in flags:
        if name.partition(".")[0] not in heads:
            remedy = suggestion(name, known, shown) or f"`mainstem {command} --help` lists them all."
            raise BadInput(f"{shown(name)} is not an option of `mainstem {command}`: {remedy}")


def truth(name: str, text: str, more: Collection[str] = ()) -> bool:
    """Return whether the switch `name` is on, as it is by each of the words `more`, too."""
    if text in more:
        return True
    if text.lower() not in TRUTHS:
        raise BadInput(f"{shown(name)} is {text!r}: give {', '.join(['true', *more])} or false.")
    return TRUTHS[text.lower()]


def shown(name: str) -> str:
    """Return a field's name as the flag that one types.

    Example:
        >>> shown("train.micro_batch")
        '--train.micro-batch'
    """
    return f"--{name.replace('_', '-').replace('.N.', '.0.')}"


def options(flags: Iterable[tuple[str, str]], root: type[T], command: str) -> T:
    """Return the options of a small command, as the section `root` has them."""
    pairs = list(flags)
    refuse_unknown(pairs, [field.name for field in config.fields(root)] or ["help"], command)
    tree: dict[str, object] = config.stack({}, config.flags(pairs, root), root)
    return build(tree, root)


def take(words: list[str], least: int, most: int | None, usage: str) -> list[str]:
    """Return the positional words, where there are as many as `usage` asks for."""
    if len(words) < least:
        raise BadInput(f"Something is missing: write `mainstem {usage}`.")
    if most is not None and len(words) > most:
        raise BadInput(f"{words[most]!r} is one word too many: write `mainstem {usage}`.")
    return words


def run_folder(path: str) -> Path:
    """Return the folder of the run that `path` means; `runs/last` is the newest one."""
    return runs.find(path)
