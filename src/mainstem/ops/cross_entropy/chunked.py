"""Head and cross-entropy some rows of logits at a time, gradients with them.

Logits are made once: their gradient is known as soon as the loss is, so both products of backward run while the rows
are still there, and what is kept is the gradient of x and of the weight. Shapes: N tokens, C of them together, D
width, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..product import onednn, product
from . import reference

ELEMENTS = 15 << 19
"""Logits held at once: enough rows for a fast product, few enough to be a small part of what a step holds."""

_operators = torch.library.Library("mainstem", "FRAGMENT")
_operators.define(
    "cross_entropy(Tensor x, Tensor weight, Tensor target, Tensor scale, float[] terms, int ignored, int rows, "
    "bool gradients) -> (Tensor, Tensor, Tensor, Tensor)"
)


def rows_together(num_words: int) -> int:
    """Return how many tokens' logits are held at once.

    Example:
        >>> rows_together(32768)
        240
    """
    return max(16, ELEMENTS // max(num_words, 1))


def run(
    x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, scale_N: Tensor, terms: Sequence[float], ignored: int, rows: int,
    gradients: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Return ``total = sum_n scale_n loss_n``, loss [N], and the gradients of the total: of x, and of the weight.

    `terms` are the numbers of `reference.Terms`.
    """
    smoothing, z_loss, confidence, cap = terms
    count, words = x_ND.shape[0], weight_VD.shape[0]
    loss_N = x_ND.new_empty(count, dtype=torch.float32)
    dx_ND = torch.empty_like(x_ND) if gradients else x_ND.new_empty(0)
    dweight_VD = weight_VD.new_zeros(weight_VD.shape, dtype=torch.float32) if gradients else x_ND.new_empty(0)
    narrow, kind = x_ND.dtype != torch.float32, weight_VD.dtype
    fast = not narrow and x_ND.device.type == "cpu" and onednn()
    p_CV = x_ND.new_empty(min(rows, count), words, dtype=torch.float32)
    raw_CV = p_CV if fast else torch.empty_like(p_CV)  # where a product makes an array of its own, it is that
    weight_VD = weight_VD.to(x_ND.dtype)
    for first in range(0, count, rows):
        part = slice(first, min(first + rows, count))
        size = part.stop - first
        logits, p = raw_CV[:size], p_CV[:size]
        if narrow:
            logits.copy_(torch.mm(x_ND[part], weight_VD.t()))
        elif fast:
            logits = product(x_ND[part], weight_VD.t())
        else:
            torch.mm(x_ND[part], weight_VD.t(), out=logits)
        if cap:
            logits = logits.div_(cap).tanh_().mul_(cap)
        kept = target_N[part] != ignored
        target = target_N[part].where(kept, 0).unsqueeze(1)
        torch.softmax(logits, 1, out=p)
        # ln sum exp by the largest probability, which is at least 1 / V: that of the target may be no more than 0.
        log_z = (logits.amax(1) - p.amax(1).log()).unsqueeze(1)
        loss = log_z - (1.0 - smoothing) * logits.gather(1, target)
        if smoothing:
            loss -= smoothing * logits.mean(1, keepdim=True)
        if z_loss:
            loss += z_loss * log_z.square()
        if confidence:
            mean = (p * logits).sum(1, keepdim=True)
            loss -= confidence * (log_z - mean)
        loss_N[part] = loss.squeeze(1).where(kept, 0.0)
        if not gradients:
            continue
        # p (1 + 2 z ln Z + confidence (ln p + H)) - smoothing / V - (1 - smoothing) at the target, all times the
        # token's scale; ln p + H is z - sum p z.
        factor = (scale_N[part] * kept).unsqueeze(1)
        if confidence:
            p *= factor * (1.0 + 2.0 * z_loss * log_z - confidence * mean + confidence * logits)
        else:
            p *= factor * (1.0 + 2.0 * z_loss * log_z)
        if smoothing:
            p -= factor * (smoothing / words)
        p.scatter_add_(1, target, factor * (smoothing - 1.0))
        if cap:
            p *= 1.0 - logits.div_(cap).square_()
        # Ignored tokens leave nothing behind, whatever their logits are.
        p.masked_fill_(~kept.unsqueeze(1), 0.0)
        if narrow:
            slope = p.to(x_ND.dtype)
            torch.mm(slope, weight_VD, out=dx_ND[part])
            dweight_VD += torch.mm(slope.t(), x_ND[part])
        else:
            if fast:
                dx_ND[part] = product(p, weight_VD)
            else:
                torch.mm(p, weight_VD, out=dx_ND[part])
            # Into the sum at once: a product of a vocabulary's size would be fresh pages, dearer than its numbers.
            dweight_VD.addmm_(p.t(), x_ND[part])
    total = torch.dot(loss_N, scale_N)
    return total, loss_N, dx_ND, dweight_VD.to(kind) if gradients else dweight_VD


def _fake(
    x_ND: Tensor, weight_VD: Tensor, target_N: Tensor, scale_N: Tensor, terms: Sequence[float], ignored: int, rows: int,
    gradients: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    loss_N = x_ND.new_empty(x_ND.shape[0], dtype=torch.float32)
    of = (torch.empty_like(x_ND), torch.empty_like(weight_VD)) if gradients else (x_ND.new_empty(0), x_ND.new_empty(0))
    return loss_N.new_empty(()), loss_N, *of


_operators.impl("cross_entropy", run, "CompositeExplicitAutograd")
torch.library.register_fake("mainstem::cross_entropy", _fake, lib=_operators)


class CrossEntropy(torch.autograd.Function):
    """(x, weight, target, scale, terms, ignored, rows, gradients) -> total, loss [N], dx, dweight.

    The total is ``sum_n scale_n loss_n``; the last two are its gradients if `gradients`, for backward alone.
    """

    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, ...]:
        found: tuple[Tensor, ...] = torch.ops.mainstem.cross_entropy(*inputs)
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x_ND, weight_VD, target_N, scale_N, *ctx.rest = inputs
        ctx.mark_non_differentiable(*output[2:])
        ctx.save_for_backward(x_ND, weight_VD, target_N, scale_N, *output[2:])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        dtotal, dloss_N, *_ = grads
        x_ND, weight_VD, target_N, scale_N, dx_ND, dweight_VD = ctx.saved_tensors
        terms, ignored, rows, gradients = ctx.rest
        nothing = (None,) * 6
        if dtotal is None and dloss_N is None:
            return None, None, *nothing
        if dloss_N is None and gradients and not torch.is_grad_enabled():
            assert dtotal is not None
            return dx_ND * dtotal.to(dx_ND.dtype), dweight_VD * dtotal.to(dweight_VD.dtype), *nothing
        of_each = torch.zeros_like(scale_N) if dloss_N is None else dloss_N
        if dtotal is not None:
            of_each = of_each + dtotal * scale_N
        if torch.is_grad_enabled():  # a gradient of a gradient needs a graph of operations that have one
            return *reference.backward(of_each, x_ND, weight_VD, target_N, reference.Terms(*terms), ignored), *nothing
        inputs = x_ND, weight_VD, target_N, of_each, terms, ignored, rows, True
        return *torch.ops.mainstem.cross_entropy(*inputs)[2:], *nothing
