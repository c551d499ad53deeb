"""Dropout, sum and norm by Triton, a row at a time. Needs triton, so only what has chosen it may import this."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..dropout.triton import factor, narrow
from ..layout import Layout
from ..mask import Mask, from_tensors, tensors
from ..mask_bits.triton import half, on, place, words

PROGRAMS = 256
"""How many sums of gain's and bias' gradients are kept apart; a constant, so that their order is fixed."""


@triton.jit
def _dropped(
    wide, line, threshold, key, samples, site, batch, between, stride,
    scale, G: tl.constexpr, MASK: tl.constexpr,
):  # fmt: skip
    """Return scale * dropout of a row, float32 [G, 8]."""
    if MASK:
        index, row = place(line, batch, between, 0, 0)
        group = tl.arange(0, G).to(tl.int64)
        sample = tl.load(samples + index) + tl.zeros((G,), tl.int64)
        w0, w1, w2, w3 = words(row * stride + group, sample, key, site)
        draws = half(w0[:, None], w1[:, None], w2[:, None], w3[:, None], tl.arange(0, 8)[None, :])
        result = tl.where(draws >= tl.load(threshold), wide * (scale * factor(threshold)), 0.0)
    else:
        result = wide * scale
    return result


@triton.jit
def _normalise(stream, inside, columns, eps, LAYER: tl.constexpr):
    """Return (s - mean) / root [G, 8] and 1 / root."""
    if LAYER:
        stream = tl.where(inside, stream - tl.sum(tl.sum(stream, 1), 0) / columns, 0.0)
    mean = tl.sum(tl.sum(stream * stream, 1), 0) / columns
    inverse = 1.0 / tl.sqrt_rn(mean + eps)
    return stream * inverse, inverse


@triton.jit
def _forward(
    stream, normed, x, residual, gain, bias, threshold, key, samples,
    site, batch, between, columns, stride, eps, scale,
    G: tl.constexpr, MASK: tl.constexpr, GAIN: tl.constexpr, BIAS: tl.constexpr, LAYER: tl.constexpr,
):  # fmt: skip
    line = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, G)[:, None] * 8 + tl.arange(0, 8)[None, :]
    inside = column < columns
    at = line * columns + column
    wide = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    added = _dropped(wide, line, threshold, key, samples, site, batch, between, stride, scale, G, MASK)
    total = tl.load(residual + at, mask=inside, other=0.0).to(tl.float32) + added
    rounded = narrow(total, stream.dtype.element_ty)
    tl.store(stream + at, rounded, mask=inside)
    result, _ = _normalise(rounded.to(tl.float32), inside, columns, eps, LAYER)
    if GAIN:
        result = result * tl.load(gain + column, mask=inside, other=0.0).to(tl.float32)
    if BIAS:
        result = result + tl.load(bias + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(normed + at, narrow(result, normed.dtype.element_ty), mask=inside)


@triton.jit
def _backward(
    d_residual, d_x, d_gain, d_bias, d_stream, d_normed, stream, gain,
    threshold, key, samples, site, batch, between, columns, stride,
    rows, rows_each, eps, scale,
    G: tl.constexpr, MASK: tl.constexpr, GAIN: tl.constexpr, STREAM: tl.constexpr, LAYER: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, G)[:, None] * 8 + tl.arange(0, 8)[None, :]
    inside = column < columns
    gain_sum = tl.zeros((G, 8), tl.float32)
    bias_sum = tl.zeros((G, 8), tl.float32)
    for line in range(program * rows_each, tl.minimum(program * rows_each + rows_each, rows)):
        at = line * columns + column
        wide = tl.load(stream + at, mask=inside, other=0.0).to(tl.float32)
        normed, inverse = _normalise(wide, inside, columns, eps, LAYER)
        given = tl.load(d_normed + at, mask=inside, other=0.0).to(tl.float32)
        gain_sum += given * normed
        bias_sum += given
        if GAIN:
            given = given * tl.load(gain + column, mask=inside, other=0.0).to(tl.float32)
        inner = given - normed * (tl.sum(tl.sum(given * normed, 1), 0) / columns)
        if LAYER:
            inner = inner - tl.sum(tl.sum(given, 1), 0) / columns
        total = inner * inverse
        if STREAM:
            total = total + tl.load(d_stream + at, mask=inside, other=0.0).to(tl.float32)
        tl.store(d_residual + at, narrow(total, d_residual.dtype.element_ty), mask=inside)
        back = _dropped(total, line, threshold, key, samples, site, batch, between, stride, scale, G, MASK)
        tl.store(d_x + at, narrow(back, d_x.dtype.element_ty), mask=inside)
    tl.store(d_gain + program * columns + column, gain_sum, mask=inside)
    tl.store(d_bias + program * columns + column, bias_sum, mask=inside)


def _mask(mask: Mask | None, where: Layout, like: Tensor) -> tuple[list[Tensor], list[int]]:
    # Without a mask the kernel reads none of these.
    if mask is None:
        return [like] * 3, [0, 1, 1, 0]
    *numbers, site = mask.flat()
    return on(like.device, *numbers), [site, where.batch, where.between, where.stride()]


def _or(part: Tensor | None, other: Tensor) -> Tensor:
    return other if part is None else part.contiguous()


def forward(
    x: Tensor, residual: Tensor, gain: Tensor | None, bias: Tensor | None, mask: Mask | None,
    where: Layout, eps: float, norm: str, scale: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return (stream, normed), as `reference.dropout_add_norm` does."""
    x, residual = x.contiguous(), residual.contiguous()
    stream, normed = torch.empty_like(residual), torch.empty_like(residual)
    columns = x.shape[-1]
    if x.numel():
        tensors, (site, batch, between, stride) = _mask(mask, where, x)
        _forward[(x.numel() // columns,)](
            stream, normed, x, residual, _or(gain, x), _or(bias, x), *tensors, site, batch, between, columns, stride,
            eps, scale, G=triton.next_power_of_2((columns + 7) // 8), MASK=mask is not None, GAIN=gain is not None,
            BIAS=bias is not None, LAYER=norm == "layer",
        )  # fmt: skip
    return stream, normed


def backward(
    d_stream: Tensor | None, d_normed: Tensor, stream: Tensor, gain: Tensor | None, mask: Mask | None,
    where: Layout, eps: float, norm: str, scale: float, dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Return the gradients of residual, x (of `dtype`), gain and bias, as `reference.backward` does."""
    d_normed, stream = d_normed.contiguous(), stream.contiguous()
    columns = stream.shape[-1]
    d_residual, d_x = torch.empty_like(stream), torch.empty_like(stream, dtype=dtype)
    if not stream.numel():
        empty = torch.zeros(columns, device=stream.device)
        return d_residual, d_x, empty, empty.clone()
    rows = stream.numel() // columns
    each = triton.cdiv(rows, PROGRAMS)
    programs = triton.cdiv(rows, each)
    sums = torch.empty(2, programs, columns, device=stream.device)
    tensors, (site, batch, between, stride) = _mask(mask, where, stream)
    _backward[(programs,)](
        d_residual, d_x, sums[0], sums[1], _or(d_stream, stream), d_normed, stream, _or(gain, stream), *tensors, site,
        batch, between, columns, stride, rows, each, eps, scale, G=triton.next_power_of_2((columns + 7) // 8),
        MASK=mask is not None, GAIN=gain is not None, STREAM=d_stream is not None, LAYER=norm == "layer",
    )  # fmt: skip
    d_gain, d_bias = sums.sum(1)
    return d_residual, d_x, d_gain, d_bias


class _DropoutAddNorm(torch.autograd.Function):
    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, Tensor]:
        x, residual, gain, bias, threshold, key, samples, site, where, eps, norm, scale = inputs
        mask = from_tensors(threshold, key, samples, site)
        return forward(x, residual, gain, bias, mask, where, eps, norm, scale)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, _, gain, bias, threshold, key, samples, *ctx.rest = inputs
        ctx.dtype, ctx.bias = x.dtype, None if bias is None else bias.dtype
        ctx.save_for_backward(output[0], gain, threshold, key, samples)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_stream: Tensor, d_normed: Tensor) -> tuple[Tensor | None, ...]:
        stream, gain, threshold, key, samples = ctx.saved_tensors
        site, where, eps, norm, scale = ctx.rest
        mask = from_tensors(threshold, key, samples, site)
        d_residual, d_x, d_gain, d_bias = backward(
            d_stream, d_normed, stream, gain, mask, where, eps, norm, scale, ctx.dtype
        )
        given = None if gain is None else d_gain.to(gain.dtype)
        return d_x, d_residual, given, None if ctx.bias is None else d_bias.to(ctx.bias), *[None] * 8


def dropout_add_norm(
    x: Tensor, residual: Tensor, gain: Tensor | None, bias: Tensor | None, mask: Mask | None,
    where: Layout, eps: float, norm: str, scale: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return what `reference.dropout_add_norm` returns, to rounding and with its mask to the bit; once differentiable.

    Rows are held whole, so a width of more than some ten thousand columns spills registers.
    """
    site = 0 if mask is None else mask.site
    return _DropoutAddNorm.apply(x, residual, gain, bias, *tensors(mask), site, where, eps, norm, scale)
