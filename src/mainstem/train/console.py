"""What a run says while it runs: a display on a terminal, plain lines elsewhere.

Training never ends because nobody listens: a closed standard output is replaced by nowhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from time import monotonic
from typing import Any, Protocol, TextIO

from ..wording import fixed
from .lines import WIDTH, Word, fit, fold
from .phases import Clock

_SILENCE = 5.0
"""Seconds without a line after which a pass says on a plain stream how far it is."""


_PLAIN = ("", "dumb", "unknown")
"""What TERM says of a terminal on which rich would draw nothing, or nobody knows what."""


class Progress(Protocol):
    """What a run tells, inside ``with running()``.

    `say` and `warn` take a text. `show` takes the numbers of a step, every few steps: ``step``, ``steps``, ``loss``,
    ``rate`` (``counted`` a second; tokens, where that is not there) and ``left`` (seconds); and, only where they were
    measured at that very step, ``held_out`` (the task's score), ``held_out_error`` (its standard error; None where all
    of the held-out part was measured) and ``gap`` (None, or a mapping with ``value``, ``low``, ``high``, ``training``,
    ``held_out``). `measuring` says how much of a pass outside the steps is done, as often as it likes.
    """

    def say(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def show(self, numbers: dict[str, Any]) -> None: ...
    def measuring(self, what: str, done: int, total: int) -> None: ...
    def running(self) -> contextlib.AbstractContextManager[None]: ...


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
        quiet = os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in _PLAIN
        return stream.isatty() and not quiet and encoding == "utf8"
    return False


def clock(seconds: float) -> str:
    """Return a time as people read it.

    Example:
        >>> clock(7.4), clock(3725)
        ('0:07', '1:02:05')
    """
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def describe(numbers: dict[str, Any]) -> list[Word]:
    """Return what is shown of a step, in its order; of a gap its interval, as one number would say too much.

    Where all the text was measured, the interval is that number.

    Example:
        >>> fit(describe({"step": 5, "steps": 9, "loss": 2.5, "rate": 1234.5, "left": 61.0}))
        'step 5/9  loss 2.500  tokens/s 1,234  left 1:01'
    """
    words = [Word(f"step {numbers['step']}/{numbers['steps']}", 1), Word(f"loss {fixed(numbers['loss'], '.3f')}", 3)]
    if (held := numbers.get("held_out")) is not None:
        words.append(Word(f"held-out {fixed(held, '.3f')}", 2))
        if (error := numbers.get("held_out_error")) is not None:
            words.append(Word(f" +-{error:.3f}", 5))
    if (gap := numbers.get("gap")) is not None:
        low, high = fixed(gap["low"], ".2f"), fixed(gap["high"], ".2f")
        words.append(Word(f"gap {low}" if low == high else f"gap {low} to {high}", 4))
    return [
        *words,
        Word(f"{numbers.get('counted', 'tokens')}/s {numbers['rate']:,.0f}", 6),
        Word(f"left {clock(numbers['left'])}", 0),
    ]


class Plain:
    """Lines of ASCII, one for each thing said, at most 80 columns wide where words allow it."""

    def __init__(self, stream: TextIO | None, now: Clock = monotonic) -> None:
        self._stream = stream
        self._now = now
        self._said = now()

    def say(self, text: str) -> None:
        """Write a text; where nobody reads any more, be silent from now on."""
        self._said = self._now()
        if self._stream is None:
            return
        try:
            encoding = self._stream.encoding or "ascii"
            known = text.encode(encoding, "backslashreplace").decode(encoding)
            self._stream.write("\n".join(fold(known, _width())) + "\n")
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
        self.say(fit(describe(numbers), _width()))

    def measuring(self, what: str, done: int, total: int) -> None:
        """Write how far a pass is, where nothing else has been written for a while."""
        if 0 < done < total and self._now() - self._said > _SILENCE:
            self.say(f"{what}: {done / total:.0%}")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Nothing stays on a plain stream, so nothing has to be taken away."""
        yield


def _width() -> int:
    return max(20, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def _to_nowhere(stream: TextIO) -> None:
    # Python flushes the standard streams once more at its exit, and would complain there.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
