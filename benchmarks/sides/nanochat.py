"""A model and a training after nanochat's, in the size that two cores train in minutes, over merged pairs.

Source: karpathy/nanochat, gpt.py and scripts/base_train.py (2025 to 2026): RMSNorm without parameters, behind the
embedding as well; rotary positions; queries and keys normalised; ReLU squared; a head of its own that starts at zero;
logits capped at 15; Muon for the matrices, AdamW for embedding and head with rates by width; decay to 0.05 of the rate
over the last 0.65 of the training. Value embeddings and learned factors of the residual stream are left out.

Shapes: B windows, T positions, H heads, K head width.
"""

from __future__ import annotations

import contextlib
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import network, text
from .clock import Budget, used
from .muon import Muon
from .outcome import Outcome

LAYERS, CONTEXT, BATCH, HEAD, CAP = 4, 256, 8, 32, 15.0
MATRIX, EMBEDDING, UNEMBEDDING, DECAY = 0.02, 0.2, 0.004, 0.28
"""Its learning rates at a width of 768, and its cautious decay of the matrices. Without decay 100 kB of Moby Dick, seen
seven times, came to 2.492 bits per byte in place of 2.480, in one run of each on a busy machine."""


def normed(x: Tensor) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, cos_TK: Tensor, sin_TK: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.qkv(normed(x)).view(batch, length, 3, -1, HEAD).permute(2, 0, 3, 1, 4)
        q, k = (normed(_rotated(part, cos_TK, sin_TK)) for part in parts[:2])
        y = F.scaled_dot_product_attention(q, k, parts[2].to(q.dtype), is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.relu(self.up(normed(x))).square())


def _rotated(x_BHTK: Tensor, cos_TK: Tensor, sin_TK: Tensor) -> Tensor:
    first, second = x_BHTK.chunk(2, dim=-1)
    return torch.cat([first * cos_TK + second * sin_TK, second * cos_TK - first * sin_TK], dim=-1).to(x_BHTK.dtype)


class Model(nn.Module):
    def __init__(self, vocab: int, width: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(LAYERS))
        self.head = nn.Linear(width, vocab, bias=False)
        for name, weight in self.named_parameters():
            if name.endswith(("out.weight", "down.weight", "head.weight")):
                nn.init.zeros_(weight)
            elif name != "tokens.weight":  # that one stays N(0, 1), as PyTorch makes it
                nn.init.normal_(weight, std=min(1.0, math.sqrt(weight.shape[0] / weight.shape[1])) / width**0.5)
        angles_TK = torch.arange(CONTEXT)[:, None] * 10_000.0 ** (-torch.arange(0, HEAD, 2) / HEAD)
        self.register_buffer("cos_TK", angles_TK.cos(), persistent=False)
        self.register_buffer("sin_TK", angles_TK.sin(), persistent=False)

    def forward(self, x_BT: Tensor) -> Tensor:
        x = normed(self.tokens(x_BT))
        for block in self.blocks:
            x = block(x, self.cos_TK[: x_BT.shape[1]], self.sin_TK[: x_BT.shape[1]])
        return CAP * torch.tanh(self.head(normed(x)).float() / CAP)


def width_of(seconds: float) -> int:
    """Return the width for a budget."""
    return 128 if seconds < 300 else 256


def run(parts: text.Parts, seconds: float, seed: int, rate: float) -> Outcome:
    """Return what the training comes to in a budget of `seconds`; `rate` is a factor of all its learning rates."""
    ids, budget = text.best(parts), Budget(seconds)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    train_N, held_N = torch.from_numpy(ids.train), torch.from_numpy(ids.held)
    width = width_of(seconds)
    model = Model(ids.vocab, width)
    muon = Muon([weight for block in model.blocks for weight in block.parameters()], DECAY)
    scale = rate * (width / 768) ** -0.5
    groups = [{"params": [model.tokens.weight], "lr": EMBEDDING}, {"params": [model.head.weight], "lr": UNEMBEDDING}]
    adam = torch.optim.AdamW(groups, betas=(0.8, 0.95), eps=1e-10, weight_decay=0.0)
    fast = torch.ops.mkldnn._is_mkldnn_bf16_supported()

    def logits(x_BT: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16) if fast else contextlib.nullcontext():
            return model(x_BT)

    def step(number: int, share: float) -> float:
        falling = 1.0 - 0.95 * max(0.0, share - 0.35) / 0.65
        for group, base in zip(adam.param_groups, (EMBEDDING, UNEMBEDDING), strict=True):
            group["lr"] = base * scale * falling
        x, y = network.windows(train_N, CONTEXT, BATCH, generator)
        loss = F.cross_entropy(logits(x).flatten(0, 1), y.flatten())
        model.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        muon.step(MATRIX * rate * falling, 0.85 + 0.1 * min(1.0, number / 300))
        return loss.item()

    done = network.train(model, step, lambda: network.sampled(logits, held_N, CONTEXT), budget)
    ready = used()
    nats_N = network.score(model, train_N, held_N, CONTEXT)
    return Outcome(
        float(nats_N.sum()), None, ready, f"{LAYERS} x {width}, {ids.kind}, best at step {done.best_step}", len(nats_N),
        done.steps, done.steps * BATCH * CONTEXT / len(train_N), sum(p.numel() for p in model.parameters()),
    )  # fmt: skip
