"""The head's product and the loss, in parts against whole logits."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from limit import Case

from mainstem import ops

TOKENS, WORDS, WIDTH = 4096, 32768, 384


def _arrays() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    x = torch.randn(TOKENS, WIDTH, requires_grad=True)
    weight = torch.randn(WORDS, WIDTH).mul_(WIDTH**-0.5).requires_grad_()
    return x, weight, torch.randint(WORDS, (TOKENS,))


def _sides() -> tuple[Callable[[], object], Callable[[], object]]:
    x, weight, target = _arrays()
    return (
        lambda: torch.autograd.grad(ops.cross_entropy(x, weight, target), (x, weight)),
        lambda: torch.autograd.grad(F.cross_entropy(F.linear(x, weight), target), (x, weight)),
    )


def cases() -> list[Case]:
    what = f"cross_entropy, {TOKENS} tokens x {WORDS} words, width {WIDTH}"
    return [Case(what, "whole logits", "time <= 0.9", *_sides(), flops=3 * 2 * TOKENS * WORDS * WIDTH)]


def _peak(side: int, answer: multiprocessing.connection.Connection) -> None:
    call = _sides()[side]
    before = _kilobytes("VmRSS")
    call()
    answer.send(_kilobytes("VmHWM") - before)


def _kilobytes(name: str) -> int:
    # Not getrusage, whose peak a process inherits from the one that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def memory() -> list[tuple[str, str, str, float]]:
    """Return by what share of the other side's the peak of resident memory rises, each in a process of its own."""
    peaks = []
    for side in (0, 1):
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        child = multiprocessing.get_context("spawn").Process(target=_peak, args=(side, theirs))
        child.start()
        peaks.append(ours.recv())
        child.join()
    return [("cross_entropy, peak memory", "whole logits", "memory <= 0.25", peaks[0] / peaks[1])]
