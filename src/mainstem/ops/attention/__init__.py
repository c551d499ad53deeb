"""Attention that never holds a whole row of weights.

Shapes: B samples, H heads, G groups of heads, Q queries, C keys, K head width, T positions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...errors import BadInput
from ...wording import several
from ..dispatch import choose
from ..mask import Mask
from . import cpu, reference
from .reference import Settings


def attention(
    query_BHQK: Tensor,
    key_BGCK: Tensor,
    value_BGCK: Tensor,
    mask: Mask | None = None,
    *,
    context: int | None = None,
    causal: bool = True,
    documents: Tensor | None = None,
    scale: float | None = None,
    visible: Tensor | None = None,
    bias: Tensor | None = None,
    impl: str = "auto",
) -> Tensor:
    """Return dropout(softmax(scale * query key^T + bias)) value, the softmax over the keys that are seen: [B, H, Q, K].

    Head h reads the keys and values of group h // (H / G). With `causal`, query q sees the keys up to C - Q + q: the
    last query is the last key's. With `documents`, int64 [B, T] with Q = C = T, it sees the keys of its own number.
    With `visible`, bool [B, C], no query sees the keys where it is False, such as those of padding; `bias`, floating
    point with axes as [B, H, Q, C] or 1 in their place, is added to the scores and has a gradient; with
    ``causal=False`` and other keys than queries it is cross attention. A query that sees nothing gives 0, and where C
    is 0 the result is 0. Softmax and sums are float32 (float64 where the arrays are), rounded once.

    The weights are dropped after the softmax and scaled, as `ops.dropout(weights, mask, context=context)` does, bit for
    bit; `context`, C if left out, is what the rows of the mask are numbered by. Backward draws again. `scale` is
    1 / sqrt(K) if left out.

    Args:
        impl: "auto", "reference", or "cpu" (float32 and bfloat16). "cpu" needs memory linear in Q and C: it keeps the
            arrays, the result and one float32 for each row. It skips blocks of 64 by 64 that the masks hide altogether,
            so that NaN or infinity in a hidden key or value may or may not reach the result, while in what is seen it
            always does. It gives the same bits on any number of threads, and agrees with "reference" and between
            instruction sets to rounding. Its result and gradients lie in memory as [B, T, H, K]; arrays whose last axis
            lies side by side are read where they are. Second derivatives are those of the reference, which holds whole
            rows. With `visible` or `bias` the reference runs, which holds whole rows of weights.

    Raises:
        BadInput: where shapes, dtypes, devices or samples do not fit, or `impl` cannot take the arrays.

    Source:
        Vaswani et al. 2017 (1706.03762), equation 1; Ainslie et al. 2023 (2305.13245) for groups; in blocks, Dao et al.
        2022 (2205.14135), whose dropout has no counter.

    Example:
        >>> import torch
        >>> from mainstem import ops
        >>> value = torch.tensor([[[[1.0], [3.0]]]])
        >>> ops.attention(torch.zeros(1, 2, 2, 1), torch.zeros(1, 1, 2, 1), value)[0, :, :, 0]
        tensor([[1., 2.],
                [1., 2.]])
    """
    _check(query_BHQK, key_BGCK, value_BGCK, causal, documents)
    width, context = query_BHQK.shape[3], key_BGCK.shape[2] if context is None else context
    if scale is None:
        scale = 1.0 / math.sqrt(max(width, 1))
    if mask is not None:
        mask.layout((*query_BHQK.shape[:3], key_BGCK.shape[2]), context=context)
    settings = Settings(documents, mask, 0 if mask is None else context, causal, scale, visible, bias)
    if visible is not None or bias is not None:
        impl = _with_bias(query_BHQK, key_BGCK, visible, bias, impl)
    chosen = choose("attention", impl, query_BHQK.device.type, query_BHQK.dtype)
    if chosen == "reference":
        return reference.attention(query_BHQK, key_BGCK, value_BGCK, settings)
    if chosen == "triton":
        from . import triton

        return triton.attention(query_BHQK, key_BGCK, value_BGCK, settings)
    return cpu.attention(query_BHQK, key_BGCK, value_BGCK, settings)


def _check(query: Tensor, key: Tensor, value: Tensor, causal: bool, documents: Tensor | None) -> None:
    shapes = f"query is {list(query.shape)}, key {list(key.shape)} and value {list(value.shape)}"
    if query.dim() != 4 or key.dim() != 4 or value.shape != key.shape:
        raise BadInput(f"{shapes}: attention takes [B, H, Q, K], [B, G, C, K] and [B, G, C, K].")
    batch, heads, queries, width = query.shape
    if (batch, width) != (key.shape[0], key.shape[3]):
        raise BadInput(f"{shapes}: they must agree in their samples, axis 0, and in their width, axis 3.")
    if heads % key.shape[1] if heads and key.shape[1] else heads != key.shape[1]:
        raise BadInput(f"{shapes}: the heads of key and value, axis 1, must divide those of query.")
    if not query.is_floating_point() or not query.dtype == key.dtype == value.dtype:
        raise BadInput(
            f"query is {query.dtype}, key {key.dtype} and value {value.dtype}: attention takes one floating point "
            "dtype for all three."
        )
    if not query.device == key.device == value.device:
        raise BadInput(
            f"query is on {query.device}, key on {key.device} and value on {value.device}: move them to one."
        )
    if causal and queries > key.shape[2]:
        raise BadInput(
            f"{queries} causal queries are more than the {several(key.shape[2], 'key')}: the last query is "
            "the last key's."
        )
    if documents is None:
        return
    if documents.shape != (batch, queries) or queries != key.shape[2] or documents.is_floating_point():
        raise BadInput(
            f"documents is {documents.dtype} of shape {list(documents.shape)}, and {shapes}: give one whole number for "
            "each position of as many queries as keys."
        )


def _with_bias(query: Tensor, key: Tensor, visible: Tensor | None, bias: Tensor | None, impl: str) -> str:
    """Refuse what is no bias or no padding of these arrays, and return the implementation that takes it."""
    if impl not in ("auto", "reference"):
        raise BadInput(f"impl {impl!r} of attention takes neither visible nor bias: choose auto or reference.")
    batch, heads, queries, keys = *query.shape[:3], key.shape[2]
    if visible is not None and (visible.shape != (batch, keys) or visible.dtype != torch.bool):
        raise BadInput(
            f"visible is {visible.dtype} of shape {list(visible.shape)}: give bool [{batch}, {keys}], True where a key "
            "is seen."
        )
    fits = bias is not None and bias.dim() == 4 and bias.is_floating_point()
    whole = (batch, heads, queries, keys)
    if bias is not None and not (fits and all(a in (1, b) for a, b in zip(bias.shape, whole, strict=True))):
        raise BadInput(
            f"bias is {bias.dtype} of shape {list(bias.shape)}: give floating point {list(whole)}, or 1 in place of an "
            "axis; -inf hides a key."
        )
    return "reference"
