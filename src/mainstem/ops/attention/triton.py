"""Attention in blocks by Triton. Needs triton, so only what has chosen it may import this.

Shapes: B samples, H heads, G groups of heads, Q queries, C keys, K head width.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from ..mask_bits.triton import on
from . import kernels_triton as kernels
from .reference import Settings


def _block(width: int) -> int:
    # Blocks of queries, keys and values, in float32, have to fit into shared memory together.
    return 64 if width <= 64 else 32 if width <= 128 else 16


def _arguments(query: Tensor, key: Tensor, settings: Settings) -> tuple[list[Any], dict[str, Any]]:
    """Return what all kernels take behind their arrays."""
    heads, queries, width = query.shape[1:]
    groups, keys = key.shape[1:3]
    documents, mask, context, causal, scale = settings[:5]
    # What a kernel does not read is any array.
    numbers, site = ([query] * 3, 0) if mask is None else (on(query.device, *mask.flat()[:3]), mask.site)
    marks = query if documents is None else documents.to(query.device, torch.int64).contiguous()
    block = _block(width)
    return [marks, *numbers, site, context, heads, groups, queries, keys, width, scale], {
        "D": max(16, triton.next_power_of_2(width)), "M": block, "N": block, "CAUSAL": causal,
        "DOCUMENTS": documents is not None, "MASK": mask is not None,
    }  # fmt: skip


def forward(query_BHQK: Tensor, key_BGCK: Tensor, value_BGCK: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """Return the result, of query's dtype, and the logarithm of each row's sum of exponentials, float32 [B, H, Q]."""
    query, key, value = query_BHQK.contiguous(), key_BGCK.contiguous(), value_BGCK.contiguous()
    out, sums = torch.zeros_like(query), torch.zeros(query.shape[:3], device=query.device)
    if query.numel() and key.shape[2]:
        rest, constants = _arguments(query, key, settings)
        grid = (triton.cdiv(query.shape[2], constants["M"]), query.shape[0] * query.shape[1])
        kernels.forward[grid](out, sums, query, key, value, *rest, **constants)
    return out, sums


def backward(
    dout_BHQK: Tensor, out_BHQK: Tensor, sums_BHQ: Tensor, query_BHQK: Tensor, key_BGCK: Tensor, value_BGCK: Tensor,
    settings: Settings,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Return the gradients of query, key and value, from what `forward` returned; masks are drawn again."""
    arrays = [array.contiguous() for array in (query_BHQK, key_BGCK, value_BGCK)]
    query, key, _ = arrays
    dquery, dkey, dvalue = (torch.zeros_like(array) for array in arrays)
    if query.numel() and key.shape[2]:
        # sum(w dw) of a row, where dw = m (dout v^T) and out = (m w) v.
        dout = dout_BHQK.contiguous()
        deltas = (dout.float() * out_BHQK.float()).sum(-1)
        rest, constants = _arguments(query, key, settings)
        shared = (dout, sums_BHQ, deltas, *arrays, *rest)
        grid = (triton.cdiv(query.shape[2], constants["M"]), query.shape[0] * query.shape[1])
        kernels.backward_query[grid](dquery, *shared, **constants)
        grid = (triton.cdiv(key.shape[2], constants["N"]), key.shape[0] * key.shape[1])
        kernels.backward_key[grid](dkey, dvalue, *shared, **constants)
    return dquery, dkey, dvalue


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(query: Tensor, key: Tensor, value: Tensor, *settings: Any) -> tuple[Tensor, Tensor]:
        return forward(query, key, value, Settings.of(*settings))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        query, key, value, documents, threshold, counter, samples, *ctx.rest = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*output, query, key, value, documents, threshold, counter, samples)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dout: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        out, sums, query, key, value, *tensors = ctx.saved_tensors
        return *backward(dout, out, sums, query, key, value, Settings.of(*tensors, *ctx.rest)), *[None] * 8


def attention(query_BHQK: Tensor, key_BGCK: Tensor, value_BGCK: Tensor, settings: Settings) -> Tensor:
    """Return what `reference.attention` returns, to rounding and with its mask to the bit; once differentiable."""
    return _Attention.apply(query_BHQK, key_BGCK, value_BGCK, *settings.flat())[0]
