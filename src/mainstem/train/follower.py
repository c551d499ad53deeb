"""A run in a process that does not lead: it takes the same steps, and writes and says nothing. May import siblings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from .. import config
from ..errors import RunFailed
from ..runs.listener import Listeners, Outcome
from ..runs.manifest import Manifest
from ..runs.run_folder import RunFolder
from ..runs.state import Length, State
from . import device
from .assemble import start_from
from .begin import restore
from .console import Plain
from .learner import Learner
from .loop import Loop
from .phases import Clock, Phases
from .signals import Requests
from .task import Task
from .world import World


class Lead(NamedTuple):
    """What the leading process tells the others when its run begins: with it they stand where it stands."""

    run: config.Run
    folder: RunFolder
    cache: Path
    length: Length
    checkpoint: tuple[Path, Manifest] | None


def follow(task: Task, world: World, requests: Requests, clock: Clock) -> Outcome:
    """Take part in the run that the leading process begins, and return what it came to.

    Raises:
        RunFailed: where that could not begin, and `signals.Stop` where any process was asked to leave.
    """
    lead: Any = world.first(None)
    if not isinstance(lead, Lead):
        raise RunFailed("The leading process did not begin its run: it says why.")
    run = lead.run
    with device.threads(run.machine.threads):
        data = task.prepare(run, lead.cache)
        learner = Learner.of(run, task, data, world, steps=lead.length.steps, phases=Phases(clock))
        learner = learner.lasting(lead.length)
        if lead.checkpoint is None:
            start_from(learner)
            state, best = State(), None
        else:
            best = restore(learner, *lead.checkpoint)
            state = lead.checkpoint[1].state
            state.pruned = state.pruned and lead.length == lead.checkpoint[1].length
        loop = Loop(learner, state, lead.folder, None, Listeners([]), Plain(None), requests, clock, best)
        reason = loop.go()
    assert state.reached is not None
    return Outcome(reason, state.reached, state.seconds, lead.folder.path)
