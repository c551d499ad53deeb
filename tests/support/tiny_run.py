"""A configuration that trains in a second, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mainstem import config, data
from mainstem.runs import run_folder
from mainstem.train import assemble, device
from mainstem.train.loop import Parts

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
    whole: Any = {name: getattr(config, name.capitalize())(**values) for name, values in sections.items()}
    return config.resolve(config.Run(out=str(out), **whole))


def parts(given: config.Run, cache: Path, clock: Callable[[], float] | None = None) -> Parts:
    """Return the parts of a run that has not begun."""
    folder, _ = run_folder.inspect(given, resume=False)
    more = {} if clock is None else {"clock": clock}
    return assemble.assemble(given, folder, data.prepare(given.data, cache), device.choose(given.machine), **more)
