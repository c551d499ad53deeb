"""Noise and norms against what PyTorch has: the cases that the runner of this folder times in turns.

Each call is forward and backward once, over 4096 x 384 float32 unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from limit import Case
from torch import Tensor

from mainstem import ops
from mainstem.counter import Draw

SAMPLES, ROWS, COLUMNS, ODD = 16, 256, 384, 377


def _both(forward: Callable[[], Tensor], inputs: list[Tensor], upstream: Tensor) -> None:
    torch.autograd.grad(forward(), inputs, upstream)


def _norm(kind: str, x: Tensor, gain: Tensor, bias: Tensor | None) -> Tensor:
    if kind == "rms":
        return F.rms_norm(x, gain.shape, gain, 1e-6)
    return F.layer_norm(x, gain.shape, gain, bias, 1e-6)


def _fused(kind: str, columns: int, dtype: torch.dtype) -> list[Case]:
    x, residual = (torch.randn(SAMPLES, ROWS, columns, dtype=dtype, requires_grad=True) for _ in range(2))
    gain = torch.ones(columns, dtype=dtype, requires_grad=True)
    bias = torch.zeros(columns, dtype=dtype, requires_grad=True) if kind == "layer" else None
    inputs = [part for part in (x, residual, gain, bias) if part is not None]
    upstream, draw = torch.randn_like(x), Draw(torch.tensor([1, 2, 0]), torch.arange(SAMPLES))

    def ours(rate: float) -> Callable[[], None]:
        mask = ops.Mask(ops.threshold(rate), draw, 7)

        def forward() -> Tensor:
            return ops.dropout_add_norm(x, residual, gain, bias, mask, eps=1e-6, norm=kind)[1]

        return partial(_both, forward, inputs, upstream)

    def eager(rate: float) -> Callable[[], None]:
        def forward() -> Tensor:
            return _norm(kind, residual + (F.dropout(x, rate) if rate else x), gain, bias)

        return partial(_both, forward, inputs, upstream)

    what = f"dropout + add + {kind}_norm {columns} {str(dtype).removeprefix('torch.')}"
    return [
        Case(f"{what}, rate 0.1", against, target, ours(0.1), theirs, moved=8 * x.nbytes)
        for against, target, theirs in (
            ("eager torch", "at least 6 x as fast", eager(0.1)),
            ("ours at rate 0", "at most 1.25 x the time", ours(0.0)),
            ("eager add + norm, no dropout", "faster", eager(0.0)),
        )
    ]


def _odd_width() -> Case:
    calls = []
    for columns in (ODD, COLUMNS):
        x = torch.randn(SAMPLES, ROWS, columns, requires_grad=True)
        gain, upstream = torch.ones(columns, requires_grad=True), torch.randn_like(x)
        calls.append(partial(_both, partial(ops.rms_norm, x, gain, 1e-6), [x, gain], upstream))
    what, moved = f"rms_norm {ODD} columns", 5 * 4 * SAMPLES * ROWS * ODD
    return Case(what, f"ours at {COLUMNS}", "at most 1.1 x the time", calls[0], calls[1], moved)


def _dropout(dtype: torch.dtype) -> list[Case]:
    x = torch.randn(SAMPLES, ROWS, COLUMNS, dtype=dtype, requires_grad=True)
    upstream = torch.randn_like(x)
    mask = ops.Mask(ops.threshold(0.2), Draw(torch.tensor([1, 2, 0]), torch.arange(SAMPLES)), 7)
    ours = partial(_both, lambda: ops.dropout(x, mask), [x], upstream)

    def copies() -> None:
        # A copy each way into memory of its own, as an op's results are.
        with torch.no_grad():
            x.clone()
            upstream.clone()

    def drawing() -> None:
        # The least that a mask drawn twice takes: its bits alone, each way, and the copies.
        with torch.no_grad():
            for _ in range(2):
                ops.mask_bits(x.shape, mask)
        copies()

    what = f"dropout {str(dtype).removeprefix('torch.')}"
    eager = partial(_both, lambda: F.dropout(x, 0.2), [x], upstream)
    moved = 4 * x.nbytes
    return [
        Case(what, "torch.nn.functional.dropout", "at least 6 x as fast", ours, eager, moved),
        Case(what, "a copy forward and a copy backward", "at most 1.3 x the time", ours, copies, moved),
        Case(what, "its mask's bits alone, drawn twice, and both copies", "", ours, drawing, moved),
        Case("the mask's bits alone, drawn twice, and both copies", "the copies", "", drawing, copies, moved),
    ]


def _drop_path() -> list[Case]:
    x = torch.randn(SAMPLES, ROWS, COLUMNS, requires_grad=True)
    upstream = torch.randn_like(x)
    mask = ops.Mask(ops.threshold(0.1), Draw(torch.tensor([1, 2, 0]), torch.arange(SAMPLES)), 7)
    ours = partial(_both, lambda: ops.drop_path(x, mask), [x], upstream)

    def eager() -> Tensor:
        return x * x.new_empty(SAMPLES, 1, 1).bernoulli_(0.9).div_(0.9)

    def copies() -> None:
        with torch.no_grad():
            x.clone()
            upstream.clone()

    what, moved, factor = "drop_path float32, rate 0.1", 4 * x.nbytes, partial(_both, eager, [x], upstream)
    return [
        Case(what, "a product with a drawn factor for each sample", "less time", ours, factor, moved),
        Case(what, "a copy forward and a copy backward", "at most 1.3 x the time", ours, copies, moved),
    ]


def cases() -> list[Case]:
    found = [case for kind in ("rms", "layer") for case in _fused(kind, COLUMNS, torch.float32)]
    found += _fused("rms", ODD, torch.float32)[:1] + _fused("rms", COLUMNS, torch.bfloat16)[:1]
    return [*found, _odd_width(), *_dropout(torch.float32), *_dropout(torch.bfloat16), *_drop_path()]
