"""The feed-forward sublayer as one node of the graph, around the compiled activation.

What lies between them is written over the array that the product before has made: where a gradient can be had from the
result (`Activation.code_of_result`) that alone is kept, and the gradient of every activation takes the place of the one
behind it. Shapes: N rows, D width, F hidden width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..activation.cpu import run, run_backward
from ..activation.kind import Activation
from ..gradient import plain
from ..mask import Mask, from_tensors, tensors
from ..product import product
from . import reference


class _FeedForward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, inner: Tensor, outer: Tensor, gate: Tensor | None, threshold: Tensor | None,
        key: Tensor | None, samples: Tensor | None, kind: type[Activation], site: int,
    ) -> Tensor:  # fmt: skip
        rows = x.flatten(0, -2)
        shape = (*x.shape[:-1], inner.shape[0])  # by which the activation numbers its elements
        hidden = product(rows, inner.t()).view(shape)
        by = None if gate is None else product(rows, gate.t()).view(shape)
        assert kind.code is not None
        by_result = kind.code_of_result is not None
        y = run(hidden, by, threshold, key, samples, kind.code, site, over=by_result)
        ctx.save_for_backward(
            x, inner, outer, gate, None if by_result else hidden, by, y, threshold, key, samples
        )  # fmt: skip
        ctx.kind, ctx.site = kind, site
        return product(y.flatten(0, -2), outer.t()).view(x.shape[:-1] + outer.shape[:1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # once: a checkpoint computes them again when they are asked for
        x, inner, outer, gate, hidden, by, y, threshold, key, samples = saved
        if torch.is_grad_enabled():  # a gradient of a gradient needs a graph of operations that have one
            return *_again(grads[0], saved, ctx.kind, ctx.site, ctx.needs_input_grad), *(None,) * 5
        dout, rows = grads[0].flatten(0, -2), x.flatten(0, -2)
        dx = dinner = douter = dgate = dby = None
        if ctx.needs_input_grad[2]:
            douter = product(dout.t(), y.flatten(0, -2))
        dh = product(dout, outer).view(y.shape)
        if (code := ctx.kind.code_of_result) is not None:
            run_backward(dh, y, None, threshold, key, samples, code, ctx.site, over=True)
        else:
            _, dby = run_backward(dh, hidden, by, threshold, key, samples, ctx.kind.code, ctx.site, over=True)
        dh = dh.flatten(0, -2)
        if ctx.needs_input_grad[1]:
            dinner = product(dh.t(), rows)
        if ctx.needs_input_grad[0]:
            dx = product(dh, inner)
        if gate is not None and dby is not None:
            dby = dby.flatten(0, -2)
            if ctx.needs_input_grad[3]:
                dgate = product(dby.t(), rows)
            if dx is not None:
                dx += product(dby, gate)
        return None if dx is None else dx.view(x.shape), dinner, douter, dgate, *(None,) * 5


def _again(
    dout: Tensor, saved: tuple[Tensor, ...], kind: type[Activation], site: int, needed: tuple[bool, ...]
) -> list[Tensor | None]:
    """Return the gradients of x and the weights by the graph of the parts, so that they have gradients too."""
    x, inner, outer, gate, *_, threshold, key, samples = saved
    mask = from_tensors(threshold, key, samples, site)
    out = reference.feedforward(x, inner, outer, gate, mask, kind)
    wanted = [t for t, need in zip(saved[:4], needed, strict=False) if need]
    found = iter(torch.autograd.grad(out, wanted, dout, create_graph=True))
    return [next(found) if need else None for need in needed[:4]]


_once = plain(_FeedForward)


def feedforward(
    x: Tensor, inner: Tensor, outer: Tensor, gate: Tensor | None, mask: Mask | None, kind: type[Activation]
) -> Tensor:
    """Return what `reference.feedforward` returns, to rounding, and with its mask to the bit."""
    y: Tensor = _once(x, inner, outer, gate, *tensors(mask), kind, 0 if mask is None else mask.site)
    return y
