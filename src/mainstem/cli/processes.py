"""Several processes at once, as torchrun or `--launch` starts them: and one speaks for all.

What goes wrong in any of them is one sentence, written by the first one, and the exit code of all. Where the first one
is gone, another one writes it, or the launcher does.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..errors import BadInput, RunFailed
from . import terminal

if TYPE_CHECKING:
    from ..train.world import World

LAUNCHED = "MAINSTEM_LAUNCHED"
"""The variable in which `--launch` tells its processes when it began, by `time.perf_counter`, and that it was given."""

_PATIENCE, _HEARD = 1.0, 10.0
"""Seconds that all but the first process wait, so that torchrun does not end the first one before it has spoken: where
they have not met, and where they have."""

_STAYING = 30.0
"""Seconds that a process which has spoken stays, without a launcher, for others that have not heard of it: longer than
a step takes, behind which they look."""


def several() -> bool:
    """Return whether this process is one of several."""
    size = os.environ.get("WORLD_SIZE", "")
    return size.isdecimal() and int(size) > 1


def alone() -> bool:
    """Return whether this process was started alone; where it was not, the first one raises and the others are told no.

    The others have nothing to say: one sentence is enough. Raises `BadInput`.
    """
    if not several():
        return True
    if silent():
        return False
    size = os.environ["WORLD_SIZE"]
    raise BadInput(
        f"{size} processes were started (WORLD_SIZE={size}), and the command trains in one, on all its cores: "
        "give it without torchrun, or with --nproc-per-node 1."
    )


def silent() -> bool:
    """Return whether another process says what is wrong; this one has then waited until that has been said."""
    if not several() or _leads():
        return False
    _outlive()
    time.sleep(_PATIENCE)
    return True


def together(run: Callable[[World], int], words: Sequence[str] = ()) -> int:
    """Return the exit code of `run` in the world that this process belongs to; one process alone writes what is wrong.

    `words` are those of the command line, for what is said of them.

    Raises:
        OSError: in the first process, where the system refuses something there.
    """
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else torch's store warns at length of each that has ended
    from ..train.processes.within import hangs

    code = _together(run, words)
    if hangs():
        atexit.register(os._exit, code)
    return code


def _together(run: Callable[[World], int], words: Sequence[str]) -> int:
    from ..train import Stop, signals
    from ..train.processes import arriving, joining
    from ..train.world import ALONE

    world = ALONE
    try:
        with signals.catch() as requests:
            world = joining.join()
            with requests.finish_first(), joining.told(world, requests):  # the run has its own ear for them
                return run(world)
    except Stop as stop:
        return stop.code
    except (BadInput, RunFailed, OSError) as error:
        world = error.world if isinstance(error, arriving.Unmet) else world
        _outlive()  # torchrun asks all to end as soon as one has
        joining.leave(world)  # a process that waits for this one waits no longer
        if _leads() and isinstance(error, OSError):
            _stay(world)
            raise  # `main` says what the system refuses
        _say(world, error, words)
        return 2 if isinstance(error, BadInput) else 1
    except Exception:
        if _leads():
            _stay(world)  # its traceback says enough
        raise
    finally:
        joining.leave(world)


def _say(world: World, error: Exception, words: Sequence[str]) -> None:
    """Write `error` where this process is the one that speaks; else wait until it has been written."""
    from ..train.processes import joining
    from .style import styled

    if world.meeting is None and not _leads():
        time.sleep(_PATIENCE)
    elif not joining.silenced(world) if _leads() else joining.speaks(world, _launched(), _HEARD):
        terminal.flush()
        terminal.error(styled(str(error), words))
        _stay(world)


def _stay(world: World) -> None:
    """Let the others know that this process has spoken; where no launcher ends them, wait until they do."""
    from ..train.processes import joining

    joining.spoken(world, 0.0 if _launched() else _STAYING)


def _launched() -> bool:
    """Return whether torchrun, or `--launch` by torch's launcher, watches this process."""
    return bool(os.environ.get("TORCHELASTIC_RUN_ID"))


def began() -> float | None:
    """Return when the command with `--launch` that has started this process began; None where none has."""
    given = os.environ.get(LAUNCHED, "")
    try:
        return float(given)
    except ValueError:
        return None


def restarts() -> tuple[int, int]:
    """Return how often torchrun has started these processes again, and how often it would."""
    names = ("TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS")
    found = [os.environ.get(name, "") for name in names]
    done, most = (int(text) if text.isdecimal() else 0 for text in found)
    return done, most


def _leads() -> bool:
    return os.environ.get("RANK", "0") in ("", "0")


def _outlive() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.stdout is not None and not _leads():
        terminal.to_nowhere()
