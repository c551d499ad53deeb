"""What a command answers: lines for people, or with `--json` one object for programs.

The object comes last and alone on standard output; what people read goes to standard error then.
"""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

from ..config import wrapping
from . import terminal

if TYPE_CHECKING:
    from ..train import Stop


class Answer:
    """Says lines as they come; `give` ends with the object, where `json` asks for it."""

    def __init__(self, json: bool) -> None:
        self.json = json

    def say(self, line: str) -> None:
        """Write a line for people, at once."""
        if not self.json:
            terminal.line(line)
            terminal.flush()
        elif sys.stderr is not None:
            terminal.line(line, sys.stderr)
            sys.stderr.flush()

    def sentence(self, text: str) -> None:
        """Write a text for people in lines that are cut between words."""
        for line in wrapping.fill(text, terminal.width()):
            self.say(line)

    def stopped(self, stop: Stop) -> int:
        """Say what stopped a command that keeps each training it has finished; return its exit code."""
        text = str(stop)
        self.sentence(f"{text[:1].upper()}{text[1:]}: the same command goes on where this one stopped.")
        return stop.code

    def give(self, value: dict[str, Any]) -> None:
        """Write the object in one line of ASCII: numbers as Python has them, null for what is not finite."""
        if self.json:
            terminal.line(json.dumps(_finite(value), allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
