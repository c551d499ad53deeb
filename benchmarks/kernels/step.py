"""Whole training steps: forward, backward, clipping and AdamW, against nanoGPT's architecture in eager PyTorch.

Both sides see the same tokens, in float32. Ours is the library's own block: RMSNorm, normalised queries and keys,
rotary positions, squared ReLU; theirs has LayerNorm, learned positions and GELU. Both have the same matrices.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from baseline import Baseline

from mainstem import counter, optim
from mainstem.model import LanguageModel, Settings
from mainstem.model.settings import Rates

WORDS = 65


def ours(layers: int, width: int, heads: int, context: int, batch: int, rate: float) -> Callable[[], object]:
    rates = Rates(embedding=rate, attention_weights=rate, attention=rate, hidden=rate, feedforward=rate)
    model = LanguageModel(
        Settings(vocab=WORDS, layers=layers, width=width, heads=heads, context=context, rates=rates), seed=0
    )
    model.train()
    optimizer = optim.AdamW(optim.groups(model, decay=0.1), lr=1e-3, betas=(0.9, 0.99))
    x = torch.randint(WORDS, (batch, context + 1))
    step = 0

    def once() -> None:
        nonlocal step
        step += 1
        with counter.counter(seed=0, step=step, samples=range(batch)):
            loss = model(x[:, :-1], targets_BT=x[:, 1:]) / (batch * context)
        loss.backward()
        optim.update(optimizer, model, 1.0)
        optimizer.zero_grad(set_to_none=True)

    return once


def theirs(layers: int, width: int, heads: int, context: int, batch: int, rate: float) -> Callable[[], object]:
    model = Baseline(WORDS, layers, width, heads, context, rate).train()
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=1e-3, betas=(0.9, 0.99), fused=True,
    )  # fmt: skip
    x = torch.randint(WORDS, (batch, context + 1))

    def once() -> None:
        loss = F.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return once


def products(layers: int, width: int, heads: int, context: int, batch: int) -> Callable[[], object]:
    """Return the step's matrix products alone: each weight's three, and attention's two forward and four backward."""
    tokens, narrow = batch * context, width // heads
    x, wide = torch.randn(tokens, width), torch.randn(tokens, 4 * width)
    square, up = torch.randn(width, width), torch.randn(width, 4 * width)
    head = torch.randn(batch * heads, context, narrow)
    scores = torch.randn(batch * heads, context, context)
    words, logits = torch.randn(width, WORDS), torch.randn(tokens, WORDS)

    def once() -> None:
        for _ in range(layers):
            for _ in range(4):
                x @ square, x @ square.t(), x.t() @ x
            for _ in range(2):
                x @ up, wide @ up.t(), x.t() @ wide
            for _ in range(3):
                head @ head.transpose(1, 2), scores @ head
        x @ words, logits @ words.t(), x.t() @ logits

    return once


def cases() -> list[tuple[str, str, str, Callable[[], object], Callable[[], object]]]:
    small, large = (4, 128, 4, 64, 12), (6, 384, 6, 256, 8)
    eager = "nanoGPT's architecture in eager PyTorch"
    return [
        ("step, 4 x 128, T 64, batch 12, rate 0.2", eager, "time <= 0.625", ours(*small, 0.2), theirs(*small, 0.2)),
        ("step, 4 x 128, T 64, batch 12, rate 0", eager, "", ours(*small, 0.0), theirs(*small, 0.0)),
        ("step, 6 x 384, T 256, batch 8, rate 0.2", eager, "time <= 0.8", ours(*large, 0.2), theirs(*large, 0.2)),
        ("the same step", "its matrix products alone", "time <= 1.12", ours(*large, 0.2), products(*large)),
        ("the same step", "itself at rate 0", "time <= 1.03", ours(*large, 0.2), ours(*large, 0.0)),
    ]
