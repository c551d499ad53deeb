"""A run from its configuration to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter

from .. import config, files, runs
from ..errors import RunFailed
from ..runs import new_folder, past, run_folder
from ..runs.cache import used
from ..runs.listener import Listener, Listeners, Outcome
from ..runs.past import NOTHING
from ..runs.paths import place
from . import budget, choosing, chosen, device, init_from, signals, tensorboard
from .assemble import assemble
from .begin import begin
from .console import Progress
from .console import make as make_console
from .ending import ending
from .finish import finish
from .follower import Lead, follow
from .language import Language
from .loop import Loop
from .opening import opening
from .phases import Clock
from .processes import together
from .processes.joining import told, working
from .resuming import advising, how
from .task import Task
from .world import ALONE, World


def run(
    run: config.Run,
    *,
    resume: bool = False,
    console: Progress | None = None,
    task: Task | None = None,
    listeners: Sequence[Listener] = (),
    world: World = ALONE,
    clock: Clock = perf_counter,
    began: float | None = None,
    name: str | None = None,
    given: choosing.Given = None,
) -> Outcome:
    """Train as `run` says, into the folder `run.out`, and return what was reached.

    Where that names none, the folder is a new one, `runs/<date>-<name>`; `name` is the recipe's if it is not given.
    A run that a folder holds already goes on, `resume` or not: the numbers are the same either way. `task` is what is
    learned: a language model, if it is not given. `listeners` are told what happens, and may ask for an end. `world` is
    what ``train.join()`` gives where several processes train one model: the leading one alone holds the folder,
    writes, prints and tells listeners. The time of `train.budget` began at `began` by `clock`, or begins now. `given`
    has the names of the fields that stay as they are where the recipe leaves others to be chosen (`choice`); without
    it nothing is.

    Raises:
        BadInput: before anything has been written, `RunFailed` after, and `signals.Stop` when asked to leave.
    """
    progress = console if console is not None else make_console()
    task = Language() if task is None else task
    began = clock() if began is None else began
    run = runs.settled(device.settle(config.held(run)))
    with signals.catch() as requests, told(world, requests), advising(world), contextlib.ExitStack() as stack:
        hosts = together.greet(world, run)
        world.check(run)
        world.seat(device.choose(run.machine))
        if not world.leads:
            return follow(run, task, world, hosts, requests, clock)
        stack.enter_context(progress.running())
        stack.enter_context(device.threads(run.machine.threads))
        free = new_folder.places(name or run.recipe or "run")
        run = choosing.adopted(run, given)
        folder, there = new_folder.choose(run, resume, free)
        if run.log.tensorboard:
            tensorboard.check()
        task.refuse(run, begins=not there)
        for doubt in (*task.doubts(run), *world.doubts(run)):
            progress.warn(doubt)
        before = NOTHING
        if there:
            stack.enter_context(run_folder.claim(run, folder))
            before = past.read(folder, progress.warn)
            past.check(run, before, task.name)
        cache = stack.enter_context(used(folder))
        with working(world):
            data = task.prepare(run, cache, progress.measuring)
        together.offer(world, cache)
        together.same_data(world, data)
        said, doubts = task.remarks(data)
        if said:
            progress.say(said)
        for doubt in doubts:
            progress.warn(doubt)
        stack.enter_context(task.guard(run, data))
        made, steps, loss = before.choice, None, None
        if not there:
            run, made, loss = choosing.choose(run, given, task, data, clock, began, progress.measuring, world)
            steps = None if made is None else made["count"]
            if made is not None and made["doubt"] is not None:
                progress.warn(made["doubt"])
        learner, known = assemble(
            run,
            task,
            data,
            world,
            began=began,
            clock=clock,
            tell=progress.measuring,
            past=before,
            steps=steps,
            loss=loss,
        )
        if made is not None:
            known["choice"] = made
        if not there:
            init_from.start(learner, ALONE)  # what refuses, refuses before there is a folder
            run, folder = stack.enter_context(new_folder.claim(run, folder, free))
            learner = learner.named(run)
            if (warning := new_folder.newest(folder)) is not None:
                progress.warn(warning)
        if world.meeting is not None:
            world.meeting.leave("lead", True)
        world.first(Lead.of(run, folder, learner.length, before.checkpoint), Lead)
        several = Listeners([*listeners, *([tensorboard.Board()] if run.log.tensorboard else [])])
        loop = begin(learner, known, folder, before, progress, requests, several, clock, began)
        earlier = _stamp(folder.page)
        with _leaving(loop), _told(loop) as ended, _written(loop):
            left = budget.left(loop.learner, loop.state, loop.clock, loop.progress.measuring)
            shows = task.shows(learner, cache)
            stack.callback(shows.stop)
            progress.say(opening(learner, shows.opening(learner), known, loop.state, place(folder.path), left))
            if made is not None and not there:
                progress.say("\n".join(chosen.lines(made)))
            first = loop.state.step
            reason = loop.go()
            outcome, closing = finish(loop, reason, known, shows, again=loop.state.step == first)
            ended.append(outcome)
        new = files.is_file(folder.page) and _stamp(folder.page) != earlier  # which a listener has made
        progress.say(ending(loop.learner, loop.state.step, outcome, closing, folder.page if new else None))
    return outcome


@contextlib.contextmanager
def _told(loop: Loop) -> Iterator[list[Outcome]]:
    """Tell the listeners of the end, with the outcome that was put into the list, if one was."""
    found: list[Outcome] = []
    try:
        yield found
    finally:
        loop.listener.ended(found[0] if found else None)


@contextlib.contextmanager
def _written(loop: Loop) -> Iterator[None]:
    """Where something ends the training early, wait for what is being written; what goes wrong is said beside that."""
    try:
        yield
    except BaseException:
        try:
            loop.abandon()
        except RunFailed as failed:
            loop.progress.warn(str(failed))
        raise


@contextlib.contextmanager
def _leaving(loop: Loop) -> Iterator[None]:
    try:
        with advising(loop.learner.world, loop.folder):
            yield
    except signals.Stop as stop:
        again, where = how(loop.folder)
        loop.progress.say(f"{stop}; {where}. Go on with:\n  {again}")
        raise


def _stamp(page: Path) -> tuple[int, int] | None:
    """Return what is another one once `page` has been written again; None where there is none."""
    with contextlib.suppress(OSError):
        found = page.stat()
        return found.st_ino, found.st_mtime_ns
    return None
