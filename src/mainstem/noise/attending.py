"""torch's attention, with its dropout by the counter.

Shapes: B samples, H heads, Q queries, C keys.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import ops
from .by_parts import by_parts

if TYPE_CHECKING:
    from .functions import Calls

_CONTEXT = 4096
"""What queries and keys of attention are numbered by, so that padding changes no mask; longer ones by their number."""


def dot_product(
    call: Calls, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """Compute `F.scaled_dot_product_attention`, whose dropout is of its weights; without dropout torch does so."""
    if dropout_p == 0:
        return NotImplemented
    queries, keys = query.shape[-2], key.shape[-2]
    four = query.dim() == 4 and len(query) == call.num_samples and not call.module.place.whole
    context = max(_CONTEXT, queries, keys) if four else None
    alike = key.shape == value.shape and query.shape[-1] == key.shape[-1] and (not is_causal or queries == keys)
    if four and attn_mask is None and alike and (enable_gqa or query.shape[1] == key.shape[1]):
        mask = call.mask(dropout_p)
        return ops.attention(query, key, value, mask, context=context, causal=is_causal, scale=scale)
    if enable_gqa:
        key, value = (t.repeat_interleave(query.shape[-3] // t.shape[-3], -3) for t in (key, value))
    score = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        score = score.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        score = score + attn_mask
    # A row that sees nothing is 0 for torch, and not a number for a softmax.
    blind = (score == -math.inf).all(-1, keepdim=True)
    wide = score.to(torch.promote_types(score.dtype, torch.float32))
    weight = wide.softmax(-1).to(query.dtype).masked_fill(blind, 0.0)
    return call.dropped(weight, dropout_p, 0, context) @ value


_multi_head_seen = by_parts(F.multi_head_attention_forward)


def multi_head(call: Calls, *args: Any, **kwargs: Any) -> Any:
    """Compute `F.multi_head_attention_forward` by its parts."""
    # Its weights lie samples first, whatever the layer's input does.
    inner = copy.copy(call.module)
    inner.place = copy.copy(inner.place)
    inner.place.batch_dim, inner.place.each = 0, args[4] if len(args) > 4 else kwargs["num_heads"]
    call.scope.running.append(call.scope.running[-1]._replace(module=inner, mode=None, opened=None))
    try:
        return _multi_head_seen(call, *args, **kwargs)
    finally:
        call.scope.running.pop()
        call.module.drew |= inner.drew
