"""One side of `steps.py`: hold models made with whatever sources are on the path, and time steps when asked.

It uses the public interface alone, and that of two commits, as `bits_side.py` does. A line of input names a case; the
answer is seconds a step. Shapes: B sequences, T positions.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable

import torch

from mainstem import config, noise, optim
from mainstem.config.building import build
from mainstem.model import LanguageModel, Rates, Settings

NOISY = Rates(embedding=0.2, attention_weights=0.2, attention=0.2, hidden=0.2, feedforward=0.2)
SMALL = {"layers": 4, "width": 128, "heads": 4}
LARGE = {"layers": 6, "width": 384, "heads": 6}
CASES: dict[str, tuple[dict[str, int], str, float, str]] = {
    "4 x 128, rate 0, bfloat16": (SMALL, "pre_norm", 0, "bfloat16"),
    "4 x 128, rate 0.2, bfloat16": (SMALL, "pre_norm", 0.2, "bfloat16"),
    "4 x 128, rate 0, float32": (SMALL, "pre_norm", 0, "float32"),
    "4 x 128, rate 0.2, float32": (SMALL, "pre_norm", 0.2, "float32"),
    "4 x 128, hyper, rate 0, bfloat16": (SMALL, "hyper", 0, "bfloat16"),
    "4 x 128, denseformer, rate 0, bfloat16": (SMALL, "denseformer", 0, "bfloat16"),
    "4 x 128, value_residual, rate 0.2, bfloat16": (SMALL, "value_residual", 0.2, "bfloat16"),
    "6 x 384, rate 0, bfloat16": (LARGE, "pre_norm", 0, "bfloat16"),
    "6 x 384, rate 0.2, bfloat16": (LARGE, "pre_norm", 0.2, "bfloat16"),
}
BATCH, LENGTH, VOCAB = 16, 128, 1024
TURN = {4: 5, 6: 2}
"""How many steps a turn has, by the number of layers: about a third of a second."""


def stepper(shape: dict[str, int], form: str, rate: float, dtype: str) -> Callable[[], None]:
    """Return a function that takes one training step."""
    rates = NOISY if rate else Rates()
    model = LanguageModel(Settings(vocab=VOCAB, context=LENGTH, **shape, residual=form, rates=rates), seed=5)
    optimizer = optim.make(model, build({"name": "adamw", "lr": 1e-3}, config.Optim))
    x_BT, y_BT = torch.randint(0, VOCAB, (2, BATCH, LENGTH), generator=torch.Generator().manual_seed(0))
    numbers = itertools.count()

    def step() -> None:
        with (
            noise.counter(seed=7, step=next(numbers), samples=range(BATCH)),
            torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"),
        ):
            loss = model(x_BT, targets_BT=y_BT) / y_BT.numel()
        loss.backward()
        optim.update(optimizer, model, 1.0)
        optimizer.zero_grad(set_to_none=True)

    return step


def main() -> None:
    only = sys.argv[1]
    steps = {case: stepper(*what) for case, what in CASES.items() if only in case}
    for line in sys.stdin:
        case = line.strip()
        if case == "cases":
            for step in steps.values():
                for _ in range(3):
                    step()
            print(json.dumps(list(steps)), flush=True)
            continue
        turn = TURN[CASES[case][0]["layers"]]
        began = time.perf_counter()
        for _ in range(turn):
            steps[case]()
        print((time.perf_counter() - began) / turn, flush=True)


if __name__ == "__main__":
    main()
