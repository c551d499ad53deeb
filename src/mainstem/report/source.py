"""The files of a run folder that a report is made of. May import `config`, `files`, `errors` and its neighbours here.

Only config.yaml must be there. A file that is missing, damaged or not ours costs its part of the page, and is named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from .. import config, files
from ..errors import BadInput
from . import metrics

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

    def fact(self, name: str) -> dict[str, Any]:
        """Return a group of facts; empty where there is none."""
        return mapping(self.facts.get(name))


def mapping(value: Any) -> dict[str, Any]:
    """Return `value` where it is a mapping, and an empty one in place of everything else."""
    return value if isinstance(value, dict) else {}


def read(folder: Path) -> Source:
    """Return what the run in `folder` is made of.

    Raises `BadInput` where there is no config.yaml, which every run has from its first moment on.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise BadInput(f"{str(folder)!r} holds no config.yaml, so it is not the folder of a run: give one that is.")
    notes: list[str] = []
    text = files.read(path, _CONFIG).decode("utf-8", "replace")
    try:
        tree = config.read(text)
    except BadInput as error:
        tree = {}
        notes.append(f"config.yaml could not be understood: {error}")
    curves = metrics.read(folder / "metrics.jsonl")
    if curves.unreadable:
        notes.append(f"Lines of metrics.jsonl that could not be read: {curves.unreadable}.")
    facts = mapping(_json(folder / "facts.json", _FACTS, notes))
    samples = _json(folder / "samples.json", _SAMPLES, notes)
    kept = [item for item in samples if isinstance(item, dict)] if isinstance(samples, list) else []
    return Source(folder.resolve().name, text, tree, facts, curves, kept, notes)


def _json(path: Path, limit: int, notes: list[str]) -> Any:
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(files.read(path, limit))
    except (BadInput, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        notes.append(f"{path.name} could not be read: {error}")
        return None
