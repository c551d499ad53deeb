"""What a run says while it runs: a display on a terminal, plain lines elsewhere. May import rich, late.

Training never ends because nobody listens: a closed standard output is replaced by nowhere.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TextIO

_QUIET = 2.0
"""Seconds between two lines about the reading of data."""


class Progress(Protocol):
    """What a run tells.

    `say` and `warn` take one text. `show` takes the numbers of a step, every few steps: ``step``, ``steps``, ``loss``
    (nats per token), ``rate`` (tokens a second) and ``left`` (seconds); and, only where they were measured at that very
    step, ``held_out`` (nats per token), ``held_out_error`` (its standard error; None where all of the held-out part was
    measured) and ``gap`` (None, or a mapping with ``value``, ``low``, ``high``, ``training``, ``held_out``).
    `measuring` says how many of its tokens a pass outside the steps has done, as often as the pass likes.
    """

    def say(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def show(self, numbers: dict[str, Any]) -> None: ...
    def measuring(self, what: str, done: int, total: int) -> None: ...
    def running(self, steps: int) -> contextlib.AbstractContextManager[None]: ...


def make(stream: TextIO | None = None) -> Progress:
    """Return the display for `stream` (standard output): rich on a terminal that can show it, else plain lines."""
    stream = stream if stream is not None else sys.stdout
    if stream is None or not _fancy(stream):
        return Plain(stream)
    from .display import Display

    return Display(stream)


def _fancy(stream: TextIO) -> bool:
    with contextlib.suppress(ValueError, OSError):
        encoding = (getattr(stream, "encoding", "") or "").lower().replace("-", "")
        quiet = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
        return stream.isatty() and not quiet and encoding == "utf8"
    return False


def clock(seconds: float) -> str:
    """Return a time as people read it.

    >>> clock(7.4), clock(3725)
    ('0:07', '1:02:05')
    """
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def describe(numbers: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is shown of a step, as (label, value) pairs in their order."""
    parts = [("step", f"{numbers['step']}/{numbers['steps']}"), ("loss", f"{numbers['loss']:.4f}")]
    if (held := numbers.get("held_out")) is not None:
        parts.append(("held-out", f"{held:.4f}"))
    if (gap := numbers.get("gap")) is not None:
        parts.append(("gap", f"{gap['value']:+.4f}"))
    parts.append(("tokens/s", f"{numbers['rate']:,.0f}"))
    parts.append(("left", clock(numbers["left"])))
    return parts


def reading(progress: Progress) -> Callable[[str, int, int], None]:
    """Return what the data may call with (stage, done, total) as often as it likes; a line is said now and then."""
    said = time.monotonic()

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said > _QUIET:
            said = time.monotonic()
            progress.say(f"{stage}: {done / max(total, 1):.0%} of {total / 1e6:,.0f} MB")

    return tell


class Plain:
    """Lines of ASCII, one for each thing said."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def say(self, text: str) -> None:
        """Write one line; where nobody reads any more, be silent from now on."""
        if self._stream is None:
            return
        try:
            encoding = self._stream.encoding or "ascii"
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            _to_nowhere(self._stream)
            self._stream = None

    def warn(self, text: str) -> None:
        """Write a warning to standard error, or as a line where there is none."""
        if sys.stderr is None:
            return
        Plain(sys.stderr).say(f"warning: {text}")

    def show(self, numbers: dict[str, Any]) -> None:
        """Write the numbers of a step as one line."""
        self.say("  ".join(f"{label} {value}" for label, value in describe(numbers)))

    def measuring(self, what: str, done: int, total: int) -> None:
        """Write nothing: a line for each part of a pass would be many."""

    @contextlib.contextmanager
    def running(self, steps: int) -> Iterator[None]:
        """Nothing stays on a plain stream, so nothing has to be taken away."""
        yield


def _to_nowhere(stream: TextIO) -> None:
    # Python flushes the standard streams once more at its exit, and would complain there.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
