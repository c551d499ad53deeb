"""What a finished run leaves: its models, its outcome, samples and a page. May import everything but the cli."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ..errors import command
from ..runs import facts, publish, weights
from ..runs.disk import disk
from ..runs.state import Best
from . import samples
from .ending import ending
from .lines import place
from .loop import Loop
from .yardstick import Yardsticks


class Outcome(NamedTuple):
    """What a run came to; `reason` is steps or patience, `best` its best held-out pass, `path` its folder."""

    reason: str
    best: Best
    seconds: float
    path: Path


def finish(loop: Loop, reason: str, yardsticks: Yardsticks) -> Outcome:
    """Write what a finished run offers, and say it. All is made again, the same, when a run goes on at its end."""
    parts, state, progress = loop.parts, loop.state, loop.progress
    folder = parts.folder
    assert state.reached is not None
    assert state.last is not None
    assert loop.best is not None
    with disk("the model", folder.path):
        publish.model(folder.path, parts.model, loop.best, state.reached)
        with parts.learner.averaged():
            publish.model(folder.last, parts.model, weights.take(parts.model), state.last)
    weights.put(parts.model, loop.best, "the best weights")
    progress.measuring("waiting for lzma", 0, 1)
    found = yardsticks.result()
    progress.measuring("waiting for lzma", 1, 1)
    outcome = {
        "reason": reason, "best_step": state.reached.step, "best": msgspec.to_builtins(state.reached),
        "last": msgspec.to_builtins(state.last), "seconds": round(state.seconds, 3),
    }  # fmt: skip
    with disk(facts.NAME, folder.path):
        facts.write(folder.path / facts.NAME, {**parts.facts, "yardsticks": found, "outcome": outcome})
    written = _offered(loop, facts.SAMPLES, lambda: _samples(loop))
    page = _offered(loop, "report.html", lambda: _page(folder.path))
    if yardsticks.error is not None:
        progress.warn(f"a yardstick could not be computed: {yardsticks.error}")
    progress.say(ending(loop, reason, found, (written or [None])[0], page))
    return Outcome(reason, state.reached, state.seconds, folder.path)


def _offered(loop: Loop, name: str, make: Callable[[], Any]) -> Any:
    """Return what `make` makes, or None after a warning: the model has been trained, and its run is a good one."""
    loop.progress.measuring(f"writing {name}", 0, 1)
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - whatever it is, the run is whole without it
        where, page = place(loop.parts.folder.path), name == "report.html"
        remedy = f"`{command('report' if page else 'sample', where)}` makes {'it again' if page else 'other ones'}"
        loop.progress.warn(f"{where}/{name} is missing: it could not be written ({error}). {remedy}.")
        return None
    finally:
        loop.progress.measuring(f"writing {name}", 1, 1)


def _samples(loop: Loop) -> list[dict[str, Any]]:
    parts = loop.parts
    made = samples.drawn(parts.model, parts.corpus, parts.run.seed)  # type: ignore[arg-type]
    facts.write(parts.folder.path / facts.SAMPLES, made)
    return made


def _page(folder: Path) -> Path:
    from .. import report  # its figures take a while to import, and may fail to

    return report.write(folder)
