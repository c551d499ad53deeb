"""metrics.jsonl's numbers for TensorBoard, beside it, where `log.tensorboard` asks for them; a listener."""

from __future__ import annotations

import importlib.util
import math
import warnings
from typing import Any

from ..errors import BadInput
from ..runs.disk import disk
from ..runs.listener import Listener, Outcome, Start

FOLDER = "tensorboard"
_NUMBERS = ("loss", "penalty", "lr", "grad_norm", "tokens", "update_ratio", "gradient_slope")


def check() -> None:
    """Raise `BadInput` where TensorBoard is not installed."""
    try:
        found = importlib.util.find_spec("tensorboard") is not None
    except ValueError:  # somebody has put None or a stub into sys.modules
        found = False
    if not found:
        raise BadInput(
            "log.tensorboard is true and tensorboard is not installed: pip install 'mainstem[tensorboard]', "
            "or leave the flag out; metrics.jsonl has the same numbers."
        )


class Board(Listener):
    """The event file of a run. A resumed run drops what was written after the step that it resumes from."""

    def __init__(self) -> None:
        check()

    def began(self, start: Start) -> None:
        with warnings.catch_warnings():  # of the packages that it is made of, not of ours
            warnings.simplefilter("ignore")
            from torch.utils.tensorboard import SummaryWriter

            self._folder = start.folder
            purge = start.step + 1 if start.step else None
            self._writer: Any = SummaryWriter(str(start.folder / FOLDER), purge_step=purge)

    def stepped(self, line: dict[str, Any]) -> None:
        """Write the numbers of one line of metrics.jsonl."""
        with disk("TensorBoard's file", self._folder):
            for name, value in numbers(line).items():
                self._writer.add_scalar(name, value, line["step"])

    def ended(self, outcome: Outcome | None) -> None:
        """Write out what waits."""
        self._writer.close()


def numbers(line: dict[str, Any]) -> dict[str, float]:
    """Return the scalars of a line by their tags.

    Example:
        >>> numbers({"step": 3, "loss": 2.5, "held_out": {"nats_per_token": 2.0}, "stream": [1.0, 4.0]})
        {'loss': 2.5, 'held_out/nats_per_token': 2.0, 'stream/0': 1.0, 'stream/1': 4.0}
    """
    found = {name: line[name] for name in _NUMBERS if name in line}
    for part in ("held_out", "gap"):
        found |= {f"{part}/{name}": value for name, value in (line.get(part) or {}).items()}
    for name in ("stream", "gradient"):
        found |= {f"{name}/{depth}": value for depth, value in enumerate(line.get(name, []))}
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}
