"""The files of a run folder that a report is made of.

Only config.yaml must be there. A file that is missing, damaged or not ours costs its part of the page, and is named.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .. import config, files, runs
from ..draw.words import visible
from ..errors import BadInput
from ..runs.score import NATS, Score
from . import metrics

T = TypeVar("T")
_CONFIG, _FACTS, _SAMPLES = 1 << 20, 1 << 26, 1 << 24


@dataclass
class Source:
    """A run: its configuration as text and as a tree, facts, curves, samples, and what could not be read."""

    name: str
    config_text: str
    config: dict[str, Any]
    facts: dict[str, Any]
    metrics: metrics.Metrics
    samples: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    def section(self, name: str) -> dict[str, Any]:
        """Return a section of the configuration; empty where there is none."""
        return mapping(self.config.get(name))

    @property
    def score(self) -> Score:
        """What its held-out passes are compared by."""
        return self.metrics.score

    @property
    def counted(self) -> str:
        """What it counts its targets by: tokens, or what its task says."""
        found = self.facts.get("counted")
        return visible(found, limit=40) if isinstance(found, str) else "tokens"

    @property
    def data(self) -> str:
        """What people call its data: text, or what its task says; data, where no task says it and no tokens count."""
        found = self.facts.get("source")
        return visible(found, limit=40) if isinstance(found, str) else "text" if self.counted == "tokens" else "data"

    def fact(self, name: str) -> dict[str, Any]:
        """Return a group of facts; empty where there is none."""
        return mapping(self.facts.get(name))


def mapping(value: Any) -> dict[str, Any]:
    """Return `value` where it is a mapping, and an empty one in place of everything else."""
    return value if isinstance(value, dict) else {}


def read(folder: Path) -> Source:
    """Return what the run in `folder` is made of.

    Raises:
        BadInput: where there is no config.yaml, which every run has from its first moment on.
    """
    path = folder / "config.yaml"
    if not files.is_file(path):
        raise BadInput(f"{str(folder)!r} holds no config.yaml, so it is not the folder of a run: give one that is.")
    notes: list[str] = []
    text = files.read(path, _CONFIG).decode("utf-8", "replace")
    try:
        text = runs.public(text, config.read(text))
        tree = config.read(text)
    except BadInput as error:
        tree = {}
        notes.append(f"config.yaml could not be understood: {error}")
    facts = _json(folder / "facts.json", dict[str, Any], _FACTS, notes)
    curves = _curves(folder / "metrics.jsonl", _score(facts), notes)
    if curves.unreadable:
        notes.append(f"Lines of metrics.jsonl that could not be read: {curves.unreadable}.")
    samples = _json(folder / "samples.json", list[dict[str, Any]], _SAMPLES, notes)
    return Source(folder.resolve().name, text, tree, facts, curves, samples, notes)


def _score(facts: dict[str, Any]) -> Score:
    """Return the first score that the facts name; that of a language model, where they name none."""
    try:
        return msgspec.convert(facts.get("scores"), list[Score])[0]
    except (msgspec.ValidationError, IndexError):
        return NATS


def _curves(path: Path, score: Score, notes: list[str]) -> metrics.Metrics:
    try:
        return metrics.read(path, score)
    except files.Unusable as error:
        notes.append(f"metrics.jsonl {error.why}.")
        return metrics.Metrics(score)


def _json(path: Path, kind: type[T], limit: int, notes: list[str]) -> T:
    """Return what the file holds; an empty `kind` where it is not there, or damaged, which a note says."""
    if os.path.lexists(path):
        try:
            return files.load(path, kind, limit)
        except files.Unusable as error:
            notes.append(f"{path.name} {error.why}.")
    return kind()
