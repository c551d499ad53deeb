"""Where parts of attention become one call: the whole sublayer, or a norm and the rotary positions behind it.

A rule here is asked by the module itself, so that it holds where a module is used alone too. Shapes: B batch, T
position, D width, H heads, K head width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .. import ops
from ..noise import Dropout
from ..ops.dispatch import computed_dtype, has_kernel
from ..ops.gradient import observed
from . import points
from .built import absent, as_built, plain_linear
from .context import Context
from .norm import RMSNorm
from .rotary import Rotary

if TYPE_CHECKING:
    from .attention import Attention


def sublayer(part: Attention, x_BTD: Tensor, ctx: Context) -> Tensor | None:
    """Return what `part` makes of `x_BTD` by `ops.self_attention`; None where it has to take its parts."""
    if not _fits(part, x_BTD, ctx):
        return None
    parts, length = part._modules, x_BTD.shape[1]
    norms, rotary, drop = (parts.get("query_norm"), parts.get("key_norm")), parts.get("rotary"), parts.get("dropout")
    gains, eps, angles = None, 0.0, None
    if isinstance(norms[0], RMSNorm) and isinstance(norms[1], RMSNorm):
        gains, eps = (norms[0].gain, norms[1].gain), norms[0].eps
    if isinstance(rotary, Rotary):
        angles = rotary.float_angles(length, x_BTD, ctx.positions)
    mask = drop.mask(x_BTD.shape[0]) if isinstance(drop, Dropout) else None
    return ops.self_attention(
        x_BTD, part.query.weight, part.key.weight, part.value.weight, part.output.weight, mask,
        heads=part.spec.heads, gains=gains, eps=eps, angles=angles, context=max(part.spec.context, length),
        documents=ctx.documents,
    )  # fmt: skip


def _fits(part: Attention, x_BTD: Tensor, ctx: Context) -> bool:
    """Return whether all parts are what was built, nothing travels to later blocks, and there is a kernel."""
    spec, parts = part.spec, part._modules
    if ctx.cache is not None or x_BTD.dim() != 3 or not points.quiet(part, part._points):
        return False
    inner, shared = spec.heads * part.head_width, (spec.kv_heads or spec.heads) * part.head_width
    return (
        not observed(x_BTD)
        and _placing_fits(parts.get("query_norm"), parts.get("key_norm"), parts.get("rotary"))
        and (absent(parts.get("dropout")) or as_built(parts.get("dropout"), Dropout))
        and (ctx.positions is None or len(ctx.positions) == x_BTD.shape[1])
        and plain_linear(parts.get("query"), inner)
        and plain_linear(parts.get("key"), shared)
        and plain_linear(parts.get("value"), shared)
        and plain_linear(parts.get("output"))
        and has_kernel("self_attention", x_BTD, computed_dtype(x_BTD))
    )


def _placing_fits(query: nn.Module | None, key: nn.Module | None, rotary: nn.Module | None) -> bool:
    """Return whether the op knows these: two RMS norms of one eps with or without positions, or none of the three."""
    if absent(query) and absent(key):
        return absent(rotary)
    return (
        as_built(query, RMSNorm, holds=("gain",))
        and as_built(key, RMSNorm, holds=("gain",))
        and query.eps == key.eps
        and (absent(rotary) or as_built(rotary, Rotary))
    )


def placed(x_BHTK: Tensor, norm: nn.Module | None, rotary: nn.Module | None, positions: Tensor | None) -> Tensor | None:
    """Return queries or keys normalised and rotated by one `ops.rms_norm`; None where both have to be called."""
    if (
        torch.compiler.is_compiling()
        or not as_built(norm, RMSNorm, holds=("gain",))
        or not as_built(rotary, Rotary)
        or not has_kernel("rms_norm", x_BHTK)
    ):
        return None
    angles = rotary.float_angles(x_BHTK.shape[2], x_BHTK, positions)
    return ops.rms_norm(x_BHTK, norm.gain, norm.eps, angles=angles)
