"""The smallest run that trains, what it wrote, and a console that remembers."""

import json
from pathlib import Path
from typing import Any

from mainstem import config
from mainstem.train.console import Plain


class Heard(Plain):
    """A console that remembers."""

    def __init__(self) -> None:
        super().__init__(None)
        self.said: list[str] = []
        self.warned: list[str] = []
        self.shown: list[dict[str, Any]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def show(self, numbers: dict[str, Any]) -> None:
        self.shown.append(numbers)


def small_run(tmp_path: Path, out: str = "run", **more: Any) -> config.Run:
    corpus = tmp_path / "corpus.txt"
    if not corpus.exists():
        corpus.write_text(" ".join(["stem", "river", "delta", "mouth"][i * i % 7 % 4] for i in range(500)))
    sections: dict[str, Any] = {
        "data": {"paths": [str(corpus)], "tokenizer": "byte"},
        "model": {"layers": 1, "width": 16, "heads": 2, "context": 16, "norm": "rms", "feedforward": "relu2",
                  "qk_norm": "rms", "positions": "rotary", "head": "tied", "init": "auto"},
        "noise": {"hidden": 0.1}, "optim": {}, "log": {"every": 4, "quantities": 4},
        "train": {"steps": 8, "batch": 4}, "evaluate": {"every": 3}, "save": {"every": 3}, "machine": {"threads": 1},
    }  # fmt: skip
    for name, values in more.items():
        sections[name] = {**sections.get(name, {}), **values}
    own = {"optim": config.build(sections.pop("optim"), config.Optim)}
    whole: Any = own | {name: getattr(config, name.capitalize())(**values) for name, values in sections.items()}
    return config.Run(out=str(tmp_path / out), **whole)


def nats(nats: float) -> dict[str, float]:
    return {"nats_per_token": nats}


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
