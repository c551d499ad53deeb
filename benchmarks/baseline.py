"""The other side of the comparisons: nanoGPT's architecture and CPU recipe, written here in eager PyTorch.

Facts from karpathy/nanoGPT (model.py, train.py, config/train_shakespeare_char.py, README): GPT-2 blocks without
biases, GELU, learned positions, tied head, output projections N(0, 0.02 / sqrt(2 L)), AdamW (betas 0.9 and 0.99, decay
0.1 on matrices), warm-up of 100 steps, cosine from 1e-3 to 1e-4, clipping at 1; on a CPU 4 layers of width 128, context
64, batch 12, 2,000 steps, dropout 0, an estimate over 20 batches of both parts every 250 steps.

    python benchmarks/baseline.py TEXT --seed 0
"""

from __future__ import annotations

import argparse
import json
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.rate = heads, dropout
        self.norm_1, self.norm_2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)
        self.drop_1, self.drop_2 = nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.qkv(self.norm_1(x)).split(width, dim=2)
        q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2) for part in parts)
        rate = self.rate if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=True)
        x = x + self.drop_1(self.out(y.transpose(1, 2).reshape(batch, length, width)))
        return x + self.drop_2(self.down(F.gelu(self.up(self.norm_2(x)))))


class Baseline(nn.Module):
    def __init__(self, vocab: int, layers: int, width: int, heads: int, context: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                last = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * layers) if last else 0.02)

    def forward(self, x: Tensor) -> Tensor:
        h = self.drop(self.tokens(x) + self.positions(torch.arange(x.shape[1])))
        for block in self.blocks:
            h = block(h)
        return F.linear(self.norm(h), self.tokens.weight)


def optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Return nanoGPT's AdamW: decay on everything of two dimensions."""
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))


def learning_rate(step: int, steps: int) -> float:
    if step < 100:
        return 1e-3 * (step + 1) / 101
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * (step - 100) / (steps - 100))) * 9e-4


@torch.no_grad()
def full_pass(model: nn.Module, ids: Tensor, context: int) -> float:
    """Return the loss over all of `ids` in windows without overlap, in nats per token."""
    model.eval()
    total, count = 0.0, 0
    whole = (len(ids) - 1) // context
    x = ids[: whole * context].view(whole, context)
    y = ids[1 : whole * context + 1].view(whole, context)
    for at in range(0, whole, 128):
        loss = F.cross_entropy(model(x[at : at + 128]).flatten(0, 1), y[at : at + 128].flatten(), reduction="sum")
        total, count = total + float(loss), count + y[at : at + 128].numel()
    model.train()
    return total / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--no-full-pass", action="store_true", help="end where nanoGPT's own script ends")
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    with open(given.text, encoding="utf-8", newline="") as file:
        text = file.read()
    alphabet = sorted(set(text))
    lookup = {character: number for number, character in enumerate(alphabet)}
    ids = torch.from_numpy(np.array([lookup[character] for character in text], dtype=np.int64))
    train, held_out = ids[: int(0.9 * len(ids))], ids[int(0.9 * len(ids)) :]
    model = Baseline(len(alphabet), 4, 128, 4, 64)
    optim = optimizer(model)
    start = time.perf_counter()

    def batch(part: Tensor) -> tuple[Tensor, Tensor]:
        at = torch.randint(len(part) - 64, (12,))
        return torch.stack([part[i : i + 64] for i in at]), torch.stack([part[i + 1 : i + 65] for i in at])

    for step in range(given.steps + 1):
        if step % 250 == 0:
            model.eval()
            with torch.no_grad():
                for part in (train, held_out):
                    for _ in range(20):
                        x, y = batch(part)
                        F.cross_entropy(model(x).flatten(0, 1), y.flatten())
            model.train()
        if step == given.steps:
            break
        for group in optim.param_groups:
            group["lr"] = learning_rate(step, given.steps)
        x, y = batch(train)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optim.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optim.step()
        loss.item()
    seconds = time.perf_counter() - start
    held = None if given.no_full_pass else full_pass(model, held_out, 64)
    print(json.dumps({"seed": given.seed, "seconds": seconds, "held_out": held}))


if __name__ == "__main__":
    main()
