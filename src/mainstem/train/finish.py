"""What a finished run leaves: its models, its outcome, samples and a page. May import everything but the cli."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ..errors import command
from ..runs import facts, publish, weights
from ..runs.disk import disk
from . import samples
from .ending import ending
from .lines import place
from .listener import Outcome
from .loop import Loop
from .yardstick import Yardsticks


def finish(loop: Loop, reason: str, known: facts.Facts, yardsticks: Yardsticks) -> Outcome:
    """Write what a finished run offers beside what is `known` of it, and say it.

    All is made again, the same, when a run goes on at its end.
    """
    learner, state, progress, folder = loop.learner, loop.state, loop.progress, loop.saver.folder
    assert state.reached is not None
    assert state.last is not None
    assert loop.best is not None
    outcome = Outcome(reason, state.reached, state.seconds, folder.path)
    with disk("the model", folder.path):
        publish.model(folder.path, learner.model, loop.best, state.reached)
        publish.model(folder.last, learner.model, learner.kept(), state.last)
    weights.put(learner.model, loop.best, "the best weights")
    progress.measuring("waiting for lzma", 0, 1)
    found = yardsticks.result()
    progress.measuring("waiting for lzma", 1, 1)
    written = {
        "reason": reason, "best_step": state.reached.step, "best": msgspec.to_builtins(state.reached),
        "last": msgspec.to_builtins(state.last), "seconds": round(state.seconds, 3),
    }  # fmt: skip
    with disk(facts.NAME, folder.path):
        facts.write(folder.path / facts.NAME, {**known, "yardsticks": found, "outcome": written})
    some = _offered(loop, facts.SAMPLES, lambda: _samples(loop))
    page = _offered(loop, "report.html", lambda: _page(folder.path))
    if yardsticks.error is not None:
        progress.warn(f"a yardstick could not be computed: {yardsticks.error}")
    progress.say(ending(learner, state.step, outcome, found, (some or [None])[0], page))
    return outcome


def _offered(loop: Loop, name: str, make: Callable[[], Any]) -> Any:
    """Return what `make` makes, or None after a warning: the model has been trained, and its run is a good one."""
    loop.progress.measuring(f"writing {name}", 0, 1)
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - whatever it is, the run is whole without it
        where, page = place(loop.saver.folder.path), name == "report.html"
        remedy = f"`{command('report' if page else 'sample', where)}` makes {'it again' if page else 'other ones'}"
        loop.progress.warn(f"{where}/{name} is missing: it could not be written ({error}). {remedy}.")
        return None
    finally:
        loop.progress.measuring(f"writing {name}", 1, 1)


def _samples(loop: Loop) -> list[dict[str, Any]]:
    learner = loop.learner
    made = samples.drawn(learner.model, learner.data, learner.run.seed)  # type: ignore[arg-type]
    facts.write(loop.saver.folder.path / facts.SAMPLES, made)
    return made


def _page(folder: Path) -> Path:
    from .. import report  # its figures take a while to import, and may fail to

    return report.write(folder)
