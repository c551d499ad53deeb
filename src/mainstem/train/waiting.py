"""Lines of metrics.jsonl whose numbers are still tensors, so that a GPU is not waited for."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..slope import slope
from .taken import Taken


class Waiting:
    """The lines of steps that nobody has been told of yet."""

    def __init__(self) -> None:
        self._lines: list[tuple[dict[str, Any], dict[str, Tensor]]] = []

    def add(self, taken: Taken, line: dict[str, Any]) -> None:
        """Let `line`, the beginning of that of a step, wait for what the step came to."""
        self._lines.append((line, taken.numbers))

    def ready(self) -> list[tuple[dict[str, Any], dict[str, float]]]:
        """Return all that wait, complete, each with the numbers that were still tensors; nothing waits any more."""
        flat = [value.detach().float() for _, found in self._lines for value in found.values()]
        values = iter(torch.stack(flat).tolist() if flat else [])
        found = []
        for line, numbers in self._lines:
            known = {name: next(values) for name in numbers}
            found.append(({**line, **known}, known))
        self._lines.clear()
        return found


def watched(taken: Taken) -> dict[str, Any]:
    """Return what a watched step adds to its line; `gradient_slope` is the factor a residual on the way back."""
    if taken.watched is None:
        return {}
    norms, ratio = taken.watched
    points = [(float(depth), value) for depth, value in enumerate(norms.gradient) if 0 < value < math.inf]
    factor = slope(points)
    named = {"update_ratio": ratio, "gradient_slope": math.nan if factor is None else 1 / factor}
    found = {name: value for name, value in named.items() if math.isfinite(value)}
    return {"stream": list(norms.stream), "gradient": list(norms.gradient), **found}
