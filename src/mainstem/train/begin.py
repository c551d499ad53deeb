"""From what learns and what its folder knows to a loop that stands where the run stopped."""

from __future__ import annotations

from pathlib import Path

from .. import config, names, runs
from ..errors import BadInput, RunFailed
from ..runs import checkpoint, environment, facts, run_folder, weights
from ..runs.disk import disk, disk_failed
from ..runs.listener import Listener, Listeners, Start
from ..runs.manifest import Manifest, Record
from ..runs.metrics import Metrics
from ..runs.past import Past
from ..runs.run_folder import RunFolder
from ..runs.state import State
from ..wording import several
from . import init_from, keeping, length, signals
from .assemble import environment_of
from .console import Progress
from .keeping import Kept
from .learner import Learner
from .loop import Loop
from .opening import tokens
from .pace import Pace
from .phases import Clock
from .processes.parts import parts
from .recorder import Recorder
from .saver import Saver
from .shown import Shown


def begin(
    learner: Learner, known: facts.Facts, folder: RunFolder, before: Past, progress: Progress,
    requests: signals.Requests, listener: Listener, clock: Clock, began: float,
) -> Loop:  # fmt: skip
    """Return a loop that stands where the checkpoint of `before` is, or at step 0 where none was ever completed.

    What is `known` of the run is written into its folder, with what an earlier process knew of it. `began` is when this
    process began, by `clock`.
    """
    run, now, shared = learner.run, environment_of(learner), parts(learner, folder)
    if before.checkpoint is None:
        init_from.start(learner, learner.world)
        state, best, metrics = State(), None, _metrics(folder, Record(0, None))
    else:
        path, content = before.checkpoint
        best = restore(learner, path, content)
        state = content.state
        if state.step > learner.steps:
            field = next((name for name in ("epochs", "budget") if getattr(run.train, name) is not None), "steps")
            more = "longer time" if field == "budget" else "larger number"
            raise BadInput(
                f"The run in {str(folder.path)!r} has taken {several(state.step, 'step')} already, more "
                f"than the {learner.steps} asked for: leave --train.{field} out, or give a {more}."
            )
        if learner.steps != content.length.steps:  # somebody wants more than the listener that had asked for an end
            state.pruned = False
        checkpoint.tidy(folder.checkpoints, state.step, run.save.keep)
        metrics = _metrics(folder, content.metrics)
        for difference in environment.mismatches(content.facts, now):
            progress.warn(f"{difference}: the run may differ in its last bits from one that was never interrupted")
        progress.say(f"going on at step {state.step} of {learner.steps}")
        if (risen := length.risen(run, content, learner.length)) is not None:
            progress.say(risen)
    if state.start is not None:
        known["start"] = state.start.flat()
    with disk("the configuration", folder.path):
        run_folder.extend(run, folder)
        learner.task.store(learner.data, folder.path)
        known.update(facts.begun(folder.path))
        facts.write(folder.path / facts.NAME, known)
    decisive = {
        "facts": now, "corpus": learner.data.facts["hash"], "task": learner.task.name,
        "config": config.dump(runs.recorded(run, folder.path)),
    }  # fmt: skip
    shown = Shown(progress, run.log.every, tokens(learner), learner.task, clock)
    listeners = Listeners([Recorder(metrics), listener, shown])
    listeners.began(Start(run, folder.path, state.step, learner.steps, known))
    budget, pace = run.train.budget, None
    if budget is not None:
        pace = Pace(
            length.seconds(budget),
            began - state.spent,
            clock,
            state.costs,
            compiles=run.machine.compile != "off",
            members=len(names.networks(learner.model)) or 1,
        )
    saver = Saver(folder, learner, shared, metrics=metrics, decisive=decisive)
    return Loop(learner, state, folder, saver, listeners, progress, requests, clock, best, pace)


def restore(learner: Learner, path: Path, content: Manifest) -> weights.Tensors | None:
    """Put the checkpoint at `path` into the learner; return the best weights of the run, if it had some.

    The leading process reads it and hands it on, so that no other one needs the folder.
    """
    world = learner.world

    def load(name: str) -> weights.Tensors:
        return keeping.taken(learner, world.tensors(checkpoint.load(path, name) if world.leads else {}))

    try:
        _check_scores(learner, content)
        keeping.load(learner, Kept({name: load(name) for name in keeping.stems(learner)}, content.optimizer))
        return load("best") if content.state.best is not None else None
    except checkpoint.Damaged as error:
        raise RunFailed(
            f"Checkpoint {path} is whole and cannot be understood ({error}): use the mainstem that wrote it."
        ) from None


def _check_scores(learner: Learner, content: Manifest) -> None:
    """Raise `checkpoint.Damaged` where a held-out pass that is kept lacks a score of the task."""
    for kept in (content.state.best, content.state.reached):
        missing = [] if kept is None else [score.name for score in learner.task.scores if score.name not in kept.values]
        if missing:
            raise checkpoint.Damaged(f"a held-out pass that it keeps has no {missing[0]}")


def _metrics(folder: RunFolder, record: Record) -> Metrics:
    try:
        return Metrics(folder.metrics, record.offset, record.sha256)
    except OSError as error:
        raise disk_failed(error, "metrics.jsonl", folder.path) from error
