"""The attention sublayer part by part: the oracle, and what runs where the parts are not fused.

Shapes: B samples, T positions, D width, H heads, K head width.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from ..attention import attention
from ..mask import Mask
from ..rms_norm import rms_norm
from ..rms_norm.reference import rotate


class Parts(NamedTuple):
    """The arrays that have gradients: x [B, T, D], the four weights, and two gains [K] or none."""

    x: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    output: Tensor
    query_gain: Tensor | None
    key_gain: Tensor | None


class Given(NamedTuple):
    """All the rest: cosines and sines are [T, K/2], `mask` is that of the weights' dropout."""

    heads: int
    eps: float
    cosine: Tensor | None
    sine: Tensor | None
    documents: Tensor | None
    mask: Mask | None
    context: int
    causal: bool


def self_attention(parts: Parts, given: Given, impl: str = "reference") -> Tensor:
    """Return attention of x on itself, projected; `impl` is that of the norms and of attention."""
    width = parts.query.shape[0] // given.heads

    def heads(weight: Tensor) -> Tensor:
        return F.linear(parts.x, weight).unflatten(2, (-1, width)).transpose(1, 2)

    def placed(x_BHTK: Tensor, gain: Tensor | None) -> Tensor:
        angles = None if given.cosine is None or given.sine is None else (given.cosine, given.sine)
        if gain is not None:
            # It has no kernel for GPUs.
            return rms_norm(x_BHTK, gain, given.eps, "auto" if impl == "triton" else impl, angles=angles)
        return x_BHTK if angles is None else rotate(x_BHTK, *angles)

    mixed_BHTK = attention(
        placed(heads(parts.query), parts.query_gain), placed(heads(parts.key), parts.key_gain), heads(parts.value),
        given.mask, context=given.context, causal=given.causal, documents=given.documents, impl=impl,
    )  # fmt: skip
    return F.linear(mixed_BHTK.transpose(1, 2).flatten(2), parts.output)
