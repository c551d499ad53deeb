"""The trial of a trainer: twice undisturbed, killed again and again, then damaged.

Everything happens at one path, so that no path in a file makes two runs differ. Kills come from when the folder of the
run is there, and are counted from then: before that, while programs load their libraries, nothing can be lost. Each
comes at a share of a run that is drawn for it, and how long a run takes is learned from the latest ones.
"""

from __future__ import annotations

import functools
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..errors import RunFailed
from ..wording import few
from . import damage, look, process
from .damage import Damaged
from .pace import Pace

Look = Callable[[Path], Mapping[str, object]]
Tell = Callable[[str], None]

_TRIES = 4
"""How often a kill is tried that comes too late, each time within a shorter part of a run."""

_LATE = 0.8
"""When the run is killed whose newest checkpoint is damaged, as a share of its time."""

_LONGEST = 24 * 3600.0
"""Seconds that a run may take which nobody kills."""


class Killed(NamedTuple):
    """What came of a kill `moment` seconds after the folder of the run was there.

    `code` is the exit code of the run that went on, None where it did not end, `said` its last line, and `differs` has
    the names of what is not as in the run that nobody killed.
    """

    moment: float
    code: int | None
    said: str
    differs: tuple[str, ...]

    @property
    def resumed(self) -> bool:
        """Whether the run went on to its end."""
        return self.code == 0

    @property
    def same(self) -> bool:
        """Whether it ended as the run that nobody killed."""
        return self.resumed and not self.differs


Note = Callable[[int, Killed], None]


def _unheard(number: int, kill: Killed) -> None:
    """Hear of a kill, and do nothing."""


class Found(NamedTuple):
    """What a trial came to: `seconds` of a run that nobody kills, the names of what was compared, and each attempt."""

    seconds: float
    names: tuple[str, ...]
    kills: list[Killed]
    damages: list[Damaged]

    @property
    def whole(self) -> bool:
        """Whether anything was tried, every kill ended the same, and no damage went unnoticed to another end."""
        tried = bool(self.kills or self.damages)
        return tried and all(kill.same for kill in self.kills) and not any(each.silent for each in self.damages)


@dataclass(frozen=True)
class Plan:
    """What is tried, below the new folder `folder`.

    `command` and `resume` are programs with their words, in which ``{out}`` stands for the folder of the run; where a
    kill has left none, `command` is given again. `look` returns what must be equal of such a folder. `checkpoint` is
    the pattern of checkpoints below it. `seed` decides at which share of a run each kill comes, by its number.

    `before` has the kills, by their numbers, of an earlier trial that was ended: they are not tried again. `note` is
    told the number of every other kill and what came of it, as soon as that is known.
    """

    command: Sequence[str]
    resume: Sequence[str]
    look: Look
    folder: Path
    kills: int = 10
    damages: bool = True
    checkpoint: str | None = None
    seed: int = 0
    before: Mapping[int, Killed] = field(default_factory=dict)
    note: Note = _unheard

    @property
    def out(self) -> Path:
        """The folder of every run."""
        return self.folder / "run"


def run(plan: Plan, tell: Tell) -> Found:
    """Try what `plan` says, and `tell` a line of each attempt.

    Raises:
        RunFailed: where the undisturbed run fails, leaves nothing to compare, or is not the same twice: then nothing
            could be said of one that was killed.
    """
    (ended, whole), (again, twice) = _undisturbed(plan, "first"), _undisturbed(plan, "second")
    if apart := look.differing(whole, twice):
        raise RunFailed(
            f"The same command gave other bytes the second time, undisturbed: {few(apart)}. Nothing can be said "
            "of a run that was killed: give it a seed and a number of threads."
        )
    seconds, pace = min(ended.seconds, again.seconds), Pace(ended, again)
    tell(f"undisturbed: {seconds:.1f} s, twice the same {few(tuple(whole))}")
    kills: list[Killed] = []
    for number in range(1, plan.kills + 1):
        if number in plan.before:
            kills.append(plan.before[number])
            continue
        kill = _kill(plan, number, pace, whole)
        if kill is None:
            tell(f"kill {number} of {plan.kills}: the run had ended before")
            continue
        plan.note(number, kill)
        kills.append(kill)
        tell(f"kill {number} of {plan.kills} at {kill.moment:.2f} s from its folder on: {of_kill(kill)}")
    damages = _damages(plan, pace, tell) if plan.damages else []
    return Found(seconds, tuple(whole), kills, damages)


def of_kill(kill: Killed) -> str:
    """Return in words what came of a kill."""
    if kill.code is None:
        return "went on and did not end"
    if not kill.resumed:
        return f"did not go on (exit code {kill.code}: {kill.said})"
    return f"went on, and {few(kill.differs)} differs" if kill.differs else "went on to the same bytes"


def of_damage(found: Damaged) -> str:
    """Return in words what came of damage."""
    if found.code is None:
        return "went on and did not end"
    end = f"{few(found.differs)} differs" if found.differs else "the same bytes"
    if found.code:
        return f"refused (exit code {found.code})"
    return f"named, and {end}" if found.named else f"not noticed, and {end}"


def _undisturbed(plan: Plan, name: str) -> tuple[process.Ended, Mapping[str, object]]:
    _clear(plan.out)
    ended = process.run(_words(plan.command, plan.out), _log(plan, name), _LONGEST, plan.out)
    _check_end(ended)
    found = dict(plan.look(plan.out)) if plan.out.is_dir() else {}
    if not found:
        there = sorted(child.name for child in plan.out.iterdir()) if plan.out.is_dir() else []
        why = f"--compare fits none of its files ({few(there)})" if there else "nothing is there, so see {out}"
        raise RunFailed(f"The command has left nothing to compare in {str(plan.out)!r}: {why}.")
    return ended, found


def _check_end(ended: process.Ended) -> None:
    if ended.code != 0:
        raise RunFailed(f"The command ends with exit code {ended.code} where nobody kills it: {_line(ended.said)}")


def _kill(plan: Plan, number: int, pace: Pace, whole: Mapping[str, object]) -> Killed | None:
    """Kill a run at a random share of its time and go on with it; None where it had always ended before."""
    name = f"kill-{number}"
    shares = random.Random(f"{plan.seed} {number}")  # of its own, so that it is the same after kills that are left out
    for attempt in range(_TRIES):
        moment = pace.moment(shares.uniform(0.0, 1 - attempt / _TRIES))
        _clear(plan.out)
        began = process.run(_words(plan.command, plan.out), _log(plan, name), pace.limit, plan.out, moment)
        if began.code is None and began.seconds < pace.limit:
            break
        _check_end(began)
        pace.whole(began)
    else:
        return None
    ended = _go_on(plan, f"{name}-resumed", pace)
    pace.resumed(began, ended)
    differs = look.differing(plan.look(plan.out), whole) if ended.code == 0 else ()
    return Killed(moment, ended.code, _line(ended.said), differs)


def _go_on(plan: Plan, name: str, pace: Pace) -> process.Ended:
    words = plan.resume if plan.out.exists() else plan.command
    return process.run(_words(words, plan.out), _log(plan, name), pace.limit)


def _damages(plan: Plan, pace: Pace, tell: Tell) -> list[Damaged]:
    """Damage each file of the newest checkpoint of a run that was killed late, in each way, and go on each time."""
    kept = plan.folder / "killed"
    for attempt in range(_TRIES):
        _clear(plan.out)
        moment = pace.moment(_LATE - attempt / (2 * _TRIES))
        late = process.run(_words(plan.command, plan.out), _log(plan, "late"), pace.limit, plan.out, moment)
        paths = damage.newest(plan.out, plan.checkpoint) if plan.out.is_dir() else []
        if paths and late.code is None:  # one that has come to its end needs little of its checkpoint
            break
    else:
        wanted = plan.checkpoint or ", ".join(damage.GUESSES)
        tell(f"damages: none, as a run that was killed late has no checkpoint ({wanted}): see --checkpoint")
        return []
    names = [path.relative_to(plan.out) for path in paths]
    _clear(kept)
    plan.out.rename(kept)
    usual, end = _from(plan, kept, "whole", pace, lambda: None)
    if usual.code != 0:
        tell(f"damages: none, as the run does not go on without them (exit code {usual.code}: {_line(usual.said)})")
        return []
    found: list[Damaged] = []
    for name in names:
        for kind, do in damage.KINDS.items():
            change = functools.partial(do, plan.out / name)
            ended, now = _from(plan, kept, f"damage-{len(found) + 1}", pace, change)
            told = any(name.name in line for line in damage.new_lines(ended.said, usual.said))
            differs = look.differing(now, end) if ended.code == 0 else ()
            found.append(Damaged(name.as_posix(), kind, ended.code, told, differs))
            tell(f"{name.as_posix()}, {kind}: {of_damage(found[-1])}")
    return found


def _from(
    plan: Plan, kept: Path, name: str, pace: Pace, change: Callable[[], None]
) -> tuple[process.Ended, Mapping[str, object]]:
    """Go on with a copy of the run that was `kept`, after a `change` of it; return how it ended, and with what."""
    _clear(plan.out)
    shutil.copytree(kept, plan.out, symlinks=True)
    change()
    ended = _go_on(plan, name, pace)
    return ended, plan.look(plan.out)


def _words(words: Sequence[str], out: Path) -> list[str]:
    return [word.replace("{out}", str(out)) for word in words]


def _log(plan: Plan, name: str) -> Path:
    folder = plan.folder / "logs"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.txt"


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _line(said: str) -> str:
    """Return the last line that says something, shortened."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "nothing was said"
