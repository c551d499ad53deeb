"""Products, and sublayers as one node of the graph, against PyTorch's and against their parts, forward and backward.

Products are float32 without a gradient: rows as they lie (forward, and the gradient of x), and a weight's gradient,
which sums over rows.
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
from mainstem.ops.product import product

SIZES = [(768, 128, 512), (2048, 384, 1536), (1024, 1024, 1024)]


def _products() -> list[Case]:
    rows = []
    for tokens, width, out in SIZES:
        x, weight, dy = torch.randn(tokens, width), torch.randn(out, width), torch.randn(tokens, out)
        what = f"{tokens} x {width} by {out}"
        for name, a, b in (("x W^T", x, weight.t()), ("gradient of W", dy.t(), x)):
            ours, theirs = partial(product, a, b), partial(torch.mm, a, b)
            flops = 2 * tokens * width * out
            rows.append(Case(f"{name}, {what}", "torch.mm", "less time", ours, theirs, flops=flops))
    return rows


def _step(call: Callable[[], Tensor], given: list[Tensor], upstream: Tensor) -> None:
    torch.autograd.grad(call(), given, upstream)


def _sublayers(samples: int, length: int, width: int, heads: int) -> list[Case]:
    def made(*shape: int) -> Tensor:
        return (torch.randn(*shape) * shape[-1] ** -0.5).requires_grad_()

    x, upstream = torch.randn(samples, length, width, requires_grad=True), torch.randn(samples, length, width)
    inner, outer, square = made(4 * width, width), made(width, 4 * width), [made(width, width) for _ in range(4)]
    mask = ops.Mask(ops.threshold(0.2), Draw(torch.tensor([1, 2, 0]), torch.arange(samples)), 7)
    angle = torch.rand(length, width // heads // 2)
    gains, angles = [torch.ones(width // heads, requires_grad=True) for _ in range(2)], (angle.cos(), angle.sin())

    def fed() -> Tensor:
        return ops.feedforward(x, inner, outer, mask, kind="relu2")

    def fed_in_parts() -> Tensor:
        return F.linear(ops.activation(F.linear(x, inner), mask, kind="relu2"), outer)

    def attended() -> Tensor:
        return ops.self_attention(x, *square, mask, heads=heads, gains=tuple(gains), angles=angles)

    def attended_in_parts() -> Tensor:
        q, k, v = (F.linear(x, weight).unflatten(2, (heads, -1)).transpose(1, 2) for weight in square[:3])
        q, k = (ops.rms_norm(part, gain, 1e-6, angles=angles) for part, gain in zip((q, k), gains, strict=True))
        mixed = ops.attention(q, k, v, mask)
        return F.linear(mixed.transpose(1, 2).flatten(2), square[3])

    size = f"{samples} x {length} x {width}, rate 0.2"
    parts, feed, attend = "its parts, by torch's products", [x, inner, outer], [x, *square, *gains]
    tokens, pairs = samples * length, samples * length * (length + 1) / 2
    return [
        Case(f"feedforward, relu2, {size}", parts, "less time", partial(_step, fed, feed, upstream),
             partial(_step, fed_in_parts, feed, upstream), flops=3 * 2 * tokens * 8 * width**2),
        Case(f"self_attention, {size}", parts, "less time", partial(_step, attended, attend, upstream),
             partial(_step, attended_in_parts, attend, upstream),
             flops=3 * 2 * tokens * 4 * width**2 + 7 * 2 * pairs * width),
    ]  # fmt: skip


def cases() -> list[Case]:
    return [*_products(), *_sublayers(12, 64, 128, 4), *_sublayers(8, 256, 384, 6)]
