"""Attention in plain PyTorch: the oracle, and what runs where there is no kernel.

Shapes: B samples, H heads, G groups of heads, Q queries, C keys, K head width.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..dropout.reference import dropout
from ..layout import Layout
from ..mask import Mask, from_tensors, tensors
from ..precision import exact, widened


class Settings(NamedTuple):
    """All but the three arrays; `context` is what the rows of `mask` are numbered by, 0 without one.

    What no kernel takes stands last: `visible` bool [B, C], and a `bias` of scores that spreads to [B, H, Q, C].
    """

    documents: Tensor | None
    mask: Mask | None
    context: int
    causal: bool
    scale: float
    visible: Tensor | None = None
    bias: Tensor | None = None

    def flat(self) -> tuple[Any, ...]:
        """Return documents, threshold, key, samples, site, context, causal and scale, as the operators take them."""
        site = 0 if self.mask is None else self.mask.site
        return self.documents, *tensors(self.mask), site, self.context, self.causal, self.scale

    @staticmethod
    def of(*flat: Any) -> Settings:
        """Return the settings of which `flat` gave these."""
        documents, threshold, key, samples, site, *rest = flat
        return Settings(documents, from_tensors(threshold, key, samples, site), *rest)


def weights(query_BHQK: Tensor, key_BHCK: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """Return the softmax [B, H, Q, C], and what a dropped weight is multiplied by: 0 or the scale of the kept."""
    queries, keys = query_BHQK.shape[2], key_BHCK.shape[2]
    score_BHQC = query_BHQK @ key_BHCK.transpose(2, 3) * settings.scale
    seen = torch.ones(queries, keys, dtype=torch.bool, device=score_BHQC.device)
    if settings.causal:
        seen = seen.tril(keys - queries)
    if settings.documents is not None:
        same = settings.documents[:, None, :, None] == settings.documents[:, None, None, :]
        seen = seen & same
    if settings.visible is not None:
        seen = seen & settings.visible[:, None, None, :]
    if settings.bias is not None:
        score_BHQC = score_BHQC + settings.bias.to(score_BHQC.dtype)
    score_BHQC = score_BHQC.masked_fill(~seen, float("-inf"))
    if settings.visible is None and settings.bias is None:
        weight_BHQC = torch.softmax(score_BHQC, dim=-1)
    else:
        # Of a row that sees nothing a softmax, and its gradient, would be no number.
        blind = (score_BHQC == float("-inf")).all(-1, keepdim=True)
        weight_BHQC = torch.softmax(score_BHQC.masked_fill(blind, 0.0), dim=-1).masked_fill(blind, 0.0)
    ones = torch.ones_like(weight_BHQC, requires_grad=False)
    if settings.mask is None:
        return weight_BHQC, ones
    batch, heads = query_BHQK.shape[:2]
    where = Layout(1, batch, heads * queries, keys, max(queries, 1), settings.context)
    return weight_BHQC, dropout(ones, settings.mask, where)


def _repeat(shared: Tensor, heads: int) -> Tensor:
    return shared if shared.shape[1] == heads else shared.repeat_interleave(heads // shared.shape[1], dim=1)


@exact
def attention(query_BHQK: Tensor, key_BGCK: Tensor, value_BGCK: Tensor, settings: Settings) -> Tensor:
    """Return dropout(softmax(scale q k^T + mask)) v, for any device and dtype; autograd knows its gradient."""
    heads = query_BHQK.shape[1]
    query, key, value = map(widened, (query_BHQK, key_BGCK, value_BGCK))
    weight, kept = weights(query, _repeat(key, heads), settings)
    return (weight * kept @ _repeat(value, heads)).to(query_BHQK.dtype)


@exact
def backward(
    dout_BHQK: Tensor, query_BHQK: Tensor, key_BGCK: Tensor, value_BGCK: Tensor, settings: Settings
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of query, key and value; autograd knows theirs.

    With w the softmax and m what dropout multiplies by: dv = (m w)^T dout, dw = m (dout v^T),
    dscore = w (dw - sum(w dw)), dq = scale dscore k, dk = scale dscore^T q.
    """
    heads, groups = query_BHQK.shape[1], key_BGCK.shape[1]
    dout, query, shared_key, shared_value = map(widened, (dout_BHQK, query_BHQK, key_BGCK, value_BGCK))
    key, value = _repeat(shared_key, heads), _repeat(shared_value, heads)
    weight, kept = weights(query, key, settings)
    dweight = kept * (dout @ value.transpose(2, 3))
    dscore = weight * (dweight - (weight * dweight).sum(-1, keepdim=True)) * settings.scale
    dkey, dvalue = dscore.transpose(2, 3) @ query, (weight * kept).transpose(2, 3) @ dout
    if groups != heads:
        dkey, dvalue = (d.unflatten(1, (groups, heads // groups)).sum(2) for d in (dkey, dvalue))
    grads = zip((dscore @ key, dkey, dvalue), (query_BHQK, key_BGCK, value_BGCK), strict=True)
    dquery, dkey, dvalue = (grad.to(array.dtype) for grad, array in grads)
    return dquery, dkey, dvalue
