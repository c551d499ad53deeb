"""What a finished run leaves: its models, its outcome and samples. May import its siblings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..errors import command
from ..runs import facts, publish, weights
from ..runs.disk import disk
from ..runs.listener import Outcome
from ..runs.paths import place
from .loop import Loop
from .task import Shows


def finish(loop: Loop, reason: str, known: facts.Facts, shows: Shows) -> tuple[Outcome, list[str]]:
    """Write what a finished run offers beside what is `known` of it; return what it came to, and lines of its task.

    All is made again, the same, when a run goes on at its end.
    """
    learner, state, progress, folder = loop.learner, loop.state, loop.progress, loop.folder
    assert state.reached is not None
    assert state.last is not None
    assert loop.best is not None
    outcome = Outcome(reason, state.reached, state.seconds, folder.path, state.skipped)
    task, settings = learner.task, learner.task.settings(learner.model)
    with disk("the model", folder.path):
        best = publish.model(folder.path, task.name, settings, loop.best, state.reached)
        publish.model(folder.last, task.name, settings, learner.kept(), state.last)
    weights.put(learner.model, loop.best, "the best weights")
    late = loop.pace.over if loop.pace is not None else lambda: False
    shows.published(folder.path, best.sha256)
    found = shows.found(outcome.best, progress.measuring, late)
    written = {
        "reason": reason, "steps": state.step, "best_step": state.reached.step, "best": state.reached.flat(),
        "last": state.last.flat(), "seconds": round(state.seconds, 3),
        **({"skipped": state.skipped} if state.skipped else {}), **found.pop("outcome", {}),
    }  # fmt: skip
    length = msgspec.to_builtins(learner.length)
    with disk(facts.NAME, folder.path):
        facts.write(folder.path / facts.NAME, {**known, "length": length, **found, "outcome": written})
    some = _offered(loop, facts.SAMPLES, lambda: _samples(loop, shows))
    for doubt in shows.doubts():
        progress.warn(doubt)
    return outcome, shows.closing(learner, outcome.best, {**found, "outcome": written}, (some or [None])[0])


def _offered(loop: Loop, name: str, make: Callable[[], Any]) -> Any:
    """Return what `make` makes, or None after a warning: the model has been trained, and its run is a good one."""
    loop.progress.measuring(f"writing {name}", 0, 1)
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - whatever it is, the run is whole without it
        where = place(loop.folder.path)
        remedy = f"`{command('sample', where)}` makes other ones"
        loop.progress.warn(f"{where}/{name} is missing: it could not be written ({error}). {remedy}.")
        return None
    finally:
        loop.progress.measuring(f"writing {name}", 1, 1)


def _samples(loop: Loop, shows: Shows) -> list[dict[str, Any]]:
    made = shows.samples(loop.learner)
    if made:
        facts.write(loop.folder.path / facts.SAMPLES, made)
    return made
