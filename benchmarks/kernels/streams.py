"""Training steps of forms with several streams or a history, against pre-norm of the same size.

The callables are one training step each. What they are measured against besides are the products of pre-norm's step.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import torch
from limit import Case

from kernels.step import flops
from mainstem import optim
from mainstem.model import LanguageModel, Settings

BATCH, CONTEXT, WIDTH = 4, 256, 384


def step(residual: Any, layers: int) -> Callable[[], object]:
    """Return one training step, forward, backward and update, of a new model."""
    torch.manual_seed(0)
    model = LanguageModel(Settings(vocab=65, layers=layers, width=WIDTH, heads=6, context=CONTEXT, residual=residual))
    optimizer = optim.AdamW(optim.groups(model), lr=1e-4)
    x = torch.randint(65, (BATCH, CONTEXT))

    def run() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x).flatten(0, 1), x.flatten()).backward()
        optimizer.step()

    return run


def cases() -> list[Case]:
    gc.collect()
    size = f"{BATCH} x {CONTEXT} tokens, width {WIDTH}"
    hyper = {"name": "hyper", "streams": 4, "weights": "dynamic"}
    return [
        Case(f"hyper-connections, 4 streams, dynamic, 12 layers, {size}", "pre_norm", "at most 1.12 of its time",
             step(hyper, 12), step("pre_norm", 12), flops=flops(12, WIDTH, CONTEXT, BATCH)),
        Case(f"denseformer, 24 layers, {size}", "pre_norm", "at most 1.10 of its time",
             step("denseformer", 24), step("pre_norm", 24), flops=flops(24, WIDTH, CONTEXT, BATCH)),
    ]  # fmt: skip
