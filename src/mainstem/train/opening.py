"""What a run says before its first step: its text, its model, its length. May import its siblings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..runs.state import State
from .console import clock
from .learner import Learner
from .lines import place, several, size

_NAMED = 2
"""Files that are named; of more, the rest are counted."""


def opening(learner: Learner, facts: dict[str, Any], state: State, folder: Path, seconds: float | None) -> str:
    """Return three lines about a run that stands at `state` and goes on for about `seconds`, where that is known."""
    told = {"text": _text(learner), "model": _model(learner, facts), "run": _length(learner, state, folder, seconds)}
    return "\n".join(f"{name:<5}  {text}" for name, text in told.items())


def passes(learner: Learner) -> float:
    """Return how often the run sees the training text."""
    return learner.steps * tokens(learner) / learner.task.size(learner.data)


def tokens(learner: Learner) -> int:
    """Return how many tokens a step has."""
    return learner.run.train.batch * learner.task.targets(learner.model)


def _text(learner: Learner) -> str:
    facts = learner.data.facts
    why = facts["tokenizer_reason"].partition(";")[0].rpartition(": ")[2].partition(",")[0]
    return (
        f"{_source(learner.run.data.paths, facts)}: {size(facts['bytes'])}, {several(facts['documents'], 'document')}; "
        f"tokenizer {facts['tokenizer']} ({why}), vocabulary {facts['vocab_size']:,}; {len(learner.data.train):,} "
        f"tokens to train on, {len(learner.data.held_out):,} held out"
    )


def _source(given: list[str], facts: dict[str, Any]) -> str:
    if not given:
        return f"{facts['origin']}, as no file was given"
    named = ", ".join(place(Path(path)) for path in given[:_NAMED])
    return named if len(given) <= _NAMED else f"{named} and {len(given) - _NAMED} more"


def _model(learner: Learner, facts: dict[str, Any]) -> str:
    settings: dict[str, Any] = learner.model.config()  # type: ignore[operator]
    where = learner.place.device.type
    if where == "cpu":
        where += f" with {several(facts['machine']['threads'], 'thread')}"
    return (
        f"{form(settings['residual'])}, {several(settings['layers'], 'layer')} of width {settings['width']}, "
        f"{facts['num_parameters']:,} parameters; on {where}, in {learner.run.machine.dtype}"
    )


def form(residual: Any) -> str:
    """Return the name of a residual form as a configuration has it, with its values.

    >>> form([{"name": "hyper", "streams": 2}, "value_residual"])
    'hyper (streams 2) | value_residual'
    """
    if isinstance(residual, list):
        return " | ".join(map(form, residual))
    if isinstance(residual, dict):
        values = ", ".join(f"{name} {value}" for name, value in residual.items() if name != "name")
        return f"{residual['name']} ({values})" if values else str(residual["name"])
    return str(residual)


def _length(learner: Learner, state: State, folder: Path, seconds: float | None) -> str:
    train = learner.run.train
    most = "up to " if train.patience else ""
    begun = f", {state.step:,} of them taken" if state.step else ""
    if train.budget is not None and not state.step:
        time = f", within {train.budget}"
    else:
        time = "" if seconds is None else f", about {clock(seconds)}{' more' if state.step else ''}"
    return (
        f"{most}{learner.steps:,} steps of {tokens(learner):,} tokens{begun}, "
        f"{passes(learner):.3g} passes over the text{time}; in {place(folder)}"
    )
