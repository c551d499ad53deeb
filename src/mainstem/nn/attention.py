"""Causal self-attention.

Shapes: B batch, T position, D width, H heads, K head width, Q new positions, C cached and new positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import ops
from ..errors import BadInput
from ..noise import Dropout
from ..ops.dispatch import has_kernel
from ..ops.gradient import transformed
from . import fused_attention, points
from .built import absent, as_built
from .context import Context
from .linear import Linear
from .norm import NormSpec
from .rotary import Rotary
from .spec import Spec

At = Callable[[str, Tensor], Tensor]
"""(point, x) -> what the modules at that point make of x."""


@dataclass(frozen=True)
class AttentionSpec(Spec):
    """Causal self-attention to be; a residual form may change it before it is built."""

    kind: ClassVar[str] = "attention"
    points: ClassVar[tuple[str, ...]] = (
        "key_input",
        "value_input",
        "query",
        "key",
        "value",
        "logits",
        "weights",
        "heads",
        "out",
    )

    width: int
    heads: int
    kv_heads: int | None = None
    head_width: int | None = None
    """Numbers of a query, key or value of one head; the width divided by the heads if left out."""
    context: int = 1024
    rotary_base: float | None = 10000.0
    qk_norm: NormSpec | None = NormSpec()

    def build(self) -> Attention:
        return Attention(self)


class Attention(nn.Module):
    """Causal self-attention.

    Formula:
        softmax(q k^T / sqrt K + mask) v, its heads side by side, times the output matrix

    Queries and keys are normalised over K, then rotated by their position (with a gain the two do not commute). Grouped
    heads share keys and values. Attention weights are dropped after the softmax and scaled, so that a row sums to 1 in
    the mean only.

    Shapes:
        x, y [B, T, D]

    Args:
        spec: an `AttentionSpec`, or D.
        heads: H, where D was given; ``Attention(8, 2)`` and ``Attention(AttentionSpec(8, 2))`` are the same.

    Raises:
        BadInput: where heads do not divide the width, or kv_heads the heads.

    Source:
        Vaswani et al. 2017 (1706.03762), equation 1.

    Example:
        >>> Attention(8, 2)(torch.randn(1, 3, 8)).shape
        torch.Size([1, 3, 8])
    """

    stem = "attention"
    wants_context = True

    def __init__(self, spec: AttentionSpec | int, heads: int | None = None) -> None:
        super().__init__()
        if isinstance(spec, int):
            spec = AttentionSpec(spec, heads or 1)
        shared = spec.kv_heads or spec.heads
        if (spec.head_width is None and spec.width % spec.heads) or spec.heads % shared:
            raise BadInput(
                f"width {spec.width}, heads {spec.heads} and kv_heads {shared} do not fit: heads must divide the "
                "width where head_width is not given, and kv_heads the heads."
            )
        self.spec = spec
        self.head_width = spec.head_width or spec.width // spec.heads
        if spec.rotary_base is not None and self.head_width % 2:
            raise BadInput(f"Rotary positions need an even head width, not {self.head_width}: change width or heads.")
        self.query = Linear(spec.width, spec.heads * self.head_width)
        self.key = Linear(spec.width, shared * self.head_width)
        self.value = Linear(spec.width, shared * self.head_width)
        self.output = Linear(spec.heads * self.head_width, spec.width)
        self.query_norm = None if spec.qk_norm is None else spec.qk_norm.build(self.head_width)
        self.key_norm = None if spec.qk_norm is None else spec.qk_norm.build(self.head_width)
        base = spec.rotary_base
        self.rotary = None if base is None else Rotary(self.head_width, spec.context, base)
        self.dropout: nn.Module | None = None
        self._points = points.attach(self, spec.parts, "weights", spec)

    def roles(self) -> dict[str, str]:
        named = {f"{part}.weight": f"attention.{part}" for part in ("query", "key", "value")}
        return named | {"output.weight": "attention.out"}

    def units(self) -> dict[str, tuple[int, dict[str, int]]]:
        """Return what a head has of each matrix, or what the heads have that share keys and values."""
        axes = {"query.weight": 0, "key.weight": 0, "value.weight": 0, "output.weight": 1}
        return {"heads": (self.spec.kv_heads or self.spec.heads, axes)}

    def _heads(self, x_BTD: Tensor) -> Tensor:
        return x_BTD.unflatten(2, (-1, self.head_width)).transpose(1, 2)

    def forward(self, x_BTD: Tensor, ctx: Context | None = None) -> Tensor | tuple[Tensor, dict[str, Tensor]]:
        ctx = Context() if ctx is None else ctx
        if type(self) is Attention and (y_BTD := fused_attention.sublayer(self, x_BTD, ctx)) is not None:
            return y_BTD
        side: points.Side = {}

        def at(point: str, x: Tensor) -> Tensor:
            return points.through(self, self._points.get(point, ()), x, ctx, side)

        query = at("query", self._placed(self._heads(self.query(x_BTD)), self.query_norm, ctx.positions))
        key = self._heads(self.key(at("key_input", x_BTD)))
        key = at("key", self._placed(key, self.key_norm, ctx.positions))
        value = self._heads(self.value(at("value_input", x_BTD)))
        value = at("value", value)  # under grouped heads before they are repeated
        if ctx.cache is not None:
            key, value = ctx.cache.extend(self, key, value)
        mixed_BHTK = at("heads", self._attend(query.to(value.dtype), key.to(value.dtype), value, ctx.documents, at))
        y_BTD = at("out", self.output(mixed_BHTK.transpose(1, 2).flatten(2)))
        return (y_BTD, side) if side else y_BTD

    def _placed(self, x_BHTK: Tensor, norm: nn.Module | None, positions: Tensor | None) -> Tensor:
        """Return queries or keys, normalised and rotated by their positions."""
        found = fused_attention.placed(x_BHTK, norm, self.rotary, positions)
        if found is not None:
            return found
        if norm is not None:
            x_BHTK = norm(x_BHTK)
        rotary = self.rotary
        return x_BHTK if rotary is None or absent(rotary) else rotary(x_BHTK, positions)

    def _attend(
        self, query_BHQK: Tensor, key_BHCK: Tensor, value_BHCK: Tensor, documents: Tensor | None, at: At
    ) -> Tensor:
        new, seen, drop = query_BHQK.shape[2], key_BHCK.shape[2], self.dropout
        plain = points.quiet(self, self._points, "logits", "weights")
        quiet = plain and (drop is None or absent(drop) or (as_built(drop, Dropout) and not drop.dropping))
        if plain and (quiet or as_built(drop, Dropout)) and _by_our_op(query_BHQK, seen, quiet and documents is None):
            mask = drop.mask(query_BHQK.shape[0]) if as_built(drop, Dropout) else None
            context = max(self.spec.context, seen)
            return ops.attention(query_BHQK, key_BHCK, value_BHCK, mask, context=context, documents=documents)
        causal = new == seen and documents is None
        if quiet:
            unmasked = causal or (new == 1 and documents is None)
            visible = None if unmasked else _visible(new, seen, documents, query_BHQK.device)
            grouped = key_BHCK.shape[1] != query_BHQK.shape[1]
            return F.scaled_dot_product_attention(
                query_BHQK, key_BHCK, value_BHCK, attn_mask=visible, is_causal=causal, enable_gqa=grouped
            )
        times = query_BHQK.shape[1] // key_BHCK.shape[1]
        key_BHCK, value_BHCK = (t.repeat_interleave(times, dim=1) for t in (key_BHCK, value_BHCK))
        score_BHQC = at("logits", (query_BHQK @ key_BHCK.transpose(2, 3)) * self.head_width**-0.5)
        score_BHQC = score_BHQC.masked_fill(~_visible(new, seen, documents, score_BHQC.device), float("-inf"))
        weight_BHQC = torch.softmax(score_BHQC, dim=-1, dtype=torch.promote_types(score_BHQC.dtype, torch.float32))
        weight_BHQC = at("weights", weight_BHQC if drop is None else drop(weight_BHQC))
        return weight_BHQC.to(value_BHCK.dtype) @ value_BHCK

    def extra_repr(self) -> str:
        return f"{self.spec.width}, heads={self.spec.heads}, kv_heads={self.spec.kv_heads or self.spec.heads}"


def _by_our_op(query_BHQK: Tensor, seen: int, torch_can: bool) -> bool:
    """Return whether `ops.attention` is to run: where it has a kernel, and is the fastest that PyTorch or we have.

    `torch_can`: whether PyTorch's own has all that is asked for, being neither dropout of ours nor documents.
    """
    # One new position is a product with a vector, of which PyTorch's float32 makes two to four times less work. And
    # on a GPU its plain causal attention is the fastest that there is.
    generating = query_BHQK.shape[2] == 1 < seen and query_BHQK.dtype == torch.float32
    theirs = torch_can and (generating or query_BHQK.is_cuda)
    # A transform of torch.func runs our reference, as torch's own has no derivative along a direction.
    return transformed() or (not theirs and has_kernel("attention", query_BHQK))


def _visible(new: int, seen: int, documents_BT: Tensor | None, device: torch.device) -> Tensor:
    """Return which of `seen` positions each of the last `new` may attend to, bool [new, seen] or [B, 1, new, seen]."""
    causal = torch.ones(new, seen, dtype=torch.bool, device=device).tril(seen - new)
    if documents_BT is None:
        return causal
    same = documents_BT[:, None, :, None] == documents_BT[:, None, None, :]
    return causal & same
