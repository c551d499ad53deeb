"""A run from its configuration to its report. May import everything but the cli."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import msgspec

from .. import config, data, optim, runs
from ..errors import BadInput, RunFailed, command
from ..runs import checkpoint, environment, facts, new_folder, past, run_folder, weights
from ..runs.cache import used
from ..runs.disk import disk, disk_failed
from ..runs.manifest import Manifest, Record
from ..runs.metrics import Metrics
from ..runs.past import NOTHING, Past
from ..runs.run_folder import RunFolder
from ..runs.state import State
from . import budget, device, length, lines, refuse, signals, tensorboard
from .assemble import assemble, environment_of, start_from
from .console import Progress
from .console import make as make_console
from .finish import Outcome, finish
from .loop import Loop, Parts
from .opening import opening
from .phases import Clock
from .shortage import shortage
from .yardstick import Yardsticks


def run(
    run: config.Run,
    *,
    resume: bool = False,
    console: Progress | None = None,
    clock: Clock = perf_counter,
    name: str | None = None,
) -> Outcome:
    """Train as `run` says, into the folder `run.out`, and return what was reached.

    Where that names none, the folder is a new one, `runs/<date>-<name>`; `name` is the recipe's if it is not given.
    A run that a folder holds already goes on, `resume` or not: the numbers are the same either way.

    Raises `BadInput` before anything has been written, `RunFailed` after, and `signals.Stop` when asked to leave.
    """
    progress = console if console is not None else make_console()
    began, run = clock(), runs.settled(device.settle(run))
    with signals.catch() as requests, contextlib.ExitStack() as stack:
        stack.enter_context(progress.running())
        place = device.choose(run.machine)
        stack.enter_context(device.threads(run.machine.threads))
        free = new_folder.places(name or run.recipe or "run")
        folder, there = new_folder.choose(run, resume, free)
        refuse.early(run, begins=not there)
        before = NOTHING
        if there:
            stack.enter_context(run_folder.claim(run, folder))
            before = past.read(folder, progress.warn)
            past.check(run, before)
        cache = stack.enter_context(used(folder))
        corpus = data.prepare(run.data, cache, progress.measuring)
        if corpus.left_out:
            progress.say(corpus.left_out)
        for doubt in corpus.doubts:
            progress.warn(doubt)
        stack.enter_context(shortage(run, corpus.tokenizer.vocab_size))
        parts = assemble(run, folder, corpus, place, began, clock, progress.measuring, before)
        if not there:
            start_from(parts)  # what refuses, refuses before there is a folder
            run, folder = stack.enter_context(new_folder.claim(run, folder, free))
            parts = dataclasses.replace(parts, run=run, folder=folder)
            if (warning := new_folder.newest(folder)) is not None:
                progress.warn(warning)
        loop = begin(parts, before, progress, requests)
        stack.callback(loop.metrics.close)
        if loop.board is not None:
            stack.callback(loop.board.close)
        with _leaving(loop):
            progress.say(opening(parts, loop.state, _left(loop)))
            yardsticks = Yardsticks(corpus, cache)
            reason = loop.go()
            return finish(loop, reason, yardsticks)


def begin(parts: Parts, before: Past, progress: Progress, requests: signals.Requests) -> Loop:
    """Return a loop that stands where the checkpoint of `before` is, or at step 0 where none was ever completed."""
    folder, now = parts.folder, environment_of(parts)
    if before.checkpoint is None:
        start_from(parts)
        state, best, metrics = State(), None, _metrics(folder, Record(0, None))
    else:
        path, content = before.checkpoint
        state, best = restore(parts, path, content)
        if state.step > parts.steps:
            raise BadInput(
                f"The run in {str(folder.path)!r} has taken {state.step} steps already, more than the {parts.steps} "
                "asked for: leave --train.steps out, or give a larger number."
            )
        checkpoint.tidy(folder.checkpoints, state.step, parts.run.save.keep)
        metrics = _metrics(folder, content.metrics)
        for difference in environment.mismatches(content.facts, now):
            progress.warn(f"{difference}: the run may differ in its last bits from one that was never interrupted")
        progress.say(f"going on at step {state.step} of {parts.steps}")
        if (risen := length.risen(parts.run, content, parts.steps)) is not None:
            progress.say(risen)
    if state.start is not None:
        parts.facts["start"] = msgspec.to_builtins(state.start)
    with disk("the configuration", folder.path):
        run_folder.extend(parts.run, folder)
        parts.corpus.tokenizer.save(folder.path / "vocabulary.json")
        parts.facts.update(facts.begun(folder.path))
        facts.write(folder.path / facts.NAME, parts.facts)
    parts.decisive = {
        "facts": now, "length": parts.facts["length"], "corpus": parts.corpus.facts["hash"],
        "config": config.dump(runs.recorded(parts.run, folder.path)),
    }  # fmt: skip
    board = tensorboard.Board(folder.path, state.step) if parts.run.log.tensorboard else None
    return Loop(parts, state, metrics, progress, requests, best, board)


def restore(parts: Parts, path: Path, content: Manifest) -> tuple[State, weights.Tensors | None]:
    """Put the checkpoint at `path` into the parts; return where the run stood and its best weights."""
    try:
        weights.put(parts.model, checkpoint.load(path, "model"), f"checkpoint {path.name}")
        optim.state.restore(parts.optimizer, parts.model, checkpoint.load(path, "optimizer"), content.optimizer)
        if parts.average is not None:
            kept = checkpoint.load(path, "average")
            parts.average.load({name: tensor.to(parts.place.device) for name, tensor in kept.items()})
        state = content.state
        return state, checkpoint.load(path, "best") if state.best is not None else None
    except checkpoint.Damaged as error:
        raise RunFailed(
            f"checkpoint {path} is whole and cannot be understood ({error}): use the mainstem that wrote it."
        ) from None


def _left(loop: Loop) -> float | None:
    """Return about how many seconds the run goes on for: by those it has taken, or by timing; None where a budget says.

    None, too, where the run is too short to be timed.
    """
    parts, state = loop.parts, loop.state
    if state.step:
        return (parts.steps - state.step) * state.seconds / state.step
    if parts.run.train.budget is not None:
        return None
    tell = loop.progress.measuring
    return budget.estimate(parts.learner, parts.corpus.held_out, parts.steps, parts.clock, tell)


def _metrics(folder: RunFolder, record: Record) -> Metrics:
    try:
        return Metrics(folder.metrics, record.offset, record.sha256)
    except OSError as error:
        raise disk_failed(error, "metrics.jsonl", folder.path) from error


@contextlib.contextmanager
def _leaving(loop: Loop) -> Iterator[None]:
    try:
        yield
    except signals.Stop as stop:
        again = command("train", "--resume", lines.place(loop.parts.folder.path))
        saved = checkpoint.last(loop.parts.folder.checkpoints)
        where = "nothing was saved yet" if saved is None else f"saved at step {saved}"
        loop.progress.say(f"{stop}; {where}. Go on with:\n  {again}")
        raise
