"""Runs that differ in nothing but their seed, as one group, and what tells groups apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ..draw.words import visible
from ..runs.metrics import number
from .source import Source

_APART = ("seed", "out")
"""Fields of the configuration that two runs of one group may have differently."""

_JOINTS = " -_.,+"


@dataclass(frozen=True)
class Group:
    """Runs alike in all but their seed; `counted` has one of each seed, and `repeats` the names of the others."""

    name: str
    runs: tuple[Source, ...]
    names: tuple[str, ...]
    counted: tuple[Source, ...]
    repeats: tuple[str, ...] = ()

    @property
    def seeds(self) -> int:
        """How many runs the group's means are over."""
        return len(self.counted)


def grouped(runs: Sequence[Source], folders: Sequence[Path]) -> list[Group]:
    """Return the groups in the order of their first runs, each with a name that no other has."""
    names = unique(folders)
    found: dict[bytes, list[int]] = {}
    for index, run in enumerate(runs):
        found.setdefault(_key(run, index), []).append(index)
    groups, taken = [], {names[members[0]] for members in found.values() if len(members) == 1}
    for members in found.values():
        name = common([names[i] for i in members])
        if name in taken and len(members) > 1:  # two groups whose runs have names of one beginning
            name = f"{names[members[0]]} …"
        taken.add(name)
        first = {_seed(runs[i]): i for i in reversed(members)}
        counted = sorted(first.values())
        groups.append(Group(
            name, tuple(runs[i] for i in members), tuple(names[i] for i in members), tuple(runs[i] for i in counted),
            tuple(names[i] for i in members if i not in counted),
        ))  # fmt: skip
    return groups


def unique(folders: Sequence[Path]) -> list[str]:
    """Return the shortest ends of the paths that tell them apart.

    Example:
        >>> unique([Path("/a/x/run"), Path("/a/y/run"), Path("/a/y/other")])
        ['x/run', 'y/run', 'other']
    """
    parts = [folder.resolve().parts for folder in folders]
    found = []
    for own in parts:
        length = next((n for n in range(1, len(own)) if sum(other[-n:] == own[-n:] for other in parts) == 1), len(own))
        found.append(visible("/".join(own[-length:]), limit=600))  # cut, two names could be the same
    return found


def common(names: Sequence[str]) -> str:
    """Return what a group of runs is called: the beginning that their names share, without the word seed.

    Example:
        >>> common(["wide-seed0", "wide-seed1"]), common(["a", "b"]), common(["alone"])
        ('wide', 'a, b', 'alone')
    """
    if len(names) == 1:
        return names[0]
    letters = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*names, strict=False))
    start = "".join(column[0] for column in letters)
    if any(name[len(start) : len(start) + 1].isdigit() for name in names):  # what ends it is the beginning of a number
        start = start.rstrip("0123456789")
    start = start.rstrip(_JOINTS)
    for word in ("seed", "s"):
        if (cut := start.removesuffix(word)) != start and (not cut or cut[-1] in _JOINTS):
            start = cut.rstrip(_JOINTS)
            break
    return start if any(map(str.isalpha, start)) else ", ".join(names[:3]) + ", …" * (len(names) > 3)


def differences(groups: Sequence[Group]) -> dict[str, list[str]]:
    """Return the dotted fields that are not the same in every group, each with its value in every one."""
    flat = [_flat(group.runs[0].config) for group in groups]
    keys = dict.fromkeys(key for fields in flat for key in fields if key not in _APART)
    found = {key: [fields.get(key, "–") for fields in flat] for key in keys}
    return {visible(key, limit=100): values for key, values in found.items() if len(set(values)) > 1}


def held_out(run: Source) -> str | None:
    """Return the hash of the held-out text; None where the run does not say."""
    found = run.fact("corpus").get("held_out_hash")
    return found if isinstance(found, str) else None


def per_token(run: Source) -> tuple[str, float | None]:
    """Return what must be the same where nats per token are to be compared: the tokenizer, and its bytes per token."""
    return str(run.fact("corpus").get("tokenizer")), number(run.facts.get("bytes_per_token"))


def _key(run: Source, index: int) -> bytes:
    """What two runs of a group have in common; a run whose configuration cannot be read is alone."""
    if not run.config:
        return str(index).encode()
    rest = {name: value for name, value in run.config.items() if name not in _APART}
    corpus = run.fact("corpus")
    return msgspec.json.encode([rest, held_out(run), corpus.get("hash")], order="deterministic")


def _seed(run: Source) -> str:
    return msgspec.json.encode(run.config.get("seed")).decode()


def _flat(tree: Any, before: str = "") -> dict[str, str]:
    items = (
        tree.items() if isinstance(tree, dict) and tree
        else enumerate(tree) if isinstance(tree, list) and tree else None
    )  # fmt: skip
    if items is None:
        text = tree if isinstance(tree, str) else msgspec.json.encode(tree).decode()
        return {before: visible(text, limit=120)}
    found: dict[str, str] = {}
    for key, value in items:
        found |= _flat(value, f"{before}.{key}" if before else str(key))
    return found
