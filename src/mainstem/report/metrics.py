"""metrics.jsonl as curves, read as a stream, so that a file of any length takes the same memory.

A run may still be writing: a last line without its end is left out. Lines that are no JSON object with a step are
counted and left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..draw.words import short
from ..runs.metrics import PHASES, lines, number
from ..runs.score import BITS, NATS, Score
from .series import Series

_TRAINING = PHASES[:4]
_NAMES = ("loss", "lr", "seconds", "grad_norm", "penalty", "update_ratio", "gradient_slope")
_SNAPSHOTS = 64


class Gap(NamedTuple):
    """Held-out loss less loss on training text, with its 95% interval."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval does not hold 0, so that there is a gap to speak of."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        """Return the gap and its interval as a sentence has them."""
        return f"{short(self.value)} (95% interval {short(self.low)} to {short(self.high)})"


class Evaluation(NamedTuple):
    """A held-out pass; `error` is the standard error of `value` where the pass was over a sample."""

    step: int
    value: float
    bits: float | None
    gap: Gap | None
    error: float | None = None


class Snapshot(NamedTuple):
    """Root mean squares by depth at one step; a value is None where there was no finite one."""

    step: int
    stream: list[float | None]
    gradient: list[float | None]


@dataclass
class Metrics:
    """What a metrics.jsonl says; `score` is what its held-out passes are compared by.

    Of many snapshots some are kept, evenly, and the last one.
    """

    score: Score = NATS
    steps: Series = field(default_factory=Series)
    evaluations: Series = field(default_factory=lambda: Series(256))
    snapshots: list[Snapshot] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    last_step: int = 0
    tokens: float | None = None
    seconds: float | None = None
    first: Evaluation | None = None
    best: Evaluation | None = None
    last: Evaluation | None = None
    training_tokens: float = 0.0
    training_seconds: float = 0.0
    unreadable: int = 0
    _before: tuple[float, float] | None = (0.0, 0.0)
    _every: int = 1
    _seen: int = 0
    _passing: bool = False  # the last snapshot stays only until there is another

    def add(self, line: dict[str, Any]) -> None:
        """Take in one line; its step is a whole number."""
        step: int = line["step"]
        values = {name: value for name in _NAMES if (value := number(line.get(name)))
                  is not None}  # fmt: skip
        phases = self._phases(line.get("phases"))
        values.update(self._speed(line, phases))
        self.steps.add(step, values)
        self.last_step = max(self.last_step, step)
        self._evaluation(step, line)
        self._snapshot(step, line)

    def _phases(self, found: Any) -> dict[str, float]:
        """Add the seconds of each phase to the totals, names of our own only, and return them."""
        if not isinstance(found, dict):
            return {}
        taken = {name: seconds for name in PHASES if (seconds := number(found.get(name))) is not None and seconds >= 0}
        for name, seconds in taken.items():
            self.phases[name] = self.phases.get(name, 0.0) + seconds
        return taken

    def _speed(self, line: dict[str, Any], phases: dict[str, float]) -> dict[str, float]:
        """Return this line's tokens and the seconds that training on them took, so that a bin can add both up."""
        tokens, seconds = number(line.get("tokens")), number(line.get("seconds"))
        before, self._before = self._before, None if tokens is None or seconds is None else (tokens, seconds)
        self.tokens = tokens if tokens is not None else self.tokens
        self.seconds = seconds if seconds is not None else self.seconds
        if before is None or tokens is None or seconds is None:
            return {}
        done = tokens - before[0]
        took = math.fsum(phases[name] for name in _TRAINING if name in phases) or seconds - before[1]
        if done <= 0 or took <= 0:
            return {}
        self.training_tokens += done
        self.training_seconds += took
        return {"done": done, "took": took}

    def _evaluation(self, step: int, line: dict[str, Any]) -> None:
        found = line.get("held_out")
        if not isinstance(found, dict) or (value := number(found.get(self.score.name))) is None:
            return
        now = evaluation(step, {**found, "gap": line.get("gap")}, self.score)
        assert now is not None
        columns = {"held_out": value}
        if now.gap is not None:
            columns |= {"gap": now.gap.value, "gap_low": now.gap.low, "gap_high": now.gap.high,
                        "train": value - now.gap.value}  # fmt: skip
        if (seconds := number(line.get("seconds"))) is not None:
            columns["seconds"] = seconds
        self.evaluations.add(step, columns)
        self.first, self.last = self.first or now, now
        if self.best is None or (value < self.best.value if self.score.lower else value > self.best.value):
            self.best = now

    def _snapshot(self, step: int, line: dict[str, Any]) -> None:
        stream, gradient = _numbers(line.get("stream")), _numbers(line.get("gradient"))
        if not stream and not gradient:
            return
        if self._passing:
            self.snapshots.pop()
        self.snapshots.append(Snapshot(step, stream, gradient))
        self._passing = self._seen % self._every != 0
        self._seen += 1
        if len(self.snapshots) > _SNAPSHOTS and not self._passing:
            self.snapshots = self.snapshots[::2]
            self._every *= 2


def evaluation(step: int, found: dict[str, Any], score: Score = NATS) -> Evaluation | None:
    """Return a held-out pass from a mapping of its numbers, None where the score is missing."""
    value = number(found.get(score.name))
    if value is None:
        return None
    return Evaluation(step, value, number(found.get(BITS.name)), _gap(found.get("gap")), number(found.get("error")))


def _gap(found: Any) -> Gap | None:
    if not isinstance(found, dict):
        return None
    value, low, high = (number(found.get(name)) for name in Gap._fields)
    return None if value is None or low is None or high is None else Gap(value, low, high)


def read(path: Path, score: Score = NATS) -> Metrics:
    """Return the curves in the file `path`, of held-out passes `score`; empty ones where there is no such file.

    Raises:
        files.Unusable: where there is one that cannot be read.
    """
    metrics = Metrics(score)
    for line in lines(path):
        if line is None:
            metrics.unreadable += 1
        else:
            metrics.add(line)
    return metrics


def _numbers(values: Any) -> list[float | None]:
    return [number(value) for value in values[:10_000]] if isinstance(values, list) else []
