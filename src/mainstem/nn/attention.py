"""Causal self-attention. May import noise, ops and its neighbours here.

Shapes: B batch, T position, D width, H heads, K head width, Q new positions, C cached and new positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import ops
from ..errors import BadInput
from ..noise import Dropout
from ..ops.dispatch import choose
from .built import plain, unwatched
from .context import Context
from .linear import Linear
from .norm import NormSpec, RMSNorm
from .rotary import Rotary
from .spec import Spec


@dataclass(frozen=True)
class ValueMix:
    """Values of this block are first * V_1 + own * V, both weights learned; V_1 is the first block's."""

    first: float = 0.5
    own: float = 0.5


@dataclass(frozen=True)
class AttentionSpec(Spec):
    """Causal self-attention to be; a residual form may change it before it is built."""

    kind: ClassVar[str] = "attention"

    width: int
    heads: int
    kv_heads: int | None = None
    context: int = 1024
    rotary_base: float | None = 10000.0
    qk_norm: NormSpec | None = NormSpec()
    rate: float = 0.0
    publishes: str | None = None
    """The name under which this layer's values travel beside the stream."""
    mix: ValueMix | None = None

    def build(self) -> Attention:
        return Attention(self)


class Attention(nn.Module):
    """softmax(q k^T / sqrt K + causal and document mask) v, projected: [B, T, D] -> [B, T, D].

    Grouped heads share keys and values. Queries and keys are normalised over K, then turned by their position (with
    a gain the two do not commute). Attention weights are dropped after the softmax and scaled, so that a row sums to
    1 in the mean only. `Attention(width, heads)` and `Attention(AttentionSpec(...))` are the same.

    Raises `BadInput` where heads do not divide the width, or kv_heads the heads.

    Source: Vaswani et al. 2017 (1706.03762), equation 1.

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
        if spec.width % spec.heads or spec.heads % shared:
            raise BadInput(
                f"width {spec.width}, heads {spec.heads} and kv_heads {shared} do not fit: heads must divide the "
                "width, and kv_heads the heads"
            )
        self.spec = spec
        self.head_width = spec.width // spec.heads
        if spec.rotary_base is not None and self.head_width % 2:
            raise BadInput(f"rotary positions need an even head width, not {self.head_width}: change width or heads")
        self.query = Linear(spec.width, spec.width)
        self.key = Linear(spec.width, shared * self.head_width)
        self.value = Linear(spec.width, shared * self.head_width)
        self.output = Linear(spec.width, spec.width)
        self.query_norm = None if spec.qk_norm is None else spec.qk_norm.build(self.head_width)
        self.key_norm = None if spec.qk_norm is None else spec.qk_norm.build(self.head_width)
        base = spec.rotary_base
        self.rotary = None if base is None else Rotary(self.head_width, spec.context, base)
        self.dropout = Dropout(spec.rate) if spec.rate else None
        if spec.mix is not None:
            self.mix_first = nn.Parameter(torch.tensor([spec.mix.first]))
            self.mix_own = nn.Parameter(torch.tensor([spec.mix.own]))

    def roles(self) -> dict[str, str]:
        named = {f"{part}.weight": f"attention.{part}" for part in ("query", "key", "value")}
        named["output.weight"] = "attention.out"
        if self.spec.mix is not None:
            named |= {"mix_first": "mix", "mix_own": "mix"}
        return named

    def _heads(self, x_BTD: Tensor) -> Tensor:
        return x_BTD.unflatten(2, (-1, self.head_width)).transpose(1, 2)

    def forward(self, x_BTD: Tensor, ctx: Context | None = None) -> Tensor | tuple[Tensor, dict[str, Tensor]]:
        ctx = Context() if ctx is None else ctx
        if self._in_one(x_BTD, ctx):
            return self._whole(x_BTD, ctx)
        query, key = self._heads(self.query(x_BTD)), self._heads(self.key(x_BTD))
        value = own = self._heads(self.value(x_BTD))
        query = self._placed(query, self.query_norm, ctx.positions)
        key = self._placed(key, self.key_norm, ctx.positions)
        if self.spec.mix is not None:
            # Under grouped heads the values are mixed before they are repeated.
            value = self.mix_first.to(own.dtype) * ctx.side["value"] + self.mix_own.to(own.dtype) * own
        if ctx.cache is not None:
            key, value = ctx.cache.extend(self, key, value)
        mixed_BHTK = self._attend(query.to(value.dtype), key.to(value.dtype), value, ctx)
        y_BTD = self.output(mixed_BHTK.transpose(1, 2).flatten(2))
        return y_BTD if self.spec.publishes is None else (y_BTD, {self.spec.publishes: own})

    def _in_one(self, x_BTD: Tensor, ctx: Context) -> bool:
        """Return whether `ops.self_attention` may stand for all parts: nobody watches them, and it is the fastest."""
        spec, parts = self.spec, self._modules
        if spec.mix is not None or spec.publishes is not None or ctx.cache is not None or x_BTD.dim() != 3:
            return False
        norms, rotary = (parts.get("query_norm"), parts.get("key_norm")), parts.get("rotary")
        bare = norms == (None, None) and rotary is None
        return (
            not torch.compiler.is_compiling()
            and (bare or _normed(*norms))
            and (rotary is None or ctx.positions is None or len(ctx.positions) == x_BTD.shape[1])
            and plain(parts["query"], parts["key"], parts["value"], parts["output"])
            and unwatched(*norms, rotary, parts.get("dropout"))
            and _blocks(x_BTD)
        )

    def _whole(self, x_BTD: Tensor, ctx: Context) -> Tensor:
        parts, drop, length = self._modules, self.dropout, x_BTD.shape[1]
        gains, eps, angles, threshold, draw, site = None, 0.0, None, None, None, None
        query, key = parts.get("query_norm"), parts.get("key_norm")
        if isinstance(query, RMSNorm) and isinstance(key, RMSNorm):
            gains, eps = (query.gain, key.gain), query.eps
        if self.rotary is not None:
            cosine, sine = self.rotary.angles(length, x_BTD, ctx.positions)
            angles = cosine.to(torch.float32), sine.to(torch.float32)
        if drop is not None and drop.training and not drop.silent:
            threshold, (draw, site) = drop.threshold, drop.draw(len(x_BTD))
        return ops.self_attention(
            x_BTD, self.query.weight, self.key.weight, self.value.weight, self.output.weight, threshold,
            heads=self.spec.heads, gains=gains, eps=eps, angles=angles, site=site, draw=draw,
            context=max(self.spec.context, length), documents=ctx.documents,
        )  # fmt: skip

    def _placed(self, x_BHTK: Tensor, norm: nn.Module | None, positions: Tensor | None) -> Tensor:
        """Return queries or keys normalised and turned, in one pass where nobody watches either."""
        rotary = self.rotary
        if type(norm) is RMSNorm and rotary is not None and _in_one(x_BHTK, norm, rotary):
            cosine, sine = rotary.angles(x_BHTK.shape[2], x_BHTK, positions)
            angles = cosine.to(torch.float32), sine.to(torch.float32)
            return ops.rms_norm(x_BHTK, norm.gain, norm.eps, angles=angles)
        if norm is not None:
            x_BHTK = norm(x_BHTK)
        return x_BHTK if rotary is None else rotary(x_BHTK, positions)

    def _attend(self, query_BHQK: Tensor, key_BHCK: Tensor, value_BHCK: Tensor, ctx: Context) -> Tensor:
        new, seen = query_BHQK.shape[2], key_BHCK.shape[2]
        noisy = self.dropout is not None and self.dropout.training and not self.dropout.silent
        if ctx.documents is not None and new != seen:
            raise BadInput("a document mask and a key-value cache do not go together: generate within one document")
        if _in_blocks(query_BHQK, new, seen, noisy):
            return self._attend_in_blocks(query_BHQK, key_BHCK, value_BHCK, ctx.documents, noisy)
        grouped = key_BHCK.shape[1] != query_BHQK.shape[1]
        plain = new == seen and ctx.documents is None
        if not noisy:
            mask = None if plain or (new == 1 and ctx.documents is None) else _mask(new, seen, ctx, query_BHQK.device)
            return F.scaled_dot_product_attention(
                query_BHQK, key_BHCK, value_BHCK, attn_mask=mask, is_causal=plain, enable_gqa=grouped
            )
        if grouped:
            times = query_BHQK.shape[1] // key_BHCK.shape[1]
            key_BHCK, value_BHCK = (t.repeat_interleave(times, dim=1) for t in (key_BHCK, value_BHCK))
        score_BHQC = (query_BHQK @ key_BHCK.transpose(2, 3)) * self.head_width**-0.5
        score_BHQC = score_BHQC.masked_fill(~_mask(new, seen, ctx, score_BHQC.device), float("-inf"))
        weight_BHQC = torch.softmax(score_BHQC, dim=-1, dtype=torch.promote_types(score_BHQC.dtype, torch.float32))
        assert self.dropout is not None
        dropped = self.dropout.weights(weight_BHQC, max(self.spec.context, seen))
        return dropped.to(value_BHCK.dtype) @ value_BHCK

    def _attend_in_blocks(
        self, query_BHQK: Tensor, key_BHCK: Tensor, value_BHCK: Tensor, documents: Tensor | None, noisy: bool
    ) -> Tensor:
        threshold = draw = site = None
        if noisy:
            assert self.dropout is not None
            threshold, (draw, site) = self.dropout.threshold, self.dropout.draw(query_BHQK.shape[0])
        return ops.attention(
            query_BHQK, key_BHCK, value_BHCK, threshold, site=site, draw=draw,
            context=max(self.spec.context, key_BHCK.shape[2]), documents=documents, impl="cpu",
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"{self.spec.width}, heads={self.spec.heads}, kv_heads={self.spec.kv_heads or self.spec.heads}"


def _in_one(x: Tensor, *modules: nn.Module) -> bool:
    """Return whether `ops.rms_norm` may stand for the norm and the rotary positions: there is a kernel for it."""
    return (
        not torch.compiler.is_compiling()
        and unwatched(*modules)
        and choose("rms_norm", "auto", x.device.type, x.dtype) == "cpu"
    )


def _normed(query: nn.Module | None, key: nn.Module | None) -> bool:
    """Return whether both are RMS norms that one call can take."""
    return type(query) is RMSNorm and type(key) is RMSNorm and query.eps == key.eps


def _blocks(x: Tensor) -> bool:
    device = x.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    return choose("attention", "auto", device, dtype) == choose("rms_norm", "auto", device, dtype) == "cpu"


def _in_blocks(query: Tensor, new: int, seen: int, noisy: bool) -> bool:
    """Return whether `ops.attention` is to run: where it has a kernel and is the fastest that PyTorch or we have."""
    # One new position is a product with a vector, of which PyTorch's float32 makes two to four times less work.
    generating = new == 1 < seen and not noisy and query.dtype == torch.float32
    return not generating and choose("attention", "auto", query.device.type, query.dtype) == "cpu"


def _mask(new: int, seen: int, ctx: Context, device: torch.device) -> Tensor:
    """Return which of `seen` positions each of the last `new` may attend to, bool [new, seen] or [B, 1, new, seen]."""
    causal = torch.ones(new, seen, dtype=torch.bool, device=device).tril(seen - new)
    if ctx.documents is None:
        return causal
    same = ctx.documents[:, None, :, None] == ctx.documents[:, None, None, :]
    return causal & same
