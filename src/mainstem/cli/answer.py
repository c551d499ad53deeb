"""What a command answers: lines for people, or with `--json` one object for programs.

The object comes last and alone on standard output; what people read goes to standard error then.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from . import terminal


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
