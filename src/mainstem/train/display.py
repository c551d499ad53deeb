"""The progress display on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from time import monotonic
from typing import Any, NamedTuple, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ..config.wrapping import columns
from .console import describe
from .lines import Word, fit, fold, joined, keep
from .phases import Clock

_REDRAW = 0.1
"""Seconds between two drawings of a bar that moves in a pass."""

_BAR = Word("-" * 8, 5)
"""The place of a bar among the words of a line, at its least width."""

_LASTING = ("step", "steps", "loss", "rate", "left")
"""What is known of every step, and so may stay on the screen until the next one."""


class Pass(NamedTuple):
    """How much of `what` is done, outside the steps."""

    what: str
    done: int
    total: int


def foot(numbers: dict[str, Any] | None, now: Pass | None, width: int) -> str:
    """Return the last line of the terminal: how far the run is, or the pass in it, in at most `width` columns.

    The bar takes what the words leave; what is all or nothing has none. Where there is little room the speed is left
    out, then the bar, then the loss; the time left is left out last of all.
    """
    words = [] if numbers is None else describe({name: numbers[name] for name in _LASTING})
    if now is not None:
        share = now.done / max(now.total, 1)
        steady = [word for word in words if word.text.startswith(("step", "left"))]
        known = [_BAR, Word(f"{share:.0%}", 2)] if now.total > 1 else []
        words = [Word(now.what, 3), *known, *steady]
    elif numbers is not None:
        share = numbers["step"] / numbers["steps"]
        words = [_BAR, *words]
    else:
        return ""
    kept = keep(words, width)
    if _BAR not in kept:
        return fit(kept, width)
    room = len(_BAR.text) + width - columns(joined(kept))
    return fit([Word(bar(share, room), 5) if word is _BAR else word for word in kept], width)


def bar(share: float, width: int) -> str:
    """Return a bar of `width` columns, `share` of which is full.

    Example:
        >>> bar(0.25, 8)
        '━━──────'
    """
    full = round(max(0.0, min(1.0, share)) * width)
    return "━" * full + "─" * (width - full)


class Display:
    """A bar with the numbers of the last step behind it; what is said scrolls above.

    Nothing is drawn but when something is told, so no thread is needed. A terminal that has gone away is no failure.
    """

    def __init__(self, stream: TextIO, now: Clock = monotonic) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._clock = now
        self._drawn = now()
        self._numbers: dict[str, Any] | None = None
        self._pass: Pass | None = None

    def say(self, text: str) -> None:
        """Write a text, folded between words; it is never taken for markup."""
        self._print(text, "")

    def warn(self, text: str) -> None:
        """Write a warning."""
        self._print(f"warning: {text}", "yellow")

    def show(self, numbers: dict[str, Any]) -> None:
        """Move the bar; a held-out pass is written down as a line, so that it stays."""
        if "held_out" in numbers:
            self.say(fit(describe(numbers), self._width()))
        self._numbers, self._pass = numbers, None
        self._draw()

    def measuring(self, what: str, done: int, total: int) -> None:
        """Show how far a pass is; when it is complete, the steps again."""
        before, self._pass = self._pass, Pass(what, done, total) if done < total else None
        same = (before and before.what) == (self._pass and self._pass.what)
        if not same or (self._pass and self._clock() - self._drawn > _REDRAW):
            self._draw()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Keep the bar at the foot of the terminal inside the ``with``."""
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        try:
            with contextlib.suppress(OSError):
                self._live.start()
            yield
        finally:
            with contextlib.suppress(OSError):
                self._live.stop()
            self._live = None

    def _print(self, text: str, style: str) -> None:
        with contextlib.suppress(OSError):
            self._console.print(Text("\n".join(fold(text, self._width())), style))

    def _draw(self) -> None:
        self._drawn = self._clock()
        if self._live is not None:
            room = max(1, self._width() - 2)  # for the ^C of a terminal, behind which a full line is not taken away
            line = Text(foot(self._numbers, self._pass, room), no_wrap=True, overflow="crop")
            line.highlight_regex("━+", "green")
            line.highlight_regex("─+", "bright_black")
            with contextlib.suppress(OSError):
                self._live.update(line, refresh=True)

    def _width(self) -> int:
        return max(1, self._console.width - 1)  # a full line makes some terminals begin another one
