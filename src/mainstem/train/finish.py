"""What a finished run leaves: its models, its outcome and samples."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from .. import files
from ..errors import command
from ..runs import facts, publish, weights
from ..runs.disk import disk
from ..runs.listener import Outcome
from ..runs.paths import place, typed
from . import keeping
from .learner import Learner
from .loop import Loop
from .task import Shows
from .world import ALONE


class Made(NamedTuple):
    """What a run has made: the learner that has its model whole, the best weights and the last ones."""

    learner: Learner
    best: weights.Tensors
    last: weights.Tensors


def made(loop: Loop) -> Made:
    """Return what the run of `loop` has made; of a model in parts the leading process gets it whole.

    The others have to ask too, and get nothing.
    """
    learner = loop.learner
    assert loop.best is not None
    if learner.spread is None:
        return Made(learner, loop.best, keeping.measured(learner))
    best, last = (keeping.whole(learner, each) for each in (loop.best, keeping.measured(learner)))
    if not learner.world.leads:
        return Made(learner, best, last)
    model = learner.task.build(learner.run, learner.data).to(learner.place.device)
    return Made(
        dataclasses.replace(learner, model=model, forward=model, world=ALONE, average=None, spread=None), best, last
    )


def finish(loop: Loop, reason: str, known: facts.Facts, shows: Shows, again: bool = False) -> tuple[Outcome, list[str]]:
    """Write what a finished run offers beside what is `known` of it; return what it came to, and lines of its task.

    All is made `again`, the same, when a run goes on at its end: then no budget, which has passed, leaves a part out.
    """
    learner, tensors, last = made(loop)
    state, progress, folder = loop.state, loop.progress, loop.folder
    assert state.reached is not None
    assert state.last is not None
    shows.take(learner)
    outcome = Outcome(reason, state.reached, state.seconds, folder.path, state.skipped, state.spikes)
    task, settings = learner.task, learner.task.settings(learner.model)
    with disk("the model", folder.path):
        best = publish.model(folder.path, task.name, settings, tensors, state.reached)
        publish.model(folder.last, task.name, settings, last, state.last)
    weights.put(learner.model, tensors, "the best weights")
    late = loop.pace.over if loop.pace is not None and not again else lambda: False
    shows.published(folder.path, best.sha256)
    found = shows.found(outcome.best, progress.measuring, late)
    written = {
        "reason": reason, "steps": state.step, "best_step": state.reached.step, "best": state.reached.flat(),
        "last": state.last.flat(), "seconds": round(state.seconds, 3),
        **({"skipped": state.skipped} if state.skipped else {}), **({"spikes": state.spikes} if state.spikes else {}),
        **found.pop("outcome", {}),
    }  # fmt: skip
    length = msgspec.to_builtins(learner.length)
    with disk(facts.NAME, folder.path):
        facts.write(folder.path / facts.NAME, {**known, "length": length, **found, "outcome": written})
    some = _offered(loop, facts.SAMPLES, lambda: _samples(loop, shows, learner))
    for doubt in shows.doubts():
        progress.warn(doubt)
    return outcome, shows.closing(learner, outcome.best, {**found, "outcome": written}, (some or [None])[0])


def _offered(loop: Loop, name: str, make: Callable[[], Any]) -> Any:
    """Return what `make` makes, or None after a warning: the model has been trained, and its run is a good one."""
    loop.progress.measuring(f"writing {name}", 0, 1)
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - whatever it is, the run is whole without it
        if files.is_file(loop.folder.path / name):  # of the model that the run had before it went on
            with contextlib.suppress(OSError):
                files.remove(loop.folder.path / name)
        where = place(loop.folder.path)
        remedy = f"`{command('sample', typed(loop.folder.path))}` makes other ones"
        loop.progress.warn(f"{where}/{name} is missing: it could not be written ({error}). {remedy}.")
        return None
    finally:
        loop.progress.measuring(f"writing {name}", 1, 1)


def _samples(loop: Loop, shows: Shows, learner: Learner) -> list[dict[str, Any]]:
    found = shows.samples(learner)
    if found:
        facts.write(loop.folder.path / facts.SAMPLES, found)
    return found
