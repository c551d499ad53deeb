"""metrics.jsonl, and the first pass in facts.json, as a listener."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..runs import facts
from ..runs.disk import disk
from ..runs.listener import Listener, Outcome, Start
from ..runs.metrics import Metrics
from ..runs.state import Best


class Recorder(Listener):
    """Append the line of each step to `metrics`, and see that one with a held-out pass can be read at once."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def began(self, start: Start) -> None:
        self._folder: Path = start.folder
        self._facts = start.facts

    def stepped(self, line: dict[str, Any]) -> None:
        with disk("metrics.jsonl", self._folder):
            self._metrics.append(line)
            if "held_out" in line:
                self._metrics.flush()

    def evaluated(self, step: int, scores: Best) -> None:
        if step == 0:
            self._facts["start"] = scores.flat()
            with disk(facts.NAME, self._folder):
                facts.write(self._folder / facts.NAME, self._facts)

    def ended(self, outcome: Outcome | None) -> None:
        self._metrics.close()
