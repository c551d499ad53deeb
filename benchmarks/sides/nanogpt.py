"""nanoGPT's recipe for a CPU, over characters: the model and the numbers of `baseline.py`, until the budget is used.

Source: karpathy/nanoGPT, README and config/train_shakespeare_char.py: 4 layers of width 128, 4 heads, context 64, batch
12, no dropout; AdamW with betas 0.9 and 0.99, decay 0.1, warm-up of 100 steps, cosine to a tenth. Its cosine goes over
a number of steps that is given; here it goes over the share of the budget that is used.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from baseline import Baseline, optimizer

from . import network, text
from .clock import Budget, used
from .outcome import Outcome

CONTEXT, BATCH, WARMUP = 64, 12, 100


def run(parts: text.Parts, seconds: float, seed: int, rate: float) -> Outcome:
    """Return what the recipe comes to in a budget of `seconds`; `rate` is its highest learning rate."""
    ids, budget = text.characters(parts), Budget(seconds)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    train_N, held_N = torch.from_numpy(ids.train), torch.from_numpy(ids.held)
    model = Baseline(ids.vocab, layers=4, width=128, heads=4, context=CONTEXT)
    update = optimizer(model)

    def step(number: int, share: float) -> float:
        for group in update.param_groups:
            group["lr"] = rate * min((number + 1) / (WARMUP + 1), 0.1 + 0.45 * (1 + math.cos(math.pi * share)))
        x, y = network.windows(train_N, CONTEXT, BATCH, generator)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        update.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        update.step()
        return loss.item()

    def held_out() -> float:
        model.eval()
        reached = network.sampled(model, held_N, CONTEXT)
        model.train()
        return reached

    done = network.train(model, step, held_out, budget)
    ready = used()
    model.eval()
    nats_N = network.score(model, train_N, held_N, CONTEXT)
    return Outcome(
        float(nats_N.sum()), None, ready, f"4 x 128, {ids.kind}, best at step {done.best_step}", len(nats_N),
        done.steps, done.steps * BATCH * CONTEXT / len(train_N), sum(p.numel() for p in model.parameters()),
    )  # fmt: skip
