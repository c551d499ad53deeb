"""A small language model as other people write one, and the faults that may be planted into it.

Shapes: B batch, T position, D width, H heads.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS, VOCAB, LENGTH = 32, 4, 53, 12


class SelfAttention(nn.Module):
    """Attention; where and how a softmax is taken, and how it is masked, is the author's."""

    def __init__(self, causal: bool = True, way: str = "plain", fault: str = "") -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.weights, self.drop = nn.Dropout(0.1), nn.Dropout(0.1)
        self.causal, self.way, self.fault = causal, way, fault

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (t.unflatten(2, (HEADS, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        seen = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril() if self.causal else None
        if self.way == "fused":
            y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        elif self.way == "heads last":  # [B, Q, K, H], and a softmax over K
            scores = torch.einsum("bhqc,bhkc->bqkh", q, k) / math.sqrt(q.shape[-1])
            if seen is not None:
                scores = scores.masked_fill(~seen[..., None], -1e9)
            axis = 1 if self.fault == "wrong axis" else 2
            y = torch.einsum("bqkh,bhkc->bhqc", self.weights(scores.softmax(axis)), v)
        elif self.way == "keys first":  # [B, H, K, Q]: queries are the columns
            scores = (k @ q.mT) / math.sqrt(q.shape[-1])
            if seen is not None:
                scores = scores.masked_fill(~seen.T, -1e9)
            y = self.weights(scores.softmax(-2)).mT @ v
        else:
            y = self.weights(self._weights(q, k, seen)) @ v
        y = self.out(y.transpose(1, 2).flatten(2))
        return self.drop(self.drop(y) if self.fault == "dropped twice" else y)

    def _weights(self, q: Tensor, k: Tensor, seen: Tensor | None) -> Tensor:
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        if seen is not None and self.fault != "no mask":
            if self.way == "added":  # as BERT of old, by a number that half precision holds
                scores = scores + (1.0 - seen.float()) * -10000.0
            elif self.way == "where":
                scores = torch.where(seen, scores, torch.full([], torch.finfo(scores.dtype).min))
            else:
                scores = scores.masked_fill(~seen, float("-inf"))
        if self.fault == "wrong axis":
            return torch.nan_to_num(scores).softmax(-2)
        return scores.softmax(1 if self.fault == "over heads" else -1)


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH), nn.Dropout(0.1))


class Layer(nn.Module):
    """Attention and feed-forward with norms where `order` says; `fault` is planted."""

    def __init__(self, order: str = "pre", causal: bool = True, way: str = "plain", fault: str = "") -> None:
        super().__init__()
        inner = fault if fault in ("dropped twice", "no mask", "wrong axis", "over heads") else ""
        self.attn, self.mlp = SelfAttention(causal, way, inner), mlp()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.norm3, self.norm4 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        if order != "sandwich":
            self.norm3 = self.norm4 = nn.Identity()
        self.drop, self.order, self.fault = nn.Dropout(0.1), order, fault

    def forward(self, x: Tensor) -> Tensor:
        if self.fault == "normed":
            x = self.norm1(x)
            x = x + self.attn(x)
            return x + self.mlp(self.norm2(x))
        if self.fault == "normed late":
            x = x + self.attn(self.norm1(x))
            x = self.norm2(x)
            return x + self.mlp(x)
        if self.fault == "dropped stream":
            return self.drop(self._rest(x + self.attn(self.norm1(x))))
        if self.order == "in place":  # the sum lies where the dropout of a branch wrote
            y = self.attn(self.norm1(x))
            y += x
            return self._rest(self.drop(y) if self.fault == "dropped in place" else y)
        if self.fault == "dropped input":
            x = self.drop(x)
        if self.order == "post":
            x = self.norm1(x + self.attn(x))
            return self.norm2(x + self.mlp(x))
        if self.order == "parallel":
            h = self.norm1(x)
            return x + self.attn(h) + self.mlp(h)
        return self._rest(x + self.norm3(self.attn(self.norm1(x))))

    def _rest(self, x: Tensor) -> Tensor:
        return x + self.norm4(self.mlp(self.norm2(x)))


class Language(nn.Module):
    """A decoder of such layers, the head tied to the table."""

    def __init__(self, layers: int = 4, **layer: object) -> None:
        super().__init__()
        self.table, self.places = nn.Embedding(VOCAB, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.drop = nn.Dropout(0.1)
        self.layers = nn.ModuleList(Layer(**layer) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCAB, bias=False)
        if layer.get("order") == "parallel":
            self._drop_unused()
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    def _drop_unused(self) -> None:
        for layer in self.layers:
            layer.norm2 = nn.Identity()

    def forward(self, ids: Tensor) -> Tensor:
        x = self.drop(self.table(ids) + self.places.weight[: ids.shape[1]])
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))
