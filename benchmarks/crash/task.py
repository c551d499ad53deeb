"""What all of them learn: the next of 64 symbols, by a layer of a Transformer with dropout, from drawn ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SYMBOLS, CONTEXT, SEQUENCES, BATCH, STEPS, EVERY, RATE = 64, 32, 1024, 16, 256, 32, 1e-3
"""STEPS are four passes over SEQUENCES by batches of BATCH; a checkpoint is due EVERY so many steps."""


class Network(nn.Module):
    """Gives the loss of what comes next and the logits at every position, as trainers ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, 32)
        layer = nn.TransformerEncoderLayer(32, 2, 64, dropout=0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(32, SYMBOLS)
        self.register_buffer("mask", torch.triu(torch.full((CONTEXT, CONTEXT), float("-inf")), 1), persistent=False)

    def forward(self, input_ids: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.head(self.layers(self.embedding(input_ids), mask=self.mask))
        return nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()), logits


def examples() -> list[dict[str, Tensor]]:
    """Return the sequences that are learned, the same ones each time."""
    drawn = torch.randint(0, SYMBOLS, (SEQUENCES, CONTEXT + 1), generator=torch.Generator().manual_seed(1))
    drawn[:, 1::2] = (drawn[:, 0:-1:2] + 7) % SYMBOLS  # so that there is something to learn
    return [{"input_ids": row[:-1], "labels": row[1:]} for row in drawn]


def threads() -> None:
    """Compute in one thread, so that the order of sums is the same."""
    torch.set_num_threads(1)
