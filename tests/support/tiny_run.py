"""A configuration that trains in a second, and what it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mainstem import config
from mainstem.train import Learner, assemble
from mainstem.train.language import Language
from mainstem.train.world import ALONE

WORDS = ("stem", "river", "delta", "mouth", "source", "bank", "flood", "bed")


def text(folder: Path, name: str = "corpus.txt", words: int = 500) -> Path:
    """Write a text of words in an order that is always the same and that nothing predicts, and return where."""
    path, state, chosen = folder / name, 1, []
    for _ in range(words):
        state = (1664525 * state + 1013904223) % 2**32
        chosen.append(WORDS[state >> 29])
    path.write_text(" ".join(chosen))
    return path


def run(path: str | Path, out: str | Path, **more: dict[str, Any]) -> config.Run:
    """Return a run on the file `path`; `more` has values for its sections."""
    sections: dict[str, dict[str, Any]] = {
        "data": {"paths": [str(path)], "tokenizer": "byte"},
        "model": {"layers": 1, "width": 16, "heads": 2, "context": 16},
        "noise": {"hidden": 0.1}, "optim": {}, "log": {"every": 2, "quantities": 4},
        "train": {"steps": 8, "batch": 4}, "evaluate": {"every": 4}, "save": {"every": 4}, "machine": {"threads": 1},
    }  # fmt: skip
    for name, values in more.items():
        sections[name] = {**sections.get(name, {}), **values}
    whole: Any = {name: config.build(values, getattr(config, name.capitalize())) for name, values in sections.items()}
    return config.resolve(config.Run(out=str(out), **whole))


def learner(given: config.Run, cache: Path) -> tuple[Learner, dict[str, Any]]:
    """Return what learns in a run that has not begun, and what is known of it."""
    task = Language()
    return assemble.assemble(given, task, task.prepare(given, cache), ALONE)
