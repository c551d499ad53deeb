"""How sharp attention is."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from .base import Quantity


class AttentionLogit(Quantity):
    """The largest attention logit: where it grows without end, training diverges."""

    name = "attention_logit"
    title = "Largest attention logit"
    unit = "logit"
    normal: ClassVar[tuple[float, float]] = (0.0, 80.0)
    definition = "max of abs(scale * q k + mask) before the softmax, masked places left out, first samples of the batch"
    source = "2309.14322"
    cost = "one product of queries and keys for at most 2 samples"
    wants: ClassVar[frozenset[str]] = frozenset({"ops"})

    def logits(self, name: str, logits: Tensor) -> None:
        self.note(name, torch.where(logits.isinf(), 0.0, logits).abs().amax())


class AttentionEntropy(Quantity):
    """How many keys a query looks at: 1 all of them alike, 0 a single one."""

    name = "attention_entropy"
    title = "Attention entropy"
    unit = "of ln keys"
    normal: ClassVar[tuple[float, float]] = (0.02, 1.0)
    definition = "mean of -sum p ln p over rows that see two keys or more, each divided by ln of the keys it sees"
    source = "2303.06296"
    cost = "one softmax for at most 2 samples"
    wants: ClassVar[frozenset[str]] = frozenset({"ops"})

    def logits(self, name: str, logits: Tensor) -> None:
        seen = (~logits.isinf()).sum(-1)
        logp = torch.log_softmax(logits, -1)
        entropy = -(logp.exp() * torch.where(logp.isinf(), 0.0, logp)).sum(-1)
        many = seen >= 2
        share = torch.where(many, entropy / seen.clamp_min(2).log(), 0.0)
        self.note(name, share.sum() / many.sum().clamp_min(1))
