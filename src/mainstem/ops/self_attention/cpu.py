"""The attention sublayer as one node of the graph, around the compiled norm and attention.

Queries, keys and values come of one product, and so do their gradients. Shapes: B samples, T positions, D width, H
heads, K head width, N rows.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..attention.cpu import run as attend
from ..attention.cpu import run_backward as attend_backward
from ..attention.reference import Settings
from ..gradient import plain
from ..product import product
from ..rms_norm.cpu import run as normalise
from ..rms_norm.cpu import run_backward as normalise_backward
from . import reference
from .reference import Given, Parts

_PARTS = len(Parts._fields)


class _SelfAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, given: Given, *parts: Tensor) -> Tensor:
        x, query, key, value, output, *gains = parts
        rows, width = x.flatten(0, 1), query.shape[0] // given.heads
        q, k, v = _split(product(rows, torch.cat((query, key, value)).t()), x, given.heads, width)
        # The arrays before the norm, and 1 / rms of their rows, are what its gradient needs.
        raw: list[Tensor | None] = [None] * 4
        if gains[0] is not None:
            raw[:2] = q, k
            q, raw[2] = normalise(q, gains[0], given.eps, given.cosine, given.sine)
            k, raw[3] = normalise(k, gains[1], given.eps, given.cosine, given.sine)
        flat = _settings(given, width)
        out, lse = attend(q, k, v, *flat)
        # The mask's numbers too, so that torch notices if a rate is changed before backward draws again.
        ctx.save_for_backward(*parts, *raw, q, k, v, out, lse, *flat[:4])
        ctx.given = given
        y = product(_rows(out), output.t())
        return y.view(x.shape[:2] + output.shape[:1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        saved, given = ctx.saved_tensors, ctx.given  # once: a checkpoint computes them again when they are asked for
        parts = saved[:_PARTS]
        x, query, key, value, output, *gains = parts
        needed = ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():  # a gradient of a gradient needs a graph of operations that have one
            return None, *_again(grads[0], Parts(*parts), given, needed)
        *raw, q, k, v, out, lse = saved[_PARTS:-4]
        rows, width = x.flatten(0, 1), q.shape[3]
        dout = grads[0].flatten(0, 1)
        result: list[Tensor | None] = [None] * _PARTS
        if needed[4]:
            result[4] = product(dout.t(), _rows(out))
        dmixed = product(dout, output).view(*x.shape[:2], given.heads, width).transpose(1, 2)
        # Side by side, the gradients of queries, keys and values make one product with x and one with the weights.
        together = dout.new_empty(rows.shape[0], query.shape[0] + key.shape[0] + value.shape[0])
        dq, dk, dv = _split(together, x, given.heads, width)
        normed = gains[0] is not None
        into = (None, None, dv) if normed else (dq, dk, dv)
        ahead = attend_backward(dmixed, q, k, v, out, lse, *_settings(given, width), into=into)
        if normed:
            angles = given.cosine, given.sine
            _, result[5] = normalise_backward(ahead[0], raw[0], gains[0], raw[2], *angles, into=dq)
            _, result[6] = normalise_backward(ahead[1], raw[1], gains[1], raw[3], *angles, into=dk)
        if any(needed[1:4]):
            sizes = [query.shape[0], key.shape[0], value.shape[0]]
            result[1:4] = product(together.t(), rows).split_with_sizes(sizes)
        if needed[0]:
            result[0] = product(together, torch.cat((query, key, value))).view(x.shape)
        return None, *result


def _split(together: Tensor, like_BTD: Tensor, heads: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and values [B, ., T, K] as they lie side by side in the rows of one array."""
    every = together.view(*like_BTD.shape[:2], together.shape[1] // width, width).transpose(1, 2)
    groups = (every.shape[1] - heads) // 2
    q, k, v = every.split_with_sizes((heads, groups, groups), 1)  # torch's `split` looks for subclasses first
    return q, k, v


def _rows(x_BHTK: Tensor) -> Tensor:
    batch, heads, positions, width = x_BHTK.shape
    return x_BHTK.transpose(1, 2).reshape(batch * positions, heads * width)


def _settings(given: Given, width: int) -> tuple[Any, ...]:
    context = 0 if given.mask is None else given.context
    return Settings(given.documents, given.mask, context, given.causal, 1.0 / math.sqrt(width)).flat()


def _again(dout: Tensor, parts: Parts, given: Given, needed: tuple[bool, ...]) -> list[Tensor | None]:
    """Return the gradients by the graph of the parts, so that they have gradients too."""
    out = reference.self_attention(parts, given)
    wanted = [t for t, need in zip(parts, needed, strict=True) if t is not None and need]
    found = iter(torch.autograd.grad(out, wanted, dout, create_graph=True))
    return [next(found) if need else None for need in needed]


_once = plain(_SelfAttention)


def self_attention(parts: Parts, given: Given) -> Tensor:
    """Return what `reference.self_attention` returns, to rounding, and with its mask to the bit."""
    y: Tensor = _once(given, *parts)
    return y
