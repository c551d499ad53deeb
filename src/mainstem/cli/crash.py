"""`mainstem crash`: kills a trainer, goes on, and compares it with one that was not."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from .. import files
from ..config import words as text_words
from ..config.sections import Section, Text, about
from ..errors import BadInput, RunFailed
from ..wording import several
from . import terminal
from .answer import Answer
from .arguments import Asked

_PLACE = "{out}"


class Options(Section, frozen=True, kw_only=True):
    """What the command's flags say."""

    command: Annotated[Text | None, about("how a run begins; {out} in it is the run's folder", "required")] = None
    resume: Annotated[Text | None, about("how a run goes on that was killed", "as --command")] = None
    compare: Annotated[Text | None, about("files below {out} that must be equal: A,B,...", "required")] = None
    kills: Annotated[int, Meta(ge=0, le=10_000), about("how often a run is killed, each at a random moment")] = 10
    checkpoint: Annotated[
        Text | None,
        about("files or folders below {out} of which the newest is damaged", "where most trainers have them"),
    ] = None
    damage: Annotated[bool, about("also damage each file of the newest checkpoint, in three ways")] = True
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1), about("the same seed gives the same shares of a run")] = 0
    out: Annotated[Text | None, about("a new folder for what the runs write and say, kept", "a temporary one")] = None
    json: Annotated[bool, about("print one JSON object; all else goes to standard error")] = False


def run(asked: Asked) -> int:
    """Try the trainer and say what was lost; return 0 where nothing was, else 1."""
    options = asked.options(Options)
    asked.take(0, 0)
    from .. import crash
    from ..crash import look

    command = _program(options.command, "--command")
    resume = command if options.resume is None else _program(options.resume, "--resume")
    if options.compare is None:
        raise BadInput(
            '--compare is missing: say which files below {out} must be equal, as in --compare "*.safetensors".'
        )
    patterns = [pattern.strip() for pattern in options.compare.split(",")]
    look.check(patterns, "--compare")
    if not options.kills and not options.damage:
        raise BadInput("--kills 0 and --damage false leave nothing to try: leave one of them out.")
    if options.checkpoint is not None and not options.damage:
        raise BadInput(
            f"--checkpoint {options.checkpoint!r} says what is damaged, and --damage false damages nothing: leave one "
            "of them out."
        )
    if options.checkpoint is not None:
        look.check([options.checkpoint], "--checkpoint")
    answer = Answer(options.json)
    with _leaving(), _folder(options.out) as folder:
        plan = crash.Plan(
            command, resume, lambda out: crash.digests(out, patterns), folder, options.kills, options.damage,
            options.checkpoint, options.seed,
        )  # fmt: skip
        try:
            found = crash.run(plan, lambda line: _say(answer, line))
        except RunFailed as error:
            raise RunFailed(f"{str(error).rstrip('.')}. {_logs(options.out)}") from None
    for line in [*said(found), *([] if found.whole else [_logs(options.out)])]:
        _say(answer, line)
    answer.give(_object(found))
    return 0 if found.whole else 1


def _logs(out: str | None) -> str:
    """Return where all that the runs have written is, of which only the last line is shown, or how to keep it."""
    if out is None:
        return "What the runs wrote is gone: give --out DIR to keep it."
    return f"What the runs wrote is in {files.shown(os.path.join(out, 'logs'))}."


def said(found: Any) -> list[str]:
    """Return what a trial came to, a line for kills and one for damages.

    Example:
        >>> from mainstem.crash import Damaged, Found, Killed
        >>> kills = [Killed(0.5, 0, "", ()), Killed(1.5, 0, "", ("model.pt",)), Killed(2.0, 1, "no file", ())]
        >>> print(*said(Found(3.0, ("model.pt",), kills, [Damaged("a.pt", "cut", 1, False, ())])), sep="\\n")
        3 kills: 2 went on to the end, 1 of them to the same bytes
        1 damage: 1 noticed, 0 not noticed with other bytes at the end
    """
    counted = Counter(resumed=0, same=0)
    for kill in found.kills:
        counted.update(resumed=kill.resumed, same=kill.same)
    lines = []
    if found.kills:
        lines.append(
            f"{several(len(found.kills), 'kill')}: {counted['resumed']} went on to the end, {counted['same']} of them "
            "to the same bytes"
        )
    if found.damages:
        noticed, silent = sum(each.noticed for each in found.damages), sum(each.silent for each in found.damages)
        lines.append(
            f"{several(len(found.damages), 'damage')}: {noticed} noticed, {silent} not noticed with other bytes at the "
            "end"
        )
    return lines or ["nothing was tried, and nothing can be said: give a command that trains for longer"]


def _program(text: str | None, option: str) -> list[str]:
    """Return the words of a program that can be started."""
    if text is None:
        raise BadInput(
            f"{option} is missing: give the command that trains, with {_PLACE} for the folder of its run, as in "
            f"{option} 'python train.py --out {_PLACE}'."
        )
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"{option} {text!r} cannot be read as a shell would ({error}): close its quotes.") from None
    if not words or shutil.which(words[0]) is None:
        raise BadInput(
            f"{option} {text!r} begins with no program that is there: give its name, or its path, and what a shell is "
            "to read as sh -c '...'."
        )
    if not any(_PLACE in word for word in words):
        raise BadInput(
            f"{option} {text!r} does not say where its run lies: put {_PLACE} where the folder stands, which is "
            "another one for each run."
        )
    return words


@contextlib.contextmanager
def _leaving() -> Iterator[None]:
    """Let a request to end be an exception inside the ``with``, so that no program is left running, and no folder."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


@contextlib.contextmanager
def _folder(out: str | None) -> Iterator[Path]:
    """Give the new folder that `out` names, or a temporary one that goes afterwards."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="mainstem-crash-") as name:
            yield Path(name).resolve()
        return
    if os.path.lexists(out):
        raise BadInput(f"--out {out!r} is there already: give the name of a new folder.")
    files.check_folder(Path(out))
    files.make_folder(Path(out))
    yield Path(out).resolve()


def _say(answer: Answer, line: str) -> None:
    for part in text_words.wrap(line, terminal.width()):
        answer.say(part)


def _object(found: Any) -> dict[str, Any]:
    return {
        "seconds": found.seconds, "compared": list(found.names), "whole": found.whole,
        "kills": [{**kill._asdict(), "resumed": kill.resumed, "same": kill.same} for kill in found.kills],
        "damages": [{**each._asdict(), "noticed": each.noticed, "silent": each.silent} for each in found.damages],
    }  # fmt: skip
