"""A run in a process that does not lead: it takes the same steps, and writes and says nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from msgspec import Struct

from .. import config
from ..errors import RunFailed
from ..runs.listener import Listeners, Outcome
from ..runs.manifest import Manifest
from ..runs.run_folder import RunFolder
from ..runs.state import Length, State
from . import device, init_from
from .begin import restore
from .console import Plain
from .finish import made
from .learner import Learner
from .loop import Loop
from .phases import Clock, Phases
from .processes.parts import parts
from .processes.together import prepare, same_data
from .resuming import advising
from .saver import Share
from .signals import Requests
from .task import Task
from .world import World


class Lead(Struct):
    """What the leading process tells the others when its run begins: with it they stand where it stands.

    `text` is its configuration as YAML, `checkpoint` where the newest whole one lies and what it is.
    """

    text: str
    folder: str
    length: Length
    checkpoint: tuple[str, Manifest] | None

    @classmethod
    def of(cls, run: config.Run, folder: RunFolder, length: Length, checkpoint: tuple[Path, Manifest] | None) -> Lead:
        """Return what there is to tell of `run`."""
        newest = None if checkpoint is None else (str(checkpoint[0]), checkpoint[1])
        return cls(config.dump(run), str(folder.path), length, newest)


def follow(run: config.Run, task: Task, world: World, hosts: list[str], requests: Requests, clock: Clock) -> Outcome:
    """Take part in `run`, which the leading process begins, and return what it came to; `hosts` are all processes'.

    Raises:
        Lost: where that could not begin, and `signals.Stop` where any process was asked to leave.
    """
    meeting: Any = world.meeting
    with contextlib.ExitStack() as stack:
        stack.enter_context(device.threads(run.machine.threads))
        data = prepare(world, hosts, task, run)
        same_data(world, data)
        meeting.word("lead", 0)  # until then a signal or a failure elsewhere ends this process at once
        lead = world.first(None, Lead)
        run, folder = config.parse(lead.text), RunFolder(Path(lead.folder))
        stack.enter_context(task.guard(run, data))
        learner = Learner.of(run, task, data, world, steps=lead.length.steps, phases=Phases(clock))
        learner = learner.lasting(lead.length)
        shared = parts(learner, folder)
        if lead.checkpoint is None:
            init_from.start(learner, world)
            state, best = State(), None
        else:
            path, content = lead.checkpoint
            best, state = restore(learner, Path(path), content), content.state
            state.pruned = state.pruned and lead.length == content.length
        saver = None if learner.spread is None else Share(folder, learner, shared)
        loop = Loop(learner, state, folder, saver, Listeners([]), Plain(None), requests, clock, best)
        with advising(world, folder):
            try:
                reason = loop.go()
            except BaseException:
                with contextlib.suppress(RunFailed):  # of which the leading process has heard
                    loop.abandon()
                raise
            if learner.spread is not None:
                made(loop)  # its part is what the leading process asks for
    assert state.reached is not None
    return Outcome(reason, state.reached, state.seconds, folder.path, state.skipped, state.spikes)
