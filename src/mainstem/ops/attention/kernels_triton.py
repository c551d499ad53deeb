"""The Triton kernels of attention. Needs triton, so only triton.py imports this.

Shapes: B samples, H heads, G groups of heads, Q queries, C keys, K head width; M queries and N keys of a block.
"""

from __future__ import annotations

import triton
import triton.language as tl

from ..dropout.triton import factor, narrow
from ..mask_bits.triton import half, words


@triton.jit
def load(base, line, lines, width, D: tl.constexpr):
    """Return rows `line` of [lines, width] as float32, 0 beyond either."""
    column = tl.arange(0, D)
    inside = (line < lines)[:, None] & (column < width)[None, :]
    return tl.load(base + line[:, None] * width + column[None, :], mask=inside, other=0.0).to(tl.float32)


@triton.jit
def store(base, line, lines, width, value, D: tl.constexpr):
    """Write float32 rows `line` of [lines, width], rounded to what is stored there."""
    column = tl.arange(0, D)
    inside = (line < lines)[:, None] & (column < width)[None, :]
    tl.store(base + line[:, None] * width + column[None, :], narrow(value, base.dtype.element_ty), mask=inside)


@triton.jit
def scores(
    query, key, row, column, queries, keys, document, scale,
    CAUSAL: tl.constexpr, DOCUMENTS: tl.constexpr,
):  # fmt: skip
    """Return scale * q k^T [M, N], minus infinity where it is not seen; `document` is that of the sample."""
    found = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
    seen = (row < queries)[:, None] & (column < keys)[None, :]
    if CAUSAL:
        seen = seen & (column[None, :] <= row[:, None] + (keys - queries))
    if DOCUMENTS:
        left = tl.load(document + row, mask=row < queries, other=0)
        right = tl.load(document + column, mask=column < keys, other=0)
        seen = seen & (left[:, None] == right[None, :])
    return tl.where(seen, found, float("-inf"))


@triton.jit
def multiplier(
    row, first, head, context, sample, threshold, counter, site,
    M: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """Return what dropout multiplies the weights of keys first..first + N - 1 by; `first` is a multiple of 8."""
    group = first // 8 + tl.arange(0, N // 8)
    c0 = (head * context + row)[:, None] * ((context + 7) // 8) + group[None, :]
    w0, w1, w2, w3 = words(c0, tl.zeros((M, N // 8), tl.int64) + sample, counter, site)
    j = tl.arange(0, 8)[None, None, :]
    draws = half(w0[:, :, None], w1[:, :, None], w2[:, :, None], w3[:, :, None], j)
    return tl.where(tl.reshape(draws, (M, N)) >= tl.load(threshold), factor(threshold), 0.0)


@triton.jit
def forward(
    out, sums, query, key, value, documents, threshold, counter, samples,
    site, context, heads, groups, queries, keys, width, scale,
    D: tl.constexpr, M: tl.constexpr, N: tl.constexpr, CAUSAL: tl.constexpr, DOCUMENTS: tl.constexpr,
    MASK: tl.constexpr,
):  # fmt: skip
    plane = tl.program_id(1).to(tl.int64)
    batch, head = plane // heads, plane % heads
    row = tl.program_id(0).to(tl.int64) * M + tl.arange(0, M)
    shared = (batch * groups + head // (heads // groups)) * keys * width
    q = load(query + plane * queries * width, row, queries, width, D)
    highest = tl.full((M,), float("-inf"), tl.float32)
    total = tl.zeros((M,), tl.float32)
    result = tl.zeros((M, D), tl.float32)
    last = keys
    if CAUSAL:
        last = tl.minimum(keys, (tl.program_id(0) + 1) * M + keys - queries)
    for first in range(0, last, N):
        column = first + tl.arange(0, N).to(tl.int64)
        k = load(key + shared, column, keys, width, D)
        score = scores(q, k, row, column, queries, keys, documents + batch * keys, scale, CAUSAL, DOCUMENTS)
        higher = tl.maximum(highest, tl.max(score, 1))
        # A row that has seen nothing yet would take infinity from infinity.
        safe = tl.where(higher == float("-inf"), 0.0, higher)
        weight = tl.exp(score - safe[:, None])
        shrink = tl.exp(highest - safe)
        total = total * shrink + tl.sum(weight, 1)
        if MASK:
            sample = tl.load(samples + batch)
            weight = weight * multiplier(row, first, head, context, sample, threshold, counter, site, M, N)
        v = load(value + shared, column, keys, width, D)
        result = result * shrink[:, None] + tl.dot(weight, v, input_precision="ieee")
        highest = higher
    # Rows beyond the last query saw nothing.
    result = result / tl.where(row < queries, total, 1.0)[:, None]
    store(out + plane * queries * width, row, queries, width, result, D)
    safe = tl.where(row < queries, total, 1.0)
    tl.store(sums + plane * queries + row, highest + tl.log(safe), mask=row < queries)


@triton.jit
def weights_of(
    score, dout, v, row, first, head, batch, sums, deltas, queries,
    context, threshold, counter, samples, site, scale,
    M: tl.constexpr, N: tl.constexpr, MASK: tl.constexpr,
):  # fmt: skip
    """Return the dropped weights and the gradient of q k^T, both [M, N]; the softmax is made anew from its sums."""
    weight = tl.exp(score - tl.load(sums + row, mask=row < queries, other=0.0)[:, None])
    delta = tl.load(deltas + row, mask=row < queries, other=0.0)
    dweight = tl.dot(dout, tl.trans(v), input_precision="ieee")
    dropped = weight
    if MASK:
        sample = tl.load(samples + batch)
        kept = multiplier(row, first, head, context, sample, threshold, counter, site, M, N)
        dweight = dweight * kept
        dropped = weight * kept
    return dropped, weight * (dweight - delta[:, None]) * scale


@triton.jit
def backward_query(
    dquery, dout, sums, deltas, query, key, value, documents, threshold,
    counter, samples, site, context, heads, groups, queries, keys, width,
    scale, D: tl.constexpr, M: tl.constexpr, N: tl.constexpr, CAUSAL: tl.constexpr, DOCUMENTS: tl.constexpr,
    MASK: tl.constexpr,
):  # fmt: skip
    plane = tl.program_id(1).to(tl.int64)
    batch, head = plane // heads, plane % heads
    row = tl.program_id(0).to(tl.int64) * M + tl.arange(0, M)
    shared = (batch * groups + head // (heads // groups)) * keys * width
    q = load(query + plane * queries * width, row, queries, width, D)
    d = load(dout + plane * queries * width, row, queries, width, D)
    result = tl.zeros((M, D), tl.float32)
    last = keys
    if CAUSAL:
        last = tl.minimum(keys, (tl.program_id(0) + 1) * M + keys - queries)
    for first in range(0, last, N):
        column = first + tl.arange(0, N).to(tl.int64)
        k = load(key + shared, column, keys, width, D)
        v = load(value + shared, column, keys, width, D)
        score = scores(q, k, row, column, queries, keys, documents + batch * keys, scale, CAUSAL, DOCUMENTS)
        _, dscore = weights_of(
            score, d, v, row, first, head, batch, sums + plane * queries, deltas + plane * queries, queries, context,
            threshold, counter, samples, site, scale, M, N, MASK,
        )  # fmt: skip
        result += tl.dot(dscore, k, input_precision="ieee")
    store(dquery + plane * queries * width, row, queries, width, result, D)


@triton.jit
def backward_key(
    dkey, dvalue, dout, sums, deltas, query, key, value, documents,
    threshold, counter, samples, site, context, heads, groups, queries,
    keys, width, scale, D: tl.constexpr, M: tl.constexpr, N: tl.constexpr, CAUSAL: tl.constexpr,
    DOCUMENTS: tl.constexpr, MASK: tl.constexpr,
):  # fmt: skip
    shared = tl.program_id(1).to(tl.int64)
    batch, group = shared // groups, shared % groups
    first = tl.program_id(0) * N
    column = first + tl.arange(0, N).to(tl.int64)
    k = load(key + shared * keys * width, column, keys, width, D)
    v = load(value + shared * keys * width, column, keys, width, D)
    dk = tl.zeros((N, D), tl.float32)
    dv = tl.zeros((N, D), tl.float32)
    start = 0
    if CAUSAL:
        start = tl.maximum(first - (keys - queries), 0) // M * M
    each = heads // groups
    # One program for all heads of a group: their sum has a fixed order, and needs no atomic addition.
    for head in range(group * each, group * each + each):
        plane = batch * heads + head
        for top in range(start, queries, M):
            row = top + tl.arange(0, M).to(tl.int64)
            q = load(query + plane * queries * width, row, queries, width, D)
            d = load(dout + plane * queries * width, row, queries, width, D)
            score = scores(q, k, row, column, queries, keys, documents + batch * keys, scale, CAUSAL, DOCUMENTS)
            dropped, dscore = weights_of(
                score, d, v, row, first, head, batch, sums + plane * queries, deltas + plane * queries, queries,
                context, threshold, counter, samples, site, scale, M, N, MASK,
            )  # fmt: skip
            dv += tl.dot(tl.trans(dropped), d, input_precision="ieee")
            dk += tl.dot(tl.trans(dscore), q, input_precision="ieee")
    store(dkey + shared * keys * width, column, keys, width, dk, D)
    store(dvalue + shared * keys * width, column, keys, width, dv, D)
