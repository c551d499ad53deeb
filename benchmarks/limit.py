"""What the machine itself allows: copies of so many bytes, or so many operations of a product, whichever is longer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from mainstem.ops.product import product

SIDE = 1024
_MOST = 1 << 29


@dataclass(frozen=True)
class Case:
    """Two calls to compare, and the least that the first must do, however it is written.

    `moved`: bytes that it must read and write. `flops`: operations of the matrix products in it, in `dtype`.
    """

    what: str
    against: str
    target: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    moved: float = 0
    flops: float = 0
    dtype: torch.dtype = torch.float32


def timed(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def copying(moved: float) -> Callable[[], object]:
    """Return a copy that reads and writes `moved` bytes, all together, in memory that it has already."""
    source = torch.ones(max(1, int(moved) // 8))
    to = torch.zeros_like(source)
    return lambda: to.copy_(source)


def multiplying(dtype: torch.dtype) -> Callable[[], object]:
    """Return a product of 1024 x 1024 by 1024, by the faster of the libraries that the kernels have."""
    x, y = torch.randn(2, SIDE, SIDE).to(dtype).unbind()
    return lambda: product(x, y)


class Limit:
    """The seconds that a copy of a case's bytes takes, and a product of its operations, measured when asked.

    >>> sorted(Limit(Case("", "", "", int, int, moved=8e6)).measure())
    ['copy']
    """

    def __init__(self, case: Case) -> None:
        self._calls: dict[str, tuple[Callable[[], object], float]] = {}
        if case.moved:
            part = min(case.moved, _MOST)
            self._calls["copy"] = copying(part), case.moved / part
        if case.flops:
            self._calls["product"] = multiplying(case.dtype), case.flops / (2 * SIDE**3)
        self._repeat = {name: max(1, int(0.003 / _warm(call))) for name, (call, _) in self._calls.items()}

    def measure(self) -> dict[str, float]:
        """Return the seconds of each, by name."""
        found = {}
        for name, (call, times) in self._calls.items():
            repeat = self._repeat[name]
            found[name] = timed(lambda call=call, repeat=repeat: [call() for _ in range(repeat)]) / repeat * times
        return found


def _warm(call: Callable[[], object]) -> float:
    call()
    return max(timed(call), 1e-7)
