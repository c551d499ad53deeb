"""What both layers share: sublayers of torch's weights by our attention, noise and forms.

Shapes: B batch, T position, D width, H heads, Q queries, C keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import ops
from ..errors import BadInput
from ..form import Form, parse
from ..form.alone import Around, around
from ..nn import LayerNorm, NormSpec
from ..noise import Dropout, NoiseSpec
from ..stream.calling import elsewhere

CONTEXT = 4096
"""What rows of attention weights are numbered by, so that padding changes no mask; longer ones by their number."""

POINTS = ("attention.query", "attention.key", "attention.value", "attention.heads", "attention.out", "attention.branch",
          "feedforward.hidden", "feedforward.out", "feedforward.branch", "branch")  # fmt: skip
"""Where a noise may stand."""


class Masks:
    """What a query does not see, as torch's layers are told it.

    Args:
        mask: bool [Q, C] or [B * H, Q, C], True where hidden; or floating point, which is added to the scores.
        padding: bool [B, C], True where hidden; or floating point, which is added.
        causal: whether a query sees the keys up to its own, where there is no `mask`.
    """

    def __init__(self, mask: Tensor | None, padding: Tensor | None, causal: bool) -> None:
        self.causal = causal and mask is None
        self.mask, self.padding = mask, padding

    def given(self, query_BHQK: Tensor, key_BHCK: Tensor) -> dict[str, Any]:
        """Return what `ops.attention` takes of it.

        Raises:
            BadInput: a mask is of another shape, of whole numbers or on another device.
        """
        batch, heads, queries, keys = *query_BHQK.shape[:3], key_BHCK.shape[2]
        bias, visible = None, None
        if self.mask is not None:
            fits = self.mask.shape in ((queries, keys), (batch * heads, queries, keys))
            _check("mask", self.mask, query_BHQK, fits, f"[{queries}, {keys}] or [{batch * heads}, {queries}, {keys}]")
            four = (1, 1, queries, keys) if self.mask.dim() == 2 else (batch, heads, queries, keys)
            bias = _added(self.mask, query_BHQK).view(four)
        if self.padding is not None:
            padding = self.padding[None] if self.padding.dim() == 1 else self.padding
            _check("key padding mask", padding, query_BHQK, padding.shape == (batch, keys), f"[{batch}, {keys}]")
            if padding.dtype == torch.bool:
                visible = ~padding
            else:
                more = padding[:, None, None, :].to(query_BHQK.dtype)
                bias = more if bias is None else bias + more
        return {"causal": self.causal, "bias": bias, "visible": visible}


def _check(what: str, mask: Tensor, query: Tensor, fits: bool, shapes: str) -> None:
    if mask.device != query.device:
        raise BadInput(f"The {what} is on {mask.device}, and x on {query.device}: give it there.")
    if not fits or not (mask.dtype == torch.bool or mask.is_floating_point()):
        raise BadInput(
            f"The {what} is {mask.dtype} of shape {list(mask.shape)}: give bool, True where a key is hidden, or "
            f"floating point to be added to the scores, of shape {shapes}."
        )


def _added(mask: Tensor, like: Tensor) -> Tensor:
    if mask.dtype != torch.bool:
        return mask.to(like.dtype)
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, -math.inf)


class Layer(nn.Module):
    """Sublayers of a torch layer's modules, each with its residual. Abstract; beside one of torch's layers."""

    linear1: nn.Linear
    linear2: nn.Linear
    dropout: nn.Dropout
    activation: Callable[[Tensor], Tensor]
    norm_first: bool

    def equip(self, rate: float, form: Form | str | None, noise: Sequence[NoiseSpec], eps: float, names: Any) -> None:
        """Put noise of ours in the place of torch's, and the form's parts around each of the sublayers `names`.

        Raises:
            BadInput: the form cannot stand around one layer, or a noise has no place there.
        """
        for name, module in list(self.named_children()):
            if type(module) is nn.Dropout:
                setattr(self, name, Dropout(rate))
        self.weights_dropouts = nn.ModuleDict(
            {name: Dropout(rate, context=CONTEXT) for name in names if names[name] == "attention"}
        )
        form = parse(form) if isinstance(form, str) else form
        _refuse(form, noise, self.norm_first)
        at = self.linear1.weight
        self.residuals = nn.ModuleDict()
        if form is not None:
            for number, (name, kind) in enumerate(names.items(), 1):
                self.residuals[name] = around(form, kind, at.shape[1], NormSpec(LayerNorm, eps)).to(at.device, at.dtype)
                setattr(self, f"norm{number}", nn.Identity())
        made: dict[str, list[nn.Module]] = {}
        for spec in noise:
            for name, kind in names.items():
                place, _, point = spec.at.partition(".")
                if spec.drops and place in ("branch", kind):
                    made.setdefault(f"{name}_{point or 'branch'}", []).append(spec.build())
        self.noises = nn.ModuleDict({place: nn.ModuleList(modules) for place, modules in made.items()})

    def at(self, place: str, x: Tensor) -> Tensor:
        """Return what the noises at `place` make of x."""
        if place not in self.noises:
            return x
        modules = self.noises[place]
        assert isinstance(modules, nn.ModuleList)
        for module in modules:
            x = module(x)
        return x

    def sublayer(self, name: str, number: int, x_BTD: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the stream behind the sublayer `name`, the one with this number, whose branch is `function`."""
        norm, drop = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")

        def inside(h_BTD: Tensor) -> Tensor:
            return self.at(f"{name}_out", function(h_BTD))

        def end(y_BTD: Tensor) -> Tensor:
            return self.at(f"{name}_branch", drop(y_BTD))

        if name in self.residuals:
            part = self.residuals[name]
            assert isinstance(part, Around)
            return part(x_BTD, inside, end)
        if self.norm_first:
            return x_BTD + end(inside(norm(x_BTD)))
        return norm(x_BTD + end(inside(x_BTD)))

    def attend(self, name: str, own: nn.MultiheadAttention, x: Tensor, memory: Tensor, masks: Masks) -> Tensor:
        """Return attention of x [B, Q, D] to `memory` [B, C, D] by the weights of `own`, without its own dropout."""
        weight, bias, width = own.in_proj_weight, own.in_proj_bias, own.embed_dim
        ends = (None, None) if bias is None else (bias[:width], bias[width:])
        if memory is x:
            query, key, value = F.linear(x, weight, bias).chunk(3, -1)
        else:
            query = F.linear(x, weight[:width], ends[0])
            key, value = F.linear(memory, weight[width:], ends[1]).chunk(2, -1)
        heads = [t.unflatten(2, (own.num_heads, -1)).transpose(1, 2) for t in (query, key, value)]
        points = ("query", "key", "value")
        query, key, value = (self.at(f"{name}_{point}", t) for point, t in zip(points, heads, strict=True))
        drop = self.weights_dropouts[name]
        assert isinstance(drop, Dropout)
        context = max(CONTEXT, query.shape[2], key.shape[2])
        mixed = ops.attention(query, key, value, drop.mask(x.shape[0]), context=context, **masks.given(query, key))
        return own.out_proj(self.at(f"{name}_heads", mixed).transpose(1, 2).flatten(2))

    def feed_forward(self, x_BTD: Tensor) -> Tensor:
        """Return W2 dropout(phi(W1 x)), [B, T, D]."""
        hidden = self.at("feedforward_hidden", self.activation(self.linear1(x_BTD)))
        return self.linear2(self.dropout(hidden))


def _refuse(form: Form | None, noise: Sequence[NoiseSpec], norm_first: bool) -> None:
    if form is not None and norm_first:
        raise BadInput(f"norm_first=True and form={form} both say where norms stand: give one of the two.")
    for spec in noise:
        if spec.at not in POINTS:
            raise BadInput(
                f"{type(spec).__name__} is for {spec.at}, where this layer has no place for it: give dropout= for the "
                f"weights of attention, or one of {', '.join(POINTS)}."
            )
        if spec.rates.depth != "constant":
            raise BadInput(
                f"The rate of {type(spec).__name__} depends on the depth, which a layer by itself does not know: give "
                "each layer the rate of its own."
            )


def batched(x: Tensor, batch_first: bool) -> Tensor:
    """Return x [T, D], [T, B, D] or [B, T, D] as [B, T, D]."""
    if x.dim() == 2:
        return x[None]
    return x if batch_first else x.transpose(0, 1)


def returned(x_BTD: Tensor, like: Tensor, batch_first: bool) -> Tensor:
    """Return x [B, T, D] laid out as the input `like` was given."""
    if like.dim() == 2:
        return x_BTD[0]
    return x_BTD if batch_first else x_BTD.transpose(0, 1)


def checked(name: str, x: Tensor, own: nn.MultiheadAttention) -> None:
    """Refuse what is no input of a layer with this attention.

    Raises:
        BadInput: it is nested, of another width, of whole numbers, or on another device.
    """
    width = own.embed_dim
    if x.is_nested or x.dim() not in (2, 3) or x.shape[-1] != width or not x.is_floating_point():
        shape = "nested" if x.is_nested else f"of shape {list(x.shape)}"
        raise BadInput(
            f"{name} is {x.dtype} and {shape}: give floating point [T, B, {width}], [B, T, {width}] with "
            f"batch_first=True, or [T, {width}]."
        )
    if x.device != own.out_proj.weight.device and (why := elsewhere(own, {name: x})) is not None:
        raise BadInput(f"The layer {why}")
